//! Finds RAPL's zones by their names in a powercap folder.
//!
//! The kernel shows `intel-rapl:<n>` (one per package or die, AMD's as well), `intel-rapl:<n>:<k>`
//! (parts of it) and, for the same packages through another window, `intel-rapl-mmio:<n>`. Under
//! `/sys/class/powercap` all lie side by side as links, and each folder holds its parts once more;
//! elsewhere they may only be nested. A zone's number is not its socket: its `name` says what it is.
//! See the kernel's `Documentation/power/powercap/powercap.rst`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::meter::MeterError;
use crate::samples::Domain;

/// One counter of the kernel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Zone {
    /// Its folder's name, such as `intel-rapl:0:1`; unique on a machine.
    pub id: String,
    /// What it calls itself, after its package: `package-0`, `package-0/dram`.
    pub name: String,
    /// The processor package that it belongs to.
    pub package: u32,
    /// The die within the package, where packages are divided.
    pub die: Option<u32>,
    /// Package, core or dram.
    pub domain: Domain,
    /// Its `energy_uj`.
    pub energy: PathBuf,
    /// The largest value that the counter shows, in microjoules.
    pub range_uj: u64,
}

/// How deep zones can lie: a control type, a package, a part of it.
const DEPTH: usize = 3;

/// Finds the zones to read: every package, its DRAM and its cores, in this order; never `psys`, never
/// the second window (`mmio`) on a package that is there already.
///
/// # Errors
///
/// [`MeterError::NoZones`] where no package is found, [`MeterError::Permission`] where a zone's range may
/// not be read, [`MeterError::Counter`] where it states none.
pub(crate) fn discover(powercap: &Path) -> Result<Vec<Zone>, MeterError> {
    let folders = walk(powercap);
    let names: BTreeMap<&str, String> = folders
        .iter()
        .filter_map(|(id, folder)| {
            let name = fs::read_to_string(folder.join("name")).ok()?;
            Some((id.as_str(), name.trim().to_owned()))
        })
        .collect();
    let mut zones = Vec::new();
    for (id, name) in &names {
        let parent = id.rsplit_once(':').and_then(|(parent, _)| names.get(parent));
        let (package, domain) = match (name.as_str(), parent) {
            (package, _) if place(package).is_some() => (package, Domain::Package),
            ("core", Some(package)) => (package.as_str(), Domain::Core),
            ("dram", Some(package)) => (package.as_str(), Domain::Dram),
            _ => continue,
        };
        let Some((number, die)) = place(package) else { continue };
        let folder = &folders[*id];
        zones.push(Zone {
            id: (*id).to_owned(),
            name: if domain == Domain::Package {
                name.clone()
            } else {
                format!("{package}/{name}")
            },
            package: number,
            die,
            domain,
            energy: folder.join("energy_uj"),
            range_uj: 0,
        });
    }
    let has_msr: Vec<u32> = zones.iter().filter(|z| !z.is_mmio()).map(|z| z.package).collect();
    zones.retain(|zone| !zone.is_mmio() || !has_msr.contains(&zone.package));
    if !zones.iter().any(|zone| zone.domain == Domain::Package) {
        return Err(MeterError::NoZones { powercap: powercap.to_owned() });
    }
    // With all zones known: what grants reading names them all.
    let ranges =
        zones.iter().map(|zone| range(powercap, zone, &zones)).collect::<Result<Vec<_>, _>>()?;
    for (zone, range) in zones.iter_mut().zip(ranges) {
        zone.range_uj = range;
    }
    // Packages first: they are the bulk, and lie closest to the instant of the row.
    let rank = |zone: &Zone| match zone.domain {
        Domain::Package => 0,
        Domain::Dram => 1,
        _ => 2,
    };
    zones.sort_by_key(|zone| (rank(zone), zone.package, zone.die, zone.id.clone()));
    Ok(zones)
}

impl Zone {
    /// Whether its joules are part of the total; those of cores are in their package's already.
    pub(crate) fn counted(&self) -> bool {
        self.domain != Domain::Core
    }

    fn is_mmio(&self) -> bool {
        self.id.starts_with("intel-rapl-mmio")
    }
}

/// Collects folders by their own name, so that a link and what it points to count once.
///
/// Goes level by level: of a zone that is reached twice, the shorter way is kept, which is the one that
/// a user would type.
fn walk(powercap: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut level = vec![powercap.to_owned()];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for folder in level {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(id) = entry.file_name().into_string() else { continue };
                let path = folder.join(&id);
                // Only RAPL's own names are followed: sysfs folders hold links back up.
                if id.starts_with("intel-rapl") && !found.contains_key(&id) && path.is_dir() {
                    next.push(path.clone());
                    found.insert(id, path);
                }
            }
        }
        level = next;
    }
    found
}

/// Package and die that a name such as `package-1` or `package-0-die-2` stands for.
fn place(name: &str) -> Option<(u32, Option<u32>)> {
    let rest = name.strip_prefix("package-")?;
    match rest.split_once("-die-") {
        Some((package, die)) => Some((package.parse().ok()?, Some(die.parse().ok()?))),
        None => Some((rest.parse().ok()?, None)),
    }
}

/// A zone's range in microjoules.
fn range(powercap: &Path, zone: &Zone, all: &[Zone]) -> Result<u64, MeterError> {
    let file = zone.energy.with_file_name("max_energy_range_uj");
    let fail = |source| MeterError::Counter { file: file.clone(), source: Arc::new(source) };
    let text = fs::read_to_string(&file).map_err(|source| {
        if source.kind() == io::ErrorKind::PermissionDenied {
            let command = grant(powercap, all, &["energy_uj", "max_energy_range_uj"]);
            return MeterError::Permission { file: file.clone(), command };
        }
        fail(source)
    })?;
    text.trim().parse().ok().filter(|range| *range > 0).ok_or_else(|| {
        fail(io::Error::new(io::ErrorKind::InvalidData, format!("'{}' is no range", text.trim())))
    })
}

/// The command that lets everybody read these files of `zones` until the next reboot.
///
/// The files are named one level at a time instead of `chmod -R`: under `/sys/class/powercap` zones
/// are links, which a recursive chmod follows or not depending on its make, while a shell's pattern
/// goes through them everywhere. Zones that lie nested only get a pattern of their own.
pub(crate) fn grant(powercap: &Path, zones: &[Zone], files: &[&str]) -> String {
    let root = quoted(&powercap.display().to_string());
    let mut command = "sudo chmod a+r".to_owned();
    let depth = |zone: &Zone| {
        zone.energy.strip_prefix(powercap).map_or(2, |inside| inside.components().count())
    };
    let mut depths: Vec<usize> = zones.iter().map(depth).collect();
    depths.sort_unstable();
    depths.dedup();
    for depth in depths {
        for file in files {
            command.push_str(&format!(" {root}{}/{file}", "/intel-rapl*".repeat(depth - 1)));
        }
    }
    command
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(root: &Path, path: &str, name: &str) {
        let folder = root.join(path);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), format!("{name}\n")).unwrap();
        fs::write(folder.join("energy_uj"), "0\n").unwrap();
        fs::write(folder.join("max_energy_range_uj"), "262143328850\n").unwrap();
    }

    fn names(root: &Path) -> Vec<String> {
        discover(root).unwrap().into_iter().map(|zone| zone.name).collect()
    }

    #[test]
    fn zones_are_told_by_name_and_not_by_number() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "intel-rapl:0", "psys");
        zone(root.path(), "intel-rapl:1", "package-1");
        zone(root.path(), "intel-rapl:2", "package-0");
        zone(root.path(), "intel-rapl:2/intel-rapl:2:0", "uncore");
        zone(root.path(), "intel-rapl:2/intel-rapl:2:1", "dram");
        zone(root.path(), "intel-rapl:1/intel-rapl:1:0", "core");
        let expected = ["package-0", "package-1", "package-0/dram", "package-1/core"];
        assert_eq!(names(root.path()), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_what_it_points_to_are_one_zone() {
        // As under /sys: all zones side by side as links, parts inside their package as well, and in
        // every folder a link back up.
        let sys = tempfile::tempdir().unwrap();
        let (devices, class) = (sys.path().join("devices/intel-rapl"), sys.path().join("class"));
        fs::create_dir_all(&class).unwrap();
        zone(&devices, "intel-rapl:0", "package-0");
        zone(&devices, "intel-rapl:0/intel-rapl:0:0", "dram");
        let link = |from: &Path, name: &str| {
            std::os::unix::fs::symlink(from, class.join(name)).unwrap();
        };
        link(&devices, "intel-rapl");
        link(&devices.join("intel-rapl:0"), "intel-rapl:0");
        link(&devices.join("intel-rapl:0/intel-rapl:0:0"), "intel-rapl:0:0");
        std::os::unix::fs::symlink(&class, devices.join("intel-rapl:0/subsystem")).unwrap();
        let zones = discover(&class).unwrap();
        assert_eq!(zones.len(), 2);
        assert_eq!(zones[0].energy, class.join("intel-rapl:0/energy_uj"));
        assert_eq!(zones[1].energy, class.join("intel-rapl:0:0/energy_uj"));
        let root = class.display();
        let command = grant(&class, &zones, &["energy_uj"]);
        assert_eq!(command, format!("sudo chmod a+r {root}/intel-rapl*/energy_uj"));
        // The devices' own folder works as a root, too.
        assert_eq!(names(&sys.path().join("devices")), ["package-0", "package-0/dram"]);
    }

    #[test]
    fn the_second_window_on_a_package_is_read_only_where_it_is_the_only_one() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "intel-rapl-mmio:0", "package-0");
        assert_eq!(names(root.path()), ["package-0"]);
        zone(root.path(), "intel-rapl:0", "package-0");
        let zones = discover(root.path()).unwrap();
        assert_eq!(zones.len(), 1);
        assert_eq!(zones[0].id, "intel-rapl:0");
    }

    #[test]
    fn dies_are_kept_apart() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "intel-rapl:0", "package-0-die-0");
        zone(root.path(), "intel-rapl:1", "package-0-die-1");
        let zones = discover(root.path()).unwrap();
        let places: Vec<_> = zones.iter().map(|zone| (zone.package, zone.die)).collect();
        assert_eq!(places, [(0, Some(0)), (0, Some(1))]);
    }

    #[test]
    fn a_folder_without_packages_is_named() {
        let root = tempfile::tempdir().unwrap();
        zone(root.path(), "intel-rapl:0", "psys");
        let error = discover(root.path()).unwrap_err().to_string();
        assert!(error.contains(&root.path().display().to_string()), "{error}");
        assert!(matches!(discover(Path::new("/nowhere")), Err(MeterError::NoZones { .. })));
    }

    #[test]
    fn the_granting_command_survives_a_shell() {
        let root = tempfile::tempdir().unwrap();
        let odd = root.path().join("it's here");
        zone(&odd, "intel-rapl:0", "package-0");
        zone(&odd, "intel-rapl:0/intel-rapl:0:0", "dram");
        let command = grant(&odd, &discover(&odd).unwrap(), &["energy_uj"])
            .replace("sudo chmod a+r", "ls -1");
        let listed = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(listed.lines().count(), 2, "{command}\n{listed}");
    }
}
