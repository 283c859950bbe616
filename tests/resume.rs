//! Being stopped, killed and resumed: every trial ends up done exactly once, and nothing is left.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

const SCRIPTS: [(&str, &str); 2] = [("a", "{'seconds': 0.03}"), ("b", "{'seconds': 0.03}")];

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// Waits until the journal says `event` so many times.
fn await_event(scratch: &Scratch, event: &str, times: usize) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let text =
            std::fs::read_to_string(scratch.results().join("journal.jsonl")).unwrap_or_default();
        if text.matches(&format!("\"{event}\"")).count() >= times {
            return;
        }
        assert!(Instant::now() < until, "no {event} in: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every planned trial has exactly one end, a good record of its own and samples.
fn assert_complete(scratch: &Scratch, trials: usize) {
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for event in scratch.journal() {
        if event["event"] == "trial-ended" {
            assert_eq!(event["status"], "ok", "{event}");
            *ends.entry(event["trial"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(ends.len(), trials);
    assert!(ends.values().all(|n| *n == 1), "{ends:?}");
    for trial in ends.keys() {
        let folder = trial.split('_').next().unwrap();
        assert_eq!(scratch.json(&format!("{folder}/{trial}.json"))["trial"], trial.as_str());
        assert!(scratch.results().join(format!("{folder}/{trial}.csv")).is_file());
    }
    let rows = std::fs::read_to_string(scratch.results().join("trials.csv")).unwrap();
    assert_eq!(rows.lines().count(), trials + 1);
}

fn await_no_process(scratch: &Scratch) {
    let until = Instant::now() + Duration::from_secs(10);
    while !scratch.processes().is_empty() {
        assert!(Instant::now() < until, "left running: {:?}", scratch.processes());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

/// Kills the host again and again, each time at another moment, and resumes it each time.
#[test]
fn a_host_killed_at_any_moment_loses_nothing_and_leaves_nothing() {
    let scratch = Scratch::new(&SCRIPTS);
    let flags = ["--iterations", "8"];
    let mut first = scratch.experiment("a,b", &flags).stderr(Stdio::null()).spawn().unwrap();
    await_event(&scratch, "trial-started", 1);
    let mut kills = 0;
    let mut moment = Duration::from_millis(7);
    loop {
        std::thread::sleep(moment);
        send(&first, Signal::SIGKILL);
        first.wait().unwrap();
        await_no_process(&scratch);
        kills += 1;
        if kills == 24 {
            break;
        }
        let before = std::fs::read_to_string(scratch.results().join("journal.jsonl")).unwrap();
        if before.contains("\"finished\"") {
            break;
        }
        first = scratch.resume(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Moments spread over start-up, several trials and the gaps between them, without a clock's
        // or a generator's help: a walk by a step that shares no factor with the range.
        moment = Duration::from_millis((moment.as_millis() as u64 + 331) % 1200);
    }
    let output = wait(scratch.resume(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    assert!(output.status.success(), "after {kills} kills: {}", text(&output));
    assert_complete(&scratch, 16);
    await_no_process(&scratch);
}

#[test]
fn an_interrupt_ends_after_the_trial_and_resume_does_the_rest() {
    let scratch = Scratch::new(&SCRIPTS);
    let child = scratch
        .experiment("a,b", &["--iterations", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    await_event(&scratch, "trial-started", 2);
    send(&child, Signal::SIGINT);
    let output = wait(child);
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    assert!(text(&output).contains("joulerace resume"));
    let journal = scratch.journal();
    let count = |event: &str| journal.iter().filter(|e| e["event"] == event).count();
    assert_eq!(count("trial-started"), count("trial-ended"), "the running trial was finished");
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_complete(&scratch, 6);
}

#[test]
fn a_second_interrupt_ends_at_once_and_the_trial_is_run_again() {
    let scratch = Scratch::new(&[("a", "{'seconds': 3}")]);
    let child = scratch
        .experiment("a", &["--iterations", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    await_event(&scratch, "trial-started", 1);
    send(&child, Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(200));
    send(&child, Signal::SIGTERM);
    let output = wait(child);
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    await_no_process(&scratch);
    assert!(scratch.results().join("a/interrupted/a_0-attempt-1.csv").is_file());
    std::fs::write(scratch.at("workloads/a_cnn.py"), "{'seconds': 0.02}").unwrap();
    let refused = scratch.resume(&[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    assert!(text(&refused).contains("scripts:"), "a changed script is named: {}", text(&refused));
    let output = scratch.resume(&["--accept-changes"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_complete(&scratch, 1);
    let accepted = scratch.journal().iter().any(|e| {
        e["accepted"].as_array().is_some_and(|a| !a.is_empty())
    });
    assert!(accepted, "what was accepted is recorded");
}

#[test]
fn a_closed_terminal_does_not_end_a_run() {
    let scratch = Scratch::new(&SCRIPTS);
    let child = scratch
        .experiment("a,b", &["--iterations", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    await_event(&scratch, "trial-started", 1);
    send(&child, Signal::SIGHUP);
    assert!(wait(child).status.success());
    assert_complete(&scratch, 4);
}

#[test]
fn other_settings_are_refused_with_what_differs() {
    let scratch = Scratch::new(&SCRIPTS);
    let output = scratch.experiment("a,b", &["--iterations", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let more = ["--iterations", "2", "--resume"];
    let output = scratch.experiment("a,b", &more).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", text(&output));
    assert!(text(&output).contains("iterations: was 1, is 2"), "{}", text(&output));
}

#[test]
fn two_experiments_do_not_measure_each_other() {
    let scratch = Scratch::new(&[("a", "{'seconds': 1}")]);
    let mut child =
        scratch.experiment("a", &["--iterations", "1"]).stderr(Stdio::null()).spawn().unwrap();
    await_event(&scratch, "trial-started", 1);
    let refused = scratch.resume(&[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(9), "{}", text(&refused));
    assert!(text(&refused).contains(&format!("process {}", child.id())), "{}", text(&refused));
    assert!(child.wait().unwrap().success());
}
