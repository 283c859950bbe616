//! The sampling loop of the built-in meters, on a thread of its own.
//!
//! It reads at the very start, at every mark, at every interval and at the very end. Deadlines are
//! absolute (start + k · interval), so that the time spent on one sample does not push the next; a
//! deadline that passed while the thread could not run is counted, not made up for.
//!
//! What is part of the total is read for every row. What is for information (cores, use of processors,
//! memory) is read about once a second, cores at every mark as well, and repeated in between; rows go to
//! the file with it. That disturbs the machine less (benches/README.md), at the price that a meter that is
//! killed leaves up to a second's rows unwritten.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::error::MeterError;
use super::machine::Machine;
use super::session::{SessionReport, Shared};
use crate::samples::Domain;
use crate::samples::write::Writer;

/// Rows missed one after the other before the counter is given up: a second at 200 ms.
const LOST_AFTER: u64 = 5;

/// How long what is for information stands, a little less than a second so that the row of a whole
/// second is never just too early.
const ALL_EVERY: Duration = Duration::from_millis(950);

/// How often and how far apart the first, the last and a mark's reading are tried, because no later
/// row can stand for them.
const ATTEMPTS: u32 = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(1);

/// A reading that failed: the file and what it gave.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub file: PathBuf,
    pub source: Arc<io::Error>,
}

/// What a source noticed since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Counters that passed their range and started again.
    pub wraps: u64,
    /// Counters that fell without having reached their range.
    pub resets: u64,
    /// Single readings that failed, retried ones included.
    pub read_errors: u64,
}

/// Something with cumulative joules to be read.
pub(crate) trait Source: Send {
    /// Column names and what they cover, in the order of `joules`.
    fn columns(&self) -> Vec<(String, Domain)>;

    /// Reads every column that is part of the total, and with `all` the others too: joules since the
    /// first successful reading. The first call is with `all`.
    ///
    /// # Errors
    ///
    /// The reading that failed; nothing of it may be used, and the next one makes up for it.
    fn read(&mut self, at: Instant, all: bool, joules: &mut [f64]) -> Result<(), Fault>;

    /// What was noticed so far.
    fn tally(&self) -> Tally;

    /// Domains in which a counter was set back: what they drew in all is unknown.
    fn reset(&self) -> &[Domain] {
        &[]
    }

    /// Says whether a counter has stopped although the processors worked. Called after each reading at
    /// an interval and after the last one (`ending`).
    fn frozen(
        &mut self,
        _at: Instant,
        _machine: &mut Machine,
        _ending: bool,
    ) -> Option<MeterError> {
        None
    }

    /// Called at the end: says whether a counter never moved although it must have.
    fn never_moved(&self, _seconds: f64) -> Option<MeterError> {
        None
    }
}

/// What the host asks of the sampler.
pub(crate) enum Request {
    /// A reading now; the instant of the request.
    Mark(Instant),
    /// The last reading, then the end.
    Finish,
}

/// Everything the loop works with.
pub(crate) struct Sampler {
    source: Box<dyn Source>,
    machine: Machine,
    writer: Writer<File>,
    csv: PathBuf,
    interval: Duration,
    shared: Arc<Shared>,
    /// Energy columns first, then the machine's.
    values: Vec<f64>,
    domains: Vec<Domain>,
    total: Vec<usize>,
    start: Instant,
    /// Instants of the first and of the last row, and the energies of the first.
    first: Option<(Instant, SystemTime)>,
    last: Instant,
    /// When everything was read for the last time.
    all_read: Option<Instant>,
    misses_in_a_row: u64,
    /// Total and instant of the last reading at an interval, for the power shown.
    shown: Option<(Instant, f64)>,
    report: SessionReport,
}

impl Sampler {
    /// Creates the file with its header and takes the first reading.
    ///
    /// # Errors
    ///
    /// [`MeterError::Create`] and [`MeterError::Write`] for the file, [`MeterError::Counter`] where the
    /// counters cannot be read.
    pub fn begin(
        source: Box<dyn Source>,
        machine: Machine,
        csv: PathBuf,
        interval: Duration,
        shared: Arc<Shared>,
        report: SessionReport,
    ) -> Result<Sampler, MeterError> {
        let energy = source.columns();
        let domains: Vec<Domain> = energy.iter().map(|(_, domain)| *domain).collect();
        let counted = Domain::in_total(&domains);
        let total = (0..domains.len()).filter(|i| counted.contains(&domains[*i])).collect();
        let mut columns: Vec<String> = energy.into_iter().map(|(name, _)| name).collect();
        columns.extend(machine.columns());
        let create = |source| MeterError::Create { path: csv.clone(), source: Arc::new(source) };
        let writer = Writer::new(crate::store::create(&csv).map_err(create)?, &columns)
            .map_err(|source| MeterError::Write { path: csv.clone(), source: Arc::new(source) })?;
        let now = Instant::now();
        let mut sampler = Sampler {
            source,
            machine,
            writer,
            csv,
            interval,
            shared,
            values: vec![0.0; columns.len()],
            domains,
            total,
            start: now,
            first: None,
            last: now,
            all_read: None,
            misses_in_a_row: 0,
            shown: None,
            report,
        };
        sampler.insist()?;
        sampler.start = sampler.last;
        sampler.shown = Some((sampler.last, 0.0));
        Ok(sampler)
    }

    /// Samples until asked to finish, or until the host's end of the channel is gone.
    pub fn run(mut self, requests: &Receiver<Request>) -> Result<SessionReport, MeterError> {
        let mut step = 1u32;
        loop {
            let deadline = self.start + self.interval * step;
            let wait = deadline.saturating_duration_since(Instant::now());
            match requests.recv_timeout(wait) {
                Ok(Request::Mark(asked)) => self.mark(asked),
                Ok(Request::Finish) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.sample();
                    step += 1;
                    // The next deadline lies in the future, however late this one was met.
                    let passed = self.start.elapsed().as_nanos() / self.interval.as_nanos().max(1);
                    let passed = u32::try_from(passed).unwrap_or(u32::MAX - 1);
                    if passed >= step {
                        self.report.missed += u64::from(passed + 1 - step);
                        step = passed + 1;
                    }
                }
            }
        }
        self.end()
    }

    /// The last row, and what there is to say about all of them.
    fn end(mut self) -> Result<SessionReport, MeterError> {
        if self.shared.health().is_ok()
            && let Err(error) = self.insist()
        {
            self.shared.fail(error);
        }
        let seconds = self.last.duration_since(self.start).as_secs_f64();
        let frozen = self.source.frozen(self.last, &mut self.machine, true);
        if let Some(error) = frozen.or_else(|| self.source.never_moved(seconds)) {
            self.shared.fail(error);
        }
        self.shared.health()?;
        let Tally { wraps, resets, read_errors } = self.source.tally();
        let reset = self.source.reset();
        let known = |domain: &Domain| !reset.contains(domain);
        let total_known = self.total.iter().all(|index| known(&self.domains[*index]));
        let all = self.domains.iter().copied().zip(self.values.iter().copied());
        let joules: BTreeMap<Domain, f64> = all.filter(|(domain, _)| known(domain)).collect();
        Ok(SessionReport {
            seconds,
            total_j: total_known.then(|| self.total_joules()),
            joules,
            wraps,
            resets,
            read_errors,
            cpu_seconds: thread_cpu_seconds(),
            ..self.report
        })
    }

    /// A row at an interval. One that fails is missed; several in a row are the counter's end.
    fn sample(&mut self) {
        if self.shared.health().is_err() {
            return;
        }
        match self.row(false) {
            Ok(()) => {
                let frozen = self.source.frozen(self.last, &mut self.machine, false);
                if let Some(error) = frozen {
                    self.shared.fail(error);
                }
                let now = (self.last, self.total_joules());
                if let Some((then, before)) = self.shown.replace(now) {
                    let seconds = now.0.duration_since(then).as_secs_f64();
                    let watts = (now.1 - before) / seconds;
                    // A counter that was set back says nothing about the power.
                    if seconds > 0.0 && watts >= 0.0 {
                        self.shared.show(watts);
                    }
                }
            }
            Err(Missed::Row(fault)) => self.miss(fault),
            Err(Missed::File(error)) => self.shared.fail(error),
        }
    }

    /// A row at a mark, as soon as the thread has the word.
    fn mark(&mut self, asked: Instant) {
        if self.shared.health().is_err() {
            return;
        }
        match self.insist() {
            Ok(()) => {
                let late = self.last.saturating_duration_since(asked).as_secs_f64() * 1e3;
                self.report.slowest_mark_ms = self.report.slowest_mark_ms.max(late);
            }
            Err(MeterError::Counter { file, source }) => self.miss(Fault { file, source }),
            Err(error) => self.shared.fail(error),
        }
    }

    fn miss(&mut self, fault: Fault) {
        self.report.missed += 1;
        self.misses_in_a_row += 1;
        if self.misses_in_a_row >= LOST_AFTER {
            self.shared.fail(MeterError::Lost {
                file: fault.file,
                misses: self.misses_in_a_row,
                source: fault.source,
            });
        }
    }

    /// A row that has to be there, with everything in it.
    fn insist(&mut self) -> Result<(), MeterError> {
        let mut attempt = 1;
        loop {
            match self.row(true) {
                Ok(()) => return Ok(()),
                Err(Missed::File(error)) => return Err(error),
                Err(Missed::Row(_)) if attempt < ATTEMPTS => sleep(BETWEEN_ATTEMPTS),
                Err(Missed::Row(Fault { file, source })) => {
                    return Err(MeterError::Counter { file, source });
                }
            }
            attempt += 1;
        }
    }

    /// Reads the energy, then the rest, and adds one row. Its time is the middle of the energy's
    /// reading. All there is to read is read, and the rows so far are written, where it is asked for or
    /// was a second ago.
    fn row(&mut self, all: bool) -> Result<(), Missed> {
        let (wall, begun) = crate::run::clock::together();
        let stale = |last| begun.saturating_duration_since(last) >= ALL_EVERY;
        let all = all || self.all_read.is_none_or(stale);
        let (energy, machine) = self.values.split_at_mut(self.domains.len());
        self.source.read(begun, all, energy).map_err(Missed::Row)?;
        let took = begun.elapsed();
        self.machine.read(begun, machine);
        let (at, time) = (begun + took / 2, wall + took / 2);
        let unix = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut written = self.writer.row(unix.as_millis() as i64, &self.values);
        if all {
            self.all_read = Some(begun);
            written = written.and_then(|()| self.writer.flush());
        }
        written.map_err(|source| {
            Missed::File(MeterError::Write { path: self.csv.clone(), source: Arc::new(source) })
        })?;
        self.report.samples += 1;
        self.report.slowest_read_ms = self.report.slowest_read_ms.max(took.as_secs_f64() * 1e3);
        self.misses_in_a_row = 0;
        self.last = at;
        let (first, first_wall) = *self.first.get_or_insert((at, time));
        let step = clock_step(first_wall, time, at.duration_since(first));
        if step.abs() > self.report.clock_step_s.abs() {
            self.report.clock_step_s = step;
        }
        Ok(())
    }

    fn total_joules(&self) -> f64 {
        self.total.iter().map(|index| self.values[*index]).sum()
    }
}

/// Why a row is missing.
enum Missed {
    Row(Fault),
    File(MeterError),
}

/// Seconds by which the wall clock went further than the steady one.
fn clock_step(first: SystemTime, now: SystemTime, steady: Duration) -> f64 {
    let wall = match now.duration_since(first) {
        Ok(forward) => forward.as_secs_f64(),
        Err(back) => -back.duration().as_secs_f64(),
    };
    wall - steady.as_secs_f64()
}

/// Processor seconds that this thread used, where the system says.
fn thread_cpu_seconds() -> Option<f64> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use nix::time::{ClockId, clock_gettime};
        let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
        Some(Duration::from(time).as_secs_f64())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    None
}

impl Shared {
    fn show(&self, watts: f64) {
        self.watts.store(watts.to_bits(), Ordering::Relaxed);
    }
}

/// No power known yet, as bits of a number.
pub(crate) fn no_watts() -> AtomicU64 {
    AtomicU64::new(f64::NAN.to_bits())
}
