//! What reads the machine's energy: EnergiBridge, the built-in RAPL reader, or the estimate.
//!
//! [`select`] finds a [`Meter`] that works; [`Meter::start`] begins a [`Session`] per trial.

mod energibridge;
mod error;
mod estimate;
mod machine;
pub mod measure;
mod proc;
mod rapl;
mod sampler;
mod session;
mod settings;
mod suspend;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::MeterError;
pub use session::{Session, SessionReport};
pub use settings::{Choice, CpuWatts, Kind, MeterSettings};

use crate::process::Exit;
use crate::samples::Domain;
use energibridge::Energibridge;
use machine::Machine;
use rapl::Rapl;
use sampler::{Sampler, Source};
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
}

/// What a meter is, for the record of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeterDescription {
    /// Which meter.
    pub kind: Kind,
    /// Whether its joules are worked out instead of measured.
    pub estimated: bool,
    /// Version of the program that measures.
    pub version: String,
    /// What it reads.
    pub counters: Vec<Counter>,
    /// Counters that are shown and never move: registers that this machine lacks. They are not read, or
    /// not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// What a reader of the results should know.
    pub notes: Vec<String>,
}

/// A meter that was found to work.
#[derive(Debug, Clone)]
pub struct Meter {
    settings: MeterSettings,
    instrument: Instrument,
}

#[derive(Debug, Clone)]
enum Instrument {
    Energibridge(Energibridge),
    Rapl(Rapl),
    Estimate { cpus: usize },
}

/// The meter to use, and why the ones before it in line could not be.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The meter.
    pub meter: Meter,
    /// Which were tried before it, in order, and why they do not work here.
    pub rejected: Vec<(Kind, String)>,
}

/// Finds a meter that works: the one that was asked for, or the first of EnergiBridge, RAPL and the
/// estimate.
///
/// # Errors
///
/// Why the meter asked for does not work, or [`MeterError::NoneWorks`] with all reasons.
pub fn select(settings: &MeterSettings) -> Result<Selected, MeterError> {
    if settings.interval.as_millis() == 0 {
        return Err(MeterError::Interval(settings.interval));
    }
    let kind = match settings.choice {
        Choice::Only(kind) => {
            return Ok(Selected { meter: Meter::probe(settings, kind)?, rejected: Vec::new() });
        }
        Choice::Auto => Kind::ALL,
    };
    let mut rejected = Vec::new();
    for kind in kind {
        match Meter::probe(settings, kind) {
            Ok(meter) => return Ok(Selected { meter, rejected }),
            Err(error) => rejected.push((kind, error.to_string())),
        }
    }
    Err(MeterError::NoneWorks(rejected))
}

impl Meter {
    fn probe(settings: &MeterSettings, kind: Kind) -> Result<Meter, MeterError> {
        let instrument = match kind {
            Kind::Energibridge => Instrument::Energibridge(Energibridge::probe(
                settings.energibridge.as_deref(),
                settings.search_path.as_deref(),
                settings.interval,
            )?),
            Kind::Rapl => Instrument::Rapl(Rapl::probe(&settings.powercap, &rapl::files())?),
            Kind::Estimate => Instrument::Estimate { cpus: estimate::probe(&settings.proc_root)? },
        };
        Ok(Meter { settings: settings.clone(), instrument })
    }

    /// Which meter it is.
    pub fn kind(&self) -> Kind {
        match self.instrument {
            Instrument::Energibridge(_) => Kind::Energibridge,
            Instrument::Rapl(_) => Kind::Rapl,
            Instrument::Estimate { .. } => Kind::Estimate,
        }
    }

    /// Time between two samples.
    pub fn interval(&self) -> Duration {
        self.settings.interval
    }

    /// The same meter with another time between two samples.
    pub fn at_interval(&self, interval: Duration) -> Meter {
        let settings = MeterSettings { interval, ..self.settings.clone() };
        Meter { settings, instrument: self.instrument.clone() }
    }

    /// Whether its joules are worked out instead of measured.
    pub fn is_estimate(&self) -> bool {
        self.kind() == Kind::Estimate
    }

    /// What it reads, for the record.
    pub fn describe(&self) -> MeterDescription {
        let (version, counters, notes) = match &self.instrument {
            Instrument::Energibridge(program) => {
                (program.version.clone(), program.counters(), program.notes())
            }
            Instrument::Rapl(rapl) => (own_version(), rapl.counters(), rapl.notes.clone()),
            Instrument::Estimate { cpus } => {
                let CpuWatts { idle_w, busy_w } = self.settings.cpu_watts;
                let counter = Counter {
                    domain: Domain::Estimated,
                    counted: true,
                    name: format!("{idle_w} W idle, {busy_w} W with all {cpus} processors busy"),
                    path: self.settings.proc_root.join("stat").display().to_string(),
                    range_j: None,
                };
                let note = "estimated from processor busy time and a stated power, not measured";
                (own_version(), vec![counter], vec![note.to_owned()])
            }
        };
        let kind = self.kind();
        let absent = match &self.instrument {
            Instrument::Energibridge(program) => program.absent.clone(),
            Instrument::Rapl(rapl) => rapl.absent.clone(),
            Instrument::Estimate { .. } => Vec::new(),
        };
        let estimated = self.is_estimate();
        MeterDescription { kind, estimated, version, counters, absent, notes }
    }

    /// The command line that measures `argv` into `csv`: EnergiBridge puts itself in front, the
    /// built-in meters leave it as it is.
    pub fn wrap(&self, csv: &Path, argv: Vec<OsString>) -> Vec<OsString> {
        match &self.instrument {
            Instrument::Energibridge(program) => {
                program.wrap(csv, self.settings.interval, true, argv)
            }
            _ => argv,
        }
    }

    /// Whether a wrapped command that ended like this failed because of the meter, from the log that
    /// both wrote to and the file of samples. `None` where it is the command's own doing; always so
    /// with the built-in meters, whose faults [`Session::health`] tells.
    ///
    /// A wrapper that this program killed looks like one that failed: ask only about one that ended by
    /// itself.
    pub fn failure(&self, exit: Exit, log: &Path, csv: &Path) -> Option<MeterError> {
        match &self.instrument {
            Instrument::Energibridge(_) => energibridge::judge::judge(exit, log, csv),
            _ => None,
        }
    }

    /// Begins to measure into `csv`. A built-in meter has taken its first reading when this returns;
    /// EnergiBridge begins with the command that it [wraps](Meter::wrap), and the session only follows
    /// its file: start it before the command.
    ///
    /// # Errors
    ///
    /// Where the counters cannot be read, `csv` cannot be created, or no thread can be started.
    pub fn start(&self, csv: &Path) -> Result<Session, MeterError> {
        let source: Box<dyn Source> = match &self.instrument {
            Instrument::Energibridge(_) => {
                return Session::watch(csv, self.settings.interval, &Slept::of_the_system());
            }
            Instrument::Rapl(rapl) => Box::new(rapl.open(rapl::files())?),
            Instrument::Estimate { .. } => Box::new(estimate::Estimate::open(
                &self.settings.proc_root,
                self.settings.cpu_watts,
            )?),
        };
        let machine = Machine::open(&self.settings.proc_root, &self.settings.cpu_root);
        let (kind, interval) = (self.kind(), self.settings.interval);
        Session::start(
            |shared| {
                let report = SessionReport::new(kind);
                Sampler::begin(source, machine, csv.to_owned(), interval, shared, report)
            },
            csv,
            &Slept::of_the_system(),
        )
    }
}

fn own_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The EnergiBridge that this user's `PATH` gives, if any; nothing is run.
pub fn energibridge_on_path() -> Option<std::path::PathBuf> {
    energibridge::find(None, std::env::var_os("PATH").as_deref()).ok()
}
