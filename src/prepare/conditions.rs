//! What has to stay equal from the first trial of an experiment to its last, as it is now.

use super::environments::{Environments, Made};
use crate::clean;
use crate::dataset::Dataset;
use crate::meter::{Meter, MeterDescription};
use crate::process;
use crate::settings::Settings;
use crate::snapshot::{self, Roots};
use crate::store::conditions::{Conditions, Locked};
use crate::store::record::Samples;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads the present conditions as far as they are known without running anything: data and meter are
/// left empty. `folders` are those that the workload's scripts, and what they share, are imported from.
pub(crate) fn conditions(environments: &Environments, folders: &[&Path]) -> Conditions {
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
        commands: Vec::new(),
        meter: String::new(),
        machine: machine(),
        variables: snapshot::environment(),
    }
}

/// The same for commands, which need no environment; [`commands`] tells what they are made of.
pub(crate) fn of_commands() -> Conditions {
    Conditions {
        joulerace: env!("CARGO_PKG_VERSION").to_owned(),
        python: String::new(),
        lock: String::new(),
        unlocked: Vec::new(),
        environments: Default::default(),
        data: Vec::new(),
        scripts: Vec::new(),
        commands: Vec::new(),
        meter: String::new(),
        machine: machine(),
        variables: snapshot::environment(),
    }
}

/// What commands are made of: the folder that they run in, and the checksum of every program and file that
/// they name.
pub(crate) fn commands(settings: &Settings) -> Vec<String> {
    let Some(commands) = &settings.commands else { return Vec::new() };
    let lines = settings.treatments.iter().filter_map(|t| t.command.as_ref());
    let mut files: Vec<PathBuf> = Vec::new();
    for words in
        lines.flat_map(|command| command.all()).filter_map(|line| commands.shell.words(line).ok())
    {
        let program = process::found(OsStr::new(&words[0]), &commands.folder);
        let named = words[1..].iter().map(|word| commands.folder.join(word));
        files.extend(program.into_iter().chain(named).filter(|path| path.is_file()));
    }
    files.sort();
    files.dedup();
    let hash = |path: &PathBuf| {
        let digest = files_digest(path).unwrap_or_else(|error| format!("cannot be read ({error})"));
        format!("{} {digest}", path.display())
    };
    place_of_commands(settings).into_iter().chain(files.iter().map(hash)).collect()
}

/// Where commands run: the first line of [`commands`].
pub(crate) fn place_of_commands(settings: &Settings) -> Option<String> {
    Some(format!("in {}", settings.commands.as_ref()?.folder.display()))
}

/// A file that is larger is known by its length: reading it would take longer than it is worth.
const HASHED: u64 = 64 << 20;

fn files_digest(path: &Path) -> std::io::Result<String> {
    let file = std::fs::File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > HASHED {
        return Ok(format!("of {bytes} bytes"));
    }
    Ok(Samples::of(file)?.sha256)
}

/// The data set's files, as conditions have them.
pub(crate) fn data(dataset: &Dataset) -> Vec<String> {
    dataset.files.iter().map(|f| format!("{} {}", f.name, f.sha256)).collect()
}

/// The meter, as conditions have it.
pub(crate) fn meter(settings: &Settings, meter: &Meter) -> String {
    described(&meter.describe(), settings.interval)
}

/// The two ways in to RAPL's counters have the same names and cost differently. Powercap, which is older,
/// goes unnamed: experiments that were begun before there was another can go on.
fn described(meter: &MeterDescription, interval: Duration) -> String {
    let counters: Vec<String> = meter.counters.iter().map(|c| c.name.clone()).collect();
    let way = meter.way.as_deref().filter(|way| *way != "powercap");
    format!(
        "{} {} ({}){}, every {}",
        meter.kind,
        meter.version,
        counters.join(", "),
        way.map_or(String::new(), |way| format!(" through {way}")),
        humantime::format_duration(interval)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_way_in_to_the_same_counters_is_another_meter() {
        let by = |way: Option<&str>| {
            let text = json!({
                "kind": "rapl", "estimated": false, "version": "0.1.0", "notes": [], "way": way,
                "counters": [{ "name": "package-0", "domain": "package", "counted": true, "path": "x" }],
            });
            let meter: MeterDescription = serde_json::from_value(text).unwrap();
            described(&meter, Duration::from_millis(200))
        };
        assert_eq!(by(None), "rapl 0.1.0 (package-0), every 200ms");
        assert_eq!(by(Some("powercap")), by(None));
        assert_eq!(
            by(Some("perf events")),
            "rapl 0.1.0 (package-0) through perf events, every 200ms"
        );
    }
}
