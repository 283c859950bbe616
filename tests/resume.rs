//! Being stopped, killed and resumed: every trial ends up done exactly once, and nothing is left.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, environment, names, send, start, text};
use nix::sys::signal::Signal;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

const SCRIPTS: [(&str, &str); 2] = [("a", "{'seconds': 0.03}"), ("b", "{'seconds': 0.03}")];

/// Kills the host again and again at random moments, between its first instruction and its last, and
/// resumes it each time. The seed is printed; `JOULERACE_TEST_SEED` sets it.
#[test]
fn a_host_killed_at_any_moment_loses_nothing_and_leaves_nothing() {
    const KILLS: usize = 36;
    let seed = std::env::var("JOULERACE_TEST_SEED").map_or_else(
        |_| UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
        |seed| seed.parse().unwrap(),
    );
    eprintln!("JOULERACE_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut up_to = |ms: u64| Duration::from_millis(random.next_u64() % ms);

    let scratch = Scratch::new(&SCRIPTS);
    let mut next = scratch.experiment("a,b", &["--iterations", "20"]);
    for _ in 0..KILLS {
        let begun = scratch.journal_text().matches("\"started\"").count();
        let mut host = next.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A third of the kills hit the preparation, the others the trials and what is between them.
        if begun == 0 || up_to(3) > Duration::ZERO {
            scratch.await_event("started", begun + 1);
        }
        std::thread::sleep(up_to(700));
        let finished = host.try_wait().unwrap();
        assert!(finished.is_none_or(|status| status.success()), "it ended by itself: {finished:?}");
        host.kill().unwrap();
        host.wait().unwrap();
        scratch.await_no_process();
        next = scratch.resume(&[]);
    }
    let output = next.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(40);
    scratch.await_no_process();

    // What the journal says was kept is what lies there, and nothing else.
    let journal = scratch.journal();
    let of = |event: &str| journal.iter().filter(|e| e["event"] == event).collect::<Vec<_>>();
    let (started, ended) = (of("trial-started").len(), of("trial-ended").len());
    assert_eq!(started, ended + of("trial-interrupted").len());
    eprintln!("{} of {KILLS} kills hit a trial", of("trial-interrupted").len());
    for framework in ["a", "b"] {
        let folder = scratch.results().join(framework).join("interrupted");
        let kept = if folder.exists() { names(&folder) } else { Vec::new() };
        for name in kept {
            let (trial, attempt) = name.split_once("-attempt-").unwrap();
            let attempt: u64 = attempt.split(['.', '-']).next().unwrap().parse().unwrap();
            let known =
                of("trial-started").iter().any(|e| e["trial"] == trial && e["attempt"] == attempt);
            assert!(known, "{name} is in no journal");
        }
    }
}

#[test]
fn an_interrupt_ends_after_the_trial_and_resume_does_the_rest() {
    let scratch = Scratch::new(&SCRIPTS);
    let child = start(scratch.experiment("a,b", &["--iterations", "3"]));
    scratch.await_event("trial-started", 2);
    send(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    assert!(text(&output).contains("joulerace resume"));
    let journal = scratch.journal();
    let count = |event: &str| journal.iter().filter(|e| e["event"] == event).count();
    assert_eq!(count("trial-started"), count("trial-ended"), "the running trial was finished");
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(6);
}

#[test]
fn a_second_interrupt_ends_at_once_and_the_trial_is_run_again() {
    let scratch = Scratch::new(&[("a", "{'seconds': 3}")]);
    let child = start(scratch.experiment("a", &["--iterations", "1"]));
    scratch.await_event("trial-started", 1);
    send(&child, Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(200));
    send(&child, Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    scratch.await_no_process();
    assert!(scratch.results().join("a/interrupted/a_0-attempt-1.csv").is_file());
    std::fs::write(scratch.at("workloads/a_cnn.py"), "{'seconds': 0.02}").unwrap();
    let refused = scratch.resume(&[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    assert!(text(&refused).contains("scripts:"), "a changed script is named: {}", text(&refused));
    let output = scratch.resume(&["--accept-changes"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(1);
    let accepted =
        scratch.journal().iter().any(|e| e["accepted"].as_array().is_some_and(|a| !a.is_empty()));
    assert!(accepted, "what was accepted is recorded");
}

#[test]
fn a_closed_terminal_does_not_end_a_run() {
    let scratch = Scratch::new(&SCRIPTS);
    let child = start(scratch.experiment("a,b", &["--iterations", "2"]));
    scratch.await_event("trial-started", 1);
    send(&child, Signal::SIGHUP);
    assert!(child.wait_with_output().unwrap().status.success());
    scratch.assert_complete(4);
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

/// Data, scripts and packages: each difference is in the list, and nothing is done before it is
/// accepted; then it stands in the journal.
#[test]
fn other_conditions_are_refused_with_what_differs_until_they_are_accepted() {
    let scratch = Scratch::new(&SCRIPTS);
    let host = start(scratch.experiment("a,b", &["--iterations", "3"]));
    scratch.await_event("trial-started", 2);
    send(&host, Signal::SIGINT);
    assert_eq!(host.wait_with_output().unwrap().status.code(), Some(8));

    let other = scratch.at("environment");
    let copied = Command::new("cp").arg("-a").arg(environment()).arg(&other).status().unwrap();
    assert!(copied.success());
    let library = names(&other.join("lib")).into_iter().find(|name| name.starts_with("python"));
    let library = other.join("lib").join(library.unwrap()).join("site-packages");
    let package = library.join("numpy-0.1.dist-info");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::write(package.join("METADATA"), "Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n")
        .unwrap();
    let labels = scratch.at("data/t10k-labels-idx1-ubyte.gz");
    let mut gzipped = std::fs::read(&labels).unwrap();
    gzipped[4] ^= 1; // A time of making, which changes the checksum and nothing else.
    std::fs::write(&labels, gzipped).unwrap();
    std::fs::write(scratch.at("workloads/b_cnn.py"), "{'seconds': 0.04}").unwrap();

    let before = scratch.journal_text();
    let flags = ["--python-env", other.to_str().unwrap()];
    let refused = scratch.resume(&flags).output().unwrap();
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(6), "{said}");
    for word in ["unlocked: was", "numpy: 0.1 installed", "data: was", "scripts: was"] {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
    assert!(said.contains("--accept-changes"), "{said}");
    assert_eq!(scratch.journal_text(), before);

    let mut resumed = scratch.resume(&flags);
    let output = resumed.arg("--accept-changes").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(6);
    let journal = scratch.journal();
    let accepted = journal.iter().rfind(|e| e["event"] == "started").unwrap()["accepted"].clone();
    assert_eq!(accepted.as_array().unwrap().len(), 3, "{accepted:#}");
    let plan = scratch.json("experiment.json")["plan"]["trials"].clone();
    let planned: Vec<_> = plan.as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    let ended: Vec<_> = journal
        .iter()
        .filter(|e| e["event"] == "trial-ended")
        .map(|e| e["trial"].clone())
        .collect();
    assert_eq!(ended, planned, "the planned order is kept across the stop");
}

#[test]
fn two_experiments_do_not_measure_each_other() {
    let scratch = Scratch::new(&[("a", "{'seconds': 1}")]);
    let mut child =
        scratch.experiment("a", &["--iterations", "1"]).stderr(Stdio::null()).spawn().unwrap();
    scratch.await_event("trial-started", 1);
    let refused = scratch.resume(&[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(9), "{}", text(&refused));
    assert!(text(&refused).contains(&format!("process {}", child.id())), "{}", text(&refused));
    assert!(child.wait().unwrap().success());
}

/// Neither the lock nor the machine can be changed under a test, so what was recorded of them is.
#[test]
fn another_lock_and_another_machine_are_refused_by_name() {
    let scratch = Scratch::new(&SCRIPTS);
    let output = scratch.experiment("a,b", &["--iterations", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let mut experiment = scratch.json("experiment.json");
    experiment["conditions"]["lock"] = "of another day".into();
    experiment["conditions"]["machine"][0] = "processor: another".into();
    let path = scratch.results().join("experiment.json");
    std::fs::write(path, experiment.to_string()).unwrap();
    let refused = scratch.resume(&[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    for word in ["lock: was \"of another day\"", "machine: was [\"processor: another\""] {
        assert!(text(&refused).contains(word), "{word}: {}", text(&refused));
    }
    assert!(scratch.resume(&["--accept-changes"]).output().unwrap().status.success());
}
