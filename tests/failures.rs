//! Scripts that go wrong: each ends as a recorded failure, and no process is left.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, text};
use std::time::{Duration, Instant};

/// One trial of a script with this trouble beside one that works.
fn fails_with(trouble: &str, flags: &[&str]) -> (Scratch, String) {
    let bad = format!("{{'seconds': 0.02, 'trouble': '{trouble}'}}");
    let scratch = Scratch::new(&[("bad", &bad), ("good", "{'seconds': 0.02}")]);
    let mut flags = flags.to_vec();
    flags.extend(["--iterations", "1", "--retries", "0"]);
    let output = scratch.experiment("bad,good", &flags).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert_eq!(scratch.json("good/good_0.json")["status"], "ok", "the experiment went on");
    let record = scratch.json("bad/bad_0.json");
    assert_eq!(record["status"], "failed");
    assert!(scratch.results().join("bad/failed/bad_0-attempt-1.log").is_file());
    assert_eq!(scratch.processes(), Vec::<String>::new(), "nothing is left running");
    let reason = record["reason"].as_str().unwrap().to_owned();
    let journal = scratch.journal();
    let told = journal.iter().find(|e| e["event"] == "trial-ended" && e["status"] == "failed");
    assert_eq!(told.unwrap()["reason"].as_str().unwrap(), reason);
    (scratch, reason)
}

#[test]
fn a_script_that_raises_keeps_its_traceback() {
    let (scratch, reason) = fails_with("raise", &[]);
    assert!(reason.contains("RuntimeError: the script gave up"), "{reason}");
    let log = scratch.results().join("bad/failed/bad_0-attempt-1.log");
    assert!(std::fs::read_to_string(log).unwrap().contains("Traceback"));
    assert!(scratch.json("bad/bad_0.json")["traceback"].as_str().unwrap().contains("misbehave"));
}

#[test]
fn a_script_that_calls_exit_is_a_failure() {
    let (_, reason) = fails_with("exit", &[]);
    assert!(reason.contains("sys.exit(3)"), "{reason}");
}

#[test]
fn a_script_that_crashes_is_a_failure() {
    let (_, reason) = fails_with("segfault", &[]);
    assert!(reason.contains("signal 11"), "{reason}");
}

#[test]
fn a_script_that_the_kernel_kills_is_a_failure() {
    let (_, reason) = fails_with("killed", &[]);
    assert!(reason.contains("signal 9") && reason.contains("memory"), "{reason}");
}

#[test]
fn a_script_that_hangs_is_stopped_in_time() {
    let (_, reason) = fails_with("hang", &["--trial-timeout", "3s"]);
    assert!(reason.contains("--trial-timeout"), "{reason}");
}

#[test]
fn a_script_that_closes_its_line_is_a_failure() {
    let (_, reason) = fails_with("close", &[]);
    assert!(reason.contains("in the middle of its work"), "{reason}");
}

#[test]
fn a_script_that_floods_its_log_is_stopped() {
    let (_, reason) = fails_with("flood", &[]);
    assert!(reason.contains("printed more than"), "{reason}");
}

#[test]
fn children_that_a_script_leaves_are_stopped_and_counted() {
    let (_, reason) = fails_with("children", &[]);
    assert!(reason.contains("left 1 process"), "{reason}");
}

#[test]
fn a_daemon_that_a_script_leaves_is_found_and_stopped() {
    let (_, reason) = fails_with("daemon", &[]);
    assert!(reason.contains("left 1 process"), "{reason}");
}

/// A forked child holds the line to the host open after its parent is done.
#[test]
fn a_child_that_a_script_forks_does_not_keep_the_host_waiting() {
    let begin = Instant::now();
    let (_, reason) = fails_with("fork", &[]);
    assert!(reason.contains("left 1 process"), "{reason}");
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn a_script_that_aborts_is_a_failure() {
    let (_, reason) = fails_with("abort", &[]);
    assert!(reason.contains("signal 6"), "{reason}");
}

#[test]
fn a_script_that_leaves_without_a_word_is_a_failure() {
    let (_, reason) = fails_with("vanish", &[]);
    assert!(reason.contains("in the middle of its work (exit status 0)"), "{reason}");
}

#[test]
fn an_endless_event_is_not_read_into_memory() {
    let (_, reason) = fails_with("babble", &[]);
    assert!(reason.contains("event of more than"), "{reason}");
}

#[test]
fn a_failed_trial_is_tried_again_and_its_failure_is_kept() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.02, 'trouble': 'once'}")]);
    let output = scratch.experiment("a", &["--iterations", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let record = scratch.json("a/a_0.json");
    assert_eq!((record["status"].as_str(), record["attempt"].as_u64()), (Some("ok"), Some(2)));
    assert!(record["flags"].as_array().unwrap().iter().any(|f| f == "retried"));
    assert!(scratch.results().join("a/failed/a_0-attempt-1.csv").is_file());
}

#[test]
fn an_experiment_of_failures_stops_and_says_why() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.02, 'trouble': 'raise'}")]);
    let flags = ["--iterations", "9", "--retries", "0", "--max-failures", "2"];
    let output = scratch.experiment("a", &flags).output().unwrap();
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    assert!(text(&output).contains("--max-failures") && text(&output).contains("resume"));
    let ended = scratch.journal().iter().filter(|e| e["event"] == "trial-ended").count();
    assert_eq!(ended, 2);
}
