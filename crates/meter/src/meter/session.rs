//! One measurement from its first reading to its last.

use joulerace_files::Remedy as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::energibridge::watch::Watch;
use super::error::MeterError;
use super::report::SessionReport;
use super::sampler::{Request, Sampler};
use super::shared::Shared;
use super::source::LostSensor;
use super::suspend::{Nap, Slept};
use super::{Kind, Sensors, merge};
use crate::energy::{Wrapping, account_file};
use crate::samples::Domain;

/// A measurement that runs. Dropping that of a built-in meter ends it after a last reading, without a
/// report.
#[derive(Debug)]
pub struct Session {
    csv: PathBuf,
    nap: Nap,
    /// A thread of this program samples, with EnergiBridge into a file of its own.
    here: Option<Here>,
    /// EnergiBridge samples; this program looks at what it writes.
    elsewhere: Option<Box<Mutex<Watch>>>,
}

#[derive(Debug)]
struct Here {
    csv: PathBuf,
    shared: Arc<Shared>,
    requests: Sender<Request>,
    thread: JoinHandle<Result<SessionReport, MeterError>>,
}

impl Here {
    /// Takes the first reading on this thread, so that it is in the file when this returns, and hands
    /// the rest to a thread of its own.
    fn start(
        begin: impl FnOnce(Arc<Shared>) -> Result<Sampler, MeterError>,
        csv: PathBuf,
    ) -> Result<Here, MeterError> {
        let shared = Arc::new(Shared::new());
        let sampler = begin(Arc::clone(&shared))?;
        let (requests, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("sampler".into())
            .spawn(move || sampler.run(&inbox))
            .map_err(|error| MeterError::Sampler(format!("could not be started ({error})")))?;
        Ok(Here { csv, shared, requests, thread })
    }

    fn health(&self) -> Result<(), MeterError> {
        self.shared.health()?;
        if self.thread.is_finished() {
            return Err(MeterError::Sampler("ended by itself".into()));
        }
        Ok(())
    }

    fn end(self) -> Result<SessionReport, MeterError> {
        let _ = self.requests.send(Request::Finish);
        self.thread.join().unwrap_or_else(|panic| {
            let why = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(MeterError::Sampler(format!("panicked ({why})")))
        })
    }
}

impl Session {
    /// Takes the first reading, and begins to sample into `csv`.
    pub(crate) fn start(
        begin: impl FnOnce(Arc<Shared>) -> Result<Sampler, MeterError>,
        csv: &Path,
        slept: &Slept,
    ) -> Result<Session, MeterError> {
        let nap = slept.watch();
        let here = Here::start(begin, csv.to_owned())?;
        Ok(Session { csv: csv.to_owned(), nap, here: Some(here), elsewhere: None })
    }

    /// The same session with this program's own sampler beside, into `csv`; both files become one at the
    /// end.
    pub(crate) fn with(
        self,
        begin: impl FnOnce(Arc<Shared>) -> Result<Sampler, MeterError>,
        csv: PathBuf,
    ) -> Result<Session, MeterError> {
        Ok(Session { here: Some(Here::start(begin, csv)?), ..self })
    }

    /// Follows a file that another process is about to write. One of that name is removed, so that
    /// nothing old is taken for new.
    pub(crate) fn watch(
        csv: &Path,
        interval: Duration,
        slept: &Slept,
    ) -> Result<Session, MeterError> {
        let nap = slept.watch();
        let removed = crate::store::at(csv).and_then(|(folder, name)| folder.remove(&name));
        if let Err(error) = removed {
            return Err(MeterError::Create { path: csv.to_owned(), source: Arc::new(error) });
        }
        let watch = Box::new(Mutex::new(Watch::new(csv, interval)));
        Ok(Session { csv: csv.to_owned(), nap, here: None, elsewhere: Some(watch) })
    }

    /// Asks for a row now, for the edge of a phase. Costs a message to the sampler's thread and does
    /// not wait; the row's `Time` is the instant of its reading, a fraction of a millisecond later.
    /// EnergiBridge cannot be asked, and this does nothing.
    pub fn mark(&self) {
        if let Some(here) = &self.here {
            // A sampler that is gone is reported by `health`.
            let _ = here.requests.send(Request::Mark(Instant::now()));
        }
    }

    /// Mean power in watts over the last interval, all counted domains together; `None` before the
    /// second row.
    pub fn watts(&self) -> Option<f64> {
        let here = self.here.as_ref().map(|here| here.shared.latest_watts());
        let elsewhere = self.elsewhere.as_ref().map(|watch| locked(watch).watts());
        match (here, elsewhere) {
            (Some(here), Some(elsewhere)) => here.zip(elsewhere).map(|(one, other)| one + other),
            (one, other) => one.or(other).flatten(),
        }
    }

    /// Says whether the samples can still be trusted.
    ///
    /// # Errors
    ///
    /// The first fault: a counter that froze or cannot be read any more, a file that cannot be
    /// written or does not grow, or a sampler that ended by itself. It does not heal: run the trial
    /// again.
    pub fn health(&self) -> Result<(), MeterError> {
        match (&self.elsewhere, &self.here) {
            // A fault of the sampler beside it costs none of EnergiBridge's samples.
            (Some(watch), _) => locked(watch).health(),
            (None, Some(here)) => here.health(),
            (None, None) => Ok(()),
        }
    }

    /// The file of samples.
    pub fn csv(&self) -> &Path {
        &self.csv
    }

    /// Takes the last reading and closes the file. With EnergiBridge, call it once its process has
    /// ended: the report is made from its file.
    ///
    /// # Errors
    ///
    /// As [`health`](Session::health), and where the last reading fails or EnergiBridge's file cannot
    /// be used: then the samples are short.
    pub fn finish(self) -> Result<SessionReport, MeterError> {
        let nap = self.nap.clone();
        self.end().map(|report| SessionReport { suspended_s: nap.seconds(), ..report })
    }

    fn end(self) -> Result<SessionReport, MeterError> {
        let Some(watch) = self.elsewhere else {
            return match self.here {
                Some(here) => here.end(),
                None => Err(MeterError::Sampler("never began".into())),
            };
        };
        let beside = self.here.map(|here| (here.csv.clone(), here.end()));
        match locked(&watch).health().err() {
            // Nothing more comes once its process has ended.
            None | Some(MeterError::Stalled { .. }) => {}
            Some(fault) => return Err(fault),
        }
        let Some((file, sampled)) = beside else { return from_file(&self.csv) };
        let sampled = sampled.and_then(|report| {
            merge::merge(&self.csv, &file)?;
            Ok(report)
        });
        let mut report = from_file(&self.csv)?;
        report.meter = Sensors::of([Kind::Energibridge, Kind::Nvml]).unwrap_or(report.meter);
        match sampled {
            Ok(own) => {
                report.lost = own.lost;
                report.disagreements = own.disagreements;
                report.unmeasured = own.unmeasured;
                report.update_ms = own.update_ms;
                report.missed += own.missed;
                report.read_errors = own.read_errors;
                report.slowest_mark_ms = own.slowest_mark_ms;
                report.slowest_read_ms = own.slowest_read_ms;
            }
            Err(error) => report.lost.push(LostSensor {
                sensor: Kind::Nvml,
                domains: Vec::new(),
                why: error.in_line(),
            }),
        }
        let unknown: Vec<Domain> = report.unknown_domains().collect();
        report.joules.retain(|domain, _| !unknown.contains(domain));
        if !unknown.is_empty() {
            report.total_j = None;
        }
        if let Some(lost) = report.lost.first() {
            report.unknown = Some(lost.why.clone());
            report.total_j = None;
        }
        Ok(report)
    }
}

/// The report on a file that another process wrote.
fn from_file(csv: &Path) -> Result<SessionReport, MeterError> {
    let accounts = account_file(csv, &[], &Wrapping::Infer)
        .map_err(|error| MeterError::Samples(Arc::new(error)))?;
    let (whole, integrity) = (accounts.whole, accounts.integrity);
    let unknown = integrity.unknown_energy();
    Ok(SessionReport {
        samples: integrity.samples,
        missed: integrity.gaps,
        wraps: integrity.wrap_count,
        resets: integrity.reset_count,
        seconds: whole.seconds,
        total_j: Some(whole.total_j).filter(|joules| joules.is_finite() && unknown.is_none()),
        absent: accounts.absent,
        unknown,
        joules: whole.joules,
        ..SessionReport::new(Kind::Energibridge.into())
    })
}

fn locked(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}
