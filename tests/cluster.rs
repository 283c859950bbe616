//! A study on a real Slurm cluster of three nodes, whose tasks are killed, requeued and given too little time.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;
#[path = "common/study.rs"]
mod study;

use experiment::{Scratch, text};
use std::path::{Path, PathBuf};
use std::process::Command;
use study::{
    SHORT, alone, assert_as_on_one_machine, assert_status, eventually, flags, flags_of, journal,
    json, program,
};

/// Some 18 seconds a trial and more than a minute a shard: Slurm looks every 30 seconds for time that is up.
const LONG: [(&str, &str); 2] = [("a", "{'seconds': 3.5}"), ("b", "{'seconds': 3.5}")];

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

/// Slurm's words are told, and the same command may be given again once they are heeded; a study that was
/// taken is not planned over.
/// Versions are locked once, where the study is submitted, and each node makes its own environments of those
/// locks, in a cache of its own.
#[test]
#[ignore = "a minute, and an environment for the analysis: cargo test --test cluster -- --ignored"]
fn versions_are_prepared_by_each_node_from_one_lock() {
    let script = "PACKAGES = ('iniconfig',)\n{'seconds': 0.01, 'result': {'frameworks_loaded': ['iniconfig']}}";
    let scratch = Scratch::new(&[("iniconfig", script)]);
    let Some(cluster) = Cluster::start(scratch.at("cluster")) else { return };
    let mut submit = cluster.with(program(&scratch));
    let cache = scratch.at("cache");
    submit.args(["submit", "--shards", "2", "--prepare", "node", "--cache"]).arg(&cache).arg("--");
    flags_of("iniconfig@2.0.0,iniconfig@2.1.0", &scratch, "4", &mut submit);
    let submitted = submit.output().unwrap();
    // Releases come from the index, which a machine without a network does not reach.
    if text(&submitted).contains("could not be reached") {
        println!("skipped: {}", text(&submitted));
        return;
    }
    assert_status(&submitted, 0, &[]);
    let study = scratch.results();
    eventually("all is merged", || {
        let mut status = cluster.with(program(&scratch));
        text(&status.arg("status").arg(&study).output().unwrap()).contains("Merged; its report")
    });
    let made = std::fs::read_dir(cache.join("joulerace/envs")).unwrap().flatten();
    let made: Vec<String> = made.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    for version in ["iniconfig@2.0.0", "iniconfig@2.1.0"] {
        assert!(made.iter().any(|name| name.starts_with(version)), "{version}: {made:?}");
        let lock = |folder: &str| {
            let path = study.join(folder).join(format!("locks/{version}.txt"));
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        assert!(lock(".").contains("--hash=sha256:"), "{}", lock("."));
        assert_eq!(lock("shards/1"), lock("."));
        assert_eq!(lock("shards/2"), lock("."));
    }
    let merged = json(&study.join("experiment.json"));
    assert_eq!(merged["shards"][1]["done"], 4);
    assert_eq!(merged["contestants"][0]["packages"], serde_json::json!({ "iniconfig": "2.0.0" }));
}

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
