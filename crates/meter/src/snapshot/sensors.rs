//! The processors' temperature, frequency and throttling, where the kernel shows them.

use super::roots::{Roots, entries, number, numbered, text};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Kernel drivers whose `temp*_input` are a processor's own: Intel, AMD (two drivers), Arm boards.
const CHIPS: [&str; 5] = ["coretemp", "k10temp", "zenpower", "cpu_thermal", "scpi_sensors"];

/// Thermal zones that are a processor's, the better ones first.
const ZONES: [&str; 4] = ["x86_pkg_temp", "cpu-thermal", "cpu_thermal", "TCPU"];

/// Reads how hot the processors are.
#[derive(Debug, Clone, Default)]
pub struct Thermometer {
    files: Vec<PathBuf>,
}

impl Thermometer {
    /// Finds the processors' sensors: their hwmon chips, else their thermal zones. The ACPI zone of
    /// a whole machine (`acpitz`) is left out, as it is often a constant.
    pub fn open(roots: &Roots) -> Thermometer {
        let mut files = Vec::new();
        for chip in entries(&roots.sys.join("class/hwmon")) {
            if !text(&chip.join("name")).is_some_and(|name| CHIPS.contains(&name.as_str())) {
                continue;
            }
            files.extend(entries(&chip).into_iter().filter(|file| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("temp") && name.ends_with("_input")
            }));
        }
        if files.is_empty() {
            let zones = numbered(&roots.sys.join("class/thermal"), "thermal_zone");
            let is = |zone: &PathBuf, kind: &str| text(&zone.join("type")).as_deref() == Some(kind);
            files = ZONES
                .iter()
                .map(|kind| zones.iter().filter(|zone| is(zone, kind)).map(|z| z.join("temp")))
                .map(Iterator::collect)
                .find(|found: &Vec<PathBuf>| !found.is_empty())
                .unwrap_or_default();
        }
        Thermometer { files }
    }

    /// The hottest sensor, in °C; none where there is none or it gives nonsense.
    pub fn celsius(&self) -> Option<f64> {
        self.files
            .iter()
            .filter_map(|file| number::<f64>(file))
            .map(|millidegrees| millidegrees / 1000.0)
            .filter(|celsius| (-40.0..150.0).contains(celsius))
            .reduce(f64::max)
    }
}

/// Reads how fast the processors run.
#[derive(Debug, Clone, Default)]
pub struct Frequencies {
    /// `scaling_cur_freq` of each processor, in kHz.
    files: Vec<PathBuf>,
    /// `/proc/cpuinfo`, read only where there are none of those.
    cpuinfo: Option<PathBuf>,
}

impl Frequencies {
    /// Opens every processor's file once, so that a reading costs no look-up.
    pub fn open(roots: &Roots) -> Frequencies {
        let files = roots.cpus().into_iter().map(|cpu| cpu.join("cpufreq/scaling_cur_freq"));
        let files: Vec<PathBuf> = files.filter(|file| file.exists()).collect();
        let cpuinfo = files.is_empty().then(|| roots.proc.join("cpuinfo"));
        Frequencies { files, cpuinfo }
    }

    /// Mean over the processors, in MHz.
    pub fn mean_mhz(&self) -> Option<f64> {
        let values: Vec<f64> = match &self.cpuinfo {
            None => self.files.iter().filter_map(|f| number::<f64>(f)).map(|k| k / 1e3).collect(),
            Some(path) => text(path)?
                .lines()
                .filter_map(|line| {
                    line.strip_prefix("cpu MHz")?.split_once(':')?.1.trim().parse().ok()
                })
                .collect(),
        };
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// How often the processors were slowed down for their heat since boot: each processor's own count,
/// and each package's once. Intel only; none elsewhere.
pub fn throttle_events(roots: &Roots) -> Option<u64> {
    let (mut cores, mut packages) = (None, BTreeMap::<i64, u64>::new());
    for cpu in roots.cpus() {
        if let Some(count) = number::<u64>(&cpu.join("thermal_throttle/core_throttle_count")) {
            *cores.get_or_insert(0) += count;
        }
        // Every processor of a package shows that package's count.
        if let Some(count) = number::<u64>(&cpu.join("thermal_throttle/package_throttle_count")) {
            let package = number(&cpu.join("topology/physical_package_id")).unwrap_or(0);
            let seen = packages.entry(package).or_default();
            *seen = count.max(*seen);
        }
    }
    if cores.is_none() && packages.is_empty() {
        return None;
    }
    Some(cores.unwrap_or(0) + packages.values().sum::<u64>())
}
