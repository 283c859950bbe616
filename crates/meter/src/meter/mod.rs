//! What reads the machine's energy: EnergiBridge, the built-in RAPL reader or the estimate for the processor,
//! and NVIDIA's library for graphics cards.
//!
//! [`select`] finds a [`Meter`] that works; [`Meter::start`] begins a [`Session`] per trial.

mod card;
mod description;
mod energibridge;
mod error;
mod estimate;
mod machine;
pub mod measure;
mod merge;
pub mod nvml;
mod proc;
mod rapl;
mod report;
mod run;
mod sampler;
mod select;
mod sensor;
mod session;
mod settings;
mod shared;
mod signals;
mod source;
mod suspend;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

pub use card::Card;
pub use description::{Counter, MeterDescription};
pub use error::{GpuError, MeterError, PerfError, needs};
pub use report::SessionReport;
pub(crate) use run::Capabilities;
pub use run::Run;
pub use select::{Selected, select};
pub use session::Session;
pub use settings::{Choice, CpuWatts, EDGES, Gpus, Kind, MeterSettings, POWERCAP, Sensors};

use crate::samples::Domain;
use energibridge::Energibridge;
use machine::Machine;
use sampler::Sampler;
use sensor::Sensor;
use suspend::Slept;

/// A meter that was found to work: sensors that are read together.
#[derive(Debug, Clone)]
pub struct Meter {
    settings: MeterSettings,
    /// The processor's sensor, or the cards', or both in this order.
    sensors: Vec<Sensor>,
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

/// The EnergiBridge that this user's `PATH` gives, if any; nothing is run.
pub fn energibridge_on_path() -> Option<std::path::PathBuf> {
    energibridge::find(None, std::env::var_os("PATH").as_deref()).ok()
}
