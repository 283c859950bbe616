//! An analysis that is interrupted, or finds no room: nothing half-made is left, and the status says so.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, eventually, names, send, start, text};
use nix::sys::signal::Signal;
use std::process::Command;

const SLEEPS: &str = "{'seconds': 0.1}";

fn measured() -> Scratch {
    let scratch = Scratch::new(&[("a", SLEEPS), ("b", SLEEPS)]);
    let output = scratch.experiment("a,b", &["--iterations", "3"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch
}

#[test]
fn an_interrupt_leaves_no_traceback_and_nothing_half_made() {
    let scratch = measured();
    for (n, signal) in [Signal::SIGINT, Signal::SIGTERM].into_iter().enumerate() {
        let mut command = scratch.program();
        command.arg("analyze").arg(scratch.results());
        let output = scratch.at(&format!("out{n}"));
        command.arg("--output").arg(&output);
        let run = start(command);
        eventually("it writes aside", || output.is_dir() && !names(&output).is_empty());
        send(&run, signal);
        let ended = run.wait_with_output().unwrap();
        let said = text(&ended);
        assert_eq!(ended.status.code(), Some(8), "{signal}: {said}");
        assert!(said.contains("interrupted") && said.contains("joulerace analyze"), "{said}");
        assert!(!said.contains("Traceback"), "{said}");
        assert!(!output.exists(), "{signal}: what was made is taken away");
        scratch.await_no_process();
    }
}

#[test]
fn an_earlier_analysis_stays_as_it_was() {
    let scratch = measured();
    let analyze = || {
        let mut command = scratch.program();
        command.arg("analyze").arg(scratch.results());
        command
    };
    let output = analyze().output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let folder = scratch.results().join("analysis");
    let before = (names(&folder), std::fs::read(folder.join("summary.json")).unwrap());
    let run = start(analyze());
    eventually("it writes aside", || names(&folder).len() > before.0.len());
    send(&run, Signal::SIGINT);
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(8), "{}", text(&ended));
    assert_eq!((names(&folder), std::fs::read(folder.join("summary.json")).unwrap()), before);
}

#[test]
fn a_disk_without_room_for_the_analysis_is_no_success_and_leaves_nothing() {
    let scratch = measured();
    let small = scratch.at("small");
    std::fs::create_dir(&small).unwrap();
    let mut mount = Command::new("mount");
    let mounted = mount.args(["-t", "tmpfs", "-o", "size=40k", "none"]).arg(&small).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a small disk cannot be mounted by this user");
        return;
    }
    let mut command = scratch.program();
    command.arg("analyze").arg(scratch.results()).arg("--output").arg(small.join("out"));
    let output = command.output().unwrap();
    let left = names(&small);
    let _ = Command::new("umount").arg("-l").arg(&small).status();
    assert_eq!(output.status.code(), Some(10), "{}", text(&output));
    assert!(text(&output).contains("No space left"), "{}", text(&output));
    assert_eq!(left, Vec::<String>::new(), "nothing half-made stays");
}

#[test]
fn ctrl_z_is_told_with_how_long_it_stood_still() {
    let scratch = Scratch::new(&[("a", "{'seconds': 1.0}")]);
    let run = start(scratch.experiment("a", &["--iterations", "2"]));
    scratch.await_event("trial-started", 1);
    send(&run, Signal::SIGTSTP);
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", run.id())).unwrap();
    eventually("it stands still", || state().contains(") T "));
    send(&run, Signal::SIGCONT);
    let output = run.wait_with_output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("stopped by Ctrl-Z") && said.contains("goes on after"), "{said}");
}
