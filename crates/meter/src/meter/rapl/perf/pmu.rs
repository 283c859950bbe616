//! What the kernel says of its energy events.
//!
//! `type` numbers the source; `cpumask` lists one processor of each package; `events/energy-*` hold what to
//! ask for (`event=0x02`), with a `.scale` and a `.unit` beside. See the kernel's
//! `Documentation/ABI/testing/sysfs-bus-event_source-devices-events`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PerfError;
use crate::samples::Domain;

/// The events that are read, packages first. Never `energy-psys`, which holds them, nor `energy-gpu`, which is
/// part of the package.
const EVENTS: [(&str, Domain); 3] =
    [("energy-pkg", Domain::Package), ("energy-ram", Domain::Dram), ("energy-cores", Domain::Core)];

/// One kind of counter, which every package has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub domain: Domain,
    pub file: PathBuf,
    /// By which the kernel knows it.
    pub config: u64,
    /// Counts of a joule.
    pub per_j: f64,
}

/// A package, or a die of one, and the processor that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub cpu: usize,
    pub package: u32,
    /// Where packages are divided.
    pub die: Option<u32>,
}

impl Place {
    /// As powercap names it: `package-0`, `package-0-die-1`.
    pub(crate) fn name(&self) -> String {
        match self.die {
            Some(die) => format!("package-{}-die-{die}", self.package),
            None => format!("package-{}", self.package),
        }
    }
}

/// The kernel's energy events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pmu {
    /// The kernel's number for them.
    pub number: u32,
    pub events: Vec<Event>,
    pub places: Vec<Place>,
}

/// Reads what there is below `root`, usually [`EVENTS`](crate::meter::settings::EVENTS); `cpu_root` says which package a
/// processor belongs to.
///
/// # Errors
///
/// [`PerfError::Absent`], [`PerfError::NoPackage`], [`PerfError::Unreadable`] and [`PerfError::Strange`].
pub(super) fn discover(root: &Path, cpu_root: &Path) -> Result<Pmu, PerfError> {
    let folder = root.join("power");
    if !folder.is_dir() {
        return Err(PerfError::Absent { folder });
    }
    let number = parsed(&folder.join("type"), "a number", |text| text.parse().ok())?;
    // The one field that says which event: where else than in the lowest bits it would have to be moved.
    parsed(&folder.join("format/event"), "config:0-…", |text| {
        text.starts_with("config:0-").then_some(())
    })?;
    let mut events = Vec::new();
    for (name, domain) in EVENTS {
        let file = folder.join("events").join(name);
        if file.exists() {
            events.push(event(&file, domain)?);
        }
    }
    if !events.iter().any(|event| event.domain == Domain::Package) {
        return Err(PerfError::NoPackage { folder });
    }
    let cpus = parsed(&folder.join("cpumask"), "a list of processors", list)?;
    Ok(Pmu { number, events, places: places(&cpus, cpu_root)? })
}

fn event(file: &Path, domain: Domain) -> Result<Event, PerfError> {
    let config = parsed(file, "event=0x…", |text| {
        u64::from_str_radix(text.strip_prefix("event=0x")?, 16).ok()
    })?;
    let beside = |ending: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    parsed(&beside(".unit"), "Joules", |text| (text == "Joules").then_some(()))?;
    let scale: f64 = parsed(&beside(".scale"), "a number above 0", |text| {
        text.parse().ok().filter(|scale: &f64| scale.is_normal() && *scale > 0.0)
    })?;
    Ok(Event { domain, file: file.to_owned(), config, per_j: scale.recip() })
}

/// Which package each processor stands for; dies are told only where packages are divided.
fn places(cpus: &[usize], cpu_root: &Path) -> Result<Vec<Place>, PerfError> {
    let mut places = Vec::new();
    for cpu in cpus {
        let topology = cpu_root.join(format!("cpu{cpu}/topology"));
        let number = |text: &str| text.parse().ok();
        let package = parsed(&topology.join("physical_package_id"), "a package's number", number)?;
        let die = parsed(&topology.join("die_id"), "a die's number", number).ok();
        places.push(Place { cpu: *cpu, package, die });
    }
    places.sort_by_key(|place: &Place| (place.package, place.die, place.cpu));
    let packages: Vec<u32> = places.iter().map(|place| place.package).collect();
    let divided = |package: u32| packages.iter().filter(|other| **other == package).count() > 1;
    for place in &mut places {
        place.die = place.die.filter(|_| divided(place.package));
    }
    Ok(places)
}

/// Processors as the kernel lists them: `0`, `0,18`, `0-1,4`.
fn list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // One of each package: a machine has a handful.
        if last < first || last - first > 1024 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// What a file says, in the form that is `wanted`.
fn parsed<T>(
    file: &Path,
    wanted: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, PerfError> {
    let text = fs::read_to_string(file).map_err(|source: io::Error| PerfError::Unreadable {
        file: file.to_owned(),
        source: Arc::new(source),
    })?;
    parse(text.trim()).ok_or_else(|| PerfError::Strange {
        file: file.to_owned(),
        text: text.trim().chars().take(80).collect(),
        wanted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_read_as_the_kernel_writes_them() {
        assert_eq!(list("0"), Some(vec![0]));
        assert_eq!(list("0,18"), Some(vec![0, 18]));
        assert_eq!(list("0-2,4"), Some(vec![0, 1, 2, 4]));
        for bad in ["", "a", "1-0", "0-99999999", "0,", "-1"] {
            assert_eq!(list(bad), None, "{bad}");
        }
    }
}
