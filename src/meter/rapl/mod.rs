//! The built-in meter: RAPL's energy counters through the kernel's powercap files.
//!
//! Every package of every socket, its DRAM, and, for information and only now and then, its cores.
//! Columns carry what all sockets together drew since the first reading, wraps undone; a counter that was
//! set back lets its column fall to 0, so that whoever reads the file sees that energy is missing there.

mod counter;
mod zones;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::machine::{Machine, number, read_at_start};
use super::sampler::{Fault, Source, Tally};
use super::{Counter, MeterError};
use crate::samples::Domain;
use counter::{Step, step};
pub(crate) use zones::Zone;

/// RAPL is updated about every millisecond, also at idle. A counter that shows one value for this
/// long, over this many rows, while the processors work, is frozen.
const STILL_FOR: Duration = Duration::from_millis(500);
const STILL_ROWS: u32 = 3;

/// The same at the very end, where no later row can show it.
const STILL_AT_END: Duration = Duration::from_millis(100);

/// How long a counter is watched for a first movement before it is called dead.
const WATCH_FOR: Duration = Duration::from_millis(250);
const WATCH_EVERY: Duration = Duration::from_millis(5);

/// Longest text of an `energy_uj`: a 64-bit number and a newline.
const LINE: usize = 32;

/// An open counter file; tests put failing ones in its place.
pub(crate) trait Readable: Send {
    /// Reads from the file's start.
    fn read_start(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Readable for File {
    fn read_start(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_at_start(self, buffer)
    }
}

/// How counter files are opened.
pub(crate) type Opener = Arc<dyn Fn(&Path) -> io::Result<Box<dyn Readable>> + Send + Sync>;

/// Opens the kernel's files.
pub(crate) fn files() -> Opener {
    Arc::new(|path| Ok(Box::new(File::open(path)?)))
}

/// What reading RAPL on this machine means: the zones that were found to work.
#[derive(Debug, Clone)]
pub(crate) struct Rapl {
    /// What is read, packages first.
    pub zones: Vec<Zone>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

impl Rapl {
    /// Finds the zones, and checks that they can be read and that they move.
    ///
    /// # Errors
    ///
    /// [`MeterError::NoZones`], [`MeterError::Permission`], [`MeterError::Counter`], or
    /// [`MeterError::StandsStill`] where a package's counter does not move.
    pub fn probe(powercap: &Path, open: &Opener) -> Result<Rapl, MeterError> {
        let mut zones = zones::discover(powercap)?;
        let mut notes = Vec::new();
        let mut counters = Vec::new();
        for zone in &zones {
            let counter = Watched::open(zone, open).map_err(|source| {
                if source.kind() == io::ErrorKind::PermissionDenied {
                    let command = zones::grant(powercap, &zones);
                    return MeterError::Permission { file: zone.energy.clone(), command };
                }
                MeterError::Counter { file: zone.energy.clone(), source: Arc::new(source) }
            })?;
            counters.push(counter);
        }
        let moved = watch(&zones, &mut counters)?;
        let mut drop = vec![false; zones.len()];
        for (index, zone) in zones.iter().enumerate() {
            if moved[index] || !zone.counted() {
                continue;
            }
            if zone.domain == Domain::Package {
                return Err(MeterError::StandsStill {
                    file: zone.energy.clone(),
                    value: counters[index].first,
                    waited_ms: WATCH_FOR.as_millis() as u64,
                });
            }
            drop[index] = true;
            notes.push(format!("{} ({}) does not move and is left out", zone.name, zone.id));
        }
        for (one, other) in mirrored(&zones, &mut counters)? {
            let (kept, copy) = (&zones[one], &zones[other]);
            notes.push(format!(
                "{} ({}) shows the same counter as {} ({}) and is left out with its parts",
                copy.name, copy.id, kept.name, kept.id
            ));
            for (index, zone) in zones.iter().enumerate() {
                drop[index] |= (zone.package, zone.die) == (copy.package, copy.die);
            }
        }
        let mut dropped = drop.into_iter();
        zones.retain(|_| !dropped.next().unwrap_or(false));
        if !zones.iter().any(|zone| zone.domain == Domain::Dram) {
            notes.push("no DRAM counter: the memory's energy is not in the total".to_owned());
        }
        Ok(Rapl { zones, notes })
    }

    /// The counters, for the record.
    pub fn counters(&self) -> Vec<Counter> {
        let describe = |zone: &Zone| Counter {
            domain: zone.domain,
            counted: zone.counted(),
            name: zone.name.clone(),
            path: zone.energy.display().to_string(),
            range_j: Some(zone.range_uj as f64 / 1e6),
        };
        self.zones.iter().map(describe).collect()
    }

    /// Opens every counter for a session.
    ///
    /// # Errors
    ///
    /// [`MeterError::Counter`] for the first that cannot be opened.
    pub fn open(&self, open: Opener) -> Result<Reader, MeterError> {
        let mut domains: Vec<Domain> = Vec::new();
        let mut counters = Vec::new();
        for zone in &self.zones {
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

/// A counter while the machine is probed.
struct Watched {
    path: PathBuf,
    file: Box<dyn Readable>,
    first: u64,
}

impl Watched {
    fn open(zone: &Zone, open: &Opener) -> io::Result<Watched> {
        let mut file = open(&zone.energy)?;
        // A single failed reading is a hiccup that the session would forgive as well.
        let first = raw(file.as_mut()).or_else(|_| raw(file.as_mut()))?;
        Ok(Watched { path: zone.energy.clone(), file, first })
    }

    fn read(&mut self) -> Result<u64, MeterError> {
        let file = self.file.as_mut();
        raw(file).or_else(|_| raw(file)).map_err(|source| MeterError::Counter {
            file: self.path.clone(),
            source: Arc::new(source),
        })
    }
}

/// Waits until every counter that is part of the total has moved, but not for long. Says which did; the
/// others are taken for moving.
fn watch(zones: &[Zone], counters: &mut [Watched]) -> Result<Vec<bool>, MeterError> {
    let mut moved: Vec<bool> = zones.iter().map(|zone| !zone.counted()).collect();
    let start = Instant::now();
    while start.elapsed() < WATCH_FOR && moved.contains(&false) {
        std::thread::sleep(WATCH_EVERY);
        for (counter, moved) in counters.iter_mut().zip(&mut moved) {
            if !*moved {
                *moved = counter.read()? != counter.first;
            }
        }
    }
    Ok(moved)
}

/// Pairs of dies of one package whose counters are one and the same.
///
/// Some kernels show a package's only counter once per die. Two counters are taken for one if every
/// reading of the second lies between a reading of the first before and one after it, again and again
/// while they move; counters of their own would have to agree to the microjoule.
fn mirrored(zones: &[Zone], all: &mut [Watched]) -> Result<Vec<(usize, usize)>, MeterError> {
    let mut pairs = Vec::new();
    let packages: Vec<usize> =
        (0..zones.len()).filter(|i| zones[*i].domain == Domain::Package).collect();
    for (position, one) in packages.iter().enumerate() {
        for other in &packages[position + 1..] {
            let copied = pairs.iter().any(|(_, copy)| copy == one || copy == other);
            if zones[*one].package != zones[*other].package || copied {
                continue;
            }
            let mut same = true;
            for _ in 0..4 {
                let before = all[*one].read()?;
                let between = all[*other].read()?;
                let after = all[*one].read()?;
                // Around a wrap nothing can be said; it passes within the next reading.
                same &= after < before || (before..=after).contains(&between);
                std::thread::sleep(WATCH_EVERY);
            }
            if same {
                pairs.push((*one, *other));
            }
        }
    }
    Ok(pairs)
}

/// One counter's present value in microjoules.
fn raw(file: &mut dyn Readable) -> io::Result<u64> {
    let mut line = [0u8; LINE];
    let length = file.read_start(&mut line)?;
    let text = line[..length].trim_ascii();
    number(text).ok_or_else(|| {
        let text = String::from_utf8_lossy(text);
        io::Error::new(io::ErrorKind::InvalidData, format!("'{text}' is no number"))
    })
}

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

impl Source for Reader {
    fn columns(&self) -> Vec<(String, Domain)> {
        let name = |domain: &Domain| match domain {
            Domain::Package => "PACKAGE_ENERGY (J)",
            Domain::Dram => "DRAM_ENERGY (J)",
            _ => "PP0_ENERGY (J)",
        };
        self.domains.iter().map(|domain| (name(domain).to_owned(), *domain)).collect()
    }

    fn read(&mut self, at: Instant, all: bool, joules: &mut [f64]) -> Result<(), Fault> {
        for counter in &mut self.counters {
            counter.fresh = all || counter.domain != Domain::Core;
            if counter.fresh {
                counter.read(&self.open, &mut self.tally.read_errors).map_err(|source| Fault {
                    file: counter.path.clone(),
                    source: Arc::new(source),
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

#[cfg(test)]
mod tests;
