//! A study on a real Slurm cluster of three nodes, whose tasks are killed, requeued and given too little time.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, environment, send, start, text};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(400);

/// Some 18 seconds a trial and more than a minute a shard: Slurm looks every 30 seconds for time that is up.
const LONG: [(&str, &str); 2] = [("a", "{'seconds': 3.5}"), ("b", "{'seconds': 3.5}")];
const SHORT: [(&str, &str); 2] = [("a", "{'seconds': 0.03}"), ("b", "{'seconds': 0.03}")];

/// A cluster that ends with the test.
struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// None, with the reason said, where there is no Slurm.
    fn start(folder: PathBuf) -> Option<Cluster> {
        let started = script().arg("up").arg(&folder).arg("3").output().unwrap();
        if started.status.code() == Some(77) {
            eprintln!("skipped: {}", text(&started).trim());
            return None;
        }
        let cluster = Cluster { folder };
        assert!(started.status.success(), "{}", text(&started));
        Some(cluster)
    }

    fn kill(&self, node: &str) {
        let killed = script().arg("kill").arg(&self.folder).arg(node).output().unwrap();
        assert!(killed.status.success(), "{}", text(&killed));
    }

    /// One of Slurm's programs, or joulerace, as somebody at this cluster has it.
    fn with(&self, mut command: Command) -> Command {
        command.env("SLURM_CONF", self.folder.join("slurm.conf"));
        command
    }

    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = self.with(Command::new(program));
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The node that runs a task.
    fn node(&self, job: u64, task: u32) -> String {
        let line = self.ask("squeue", &["-h", "-o", "%N", &format!("--jobs={job}_{task}")]);
        line.trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = script().arg("down").arg(&self.folder).output();
    }
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/cluster"))
}

/// The flags of `Scratch::experiment`, after a study's own.
fn flags(scratch: &Scratch, iterations: &str, command: &mut Command) {
    command
        .args(["--frameworks", "a,b", "--order-seed", "1", "--meter", "estimate"])
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
fn program(scratch: &Scratch) -> Command {
    let mut command = scratch.program();
    command.env("JOULERACE_LOCK_FILE", scratch.at("lock-%m")).env_remove("JOULERACE_MACHINE");
    command
}

/// A shard, started by hand.
fn shard(scratch: &Scratch, machine: &str, shard: &str, more: &[&str]) -> Command {
    let mut command = program(scratch);
    flags(scratch, "6", &mut command);
    command.env("JOULERACE_MACHINE", machine).args(["--shard", shard]).args(more);
    command
}

fn merge(scratch: &Scratch) -> Output {
    program(scratch).arg("merge").arg(scratch.results()).arg("--no-analysis").output().unwrap()
}

fn assert_status(output: &Output, status: i32, words: &[&str]) {
    let told = text(output);
    assert_eq!(output.status.code(), Some(status), "{told}");
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

fn journal(scratch: &Scratch, shard: u32) -> String {
    let path = scratch.results().join(format!("shards/{shard}/journal.jsonl"));
    std::fs::read_to_string(path).unwrap_or_default()
}

fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A table's columns, and its rows by their trials.
fn table(path: &Path) -> (Vec<String>, BTreeMap<String, BTreeMap<String, String>>) {
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
const PLANNED: [&str; 6] = ["trial", "group", "block", "position", "run_order", "status"];

/// The study's table holds what the same experiment's on one machine does: the same trials at the same
/// places, in the same columns and one for the machine, and each block on one machine.
fn assert_as_on_one_machine(study: &Path, alone: &Path) {
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
fn alone() -> Scratch {
    let scratch = Scratch::new(&SHORT);
    let output = scratch.experiment("a,b", &["--iterations", "6"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch
}

/// Six blocks over three nodes: one node dies with its task in mid-trial, one task is requeued, and one is
/// given too little time. What is merged is what was planned.
#[test]
fn a_study_on_a_cluster_survives_what_clusters_do() {
    let scratch = Scratch::new(&LONG);
    let Some(cluster) = Cluster::start(scratch.at("cluster")) else { return };
    let mut submit = cluster.with(program(&scratch));
    // Warned so long before its end, the task with too little time, a minute, stops well before its last trial.
    submit.args(["submit", "--shards", "3", "--time=10", "--signal=USR1@45", "--"]);
    flags(&scratch, "6", &mut submit);
    let submitted = submit.output().unwrap();
    assert!(submitted.status.success(), "{}", text(&submitted));
    let study = scratch.results();
    let job = json(&study.join("study.json"))["jobs"]["shards"].as_u64().unwrap();
    cluster.ask("scontrol", &["update", &format!("JobId={job}_3"), "TimeLimit=1"]);

    let in_second_trial =
        |shard: u32| journal(&scratch, shard).matches("trial-started").count() >= 2;
    eventually("two shards are in their second trial", || in_second_trial(1) && in_second_trial(2));
    let died = cluster.node(job, 1);
    cluster.kill(&died);
    cluster.ask("scontrol", &["requeue", &format!("{job}_2")]);

    let state = || {
        let mut status = cluster.with(program(&scratch));
        text(&status.arg("status").arg(&study).output().unwrap())
    };
    eventually("all shards are merged", || state().contains("Merged; its report"));
    let merged = std::fs::read_to_string(study.join("logs/merge.log")).unwrap();
    assert!(merged.contains("12 of 12 trials of 3 shards merged"), "{merged}");
    assert_as_on_one_machine(&study, &alone().results());

    let interrupted = journal(&scratch, 1).matches("trial-interrupted").count();
    assert_eq!(interrupted, 1, "of the node that died the present trial is lost");
    for shard in 1..=3 {
        let sessions = journal(&scratch, shard).matches("\"started\"").count();
        assert!(sessions >= 2, "shard {shard} went on: {sessions}");
    }
    assert_eq!(
        journal(&scratch, 3).matches("trial-interrupted").count(),
        0,
        "it was warned in time"
    );
    let machines = json(&study.join("experiment.json"))["machines"].clone();
    let report = std::fs::read_to_string(study.join("analysis/report.md")).unwrap();
    for machine in machines.as_array().unwrap() {
        let name = machine["name"].as_str().unwrap();
        assert!(merged.contains(name), "{name}: {merged}");
        assert!(report.contains(&format!("| {name} |")), "the report has a row for {name}");
    }
    let left = |line: &String| line.contains("joulerace");
    assert!(!scratch.processes().iter().any(left), "{:?}", scratch.processes());
}

/// A job that matters more takes the nodes: the task is warned, ends after its present trial, waits and goes on.
#[test]
#[ignore = "half a minute: cargo test --test cluster -- --ignored"]
fn a_task_that_is_preempted_loses_no_trial() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.7}"), ("b", "{'seconds': 0.7}")]);
    let Some(cluster) = Cluster::start(scratch.at("cluster")) else { return };
    let mut submit = cluster.with(program(&scratch));
    submit.args(["submit", "--shards", "1", "--partition=all", "--"]);
    flags(&scratch, "3", &mut submit);
    let submitted = submit.output().unwrap();
    assert!(submitted.status.success(), "{}", text(&submitted));
    eventually("the second trial runs", || {
        journal(&scratch, 1).matches("trial-started").count() >= 2
    });
    cluster.ask("sbatch", &["-p", "urgent", "-N", "3", "-o", "/dev/null", "--wrap", "sleep 2"]);
    let study = scratch.results();
    eventually("all is merged", || {
        let mut status = cluster.with(program(&scratch));
        text(&status.arg("status").arg(&study).output().unwrap()).contains("Merged; its report")
    });
    let log = std::fs::read_to_string(study.join("logs/1.log")).unwrap();
    assert!(log.contains("Slurm warns at"), "{log}");
    let told = journal(&scratch, 1);
    assert!(told.contains("\"stopped\"") && !told.contains("trial-interrupted"), "{told}");
    assert_eq!(json(&study.join("experiment.json"))["shards"][0]["done"], 6);
}

/// Without Slurm: shards on machines of their own, one of which fails and is replaced in the middle of a
/// block. The block is run again as a whole, and what is merged is what one machine would have run.
#[test]
fn shards_that_were_started_by_hand_are_merged_and_a_block_stays_on_one_machine() {
    let scratch = Scratch::new(&SHORT);
    assert_status(&shard(&scratch, "m1", "1/3", &[]).output().unwrap(), 0, &[]);
    let stopped = start(shard(&scratch, "m2", "2/3", &[]));
    eventually("the second shard's first trial runs", || {
        journal(&scratch, 2).contains("trial-started")
    });
    send(&stopped, Signal::SIGINT);
    assert_status(&stopped.wait_with_output().unwrap(), 8, &["stopped after 1 of 4 trials"]);
    let missing =
        ["5 of 12 planned trials", "shard 2: 3 of its 4", "shard 3: its folder is not there"];
    assert_status(&merge(&scratch), 8, &missing);

    let moved = ["ran on m2, and block 2 was not done there; it is run again on m9"];
    assert_status(&shard(&scratch, "m9", "2/3", &["--resume"]).output().unwrap(), 0, &moved);
    assert!(journal(&scratch, 2).contains("trial-moved"));
    assert_status(&shard(&scratch, "m1", "3/3", &[]).output().unwrap(), 0, &[]);
    assert_status(&merge(&scratch), 0, &["12 of 12 trials of 3 shards merged", "m1", "m9"]);
    assert_as_on_one_machine(&scratch.results(), &alone().results());

    let experiment = scratch.json("experiment.json");
    let machines: Vec<(&str, &Value)> = experiment["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|machine| (machine["name"].as_str().unwrap(), &machine["blocks"]))
        .collect();
    let expected = [("m1", serde_json::json!([0, 1, 4, 5])), ("m9", serde_json::json!([2, 3]))];
    assert_eq!(machines, expected.each_ref().map(|(name, blocks)| (*name, blocks)));

    let refused = program(&scratch).arg("resume").arg(scratch.results()).output().unwrap();
    assert_status(&refused, 2, &["was merged from shards"]);
    let told = program(&scratch).arg("status").arg(scratch.results()).output().unwrap();
    assert_status(&told, 0, &["12 of 12 trials", "m9"]);
}

/// Another machine is none, another script is an error, and so is a folder that lies among the shards.
#[test]
fn shards_of_other_work_are_not_merged() {
    let scratch = Scratch::new(&SHORT);
    let unseeded = program(&scratch)
        .args(["--shard", "1/2", "--workloads"])
        .arg(scratch.at("workloads"))
        .args(["--frameworks", "a,b"])
        .output()
        .unwrap();
    assert_status(&unseeded, 2, &["--shard", "--order-seed"]);
    assert_status(&shard(&scratch, "m1", "1/2", &[]).output().unwrap(), 0, &[]);
    std::fs::write(scratch.at("workloads/a_cnn.py"), "{'seconds': 0.02}").unwrap();
    assert_status(&shard(&scratch, "m2", "2/2", &[]).output().unwrap(), 0, &[]);
    assert_status(&merge(&scratch), 6, &["shards/2: scripts:", "--accept-changes"]);
    assert!(!scratch.results().join("experiment.json").exists(), "nothing is written");
    let shards = scratch.results().join("shards");
    std::fs::rename(shards.join("2"), shards.join("2-copy")).unwrap();
    assert_status(&merge(&scratch), 6, &["2-copy", "called by their numbers"]);
    std::fs::rename(shards.join("2-copy"), shards.join("2")).unwrap();

    let record = shards.join("1/a/a_0.json");
    let text = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, text.replace("\"ok\"", "\"failed\"")).unwrap();
    assert_status(&merge(&scratch), 6, &["a_0: its record says failed"]);
}

/// Where no sensor works, that is known before a shard starts: no trial of it becomes an estimate beside
/// other machines' measurements.
#[test]
fn a_machine_without_a_sensor_runs_no_shard_unless_all_are_to_be_estimated() {
    let scratch = Scratch::new(&SHORT);
    let empty = scratch.at("powercap");
    std::fs::create_dir(&empty).unwrap();
    let mut begun =
        shard(&scratch, "m3", "1/2", &["--meter", "auto", "--gpus", "none", "--powercap"]);
    let output = begun.arg(&empty).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert_status(&output, 4, &["shard 1/2 is not run on m3", "--meter estimate"]);
    assert!(!scratch.results().join("shards/1/experiment.json").exists());
    assert!(scratch.results().join("doctor/1-m3.json").exists(), "status can name the machine");
}

/// Slurm's words are told, and the same command may be given again once they are heeded; a study that was
/// taken is not planned over.
#[test]
fn a_study_that_slurm_refused_can_be_submitted_again() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new(&SHORT);
    let bin = scratch.at("bin");
    std::fs::create_dir(&bin).unwrap();
    let submit = |sbatch: &str| {
        std::fs::write(bin.join("sbatch"), format!("#!/bin/sh\n{sbatch}\n")).unwrap();
        let mode = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bin.join("sbatch"), mode).unwrap();
        let mut submit = program(&scratch);
        submit.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
        submit.args(["submit", "--shards", "2", "--partition=night", "--"]);
        flags(&scratch, "2", &mut submit);
        submit.output().unwrap()
    };
    assert_status(&submit("echo no such partition >&2; exit 1"), 3, &["no such partition"]);
    // The second job, which merges, is one that it will not take.
    let half = "case \"$*\" in *afterany*) echo no dependencies >&2; exit 1;; esac; echo 7";
    assert_status(&submit(half), 3, &["no dependencies", "job 7", "joulerace merge"]);
    let study = json(&scratch.results().join("study.json"));
    assert_eq!(study["jobs"], serde_json::json!({ "shards": 7, "merge": null }));
    assert_status(&submit("echo 8"), 6, &["already holds a study", "job.sh"]);
}

/// A job that has a part of its node is told so before its shard begins.
#[test]
fn a_node_that_is_shared_runs_no_shard() {
    let scratch = Scratch::new(&SHORT);
    let mut begun = shard(&scratch, "m4", "2/2", &[]);
    let output = begun.env("SLURM_JOB_ID", "7").env("SLURM_CPUS_ON_NODE", "0").output().unwrap();
    assert_status(&output, 12, &["shard 2/2 is not run on m4", "--exclusive"]);
    assert!(!scratch.results().join("shards/2/experiment.json").exists());
}

/// The folders of five machines, copied together: one is missing, one is there twice, two are damaged. All of
/// it is told at once, and nothing is written until it is right; another kernel is another machine.
#[test]
fn folders_that_were_copied_together_wrongly_are_told_apart() {
    let scratch = Scratch::new(&SHORT);
    for (machine, of) in [("m1", "1/5"), ("m2", "2/5"), ("m1", "4/5"), ("m5", "5/5")] {
        let mut begun = shard(&scratch, machine, of, &[]);
        assert_status(&begun.output().unwrap(), 0, &[]);
    }
    let shards = scratch.results().join("shards");
    let missing = ["shard 3: its folder is not there", "--shard 3/5"];
    assert_status(&merge(&scratch), 8, &missing);

    let copied = Command::new("cp").arg("-a").args([shards.join("2"), shards.join("3")]).status();
    assert!(copied.unwrap().success());
    assert_status(&merge(&scratch), 6, &["it holds shard 2/5, and so does", "shards/2"]);
    std::fs::remove_dir_all(shards.join("3")).unwrap();

    let experiment = shards.join("4/experiment.json");
    let kernel = json(&experiment)["machines"][0]["conditions"]
        .as_array()
        .and_then(|all| all.iter().find_map(|one| one.as_str()?.strip_prefix("kernel: ")))
        .unwrap()
        .to_owned();
    let told = std::fs::read_to_string(&experiment).unwrap();
    std::fs::write(&experiment, told.replace(&format!("kernel: {kernel}"), "kernel: 9")).unwrap();
    assert_status(&merge(&scratch), 8, &["m1#2", "shard 3: "]);

    let truncated = |path: &str| {
        let path = shards.join(path);
        let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    };
    truncated("1/a/a_0.csv");
    std::fs::remove_file(shards.join("5/b/b_5.json")).unwrap();
    let damaged =
        ["shards/1: a_0: its samples", "shards/5: b_5: ", "/shards/NUMBER --accept-changes"];
    assert_status(&merge(&scratch), 6, &damaged);
}
