//! What goes wrong while an environment is made, and what is left afterwards: nothing in use,
//! no process.

use joulerace::Remedy as _;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use joulerace::env::{EnvError, Step};

use crate::bench::{Bench, alive, within_seconds};

#[test]
fn without_a_network_the_last_lines_and_the_log_are_shown_without_passwords() {
    let bench = Bench::new();
    bench.mode("network");
    let error = bench.resolve().unwrap_err();
    let EnvError::Network { step, log, .. } = &error else { panic!("{error}") };
    assert_eq!(*step, Step::Install);
    let (text, log) = (error.in_line(), fs::read_to_string(log).unwrap());
    for text in [&text, &log] {
        assert!(text.contains("dns error") && text.contains("@mirror.invalid"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(text.contains("--python-env") && text.contains("PIP_INDEX_URL"), "{text}");
    bench.mode("");
    assert!(bench.resolve().unwrap().locked, "the next attempt starts afresh");
}

#[test]
fn installers_that_cannot_be_fetched_are_told_apart_and_fetched_next_time() {
    let bench = Bench::new();
    bench.mode("no-index");
    let error = bench.resolve().unwrap_err();
    assert!(matches!(error, EnvError::Network { step: Step::Tools, .. }), "{error}");
    bench.mode("");
    bench.resolve().unwrap();
}

#[test]
fn a_full_disk_and_other_failures_are_named() {
    let bench = Bench::new();
    bench.mode("full");
    let error = bench.resolve().unwrap_err();
    assert!(matches!(error, EnvError::DiskFull { .. }), "{error}");
    assert!(error.in_line().contains("joulerace env prune"), "{error}");
    bench.mode("broken");
    let text = bench.resolve().unwrap_err().in_line();
    assert!(text.contains("nobody thought of") && text.contains("exit status: 3"), "{text}");
}

#[test]
fn an_installation_that_lacks_a_package_is_not_used() {
    let bench = Bench::new();
    bench.mode("forget");
    for _ in 0..2 {
        let error = bench.resolve().unwrap_err();
        assert!(matches!(error, EnvError::Differs { .. }), "{error}");
        assert!(error.in_line().contains("numpy: not installed"), "{error}");
    }
}

#[test]
fn a_base_python_that_cannot_be_used_is_named_with_the_remedy() {
    let mut bench = Bench::new();
    bench.answer("3.11.9", r#"["ensurepip"]"#);
    let error = bench.resolve().unwrap_err();
    assert!(matches!(error, EnvError::NoVenvModule { .. }), "{error}");
    assert!(error.in_line().contains("apt install python3-venv"), "{error}");
    bench.answer("3.13.1", "[]");
    let text = bench.resolve().unwrap_err().in_line();
    for words in ["base/bin/python3: it is Python 3.13.1", ">=3.11, <3.12", "JOULERACE_PYTHON"] {
        assert!(text.contains(words), "no '{words}' in {text}");
    }
    bench.settings.pythons.insert(0, bench.at("nowhere/python3"));
    let text = bench.resolve().unwrap_err().in_line();
    assert!(text.contains("nowhere/python3") && text.contains("3.13.1"), "{text}");
    bench.answer("3.11.4", "[]");
    assert_eq!(bench.resolve().unwrap().version, "3.11.9", "the one that fits is taken");
    bench.settings.pythons.clear();
    let text = bench.resolve().unwrap_err().in_line();
    assert!(text.contains("none on PATH"), "{text}");
}

#[test]
fn stopping_ends_the_installer_and_all_it_started() {
    let mut bench = Bench::new();
    bench.mode("hang");
    thread::scope(|scope| {
        let host = scope.spawn(|| bench.resolve());
        let pids = bench.at("state/pids");
        assert!(within_seconds(|| pids.exists()), "the installer starts");
        let pids = fs::read_to_string(pids).unwrap();
        assert_eq!(pids.lines().filter(|pid| alive(pid)).count(), 2, "{pids}");
        bench.settings.cancel.cancel();
        let error = host.join().unwrap().unwrap_err();
        assert!(matches!(error, EnvError::Cancelled { step: Step::Install }), "{error}");
        assert!(within_seconds(|| !pids.lines().any(alive)), "{pids} live on");
    });
    bench.settings.cancel = Default::default();
    bench.mode("");
    bench.resolve().unwrap();
}

/// Names the folder in which a copy of this test program plays the host.
const HOST: &str = "JOULERACE_TEST_HOST_CACHE";

#[test]
fn a_killed_host_takes_its_installer_along_and_leaves_no_lock() {
    let mut bench = Bench::new();
    if let Some(folder) = std::env::var_os(HOST) {
        // Here plays the host that is going to be killed.
        let folder = std::path::PathBuf::from(folder);
        bench.settings.cache = folder.join("cache");
        bench.settings.project = folder.join("project");
        bench.settings.pythons = vec![folder.join("base/bin/python3")];
        let _ = bench.resolve();
        return;
    }
    bench.mode("hang");
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failures::a_killed_host_takes_its_installer_along_and_leaves_no_lock"])
        .env(HOST, bench.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pids = bench.at("state/pids");
    assert!(within_seconds(|| pids.exists()), "the installer starts");
    let pids = fs::read_to_string(pids).unwrap();
    let installer = pids.lines().next().unwrap();
    assert!(alive(installer));
    host.kill().unwrap();
    host.wait().unwrap();
    if cfg!(target_os = "linux") {
        assert!(within_seconds(|| !alive(installer)), "{installer} lives on");
    }
    // The stand-in's own child is not the host's: a real installer's would end with its pipe.
    for pid in pids.lines().filter(|pid| alive(pid)) {
        let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    bench.mode("");
    assert!(bench.resolve().unwrap().locked, "the half-made environment is made anew");
}
