//! A session's counters: read, unwrapped, added up, and watched for standing still, whichever way they are
//! read.

use std::path::PathBuf;
use std::time::Instant;

use super::counter::{Step, most_counts, step};
use super::still::{STILL_AT_END, Still};
use crate::meter::MeterError;
use crate::meter::machine::Machine;
use crate::meter::source::{Fault, Named, Source, Tally};
use crate::samples::Domain;

/// What a counter is.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    /// By which it is named where it fails.
    pub path: PathBuf,
    pub domain: Domain,
    /// Counts of a joule.
    pub per_j: f64,
    /// The largest value that it shows; none where it does not wrap.
    pub range: Option<u64>,
}

/// A way to read all counters.
pub(super) trait Registers: Send {
    /// Puts the present counts of those that are `wanted` into `now`, and of others where they come along.
    /// Each single reading that fails is added to `errors`, retried ones included.
    ///
    /// # Errors
    ///
    /// The first that could not be read.
    fn read(&mut self, wanted: &[bool], now: &mut [u64], errors: &mut u64) -> Result<(), Fault>;
}

/// One counter since the session began.
struct Watched {
    counter: Counter,
    column: usize,
    /// Instant and value of the last complete row with a reading.
    last: Option<(Instant, u64)>,
    sum: u64,
    moved: bool,
    still: Option<Still>,
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
    registers: Box<dyn Registers>,
    counters: Vec<Watched>,
    /// Those of the row at hand: which are read, and what they show.
    wanted: Vec<bool>,
    now: Vec<u64>,
    domains: Vec<Domain>,
    /// Domains in which a counter was set back, ever and in the row at hand.
    reset: Vec<Domain>,
    falling: Vec<Domain>,
    tally: Tally,
}

impl Reader {
    /// Sums nothing yet. `counters` are in the order of `registers`.
    pub(super) fn new(registers: Box<dyn Registers>, counters: Vec<Counter>) -> Reader {
        let mut domains: Vec<Domain> = Vec::new();
        let mut watched = Vec::new();
        for counter in counters {
            if !domains.contains(&counter.domain) {
                domains.push(counter.domain);
            }
            let column = domains.iter().position(|d| *d == counter.domain).unwrap_or_default();
            let (last, sum, moved, still) = (None, 0, false, None);
            watched.push(Watched { counter, column, last, sum, moved, still });
        }
        Reader {
            registers,
            wanted: vec![true; watched.len()],
            now: vec![0; watched.len()],
            counters: watched,
            domains,
            reset: Vec::new(),
            falling: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// How far each counter went that was read.
    fn step(&mut self, at: Instant) {
        let read = self.counters.iter_mut().zip(&self.now).zip(&self.wanted);
        for ((watched, now), _) in read.filter(|(_, wanted)| **wanted) {
            let Some((then, last)) = watched.last.replace((at, *now)) else { continue };
            let counter = &watched.counter;
            let seconds = at.duration_since(then).as_secs_f64();
            watched.moved |= *now != last;
            let most = most_counts(seconds, most_watts(counter.domain), counter.per_j);
            match step(last, *now, counter.range, most) {
                Step::Rose(risen) => watched.sum += risen,
                Step::Wrapped(risen) => {
                    self.tally.wraps += 1;
                    watched.sum += risen;
                }
                Step::Reset => {
                    self.tally.resets += 1;
                    if !self.reset.contains(&counter.domain) {
                        self.reset.push(counter.domain);
                    }
                    self.falling.push(counter.domain);
                }
            }
        }
    }
}

impl Source for Reader {
    fn columns(&self) -> Vec<Named> {
        let name = |domain: &Domain| column(*domain);
        self.domains.iter().map(|domain| Named::counter(name(domain), *domain)).collect()
    }

    fn read(&mut self, at: Instant, all: bool, joules: &mut [f64]) -> Result<(), Fault> {
        for (wanted, watched) in self.wanted.iter_mut().zip(&self.counters) {
            *wanted = all || watched.counter.domain != Domain::Core;
        }
        self.registers.read(&self.wanted, &mut self.now, &mut self.tally.read_errors)?;
        // Only now, with all of them read: a row is whole or it is missing.
        self.step(at);
        if !self.falling.is_empty() {
            // The column starts again, so that the file itself shows that energy is missing here.
            let falling = &self.falling;
            let fell = |watched: &&mut Watched| falling.contains(&watched.counter.domain);
            self.counters.iter_mut().filter(fell).for_each(|watched| watched.sum = 0);
            self.falling.clear();
        }
        joules.fill(0.0);
        for watched in &self.counters {
            joules[watched.column] += watched.sum as f64 / watched.counter.per_j;
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
        let mut found = None;
        for (watched, now) in self.counters.iter_mut().zip(&self.now) {
            if watched.counter.domain == Domain::Core {
                continue;
            }
            if let Some(long) = Still::look(&mut watched.still, *now, at, ending, machine) {
                let (file, seconds) = (watched.counter.path.clone(), long.as_secs_f64());
                found.get_or_insert(MeterError::Frozen { file, seconds });
            }
        }
        found
    }

    fn never_moved(&self, seconds: f64) -> Option<MeterError> {
        let dead = |w: &&Watched| w.counter.domain == Domain::Package && !w.moved;
        let watched =
            self.counters.iter().find(dead).filter(|_| seconds >= STILL_AT_END.as_secs_f64())?;
        Some(MeterError::Frozen { file: watched.counter.path.clone(), seconds })
    }
}
