//! What has to stay equal from the first trial of an experiment to its last, as it is now.

use super::environments::{Environments, Made};
use crate::clean;
use crate::dataset::Dataset;
use crate::meter::Meter;
use crate::settings::Settings;
use crate::snapshot::{self, Roots};
use crate::store::conditions::{Conditions, Locked};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Reads the present conditions as far as they are known without running anything: data and meter are
/// left empty. `folders` are those that the workload's scripts, and what they share, are imported from.
pub fn conditions(environments: &Environments, folders: &[&Path]) -> Conditions {
    let mut scripts: Vec<PathBuf> = folders
        .iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "py"))
        .collect();
    scripts.sort();
    let hash = |path: &PathBuf| {
        let content = std::fs::read(path).unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = clean::hex(&Sha256::digest(&content));
        format!("{name} {digest}")
    };
    let own = environments.own.as_ref().map(|made| &made.environment);
    let locked = |made: &Made| Locked {
        python: made.environment.version.clone(),
        lock: made.environment.lock_hash.clone(),
    };
    let others = environments.others.iter().map(|(name, made)| (name.clone(), locked(made)));
    Conditions {
        joulerace: env!("CARGO_PKG_VERSION").to_owned(),
        python: own.map_or(String::new(), |own| own.version.clone()),
        lock: own.map_or(String::new(), |own| own.lock_hash.clone()),
        unlocked: own
            .map_or(Vec::new(), |own| own.differences.iter().map(ToString::to_string).collect()),
        environments: others.collect(),
        data: Vec::new(),
        scripts: scripts.iter().map(hash).collect(),
        meter: String::new(),
        machine: machine(),
        variables: snapshot::environment(),
    }
}

/// The data set's files, as conditions have them.
pub fn data(dataset: &Dataset) -> Vec<String> {
    dataset.files.iter().map(|f| format!("{} {}", f.name, f.sha256)).collect()
}

/// The meter, as conditions have it.
pub fn meter(settings: &Settings, meter: &Meter) -> String {
    let meter = meter.describe();
    let counters: Vec<String> = meter.counters.iter().map(|c| c.name.clone()).collect();
    format!(
        "{} {} ({}), every {}",
        meter.kind,
        meter.version,
        counters.join(", "),
        humantime::format_duration(settings.interval)
    )
}

/// What of the machine may not change in the middle of an experiment.
fn machine() -> Vec<String> {
    let machine = snapshot::machine(&Roots::default());
    let memory = machine.memory_bytes.map_or("unknown".to_owned(), |b| (b >> 20).to_string());
    vec![
        format!("processor: {}", machine.cpu.model.as_deref().unwrap_or("unknown")),
        format!("threads: {}", machine.cpu.threads),
        format!("memory: {memory} MiB"),
        format!("kernel: {}", machine.kernel.as_deref().unwrap_or("unknown")),
    ]
}
