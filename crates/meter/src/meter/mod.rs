//! What reads the machine's energy: EnergiBridge, the built-in RAPL reader or the estimate for the processor,
//! and NVIDIA's library for graphics cards.
//!
//! [`select`] finds a [`Meter`] that works; [`Meter::start`] begins a [`Session`] per trial.

mod energibridge;
mod error;
mod estimate;
mod machine;
pub mod measure;
mod merge;
pub mod nvml;
mod proc;
mod rapl;
mod run;
mod sampler;
mod session;
mod settings;
mod signals;
mod source;
mod suspend;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::{MeterError, needs};
pub use nvml::GpuError;
pub use rapl::PerfError;
pub use run::{Capabilities, Run};
pub use session::{Session, SessionReport};
pub use settings::{Choice, CpuWatts, EDGES, Gpus, Kind, MeterSettings, Sensors};
pub use source::{Disagreement, LostSensor};

use crate::samples::Domain;
use energibridge::Energibridge;
use machine::Machine;
use nvml::Cards;
use rapl::Rapl;
use sampler::Sampler;
use source::Source;
use suspend::Slept;

/// One counter that a meter reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// What it covers.
    pub domain: Domain,
    /// Whether its joules are part of the total.
    pub counted: bool,
    /// Its name, as the kernel gives it, such as `package-1`.
    pub name: String,
    /// Where it is read.
    pub path: String,
    /// Joules after which it starts again at 0; `None` where it does not.
    pub range_j: Option<f64>,
    /// Which sensor reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<Kind>,
    /// Its column in the file of samples, where it has one; several sockets share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How often it moves, in milliseconds, where that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_ms: Option<f64>,
}

/// What a meter is, for the record of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeterDescription {
    /// Its sensors.
    pub kind: Sensors,
    /// Whether joules of its total are worked out instead of measured.
    pub estimated: bool,
    /// Versions of the programs that measure.
    pub version: String,
    /// What it reads.
    pub counters: Vec<Counter>,
    /// What its total adds up.
    #[serde(default)]
    pub total: Vec<Domain>,
    /// The way in to RAPL's counters, where they are read: powercap or perf events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// Counters that are shown and never move: registers that this machine lacks. They are not read, or
    /// not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// The graphics cards that it reads, and how they are set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<nvml::Card>,
    /// What a reader of the results should know.
    pub notes: Vec<String>,
}

/// A meter that was found to work: sensors that are read together.
#[derive(Debug, Clone)]
pub struct Meter {
    settings: MeterSettings,
    /// The processor's sensor, or the cards', or both in this order.
    sensors: Vec<Sensor>,
}

#[derive(Debug, Clone)]
enum Sensor {
    Energibridge(Energibridge),
    Rapl(Rapl),
    Estimate { cpus: usize },
    Nvml(Cards),
}

/// The meter to use, and why the ones before it in line could not be.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The meter.
    pub meter: Meter,
    /// Which were tried before it, in order, and why they do not work here.
    pub rejected: Vec<(Kind, String)>,
}

/// Finds sensors that work: those that were asked for, or, for the processor, the first of EnergiBridge,
/// RAPL and the estimate, and beside it the cards that there are.
///
/// # Errors
///
/// Why a sensor asked for does not work, or [`MeterError::NoneWorks`] with all reasons.
pub fn select(settings: &MeterSettings) -> Result<Selected, MeterError> {
    if settings.interval.as_millis() == 0 {
        return Err(MeterError::Interval(settings.interval));
    }
    let sensors = match settings.choice {
        Choice::These(sensors) => sensors,
        Choice::Auto => return automatic(settings),
    };
    let fits = match settings.gpus {
        Gpus::All => true,
        Gpus::None => !sensors.has(Kind::Nvml),
        Gpus::These(_) => sensors.has(Kind::Nvml),
    };
    if !fits {
        let (gpus, meter) = (settings.gpus.to_string(), sensors.to_string());
        return Err(MeterError::GpusAgainstMeter { gpus, meter });
    }
    let sensors = sensors.each().map(|kind| Sensor::probe(settings, kind));
    let meter = Meter { settings: settings.clone(), sensors: sensors.collect::<Result<_, _>>()? };
    Ok(Selected { meter, rejected: Vec::new() })
}

fn automatic(settings: &MeterSettings) -> Result<Selected, MeterError> {
    let (mut sensors, mut rejected) = (Vec::new(), Vec::new());
    for kind in Kind::OF_PROCESSOR {
        match Sensor::probe(settings, kind) {
            Ok(sensor) => {
                sensors.push(sensor);
                break;
            }
            Err(error) => rejected.push((kind, error.to_string())),
        }
    }
    if settings.gpus != Gpus::None {
        match Sensor::probe(settings, Kind::Nvml) {
            Ok(cards) => sensors.push(cards),
            // A card that was named and cannot be read must not pass for one that draws nothing.
            Err(error) if settings.gpus != Gpus::All => return Err(error),
            // A machine without cards, the ordinary case.
            Err(MeterError::Gpu(GpuError::Absent { .. } | GpuError::NoCards)) => {}
            Err(error) => rejected.push((Kind::Nvml, error.to_string())),
        }
    }
    if sensors.is_empty() {
        return Err(MeterError::NoneWorks(rejected));
    }
    Ok(Selected { meter: Meter { settings: settings.clone(), sensors }, rejected })
}

impl Sensor {
    fn probe(settings: &MeterSettings, kind: Kind) -> Result<Sensor, MeterError> {
        Ok(match kind {
            // It cannot be asked for a reading at a mark.
            Kind::Energibridge if settings.interval >= EDGES => return Err(MeterError::NoEdges),
            Kind::Energibridge => Sensor::Energibridge(Energibridge::probe(
                settings.energibridge.as_deref(),
                settings.search_path.as_deref(),
                settings.interval,
            )?),
            Kind::Rapl => {
                let own = settings.powercap == Path::new(rapl::POWERCAP);
                let roots = rapl::Roots {
                    powercap: &settings.powercap,
                    events: own.then_some(settings.events.as_path()),
                    cpu: &settings.cpu_root,
                    proc: &settings.proc_root,
                };
                Sensor::Rapl(Rapl::probe(&roots, &rapl::files(), &rapl::kernel())?)
            }
            Kind::Estimate => Sensor::Estimate { cpus: estimate::probe(&settings.proc_root)? },
            Kind::Nvml => Sensor::Nvml(Cards::probe(&settings.nvml, &settings.gpus)?),
        })
    }

    fn kind(&self) -> Kind {
        match self {
            Sensor::Energibridge(_) => Kind::Energibridge,
            Sensor::Rapl(_) => Kind::Rapl,
            Sensor::Estimate { .. } => Kind::Estimate,
            Sensor::Nvml(_) => Kind::Nvml,
        }
    }

    /// Its version, its counters, and what to know about them.
    fn describe(&self, settings: &MeterSettings) -> (String, Vec<Counter>, Vec<String>) {
        match self {
            Sensor::Energibridge(program) => {
                (program.version.clone(), program.counters(), program.notes())
            }
            Sensor::Rapl(rapl) => (own_version(), rapl.counters(), rapl.notes()),
            Sensor::Estimate { cpus } => {
                let CpuWatts { idle_w, busy_w } = settings.cpu_watts;
                let counter = Counter {
                    domain: Domain::Estimated,
                    counted: true,
                    name: format!("{idle_w} W idle, {busy_w} W with all {cpus} processors busy"),
                    path: settings.proc_root.join("stat").display().to_string(),
                    range_j: None,
                    sensor: Some(Kind::Estimate),
                    column: Some(estimate::COLUMN.to_owned()),
                    update_ms: None,
                };
                let note = "estimated from processor busy time and a stated power, not measured";
                (own_version(), vec![counter], vec![note.to_owned()])
            }
            Sensor::Nvml(cards) => {
                (format!("driver {}", cards.driver), cards.counters(), cards.notes())
            }
        }
    }

    /// What this program's own sampler reads of it; nothing where another program samples.
    fn sources(&self, settings: &MeterSettings) -> Result<Vec<Box<dyn Source>>, MeterError> {
        Ok(match self {
            Sensor::Energibridge(_) => Vec::new(),
            Sensor::Rapl(rapl) => vec![Box::new(rapl.open(rapl::files(), &rapl::kernel())?)],
            Sensor::Estimate { .. } => {
                vec![Box::new(estimate::Estimate::open(&settings.proc_root, settings.cpu_watts)?)]
            }
            // Each card by itself, so that one that is lost takes no other along.
            Sensor::Nvml(cards) => {
                let boxed = |card| Box::new(card) as Box<dyn Source>;
                cards.open()?.into_iter().map(boxed).collect()
            }
        })
    }
}

impl Meter {
    /// Which sensors it reads.
    pub fn sensors(&self) -> Sensors {
        Sensors::of(self.sensors.iter().map(Sensor::kind)).unwrap_or_else(|| Kind::Estimate.into())
    }

    /// The program that wraps what is measured, where there is one.
    fn wrapper(&self) -> Option<&Energibridge> {
        self.sensors.iter().find_map(|sensor| match sensor {
            Sensor::Energibridge(program) => Some(program),
            _ => None,
        })
    }

    /// What it can do, and what its numbers are.
    pub fn capabilities(&self) -> Capabilities {
        let any = |asked: fn(Kind) -> bool| self.sensors().each().any(asked);
        let wraps = any(Kind::wraps);
        let estimates = any(|kind| !kind.measures());
        Capabilities { wraps, marks: !wraps, estimates, cards: any(Kind::reads_cards) }
    }

    /// The shortest time that it resolves well enough: a reading at either end is off by up to one of its
    /// counter's steps, and this is a few hundred of them.
    pub fn resolves(&self) -> Duration {
        let of = |kind: Kind| match kind {
            // About a millisecond a step.
            Kind::Rapl => Duration::from_millis(500),
            // The kernel's ticks, of 10 ms at most.
            Kind::Estimate => Duration::from_secs(1),
            // A tenth of a second a step; its powers are means of up to a second.
            Kind::Nvml => Duration::from_secs(5),
            // It knows no marks, and is read off between two of its samples.
            Kind::Energibridge => 20 * self.interval(),
        };
        self.sensors().each().map(of).max().unwrap_or_default()
    }

    /// Time between two samples.
    pub fn interval(&self) -> Duration {
        self.settings.interval
    }

    /// The same meter with another time between two samples.
    pub fn at_interval(&self, interval: Duration) -> Meter {
        let settings = MeterSettings { interval, ..self.settings.clone() };
        Meter { settings, sensors: self.sensors.clone() }
    }

    /// What it reads, for the record.
    pub fn describe(&self) -> MeterDescription {
        let mut about = MeterDescription {
            kind: self.sensors(),
            estimated: self.capabilities().estimates,
            version: String::new(),
            counters: Vec::new(),
            total: Vec::new(),
            way: None,
            absent: Vec::new(),
            cards: Vec::new(),
            notes: Vec::new(),
        };
        let mut versions = Vec::new();
        for sensor in &self.sensors {
            let (version, counters, notes) = sensor.describe(&self.settings);
            versions.push(version);
            about.counters.extend(counters);
            about.notes.extend(notes);
            match sensor {
                Sensor::Energibridge(program) => about.absent.extend(program.absent.clone()),
                Sensor::Rapl(rapl) => {
                    about.way = Some(rapl.way().to_owned());
                    about.absent.extend(rapl.absent().to_vec());
                }
                Sensor::Estimate { .. } => {}
                Sensor::Nvml(cards) => {
                    about.cards.extend(cards.cards.iter().map(|(card, _)| card.clone()));
                }
            }
        }
        let domains: Vec<Domain> = about.counters.iter().map(|counter| counter.domain).collect();
        about.total = Domain::in_total(&domains);
        about.version = versions.join(", ");
        about
    }

    /// Begins to measure the command `argv` into `csv`; what is to be started is in the result. A meter that
    /// reads beside it has taken its first reading when this returns.
    ///
    /// # Errors
    ///
    /// As [`start`](Meter::start).
    pub fn run(&self, csv: &Path, argv: Vec<OsString>) -> Result<Run, MeterError> {
        Run::begin(self, csv, true, argv)
    }

    /// The same for a command whose output is not to be mixed with a meter's own summary.
    fn run_quietly(&self, csv: &Path, argv: Vec<OsString>) -> Result<Run, MeterError> {
        Run::begin(self, csv, false, argv)
    }

    fn wrapped(&self, csv: &Path, summary: bool, argv: Vec<OsString>) -> Vec<OsString> {
        match self.wrapper() {
            Some(program) => program.wrap(csv, self.settings.interval, summary, argv),
            None => argv,
        }
    }

    /// Begins to measure whatever happens into `csv`. A built-in meter has taken its first reading when this
    /// returns; one that wraps begins with its command only, which [`run`](Meter::run) gives.
    ///
    /// # Errors
    ///
    /// Where the counters cannot be read, `csv` cannot be created, or no thread can be started.
    pub fn start(&self, csv: &Path) -> Result<Session, MeterError> {
        let mut sources = Vec::new();
        for sensor in &self.sensors {
            let own = sensor.sources(&self.settings)?;
            sources.extend(own.into_iter().map(|source| (sensor.kind(), source)));
        }
        let (interval, slept) = (self.settings.interval, Slept::of_the_system());
        if sources.is_empty() {
            return Session::watch(csv, interval, &slept);
        }
        let wraps = self.capabilities().wraps;
        // Processors and memory are in the other program's file already.
        let machine = match wraps {
            true => Machine::none(),
            false => Machine::open(&self.settings.proc_root, &self.settings.cpu_root),
        };
        let file = if wraps { merge::beside(csv) } else { csv.to_owned() };
        let report = SessionReport::new(self.sensors());
        let begin =
            |shared| Sampler::begin(sources, machine, file.clone(), interval, shared, report);
        match wraps {
            true => Session::watch(csv, interval, &slept)?.with(begin, file.clone()),
            false => Session::start(begin, csv, &slept),
        }
    }
}

fn own_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The EnergiBridge that this user's `PATH` gives, if any; nothing is run.
pub fn energibridge_on_path() -> Option<std::path::PathBuf> {
    energibridge::find(None, std::env::var_os("PATH").as_deref()).ok()
}
