//! A study whose shards are started by hand, as on machines without Slurm; here they are all this one.
#![cfg(target_os = "linux")]

#[path = "common/energibridge.rs"]
mod energibridge;
#[path = "common/experiment.rs"]
mod experiment;
#[path = "common/powercap.rs"]
mod powercap;
#[path = "common/study.rs"]
mod study;

use experiment::{Scratch, send, start};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::process::Command;
use study::{
    SHORT, alone, assert_as_on_one_machine, assert_status, eventually, journal, json, merge,
    program, shard, table,
};

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

/// A job that has a part of its node is told so before its shard begins.
#[test]
fn a_node_that_is_shared_runs_no_shard() {
    let scratch = Scratch::new(&SHORT);
    let mut begun = shard(&scratch, "m4", "2/2", &[]);
    let output = begun.env("SLURM_JOB_ID", "7").env("SLURM_CPUS_ON_NODE", "0").output().unwrap();
    assert_status(&output, 12, &["shard 2/2 is not run on m4", "--exclusive"]);
    assert!(!scratch.results().join("shards/2/experiment.json").exists());
}

/// `--meter auto` finds RAPL on one machine and EnergiBridge on the other: another sensor is another machine,
/// whose joules are named by what they were measured with.
#[test]
fn machines_that_measure_with_different_sensors_make_one_study() {
    let scratch = Scratch::new(&SHORT);
    let zones = powercap::Powercap::two_sockets();
    let none = scratch.at("powercap");
    std::fs::create_dir(&none).unwrap();
    let bridge = energibridge::stand_in(&scratch.at("."), energibridge::Mode::Fine);
    let auto = ["--meter", "auto", "--gpus", "none", "--powercap"];
    let run = |machine: &str, of: &str, more: &[&std::ffi::OsStr]| {
        let mut begun = shard(&scratch, machine, of, &auto);
        assert_status(&begun.args(more).output().unwrap(), 0, &[]);
    };
    run("m1", "1/2", &[zones.root().as_os_str()]);
    run("m2", "2/2", &[none.as_os_str(), "--energibridge".as_ref(), bridge.as_os_str()]);
    assert_status(&merge(&scratch), 0, &["12 of 12 trials of 2 shards merged", "m1", "m2"]);
    let (_, rows) = table(&scratch.results().join("trials.csv"));
    for row in rows.values() {
        let expected = if row["machine"] == "m1" { "rapl" } else { "energibridge" };
        assert_eq!(row["meter"], expected, "{row:?}");
    }
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
