//! The processors and how the kernel drives them.

use super::roots::{Roots, entries, number, numbered, text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The processors. What could not be read is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// `AMD EPYC 7763 64-Core Processor`.
    pub model: Option<String>,
    /// Packages that are online.
    pub sockets: Option<usize>,
    /// Physical cores that are online, of all packages together.
    pub cores: Option<usize>,
    /// Logical processors that are online.
    pub threads: usize,
    /// The microcode's revision.
    pub microcode: Option<String>,
    /// Whether cores run more than one thread.
    pub smt: Option<bool>,
    /// Whether cores may run above their base frequency.
    pub turbo: Option<bool>,
    /// What chooses the frequency, such as `performance`; more than one, where they differ.
    pub governor: Vec<String>,
    /// The kernel's driver for that, such as `intel_pstate`.
    pub frequency_driver: Option<String>,
    /// The hint to the processor's own governor, such as `balance_performance`.
    pub energy_preference: Vec<String>,
    /// The lowest frequency that the hardware has, in MHz.
    pub hardware_min_mhz: Option<f64>,
    /// The highest, turbo included, in MHz.
    pub hardware_max_mhz: Option<f64>,
    /// The lowest that the kernel may choose now, in MHz.
    pub min_mhz: Option<f64>,
    /// The highest that it may choose now, of the processor that is limited most, in MHz.
    pub max_mhz: Option<f64>,
    /// Hardware flaws by name, and what the kernel does about each.
    pub mitigations: BTreeMap<String, String>,
}

/// The value of `key` for the first processor in `/proc/cpuinfo`.
fn field<'a>(cpuinfo: &'a str, key: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key && !value.trim().is_empty()).then(|| value.trim())
    })
}

/// Whether the processor says that it is a virtual one: the `hypervisor` bit of x86's CPUID.
pub(super) fn has_hypervisor_flag(roots: &Roots) -> bool {
    text(&roots.proc.join("cpuinfo"))
        .and_then(|cpuinfo| Some(field(&cpuinfo, "flags")?.split(' ').any(|f| f == "hypervisor")))
        .unwrap_or(false)
}

/// The distinct values of one file in all frequency policies.
fn of_policies(roots: &Roots, file: &str) -> Vec<String> {
    let policies = numbered(&roots.sys.join("devices/system/cpu/cpufreq"), "policy");
    let mut folders = policies;
    if folders.is_empty() {
        folders = roots.cpus().into_iter().map(|cpu| cpu.join("cpufreq")).collect();
    }
    let values: BTreeSet<String> = folders.iter().filter_map(|f| text(&f.join(file))).collect();
    values.into_iter().collect()
}

fn mhz(roots: &Roots, file: &str, pick: fn(f64, f64) -> f64) -> Option<f64> {
    of_policies(roots, file)
        .iter()
        .filter_map(|khz| khz.parse::<f64>().ok())
        .map(|khz| khz / 1000.0)
        .reduce(pick)
}

/// Intel's driver says `no_turbo`; the others have `boost`, for all or for each policy.
fn turbo(roots: &Roots) -> Option<bool> {
    let folder = roots.sys.join("devices/system/cpu");
    if let Some(off) = number::<u8>(&folder.join("intel_pstate/no_turbo")) {
        return Some(off == 0);
    }
    if let Some(on) = number::<u8>(&folder.join("cpufreq/boost")) {
        return Some(on != 0);
    }
    let each = of_policies(roots, "boost");
    (!each.is_empty()).then(|| each.iter().any(|on| on == "1"))
}

fn smt(folder: &Path, cores: Option<usize>, threads: usize) -> Option<bool> {
    match number::<u8>(&folder.join("smt/active")) {
        Some(active) => Some(active != 0),
        None => cores.map(|cores| threads > cores),
    }
}

/// Distinct packages and distinct cores, out of `/sys`, else out of `/proc/cpuinfo`.
fn topology(roots: &Roots, cpuinfo: &str) -> (Option<usize>, Option<usize>) {
    let mut cores: BTreeSet<(String, String)> = BTreeSet::new();
    for cpu in roots.cpus() {
        let topology = cpu.join("topology");
        let package = text(&topology.join("physical_package_id"));
        // Some boards number no packages; an offline processor has no folder at all.
        if let (Some(package), Some(core)) = (package, text(&topology.join("core_id"))) {
            // Cores of two dies of one package may have the same number.
            let die = text(&topology.join("die_id")).unwrap_or_default();
            cores.insert((package, format!("{die}/{core}")));
        }
    }
    if cores.is_empty() {
        let mut package = None;
        for line in cpuinfo.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            match name.trim() {
                "physical id" => package = Some(value.trim().to_owned()),
                "core id" => {
                    let package = package.clone().unwrap_or_default();
                    cores.insert((package, value.trim().to_owned()));
                }
                _ => {}
            }
        }
    }
    if cores.is_empty() {
        return (None, None);
    }
    let packages: BTreeSet<&String> = cores.iter().map(|(package, _)| package).collect();
    (Some(packages.len()), Some(cores.len()))
}

/// Reads everything about the processors.
pub(super) fn read(roots: &Roots) -> Cpu {
    let folder = roots.sys.join("devices/system/cpu");
    let cpuinfo = text(&roots.proc.join("cpuinfo")).unwrap_or_default();
    let model = field(&cpuinfo, "model name")
        .or_else(|| field(&cpuinfo, "Model"))
        .or_else(|| field(&cpuinfo, "cpu model"))
        .map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "))
        .or_else(|| text(&roots.sys.join("firmware/devicetree/base/model")));
    let (sockets, cores) = topology(roots, &cpuinfo);
    let threads = super::proc::cpu_times(roots).map_or(0, |times| times.cpus);
    let mitigations = entries(&folder.join("vulnerabilities"))
        .into_iter()
        .filter_map(|file| Some((file.file_name()?.to_str()?.to_owned(), text(&file)?)))
        .collect();
    Cpu {
        model,
        sockets,
        cores,
        threads,
        microcode: field(&cpuinfo, "microcode").map(str::to_owned),
        smt: smt(&folder, cores, threads),
        turbo: turbo(roots),
        governor: of_policies(roots, "scaling_governor"),
        frequency_driver: of_policies(roots, "scaling_driver").into_iter().next(),
        energy_preference: of_policies(roots, "energy_performance_preference"),
        hardware_min_mhz: mhz(roots, "cpuinfo_min_freq", f64::min),
        hardware_max_mhz: mhz(roots, "cpuinfo_max_freq", f64::max),
        min_mhz: mhz(roots, "scaling_min_freq", f64::min),
        max_mhz: mhz(roots, "scaling_max_freq", f64::min),
        mitigations,
    }
}
