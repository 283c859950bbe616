//! Which energy events of this machine can be opened, move, and are counters of their own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pmu::{self, Event, Place, Pmu};
use super::{Asked, Group, Opener, PerfError};
use crate::meter::rapl::mirror::mirrored;
use crate::meter::rapl::reader::{self, Reader, Registers};
use crate::meter::source::Fault;
use crate::meter::{Counter, Kind};
use crate::samples::Domain;

/// How long a counter is watched for a first movement before it is called dead.
const WATCH_FOR: Duration = Duration::from_millis(250);
const WATCH_EVERY: Duration = Duration::from_millis(5);

/// The energy events that were found to work.
#[derive(Debug, Clone)]
pub(crate) struct Perf {
    pmu: Pmu,
    /// Events that do not move, by the name that powercap gives them.
    pub absent: Vec<String>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

impl Perf {
    /// Finds the events below `root`, and checks that they can be opened and that they move.
    ///
    /// # Errors
    ///
    /// Why they are of no use.
    pub(crate) fn probe(
        root: &Path,
        cpu_root: &Path,
        proc_root: &Path,
        open: &Opener,
    ) -> Result<Perf, PerfError> {
        let mut pmu = pmu::discover(root, cpu_root)?;
        let opened: Result<Vec<Opened>, PerfError> =
            pmu.places.iter().map(|place| Opened::open(&pmu, place, open, proc_root)).collect();
        let mut opened = opened?;
        let (mut notes, mut absent) = (Vec::new(), Vec::new());
        let moved = watch(&mut opened)?;
        let mut events = Vec::new();
        for (index, event) in pmu.events.iter().enumerate() {
            let still = |place: usize| event.domain != Domain::Core && !moved[place][index];
            let Some(dead) = (0..opened.len()).find(|place| still(*place)) else {
                events.push(event.clone());
                continue;
            };
            let place = opened[dead].place.name();
            if event.domain == Domain::Package {
                let waited_ms = WATCH_FOR.as_millis() as u64;
                return Err(PerfError::StandsStill { place, waited_ms });
            }
            // Of a part of the packages it would pass for all of them.
            let name = format!("{place}/{}", part(event.domain));
            notes.push(format!("{name} does not move and is left out"));
            absent.push(name);
        }
        let same = mirrored(
            pmu.places.iter().map(|place| place.package),
            |index| opened[index].package(),
            WATCH_EVERY,
            true,
        )?;
        for (kept, copy) in &same {
            let name = |index: usize| pmu.places[index].name();
            notes.push(format!(
                "{} shows the same counter as {} and is left out with its parts",
                name(*copy),
                name(*kept)
            ));
        }
        let mut index = 0..;
        pmu.places.retain(|_| {
            let index = index.next();
            !same.iter().any(|(_, copy)| Some(*copy) == index)
        });
        pmu.events = events;
        if !pmu.events.iter().any(|event| event.domain == Domain::Dram) {
            notes.push("no DRAM counter: the memory's energy is not in the total".to_owned());
        }
        Ok(Perf { pmu, absent, notes })
    }

    /// The counters, for the record: under the names and in the columns that they have through powercap.
    pub(crate) fn counters(&self) -> Vec<Counter> {
        let describe = |(event, place): (&Event, &Place)| Counter {
            domain: event.domain,
            counted: event.domain != Domain::Core,
            name: match event.domain {
                Domain::Package => place.name(),
                domain => format!("{}/{}", place.name(), part(domain)),
            },
            path: format!("{} on processor {}", event.file.display(), place.cpu),
            // The kernel undoes the wraps of the register behind it.
            range_j: None,
            sensor: Some(Kind::Rapl),
            column: Some(reader::column(event.domain).to_owned()),
            update_ms: None,
        };
        let of_event = |event| self.pmu.places.iter().map(move |place| (event, place));
        self.pmu.events.iter().flat_map(of_event).map(describe).collect()
    }

    /// Opens every counter for a session.
    ///
    /// # Errors
    ///
    /// The first that cannot be opened any more.
    pub(crate) fn open(&self, proc_root: &Path, open: &Opener) -> Result<Reader, PerfError> {
        let places = self.pmu.places.iter();
        let groups: Result<Vec<Opened>, PerfError> =
            places.map(|place| Opened::open(&self.pmu, place, open, proc_root)).collect();
        let counters = self.pmu.places.iter().flat_map(|place| {
            self.pmu.events.iter().map(|event| reader::Counter {
                path: PathBuf::from(format!("{} of {}", event.file.display(), place.name())),
                domain: event.domain,
                per_j: event.per_j,
                range: None,
            })
        });
        Ok(Reader::new(Box::new(Groups(groups?)), counters.collect()))
    }
}

/// What powercap calls a part of a package.
fn part(domain: Domain) -> &'static str {
    match domain {
        Domain::Dram => "dram",
        _ => "core",
    }
}

/// A package's open counters.
struct Opened {
    place: Place,
    group: Box<dyn Group>,
    counts: Vec<u64>,
}

impl Opened {
    fn open(
        pmu: &Pmu,
        place: &Place,
        open: &Opener,
        proc_root: &Path,
    ) -> Result<Opened, PerfError> {
        let configs: Vec<u64> = pmu.events.iter().map(|event| event.config).collect();
        let asked = Asked { pmu: pmu.number, cpu: place.cpu, configs: &configs };
        let group = open(&asked).map_err(|source| refused(source, place, proc_root))?;
        let mut opened = Opened { place: place.clone(), group, counts: vec![0; configs.len()] };
        opened.read(&mut 0)?;
        Ok(opened)
    }

    /// Reads once more where the first attempt fails.
    fn read(&mut self, errors: &mut u64) -> Result<(), PerfError> {
        let first = self.group.read(&mut self.counts).inspect_err(|_| *errors += 1);
        let read =
            first.or_else(|_| self.group.read(&mut self.counts).inspect_err(|_| *errors += 1));
        read.map_err(|source| PerfError::Unread {
            place: self.place.name(),
            cpu: self.place.cpu,
            source: Arc::new(source),
        })
    }

    /// The package's present count; it is the first of the events.
    fn package(&mut self) -> Result<u64, PerfError> {
        self.read(&mut 0)?;
        Ok(self.counts[0])
    }
}

/// Waits until every counter has moved, but not for long. Says which of each package did.
fn watch(opened: &mut [Opened]) -> Result<Vec<Vec<bool>>, PerfError> {
    let first: Vec<Vec<u64>> = opened.iter().map(|one| one.counts.clone()).collect();
    let mut moved: Vec<Vec<bool>> = first.iter().map(|counts| vec![false; counts.len()]).collect();
    let start = Instant::now();
    while start.elapsed() < WATCH_FOR && moved.iter().flatten().any(|moved| !moved) {
        std::thread::sleep(WATCH_EVERY);
        for ((one, first), moved) in opened.iter_mut().zip(&first).zip(&mut moved) {
            one.read(&mut 0)?;
            for ((now, first), moved) in one.counts.iter().zip(first).zip(moved) {
                *moved |= now != first;
            }
        }
    }
    Ok(moved)
}

/// Why the kernel does not open an event.
///
/// It says `EACCES` where `perf_event_paranoid` is what stands in the way (perf_event_open(2)); a filter of
/// system calls or a lockdown says `EPERM`.
fn refused(source: io::Error, place: &Place, proc_root: &Path) -> PerfError {
    const EPERM: i32 = 1;
    const EACCES: i32 = 13;
    const ENOSYS: i32 = 38;
    let paranoid = || -> Option<i32> {
        let text =
            std::fs::read_to_string(proc_root.join("sys/kernel/perf_event_paranoid")).ok()?;
        text.trim().parse().ok().filter(|level| *level > 0)
    };
    let number = source.raw_os_error();
    let source = Arc::new(source);
    match (number, number.and_then(|_| paranoid())) {
        (Some(EACCES), Some(level)) => {
            let program = std::env::current_exe().unwrap_or_else(|_| "joulerace".into());
            PerfError::Paranoid { level, program }
        }
        (Some(EPERM | EACCES), _) => PerfError::Forbidden { source },
        (Some(ENOSYS), _) => PerfError::NoSuchCall { source },
        _ => PerfError::Unopened { place: place.name(), cpu: place.cpu, source },
    }
}

/// All packages, one call each.
struct Groups(Vec<Opened>);

impl Registers for Groups {
    fn read(&mut self, _wanted: &[bool], now: &mut [u64], errors: &mut u64) -> Result<(), Fault> {
        let mut rest = now;
        for one in &mut self.0 {
            one.read(errors)?;
            let (here, behind) = rest.split_at_mut(one.counts.len());
            here.copy_from_slice(&one.counts);
            rest = behind;
        }
        Ok(())
    }
}

impl From<PerfError> for Fault {
    fn from(error: PerfError) -> Fault {
        Fault::Perf(error)
    }
}
