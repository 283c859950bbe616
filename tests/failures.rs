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

/// What a long look at all processes never meets alive is still found, in whatever session and with
/// whatever environment it runs.
#[test]
fn a_chain_of_processes_that_each_start_the_next_does_not_outlive_its_trial() {
    let (scratch, reason) = fails_with("chain", &[]);
    assert!(reason.contains("process(es) running"), "{reason}");
    let chain = scratch.at("workloads/chain.sh");
    let running = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|e| std::fs::read(e.path().join("cmdline")).ok());
        let name = chain.to_str().unwrap().to_owned();
        lines.filter(|line| String::from_utf8_lossy(line).contains(&name)).count()
    };
    for _ in 0..50 {
        assert_eq!(running(), 0);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The reason is cut where it is recorded and whole in the log, and the experiment goes on.
#[test]
fn a_reason_of_megabytes_does_not_end_the_experiment() {
    let (scratch, reason) = fails_with("long words", &[]);
    assert!(reason.len() <= 4 << 10 && reason.contains("cut"), "{} bytes", reason.len());
    let log = scratch.results().join("bad/failed/bad_0-attempt-1.log");
    assert!(std::fs::metadata(log).unwrap().len() > 6 << 20);
    assert!(std::fs::metadata(scratch.results().join("journal.jsonl")).unwrap().len() < 1 << 16);
    let again = scratch.resume(&[]).output().unwrap();
    assert_eq!(again.status.code(), Some(7), "its own journal is read: {}", text(&again));
    assert!(!text(&again).contains('\u{1b}') && !text(&again).contains('\r'));
}

#[test]
fn a_trial_without_a_disk_is_run_by_resume_and_one_that_failed_only_with_its_flag() {
    let scratch = Scratch::new(&[
        ("full", "{'seconds': 0.02, 'trouble': 'full disk'}"),
        ("bad", "{'seconds': 0.02, 'trouble': 'raise'}"),
        ("good", "{'seconds': 0.02}"),
    ]);
    let flags = ["--iterations", "1", "--retries", "0"];
    let output = scratch.experiment("full,bad,good", &flags).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert!(text(&output).contains("1 of them could not be measured"), "{}", text(&output));
    assert_eq!(scratch.json("full/full_0.json")["unmeasured"], true);
    std::fs::write(scratch.at("workloads/full_cnn.py"), "{'seconds': 0.02}").unwrap();
    std::fs::write(scratch.at("workloads/bad_cnn.py"), "{'seconds': 0.02}").unwrap();
    let statuses = || {
        ["full", "bad", "good"].map(|name| {
            let record = scratch.json(&format!("{name}/{name}_0.json"));
            (record["status"].as_str().unwrap().to_owned(), record["attempt"].as_u64().unwrap())
        })
    };
    let output = scratch.resume(&["--accept-changes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    let owned = |list: [(&str, u64); 3]| list.map(|(word, n)| (word.to_owned(), n));
    assert_eq!(statuses(), owned([("ok", 2), ("failed", 1), ("ok", 1)]));
    let output = scratch.resume(&["--accept-changes", "--failed"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(statuses(), owned([("ok", 2), ("ok", 2), ("ok", 1)]));
}

#[test]
fn a_file_that_grows_beyond_its_limit_is_told() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.02, 'trouble': 'large file'}")]);
    let flags = ["--iterations", "1", "--retries", "0"];
    let mut limited = std::process::Command::new("prlimit");
    let experiment = scratch.experiment("a", &flags);
    limited.arg("--fsize=16777216").arg(experiment.get_program()).args(experiment.get_args());
    limited.envs(experiment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert!(text(&output).contains("File too large"), "{}", text(&output));
}
