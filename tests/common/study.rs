#![allow(dead_code, reason = "each test binary uses a part of it")]
//! A study of shards: started by hand or by Slurm, merged, and held against the same experiment on one machine.

use super::experiment::{Scratch, environment, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a machine that does other things as well.
pub const PATIENCE: Duration = Duration::from_secs(400);

pub const SHORT: [(&str, &str); 2] = [("a", "{'seconds': 0.03}"), ("b", "{'seconds': 0.03}")];

/// The flags of `Scratch::experiment`, after a study's own.
pub fn flags(scratch: &Scratch, iterations: &str, command: &mut Command) {
    flags_of("a,b", scratch, iterations, command);
}

/// The same with other treatments.
pub fn flags_of(treatments: &str, scratch: &Scratch, iterations: &str, command: &mut Command) {
    command
        .args(["--treatments", treatments, "--order-seed", "1", "--meter", "estimate"])
        .args(["--epochs", "1", "--batch-size", "8", "--interval", "20ms", "--allow-unlocked"])
        .args(["--warmup", "0s", "--cooldown", "0s", "--baseline", "0s"])
        .args(["--dataset", "mnist", "--train-samples", "10", "--test-samples", "10"])
        .args(["--iterations", iterations, "--workloads"])
        .arg(scratch.at("workloads"))
        .arg("--python-env")
        .arg(environment())
        .arg("--data-dir")
        .arg(scratch.at("data"))
        .arg("--output")
        .arg(scratch.results());
}

/// Several machines share this one; each has a lock of its own.
pub fn program(scratch: &Scratch) -> Command {
    let mut command = scratch.program();
    command.env("JOULERACE_LOCK_FILE", scratch.at("lock-%m")).env_remove("JOULERACE_MACHINE");
    command
}

/// A shard, started by hand.
pub fn shard(scratch: &Scratch, machine: &str, shard: &str, more: &[&str]) -> Command {
    let mut command = program(scratch);
    flags(scratch, "6", &mut command);
    command.env("JOULERACE_MACHINE", machine).args(["--shard", shard]).args(more);
    command
}

pub fn merge(scratch: &Scratch) -> Output {
    program(scratch).arg("merge").arg(scratch.results()).arg("--no-analysis").output().unwrap()
}

pub fn assert_status(output: &Output, status: i32, words: &[&str]) {
    let told = text(output);
    assert_eq!(output.status.code(), Some(status), "{told}");
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

pub fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

pub fn journal(scratch: &Scratch, shard: u32) -> String {
    let path = scratch.results().join(format!("shards/{shard}/journal.jsonl"));
    std::fs::read_to_string(path).unwrap_or_default()
}

pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A table's columns, and its rows by their trials.
pub fn table(path: &Path) -> (Vec<String>, BTreeMap<String, BTreeMap<String, String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut rows = BTreeMap::new();
    for record in reader.records() {
        let row: BTreeMap<String, String> =
            names.iter().cloned().zip(record.unwrap().iter().map(str::to_owned)).collect();
        let earlier = rows.insert(row["trial"].clone(), row);
        assert_eq!(earlier, None, "a trial stands there twice");
    }
    (names, rows)
}

/// What is the plan's and not the measurement's.
pub const PLANNED: [&str; 6] = ["trial", "group", "block", "position", "run_order", "status"];

/// The study's table holds what the same experiment's on one machine does: the same trials at the same
/// places, in the same columns and one for the machine, and each block on one machine.
pub fn assert_as_on_one_machine(study: &Path, alone: &Path) {
    let (columns, rows) = table(&study.join("trials.csv"));
    let (of_one, one) = table(&alone.join("trials.csv"));
    let without: Vec<&String> = columns.iter().filter(|c| *c != "machine").collect();
    assert_eq!(without, of_one.iter().collect::<Vec<_>>());
    assert_eq!(rows.keys().collect::<Vec<_>>(), one.keys().collect::<Vec<_>>());
    let mut machines: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (trial, row) in &rows {
        for column in PLANNED {
            assert_eq!(row[column], one[trial][column], "{trial}: {column}");
        }
        machines.entry(&row["block"]).or_default().insert(&row["machine"]);
    }
    assert!(machines.values().all(|of_block| of_block.len() == 1), "{machines:?}");
    let plan = |folder: &Path| json(&folder.join("experiment.json"))["plan"].clone();
    assert_eq!(plan(study), plan(alone));
}

/// The same experiment on one machine.
pub fn alone() -> Scratch {
    let scratch = Scratch::new(&SHORT);
    let output = scratch.experiment("a,b", &["--iterations", "6"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch
}
