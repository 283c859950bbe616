//! A session's counters: read, unwrapped, added up, and watched for standing still.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counter::{Step, step};
use super::zones::Zone;
use super::{Opener, Readable, raw};
use crate::meter::MeterError;
use crate::meter::machine::Machine;
use crate::meter::sampler::{Fault, Named, Source, Tally};
use crate::samples::Domain;

/// RAPL is updated about every millisecond, also at idle. A counter that shows one value for this
/// long, over this many rows, while the processors work, is frozen.
const STILL_FOR: Duration = Duration::from_millis(500);
const STILL_ROWS: u32 = 3;

/// The same at the very end, where no later row can show it.
const STILL_AT_END: Duration = Duration::from_millis(100);

/// One open counter.
struct Open {
    path: PathBuf,
    domain: Domain,
    column: usize,
    range_uj: u64,
    /// `None` after a failure, until it could be opened again.
    file: Option<Box<dyn Readable>>,
    /// The last reading, and whether it is of the row at hand.
    now: u64,
    fresh: bool,
    /// Instant and value of the last complete row with a reading.
    last: Option<(Instant, u64)>,
    sum_uj: u64,
    moved: bool,
    /// Since when and in how many rows it shows one value.
    still: Option<Still>,
}

#[derive(Clone, Copy)]
struct Still {
    value: u64,
    since: Instant,
    rows: u32,
}

impl Open {
    /// Reads once more where the first attempt fails, and again through a freshly opened file.
    fn read(&mut self, open: &Opener, errors: &mut u64) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(open(&self.path).inspect_err(|_| *errors += 1)?);
        }
        let Some(file) = self.file.as_deref_mut() else { return Ok(()) };
        let value = raw(file).or_else(|_| {
            *errors += 1;
            raw(file)
        });
        match value {
            Ok(value) => self.now = value,
            Err(error) => {
                *errors += 1;
                self.file = None;
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Power in watts beyond which a zone's fall is no wrap: a quarter of what a whole machine's domain is
/// believed to draw, 1 kW for a package.
fn most_watts(domain: Domain) -> f64 {
    domain.plausible_watts() / 4.0
}

/// What the column of a domain is called.
pub(super) fn column(domain: Domain) -> &'static str {
    match domain {
        Domain::Package => "PACKAGE_ENERGY (J)",
        Domain::Dram => "DRAM_ENERGY (J)",
        _ => "PP0_ENERGY (J)",
    }
}

/// All counters of a session.
pub(crate) struct Reader {
    counters: Vec<Open>,
    domains: Vec<Domain>,
    /// Domains in which a counter was set back, ever and in the row at hand.
    reset: Vec<Domain>,
    falling: Vec<Domain>,
    open: Opener,
    tally: Tally,
}

impl Reader {
    /// Opens every counter for a session.
    ///
    /// # Errors
    ///
    /// [`MeterError::Counter`] for the first that cannot be opened.
    pub fn open(zones: &[Zone], open: Opener) -> Result<Reader, MeterError> {
        let mut domains: Vec<Domain> = Vec::new();
        let mut counters = Vec::new();
        for zone in zones {
            if !domains.contains(&zone.domain) {
                domains.push(zone.domain);
            }
            let file = open(&zone.energy).map_err(|source| MeterError::Counter {
                file: zone.energy.clone(),
                source: Arc::new(source),
            })?;
            let column = domains.iter().position(|d| *d == zone.domain).unwrap_or_default();
            counters.push(Open {
                path: zone.energy.clone(),
                domain: zone.domain,
                column,
                range_uj: zone.range_uj,
                file: Some(file),
                now: 0,
                last: None,
                fresh: false,
                sum_uj: 0,
                moved: false,
                still: None,
            });
        }
        Ok(Reader {
            counters,
            domains,
            reset: Vec::new(),
            falling: Vec::new(),
            open,
            tally: Tally::default(),
        })
    }
}

impl Source for Reader {
    fn columns(&self) -> Vec<Named> {
        let name = |domain: &Domain| column(*domain);
        self.domains.iter().map(|domain| Named::counter(name(domain), *domain)).collect()
    }

    fn read(&mut self, at: Instant, all: bool, joules: &mut [f64]) -> Result<(), Fault> {
        for counter in &mut self.counters {
            counter.fresh = all || counter.domain != Domain::Core;
            if counter.fresh {
                counter.read(&self.open, &mut self.tally.read_errors).map_err(|source| {
                    Fault::File { file: counter.path.clone(), source: Arc::new(source) }
                })?;
            }
        }
        // Only now, with all of them read: a row is whole or it is missing.
        for counter in self.counters.iter_mut().filter(|counter| counter.fresh) {
            let Some((then, last)) = counter.last.replace((at, counter.now)) else { continue };
            let seconds = at.duration_since(then).as_secs_f64();
            counter.moved |= counter.now != last;
            let watts = most_watts(counter.domain);
            match step(last, counter.now, counter.range_uj, seconds, watts) {
                Step::Rose(risen) => counter.sum_uj += risen,
                Step::Wrapped(risen) => {
                    self.tally.wraps += 1;
                    counter.sum_uj += risen;
                }
                Step::Reset => {
                    self.tally.resets += 1;
                    let domain = counter.domain;
                    if !self.reset.contains(&domain) {
                        self.reset.push(domain);
                    }
                    self.falling.push(domain);
                }
            }
        }
        if !self.falling.is_empty() {
            // The column starts again, so that the file itself shows that energy is missing here.
            let falling = &self.falling;
            for counter in self.counters.iter_mut().filter(|c| falling.contains(&c.domain)) {
                counter.sum_uj = 0;
            }
            self.falling.clear();
        }
        joules.fill(0.0);
        for counter in &self.counters {
            joules[counter.column] += counter.sum_uj as f64 / 1e6;
        }
        Ok(())
    }

    fn reset(&self) -> &[Domain] {
        &self.reset
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn frozen(&mut self, at: Instant, machine: &mut Machine, ending: bool) -> Option<MeterError> {
        let (least_rows, least) = if ending { (1, STILL_AT_END) } else { (STILL_ROWS, STILL_FOR) };
        let mut found = None;
        for counter in self.counters.iter_mut().filter(|c| c.domain != Domain::Core) {
            let fresh = Still { value: counter.now, since: at, rows: 0 };
            let still = counter.still.get_or_insert(fresh);
            if still.value != counter.now {
                *still = fresh;
                continue;
            }
            still.rows += 1;
            let long = at.duration_since(still.since);
            // Where the system does not tell whether the processors worked, they are taken to have.
            if found.is_none()
                && still.rows >= least_rows
                && long >= least
                && machine.worked_since(still.since, at).unwrap_or(true)
            {
                let file = counter.path.clone();
                found = Some(MeterError::Frozen { file, seconds: long.as_secs_f64() });
            }
        }
        found
    }

    fn never_moved(&self, seconds: f64) -> Option<MeterError> {
        let dead = |c: &&Open| c.domain == Domain::Package && !c.moved;
        let counter =
            self.counters.iter().find(dead).filter(|_| seconds >= STILL_AT_END.as_secs_f64())?;
        Some(MeterError::Frozen { file: counter.path.clone(), seconds })
    }
}
