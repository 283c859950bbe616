//! What the names of columns tell: energy and its unit, a part of the machine, time.

use super::super::Kind;
use super::super::columns::Unit;
use crate::samples::Domain;

/// CodeCarbon's own columns, which never say what is compared unless nothing else does.
pub(super) const CODECARBON: [&str; 33] = [
    "timestamp",
    "run_id",
    "experiment_id",
    "duration",
    "emissions",
    "emissions_rate",
    "cpu_power",
    "gpu_power",
    "ram_power",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "energy_consumed",
    "water_consumed",
    "country_name",
    "country_iso_code",
    "region",
    "cloud_provider",
    "cloud_region",
    "os",
    "python_version",
    "codecarbon_version",
    "cpu_count",
    "cpu_model",
    "gpu_count",
    "gpu_model",
    "longitude",
    "latitude",
    "ram_total_size",
    "tracking_mode",
    "on_cloud",
    "pue",
    "wue",
];

pub(super) fn lower(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The words of a name: `cpuEnergy_mJ` is cpu, energy, mj.
pub(super) fn parts_of_name(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in name.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()) {
        if ["mj", "uj", "kj", "kwh", "wh"].contains(&token.to_lowercase().as_str()) {
            words.push(token.to_lowercase());
            continue;
        }
        let mut before = ' ';
        let mut word = String::new();
        for c in token.chars() {
            if c.is_uppercase() && before.is_lowercase() {
                words.push(std::mem::take(&mut word));
            }
            word.extend(c.to_lowercase());
            before = c;
        }
        words.push(word);
    }
    words
}

pub(in crate::analysis::tables) fn is_energy(name: &str) -> bool {
    let lower = lower(name);
    if ["rate", "per_", "efficiency", "saving", "cost", "model", "unit", "label"]
        .iter()
        .any(|w| lower.contains(w))
    {
        return false;
    }
    let words = parts_of_name(name);
    lower.contains("energy")
        || lower.contains("joule")
        || words
            .iter()
            .any(|w| ["kwh", "wh", "mj", "uj", "j"].contains(&w.as_str()) && words.len() < 5)
}

/// The unit in a column's name; joules where it has none.
pub(super) fn unit(name: &str, kind: Kind) -> Unit {
    let words = parts_of_name(name);
    let has = |w: &str| words.iter().any(|word| word == w);
    if has("kwh") || lower(name).contains("kwh") {
        Unit::KiloWattHours
    } else if has("wh") {
        Unit::WattHours
    } else if has("mj") || lower(name).contains("millijoule") {
        Unit::MilliJoules
    } else if has("uj") || lower(name).contains("microjoule") {
        Unit::MicroJoules
    } else if has("kj") {
        Unit::KiloJoules
    } else if lower(name).starts_with("codecarbon") && kind == Kind::ExperimentRunner
        || lower(name) == "energy_consumed"
    {
        Unit::KiloWattHours
    } else {
        Unit::Joules
    }
}

pub(super) fn part_of(name: &str) -> Option<Domain> {
    let words = parts_of_name(name);
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    if has(&["gpu", "cuda", "nvidia", "gpu0"]) {
        Some(Domain::Gpu(0))
    } else if has(&["dram", "ram", "memory"]) {
        Some(Domain::Dram)
    } else if has(&["core", "cores", "pp0"]) {
        Some(Domain::Core)
    } else if has(&["uncore", "pp1"]) {
        Some(Domain::Uncore)
    } else if has(&["psys", "platform"]) {
        Some(Domain::Platform)
    } else if has(&["cpu", "package", "pkg", "processor"]) {
        Some(Domain::Package)
    } else {
        None
    }
}

/// Which of several totals is meant: the smallest is taken.
pub(super) fn likeliest(name: &str) -> usize {
    let lower = lower(name);
    let words = ["total_energy", "energy_total", "energy_consumed", "total"];
    let plain = || ["energy", "energy_j", "energy (j)", "joules"].contains(&lower.as_str());
    let found = words.iter().position(|word| lower.contains(word));
    found
        .or(plain().then_some(NO_TOTAL - 1))
        .unwrap_or(NO_TOTAL + usize::from(!lower.contains("energy")))
}

/// From this place on a name does not say that it is a total.
pub(super) const NO_TOTAL: usize = 5;

/// experiment-runner's plug-ins write `codecarbon__energy_consumed`.
pub(super) fn profiler(name: &str) -> &str {
    name.split_once("__").map_or("", |(tool, _)| tool)
}

pub(super) fn seconds(name: &str) -> f64 {
    let words = parts_of_name(name);
    if words.iter().any(|w| ["ms", "millis", "milliseconds"].contains(&w.as_str())) {
        1e-3
    } else {
        1.0
    }
}
