//! Folders that somebody else made: they are analysed and resumed, and nothing outside them is written,
//! run or waited for.

use crate::experiment::{Scratch, environment, names, start, text};
use nix::sys::stat::Mode;
use serde_json::json;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

const SLEEPS: &str = "{'seconds': 0.02}";

/// Two trials, one done and one to do, beside a file of the user's own.
fn half_done() -> (Scratch, PathBuf) {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let output = scratch.experiment("a", &["--iterations", "2"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let journal = scratch.journal_text();
    let first: Vec<&str> = journal.lines().take(3).collect();
    std::fs::write(scratch.results().join("journal.jsonl"), first.join("\n") + "\n").unwrap();
    for ending in ["csv", "json", "log"] {
        std::fs::remove_file(scratch.results().join(format!("a/a_1.{ending}"))).unwrap();
    }
    let mine = scratch.at("mine");
    std::fs::write(&mine, "mine").unwrap();
    (scratch, mine)
}

fn refused(output: &Output, status: i32, words: &[&str]) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
}

/// Every place that a resume or an analysis writes to, as a link to the user's file.
#[test]
fn what_is_no_plain_file_is_refused_by_name_and_nothing_is_written_through_it() {
    let places = [
        "a/a_1.csv",
        "a/a_1.log",
        "a/a_1.json",
        "a/interrupted",
        "journal.jsonl.torn",
        "trials.csv",
        ".lock",
        "pauses",
        "analysis",
        "a/failed",
    ];
    for place in places {
        let (scratch, mine) = half_done();
        let path = scratch.results().join(place);
        let _ = std::fs::remove_file(&path);
        symlink(&mine, &path).unwrap();
        let journal = scratch.journal_text();
        let output = scratch.resume(&[]).output().unwrap();
        refused(&output, 6, &[path.to_str().unwrap(), "is a symbolic link"]);
        let analyse = scratch.program().arg("analyze").arg(scratch.results()).output().unwrap();
        refused(&analyse, 6, &[path.to_str().unwrap(), "is a symbolic link"]);
        assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine", "{place}");
        assert_eq!(scratch.journal_text(), journal, "{place}");
    }
}

#[test]
fn a_pipe_or_a_linked_folder_is_refused_and_not_waited_for() {
    let (scratch, _) = half_done();
    let pipe = scratch.results().join("a/a_1.csv");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    refused(&scratch.resume(&[]).output().unwrap(), 6, &["a_1.csv is a named pipe"]);
    std::fs::remove_file(&pipe).unwrap();

    let treatment = scratch.results().join("a");
    std::fs::rename(&treatment, scratch.at("elsewhere")).unwrap();
    symlink(scratch.at("elsewhere"), &treatment).unwrap();
    let before = names(&scratch.at("elsewhere"));
    refused(&scratch.resume(&[]).output().unwrap(), 6, &["results/a is a symbolic link"]);
    assert_eq!(names(&scratch.at("elsewhere")), before);
}

/// A folder of CSV files is nobody's experiment; its `analysis` may still be a trap.
#[test]
fn an_analysis_writes_through_no_link_in_any_folder() {
    let (scratch, mine) = half_done();
    let folder = scratch.at("csv");
    std::fs::create_dir_all(folder.join("g")).unwrap();
    std::fs::create_dir(scratch.at("victim")).unwrap();
    std::fs::copy(scratch.results().join("a/a_0.csv"), folder.join("g/g_0.csv")).unwrap();
    symlink(scratch.at("victim"), folder.join("analysis")).unwrap();
    let analyse = || scratch.program().arg("analyze").arg(&folder).output().unwrap();
    refused(&analyse(), 10, &["csv/analysis is a symbolic link"]);
    assert_eq!(names(&scratch.at("victim")), Vec::<String>::new());

    std::fs::remove_file(folder.join("analysis")).unwrap();
    std::fs::create_dir(folder.join("analysis")).unwrap();
    symlink(&mine, folder.join("analysis/trials.csv")).unwrap();
    refused(&analyse(), 10, &["trials.csv is a symbolic link"]);
    assert_eq!(std::fs::read_to_string(mine).unwrap(), "mine");
}

/// A program that says that it was run.
fn trap(path: &Path, says: &Path) {
    std::fs::write(path, format!("#!/bin/sh\ntouch '{}'\n", says.display())).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What a stranger's `experiment.json` may name outside its folder.
#[test]
fn nothing_that_a_folder_names_is_run_unless_it_is_named_here() {
    let (scratch, _) = half_done();
    let good = scratch.json("experiment.json");
    let path = scratch.results().join("experiment.json");
    let ran = scratch.at("ran");
    let theirs = scratch.at("theirs");
    std::fs::create_dir(&theirs).unwrap();
    let (program, venv) = (theirs.join("energibridge"), theirs.join("venv"));
    trap(&program, &ran);
    let copied = std::process::Command::new("cp").arg("-a").arg(environment()).arg(&venv).status();
    assert!(copied.unwrap().success());
    let library = names(&venv.join("lib")).into_iter().find(|name| name.starts_with("python"));
    let library = Path::new("lib").join(library.unwrap()).join("site-packages");
    let pth = format!("import pathlib; pathlib.Path({:?}).touch()\n", ran.to_str().unwrap());
    std::fs::write(venv.join(library).join("evil.pth"), pth).unwrap();
    let workloads = theirs.join("workloads");
    std::fs::create_dir(&workloads).unwrap();
    let own = "from pathlib import Path\nPath('ran').touch()\n";
    std::fs::write(workloads.join("harness.py"), own).unwrap();
    std::fs::write(workloads.join("a_cnn.py"), SLEEPS).unwrap();

    let journal = scratch.journal_text();
    let changes = [
        ("energibridge", json!(program), "--energibridge"),
        ("python_env", json!(venv), "--python-env"),
        ("workloads", json!(workloads), "--workload"),
        ("data_dir", json!(theirs), "--data-dir"),
        ("powercap", json!(theirs), "--powercap"),
    ];
    for (setting, value, flag) in changes {
        let mut evil = good.clone();
        evil["settings"][setting] = value.clone();
        evil["settings"]["meter"] = json!("energibridge");
        std::fs::write(&path, evil.to_string()).unwrap();
        let output = scratch.unnamed_resume(&["--accept-changes"]).output().unwrap();
        refused(&output, 6, &[flag, value.as_str().unwrap(), "nothing of it was run"]);
        assert!(!ran.exists(), "{setting}");
        assert_eq!(scratch.journal_text(), journal);
    }
    std::fs::write(&path, good.to_string()).unwrap();
    let told = scratch.unnamed_resume(&[]).output().unwrap();
    refused(&told, 6, &["joulerace resume", "--python-env", "--data-dir", "--workload"]);
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "what is named is used: {}", text(&output));
}

#[test]
fn other_conditions_are_told_before_the_named_meter_is_run() {
    let (scratch, _) = half_done();
    let ran = scratch.at("ran");
    let program = scratch.at("energibridge");
    trap(&program, &ran);
    let mut other = scratch.json("experiment.json");
    other["settings"]["energibridge"] = json!(program);
    other["settings"]["meter"] = json!("energibridge");
    other["conditions"]["machine"][0] = json!("processor: another");
    std::fs::write(scratch.results().join("experiment.json"), other.to_string()).unwrap();
    let output = scratch.resume(&["--energibridge", program.to_str().unwrap()]).output().unwrap();
    refused(&output, 6, &["machine: was"]);
    assert!(!ran.exists());
}

#[test]
fn variables_that_change_the_work_are_conditions_and_secrets_are_nowhere() {
    let (scratch, _) = half_done();
    let mut other = scratch.resume(&[]);
    other.env("OMP_NUM_THREADS", "3").env("LD_BIND_NOW", "1");
    let words = ["OMP_NUM_THREADS: was unset, is \"3\"", "LD_BIND_NOW: was unset"];
    refused(&other.output().unwrap(), 6, &words);

    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let home = scratch.at("home");
    std::fs::create_dir(&home).unwrap();
    let mut command = scratch.experiment("a", &["--iterations", "1"]);
    command.env("TF_API_TOKEN", "s3cret").env("KERAS_DB_PASSWORD", "s3cret").env("HOME", &home);
    command.env("XLA_FLAGS", format!("--xla_dump_to={}/x", home.display()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let written = std::fs::read_to_string(scratch.results().join("experiment.json")).unwrap();
    assert!(!written.contains("s3cret") && !written.contains(home.to_str().unwrap()));
    assert_eq!(scratch.json("experiment.json")["variables"]["XLA_FLAGS"], "--xla_dump_to=~/x");
}

#[test]
fn modes_follow_the_umask() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let experiment = scratch.experiment("a", &["--iterations", "1"]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 027; exec \"$0\" \"$@\""]).arg(experiment.get_program());
    command.args(experiment.get_args());
    command.envs(experiment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let files = ["experiment.json", "journal.jsonl", "trials.csv", "a/a_0.json", "a/a_0.csv"];
    for file in files.into_iter().chain(["a/a_0.log"]) {
        let mode = std::fs::metadata(scratch.results().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "{file}");
    }
}

/// Two users on one machine: the one who comes second is told of the first, and of no more than that.
#[test]
fn another_user_finds_the_machine_taken_and_cannot_take_it_by_deleting_a_file() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let scratch = Scratch::new(&[("a", "{'seconds': 1}")]);
    let mut first = scratch.experiment("a", &["--iterations", "1"]);
    let lock = scratch.at("lock");
    let host = start({
        first.env("JOULERACE_LOCK_FILE", &lock);
        first
    });
    scratch.await_event("trial-started", 1);
    std::fs::set_permissions(scratch.at(""), std::fs::Permissions::from_mode(0o777)).unwrap();
    // Where others could delete it, that would change nothing.
    std::fs::remove_file(&lock).unwrap();
    let mut other = std::process::Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    other.arg(env!("CARGO_BIN_EXE_joulerace")).args(["--frameworks", "a", "--iterations", "1"]);
    other.arg("--workloads").arg(scratch.at("workloads"));
    other.arg("--output").arg(scratch.at("theirs")).env("JOULERACE_LOCK_FILE", &lock);
    let output = other.output().unwrap();
    if output.status.code() == Some(126) || output.status.code() == Some(127) {
        eprintln!("skipped: another user cannot start the program here: {}", text(&output));
    } else {
        refused(&output, 9, &["another joulerace measures on this machine"]);
    }
    assert!(host.wait_with_output().unwrap().status.success());
}

#[test]
fn two_hosts_with_locks_of_their_own_do_not_share_a_folder() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.3}")]);
    let host = start(scratch.experiment("a", &["--iterations", "2"]));
    scratch.await_event("trial-started", 1);
    let mut other = scratch.resume(&[]);
    // As on another node, or with a private folder for temporary files.
    other.env("JOULERACE_LOCK_FILE", scratch.at("another lock"));
    let output = other.output().unwrap();
    refused(&output, 9, &["another joulerace runs the experiment in", "process"]);
    assert!(host.wait_with_output().unwrap().status.success());
    scratch.assert_complete(2);
}

#[test]
fn links_on_the_way_to_a_folder_are_the_users_own_and_are_followed() {
    let (scratch, _) = half_done();
    let link = scratch.at("link");
    symlink(scratch.results(), &link).unwrap();
    let mut command = scratch.resume(&[]);
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = scratch.program();
    command.arg("resume").arg(&link).args(&arguments[2..]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(2);
    let samples = scratch.at("link").join("mine.csv");
    let mut measure = scratch.program();
    measure.args(["measure", "--meter", "estimate", "--output"]).arg(&samples);
    let output = measure.args(["--", "true"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(scratch.results().join("mine.csv").is_file());
}
