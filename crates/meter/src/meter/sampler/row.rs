//! One row of samples: read, and written.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Sampler;
use crate::meter::error::MeterError;
use crate::meter::source::Fault;

/// How long what is for information stands, a little less than a second so that the row of a whole
/// second is never just too early.
const ALL_EVERY: Duration = Duration::from_millis(950);

/// How often and how far apart the first, the last and a mark's reading are tried, because no later
/// row can stand for them.
const ATTEMPTS: u32 = 20;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(1);

impl Sampler {
    /// A row that has to be there, with everything in it, as far as trying again helps.
    pub(super) fn insist(&mut self) -> Result<Vec<(usize, Fault)>, Missed> {
        let mut attempt = 1;
        loop {
            match self.read(true) {
                Err(_) if attempt < ATTEMPTS => sleep(BETWEEN_ATTEMPTS),
                Ok(reading) => return self.write(reading).map(|()| Vec::new()),
                Err((reading, failed)) => return self.write_part(reading, failed),
            }
            attempt += 1;
        }
    }

    /// One row, and the sensors that failed and repeat their last values in it.
    pub(super) fn row(&mut self, all: bool) -> Result<Vec<(usize, Fault)>, Missed> {
        match self.read(all) {
            Ok(reading) => self.write(reading).map(|()| Vec::new()),
            Err((reading, failed)) => self.write_part(reading, failed),
        }
    }

    /// Reads the energy, then the rest. All there is to read is read where it is asked for or was a second
    /// ago.
    pub(super) fn read(&mut self, all: bool) -> Result<Reading, (Reading, Vec<(usize, Fault)>)> {
        let (wall, begun) = crate::clock::together();
        let stale = |last| begun.saturating_duration_since(last) >= ALL_EVERY;
        let all = all || self.all_read.is_none_or(stale);
        let (mut failed, mut first) = (Vec::new(), None);
        for (index, part) in self.parts.iter_mut().enumerate().filter(|(_, p)| p.lost.is_none()) {
            let values = &mut self.values[part.columns.clone()];
            if let Err(fault) = part.source.read(begun, all, values) {
                failed.push((index, fault));
            }
            // The processor's counters come first and take microseconds, cards move in steps of many
            // milliseconds: the row's time is that of the first.
            first.get_or_insert_with(|| begun.elapsed());
        }
        let took = begun.elapsed();
        let reading = Reading { wall, begun, first: first.unwrap_or(took), took, all };
        if failed.is_empty() { Ok(reading) } else { Err((reading, failed)) }
    }

    /// Writes a row in which some sensors failed, unless none is left that did not.
    pub(super) fn write_part(
        &mut self,
        reading: Reading,
        failed: Vec<(usize, Fault)>,
    ) -> Result<Vec<(usize, Fault)>, Missed> {
        if failed.len() >= self.parts.iter().filter(|part| part.lost.is_none()).count() {
            return Err(Missed::Row(failed));
        }
        self.report.missed += 1;
        self.write(reading).map(|()| failed)
    }

    /// Adds one row. Its time is the middle of the first sensor's reading. The rows so far are written where
    /// everything was read.
    pub(super) fn write(&mut self, reading: Reading) -> Result<(), Missed> {
        let Reading { wall, begun, first, took, all } = reading;
        self.machine.read(begun, &mut self.values[self.energy.len()..]);
        let (at, time) = (begun + first / 2, wall + first / 2);
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
        self.last = at;
        let (first, first_wall) = *self.first.get_or_insert((at, time));
        let step = clock_step(first_wall, time, at.duration_since(first));
        if step.abs() > self.report.clock_step_s.abs() {
            self.report.clock_step_s = step;
        }
        Ok(())
    }
}

/// When the energy of a row was read.
pub(super) struct Reading {
    wall: SystemTime,
    begun: Instant,
    first: Duration,
    took: Duration,
    all: bool,
}

/// Why a row is missing.
pub(super) enum Missed {
    /// The sensors that failed: all of them.
    Row(Vec<(usize, Fault)>),
    File(MeterError),
}

impl From<Missed> for MeterError {
    fn from(missed: Missed) -> MeterError {
        match missed {
            Missed::File(error) => error,
            Missed::Row(mut failed) => match failed.pop() {
                Some((_, fault)) => fault.now(),
                None => MeterError::Sampler("has nothing to read".into()),
            },
        }
    }
}

/// Seconds by which the wall clock went further than the steady one.
pub(super) fn clock_step(first: SystemTime, now: SystemTime, steady: Duration) -> f64 {
    let wall = match now.duration_since(first) {
        Ok(forward) => forward.as_secs_f64(),
        Err(back) => -back.duration().as_secs_f64(),
    };
    wall - steady.as_secs_f64()
}
