//! Which of powercap's counters can be read, move, and are counters of their own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::files::Files;
use super::mirror::mirrored;
use super::zones::{self, Zone};
use super::{Opener, Readable, Reader, raw};
use crate::meter::{Counter, Kind, MeterError};
use crate::samples::Domain;

/// How long a counter is watched for a first movement before it is called dead.
const WATCH_FOR: Duration = Duration::from_millis(250);
const WATCH_EVERY: Duration = Duration::from_millis(5);

/// What reading RAPL through powercap means on this machine: the zones that were found to work.
#[derive(Debug, Clone)]
pub(crate) struct Powercap {
    /// What is read, packages first.
    pub zones: Vec<Zone>,
    /// Zones that do not move, by name.
    pub absent: Vec<String>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

impl Powercap {
    /// Finds the zones, and checks that they can be read and that they move.
    ///
    /// # Errors
    ///
    /// [`MeterError::NoZones`], [`MeterError::Permission`], [`MeterError::Counter`], or
    /// [`MeterError::StandsStill`] where a package's counter does not move.
    pub(crate) fn probe(powercap: &Path, open: &Opener) -> Result<Powercap, MeterError> {
        let mut zones = zones::discover(powercap)?;
        let (mut notes, mut absent) = (Vec::new(), Vec::new());
        let mut counters = Vec::new();
        for zone in &zones {
            let counter = Watched::open(zone, open).map_err(|source| {
                if source.kind() == io::ErrorKind::PermissionDenied {
                    let command = zones::grant(powercap, &zones, &["energy_uj"]);
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
            absent.push(zone.name.clone());
            notes.push(format!("{} ({}) does not move and is left out", zone.name, zone.id));
        }
        let packages: Vec<usize> =
            (0..zones.len()).filter(|i| zones[*i].domain == Domain::Package).collect();
        let same = mirrored(
            packages.iter().map(|zone| zones[*zone].package),
            |index| counters[packages[index]].read(),
            WATCH_EVERY,
            false,
        )?;
        for (one, other) in same.into_iter().map(|(a, b)| (packages[a], packages[b])) {
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
        Ok(Powercap { zones, absent, notes })
    }

    /// The counters, for the record.
    pub(crate) fn counters(&self) -> Vec<Counter> {
        let describe = |zone: &Zone| Counter {
            domain: zone.domain,
            counted: zone.counted(),
            name: zone.name.clone(),
            path: zone.energy.display().to_string(),
            range_j: Some(zone.range_uj as f64 / 1e6),
            sensor: Some(Kind::Rapl),
            column: Some(super::reader::column(zone.domain).to_owned()),
            update_ms: None,
        };
        self.zones.iter().map(describe).collect()
    }

    /// Opens every counter for a session.
    ///
    /// # Errors
    ///
    /// [`MeterError::Counter`] for the first that cannot be opened.
    pub(crate) fn open(&self, open: Opener) -> Result<Reader, MeterError> {
        let (files, counters) = Files::open(&self.zones, open)?;
        Ok(Reader::new(Box::new(files), counters))
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
