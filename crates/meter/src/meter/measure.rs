//! The meter on its own: any command, measured from just before it starts until just after it ended.
//!
//! One thread waits for the command and for signals, one samples; nothing else runs.

mod attend;
mod error;
mod file;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::signals::Signals;
use super::{
    Kind, Meter, MeterDescription, MeterError, MeterSettings, Selected, SessionReport, select,
};
use crate::energy::{Energy, account_file};
use crate::marks::{self, Heard, Inbox};
use crate::process::Exit;
use crate::samples::Domain;
use attend::{Start, attend};
pub use error::MeasureError;
pub(crate) use file::unmade;
pub use file::{first_free, free_file, remove_if_empty};
use joulerace_energy::phase::{Edge, Phase, PhaseMark};

/// What a command took.
#[derive(Debug, Clone)]
pub struct Measured {
    /// How the command ended.
    pub exit: Exit,
    /// The samples, in EnergiBridge's format.
    pub csv: PathBuf,
    /// The meter that measured.
    pub meter: MeterDescription,
    /// Meters that were tried before it, and why they do not work here.
    pub rejected: Vec<(Kind, String)>,
    /// Joules, seconds, and how well the sampling went.
    pub report: SessionReport,
    /// Whether somebody asked to stop meanwhile, whatever the command made of that.
    pub asked_to_stop: bool,
    /// What the command marked of its phases.
    pub heard: Heard,
    /// Each phase that it marked by itself, and all that counts of them together; none where it marked
    /// none.
    pub phases: Option<Phases>,
}

/// What the phases that a command marked came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Phases {
    /// Each by itself.
    pub each: BTreeMap<Phase, Energy>,
    /// Those of [`Phase::window`] together; none where one of them never ended.
    pub window: Option<Energy>,
}

/// Where the command's standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    /// Where this program's goes.
    Inherited,
    /// To this program's standard error: its standard output is wanted for something else.
    ToStderr,
}

impl Measured {
    /// The exit status to end with: the command's own, or 128 and its signal's number as shells say.
    pub fn exit_status(&self) -> i32 {
        match self.exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
            Exit::Unknown => 1,
        }
    }

    /// Mean power of the total in watts; `None` where the joules are unknown or no time passed.
    pub fn watts(&self) -> Option<f64> {
        let joules = self.report.total_j?;
        (self.report.seconds > 0.0).then(|| joules / self.report.seconds)
    }

    /// Joules of each domain that makes up the total, for the sentence about it.
    pub fn counted(&self) -> BTreeMap<Domain, f64> {
        let domains: Vec<Domain> = self.report.joules.keys().copied().collect();
        let total = Domain::in_total(&domains);
        let mut joules = self.report.joules.clone();
        joules.retain(|domain, _| total.contains(domain));
        joules
    }
}

/// Measures `argv` into `csv`, with this program's standard streams, and waits for its end.
///
/// Without `csv`, the samples go to `measure_<date>_<time>.csv` in the present folder; a named file is
/// overwritten. SIGINT, SIGTERM and SIGHUP are passed on to the command, and the second of them ends it
/// at once together with all it started. Where standard input is a terminal the command stays in the
/// foreground group instead, and Ctrl-C and Ctrl-Z reach it as if it were not measured.
/// On Linux it is ended with this program, even if that is killed.
///
/// Call it from a thread that runs no async runtime and that lives as long as the command.
///
/// # Errors
///
/// See [`MeasureError`]. A command that fails is no error here: its exit status is in the result.
pub fn run(
    settings: &MeterSettings,
    csv: Option<&Path>,
    argv: Vec<OsString>,
) -> Result<Measured, MeasureError> {
    let program = argv.first().ok_or(MeasureError::NoCommand)?;
    startable(program, settings.search_path.as_deref())?;
    let mut measurer = Measurer::new(settings)?;
    let csv = match csv {
        Some(csv) => csv.to_owned(),
        None => free_file(Path::new("."))
            .map_err(|source| unmade(Path::new("measure_<date>_<time>.csv"), source))?,
    };
    let measured = measurer.run(&csv, argv, Stdout::Inherited);
    if measured.is_err() {
        remove_if_empty(&csv);
    }
    measured
}

/// A meter that was chosen once and measures one command after another.
#[derive(Debug)]
pub struct Measurer {
    meter: Meter,
    rejected: Vec<(Kind, String)>,
    /// Kept from one command to the next: a request to stop in between is then not lost.
    signals: Signals,
    runtime: tokio::runtime::Runtime,
}

impl Measurer {
    /// Chooses the meter.
    ///
    /// # Errors
    ///
    /// [`MeasureError::Meter`] and [`MeasureError::System`].
    pub fn new(settings: &MeterSettings) -> Result<Measurer, MeasureError> {
        let Selected { meter, rejected } = select(settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(MeasureError::System)?;
        let signals = {
            let _inside = runtime.enter();
            Signals::new().map_err(MeasureError::System)?
        };
        Ok(Measurer { meter, rejected, signals, runtime })
    }

    /// Meters that were tried before it, and why they do not work here.
    pub fn rejected(&self) -> &[(Kind, String)] {
        &self.rejected
    }

    /// What measures.
    pub fn meter(&self) -> MeterDescription {
        self.meter.describe()
    }

    /// As [`run`], into a file that is overwritten where it is there.
    ///
    /// # Errors
    ///
    /// See [`MeasureError`].
    pub fn run(
        &mut self,
        csv: &Path,
        argv: Vec<OsString>,
        stdout: Stdout,
    ) -> Result<Measured, MeasureError> {
        if argv.is_empty() {
            return Err(MeasureError::NoCommand);
        }
        // Links on the way to it are the user's own.
        let file = match (csv.parent().and_then(|dir| dir.canonicalize().ok()), csv.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => csv.to_owned(),
        };
        let inbox = Inbox::open().map_err(MeasureError::System)?;
        let run = self.meter.run_quietly(&file, argv)?;
        let session = run.session();
        let begun = process_mark(Edge::Begin);
        let (line, wrapped) = (run.line(), run.needs_its_command());
        let start = Start { line, wrapped, stdout, marks: inbox.path() };
        let (runtime, signals) = (&self.runtime, &mut self.signals);
        let attended =
            inbox.during(|_| session.mark(), || runtime.block_on(attend(&start, signals)));
        let (ended, heard) = match attended {
            Ok((Ok(ended), heard)) => (ended, heard),
            Ok((Err(error), _)) => {
                drop(run);
                // Only the header is in it, of a command that never was.
                let _ = std::fs::remove_file(&file);
                return Err(error);
            }
            Err(error) => return Err(MeasureError::System(error)),
        };
        let process = [begun, process_mark(Edge::End)];
        let exit = ended.exit;
        let lost = |source| MeasureError::Lost { exit, source };
        if ended.wrapper_gone {
            let said =
                "it left the command running, which was stopped; its own words are above, and an \
                 overflow of durations means that --interval is too short for this machine"
                    .to_owned();
            return Err(lost(MeterError::EnergibridgeEnded { exit, said }));
        }
        let report = run.finish().map_err(lost)?;
        total_known(&report, csv).map_err(lost)?;
        Ok(Measured {
            exit,
            csv: csv.to_owned(),
            meter: self.meter.describe(),
            rejected: self.rejected.clone(),
            report,
            asked_to_stop: ended.asked_to_stop,
            phases: self.phases(&file, &heard, process)?,
            heard,
        })
    }

    /// What the phases that a command marked came to.
    fn phases(
        &self,
        csv: &Path,
        heard: &Heard,
        [begun, ended]: [PhaseMark; 2],
    ) -> Result<Option<Phases>, MeasureError> {
        if heard.marks.is_empty() {
            return Ok(None);
        }
        let marks: Vec<PhaseMark> =
            [begun].into_iter().chain(heard.marks.iter().copied()).chain([ended]).collect();
        let mut accounts = account_file(csv, &marks, &self.meter.capabilities().wrapping())
            .map_err(|error| MeterError::Samples(std::sync::Arc::new(error)))?;
        accounts.phases.remove(&Phase::Run);
        Ok(Some(Phases { each: accounts.phases, window: accounts.window }))
    }
}

/// One end of the command's process, now.
fn process_mark(edge: Edge) -> PhaseMark {
    PhaseMark { phase: Phase::Run, edge, unix_ns: marks::now_ns() }
}

/// Whether the report knows its total.
///
/// # Errors
///
/// Why it does not, and what the other sensors read into `csv`.
fn total_known(report: &SessionReport, csv: &Path) -> Result<(), MeterError> {
    if report.resets > 0 && report.total_j.is_none() {
        return Err(MeterError::Reset { resets: report.resets });
    }
    let Some(why) = &report.unknown else { return Ok(()) };
    let told = |(domain, joules): (&Domain, &f64)| format!("{domain} {joules:.1} J");
    let rest: Vec<String> = report.joules.iter().map(told).collect();
    let rest = match rest.is_empty() || report.lost.is_empty() {
        true => String::new(),
        false => {
            format!(". What the other sensors read is in {}: {}", csv.display(), rest.join(", "))
        }
    };
    let why = why.trim_end_matches(['.', ' ']);
    Err(MeterError::UnknownTotal(format!("{why}{rest}")))
}

/// Whether there is such a program. A wrapping meter would report it in its own words only.
///
/// # Errors
///
/// [`MeasureError::Start`], as the system would say it.
pub fn startable(program: &OsStr, search_path: Option<&OsStr>) -> Result<(), MeasureError> {
    if exists(program, search_path) {
        return Ok(());
    }
    let source = std::io::ErrorKind::NotFound.into();
    Err(MeasureError::Start { command: program.to_string_lossy().into(), source })
}

fn exists(program: &OsStr, search_path: Option<&OsStr>) -> bool {
    let path = Path::new(program);
    if path.components().count() > 1 || cfg!(windows) {
        return path.exists() || cfg!(windows);
    }
    let folders = search_path.map(std::env::split_paths).into_iter().flatten();
    folders.map(|folder| folder.join(path)).any(|path| path.is_file())
}
