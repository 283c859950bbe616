//! The sampling loop of the built-in meters, on a thread of its own.
//!
//! It reads at the very start, at every mark, at every interval and at the very end. Deadlines are
//! absolute (start + k · interval), so that the time spent on one sample does not push the next; a
//! deadline that passed while the thread could not run is counted, not made up for.
//!
//! Several sensors are read one after the other into one row. One that fails there keeps its last value, and
//! the next row makes up for it; one that is lost falls to 0 in the file, and the others go on.
//!
//! What is part of the total is read for every row. What is for information (cores, use of processors,
//! memory) is read about once a second, cores at every mark as well, and repeated in between; rows go to
//! the file with it. That disturbs the machine less (benches/README.md), at the price that a meter that is
//! killed leaves up to a second's rows unwritten.

mod ending;
mod row;

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use super::Kind;
use super::error::MeterError;
use super::machine::Machine;
use super::report::SessionReport;
use super::shared::Shared;
use super::source::{Fault, Named, Source};
use crate::samples::write::Writer;
use crate::samples::{Domain, Quantity};
use row::Missed;

/// Rows missed one after the other before the counter is given up: a second at 200 ms.
const LOST_AFTER: u64 = 5;

/// The time over which power is shown where counters move seldom; a little less than a second as well.
const SHOWN_OVER: Duration = Duration::from_millis(950);

/// What the host asks of the sampler.
pub(crate) enum Request {
    /// A reading now; the instant of the request.
    Mark(Instant),
    /// The last reading, then the end.
    Finish,
}

/// One sensor of the sampler.
struct Part {
    kind: Kind,
    source: Box<dyn Source>,
    /// Its columns among all.
    columns: Range<usize>,
    domains: Vec<Domain>,
    misses_in_a_row: u64,
    /// Why it is not read any more.
    lost: Option<MeterError>,
}

/// Everything the loop works with.
pub(crate) struct Sampler {
    parts: Vec<Part>,
    machine: Machine,
    writer: Writer<File>,
    csv: PathBuf,
    interval: Duration,
    shared: Arc<Shared>,
    /// Energy columns first, then the machine's.
    values: Vec<f64>,
    energy: Vec<Named>,
    total: Vec<usize>,
    start: Instant,
    /// Instants of the first and of the last row, and the energies of the first.
    first: Option<(Instant, SystemTime)>,
    last: Instant,
    /// When everything was read for the last time.
    all_read: Option<Instant>,
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
    pub(crate) fn begin(
        sources: Vec<(Kind, Box<dyn Source>)>,
        machine: Machine,
        csv: PathBuf,
        interval: Duration,
        shared: Arc<Shared>,
        report: SessionReport,
    ) -> Result<Sampler, MeterError> {
        let mut energy: Vec<Named> = Vec::new();
        let mut parts = Vec::new();
        for (kind, source) in sources {
            let own = source.columns();
            let mut domains: Vec<Domain> = own.iter().map(|column| column.domain).collect();
            domains.dedup();
            let columns = energy.len()..energy.len() + own.len();
            energy.extend(own);
            parts.push(Part { kind, source, columns, domains, misses_in_a_row: 0, lost: None });
        }
        let domains: Vec<Domain> = energy.iter().map(|column| column.domain).collect();
        let counted = Domain::in_total(&domains);
        let is_counted = |c: &Named| c.quantity == Quantity::Counter && counted.contains(&c.domain);
        let total = (0..energy.len()).filter(|i| is_counted(&energy[*i])).collect();
        let mut columns: Vec<String> = energy.iter().map(|column| column.name.clone()).collect();
        columns.extend(machine.columns());
        let create = |source| MeterError::Create { path: csv.clone(), source: Arc::new(source) };
        let writer = Writer::new(crate::store::create(&csv).map_err(create)?, &columns)
            .map_err(|source| MeterError::Write { path: csv.clone(), source: Arc::new(source) })?;
        let now = Instant::now();
        let mut sampler = Sampler {
            parts,
            machine,
            writer,
            csv,
            interval,
            shared,
            values: vec![0.0; columns.len()],
            energy,
            total,
            start: now,
            first: None,
            last: now,
            all_read: None,
            shown: None,
            report,
        };
        // At the very start every sensor has to work.
        if let Some((_, fault)) = sampler.insist()?.pop() {
            return Err(fault.now());
        }
        sampler.start = sampler.last;
        sampler.shown = Some((sampler.last, 0.0));
        Ok(sampler)
    }

    /// Samples until asked to finish, or until the host's end of the channel is gone.
    pub(crate) fn run(mut self, requests: &Receiver<Request>) -> Result<SessionReport, MeterError> {
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

    /// A row at an interval. One that fails is missed; several in a row are the sensor's end.
    fn sample(&mut self) {
        if self.shared.health().is_err() {
            return;
        }
        match self.row(false) {
            Ok(failed) => {
                self.count_misses(failed);
                self.look_for_frozen(false, 0.0);
                // A counter that moves seldom says little about the power of a moment.
                let coarse = self.parts.iter().any(|part| part.source.update_period().is_some());
                let recent = |(then, _): &(Instant, f64)| {
                    self.last.saturating_duration_since(*then) < SHOWN_OVER
                };
                if coarse && self.shown.as_ref().is_some_and(recent) {
                    return;
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
            Err(Missed::Row(failed)) => {
                self.report.missed += 1;
                self.count_misses(failed);
            }
            Err(Missed::File(error)) => self.shared.fail(error),
        }
    }

    /// Gives up the sensors that failed too often.
    fn count_misses(&mut self, failed: Vec<(usize, Fault)>) {
        let in_time = |part: usize| !failed.iter().any(|(other, _)| *other == part);
        for part in (0..self.parts.len()).filter(|part| in_time(*part)) {
            self.parts[part].misses_in_a_row = 0;
        }
        for (part, fault) in failed {
            let misses = &mut self.parts[part].misses_in_a_row;
            *misses += 1;
            if *misses >= LOST_AFTER {
                let error = fault.at_last(*misses);
                self.lose(part, error);
            }
        }
    }

    /// Says which counters have stopped, and at the end which never moved.
    fn look_for_frozen(&mut self, ending: bool, seconds: f64) {
        for index in 0..self.parts.len() {
            let part = &mut self.parts[index];
            if part.lost.is_some() {
                continue;
            }
            let frozen = part.source.frozen(self.last, &mut self.machine, ending);
            let found =
                frozen.or_else(|| ending.then(|| part.source.never_moved(seconds)).flatten());
            if let Some(error) = found {
                self.lose(index, error);
            }
        }
    }

    /// From now on without this sensor; without the last one there is nothing left to measure.
    fn lose(&mut self, part: usize, error: MeterError) {
        if self.parts.len() > 1 {
            let lost = &mut self.parts[part];
            lost.lost.get_or_insert(error.clone());
            // As where a counter is set back: the file itself shows that energy is missing from here on.
            self.values[lost.columns.clone()].fill(0.0);
        }
        if self.parts.iter().all(|part| part.lost.is_some()) || self.parts.len() == 1 {
            self.shared.fail(error);
        }
    }

    /// A row at a mark, as soon as the thread has the word.
    fn mark(&mut self, asked: Instant) {
        if self.shared.health().is_err() {
            return;
        }
        match self.insist() {
            Ok(failed) => {
                self.count_misses(failed);
                let late = self.last.saturating_duration_since(asked).as_secs_f64() * 1e3;
                self.report.slowest_mark_ms = self.report.slowest_mark_ms.max(late);
            }
            Err(Missed::Row(failed)) => {
                self.report.missed += 1;
                self.count_misses(failed);
            }
            Err(Missed::File(error)) => self.shared.fail(error),
        }
    }

    fn total_joules(&self) -> f64 {
        self.total.iter().map(|index| self.values[*index]).sum()
    }
}
