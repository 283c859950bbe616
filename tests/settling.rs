//! What lies around the trials: warm-up, cool-downs and idle power are measured and kept, with every
//! meter, and a trial that others disturbed is told from those that nobody did.
#![cfg(target_os = "linux")]

#[path = "common/energibridge.rs"]
mod energibridge;
#[path = "common/experiment.rs"]
mod experiment;
#[path = "common/powercap.rs"]
mod powercap;

use energibridge::{Mode, stand_in};
use experiment::{Scratch, text};
use powercap::Powercap;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SLEEPS: &str = "{'seconds': 0.05}";

/// An environment without packages, which costs a moment to make.
fn environment(scratch: &Scratch) -> PathBuf {
    let folder = scratch.at("environment");
    let mut made = Command::new(&joulerace::env::pythons()[0]);
    made.args(["-m", "venv", "--without-pip"]).arg(&folder);
    assert!(made.status().unwrap().success());
    folder
}

/// An experiment with short pauses.
fn with_pauses(scratch: &Scratch, frameworks: &str, more: &[&str]) -> Command {
    let mut command = scratch.program();
    command
        .args(["--frameworks", frameworks, "--order-seed", "1", "--no-analysis"])
        .args(["--epochs", "1", "--batch-size", "8", "--interval", "50ms", "--allow-unlocked"])
        .args(["--warmup", "600ms", "--cooldown", "300ms", "--baseline", "600ms"])
        .args(["--dataset", "mnist", "--train-samples", "10", "--test-samples", "10"])
        .arg("--workloads")
        .arg(scratch.at("workloads"))
        .arg("--data-dir")
        .arg(scratch.at("data"))
        .arg("--python-env")
        .arg(environment(scratch))
        .arg("--output")
        .arg(scratch.results())
        .args(more);
    command
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The pauses that every meter leaves, with idle power near `watts` where that is known.
fn check_pauses(scratch: &Scratch, watts: Option<f64>) {
    let settling = scratch.json("experiment.json")["settling"].clone();
    let warmups = settling["warmups"].as_array().unwrap();
    assert_eq!(warmups.len(), 1, "{settling:#}");
    assert!(number(&warmups[0]["seconds"]) >= 0.6);
    let baselines = settling["baselines"].as_array().unwrap();
    let when: Vec<&str> = baselines.iter().map(|b| b["when"].as_str().unwrap()).collect();
    assert_eq!(when, ["before", "after"]);
    for baseline in baselines {
        assert!(number(&baseline["other_cores"]) >= 0.0, "others are watched: {baseline}");
        let idle = number(&baseline["watts"]);
        assert!(idle > 0.0 && watts.is_none_or(|w| (idle / w - 1.0).abs() < 0.05), "{idle} W");
    }
    for trial in ["a/a_0.json", "a/a_1.json"] {
        let record = scratch.json(trial);
        assert_eq!(record["idle_w"], baselines[0]["watts"]);
        assert!(number(&record["cooldown"]["seconds"]) >= 0.3, "{trial}");
        assert!(number(&record["cooldown"]["watts"]) > 0.0, "{trial}");
        assert!(number(&record["interference"]["seconds"]) > 0.0, "{trial}");
    }
    let told: Vec<Value> = scratch.journal();
    let told: Vec<&str> = told.iter().map(|e| e["event"].as_str().unwrap()).collect();
    let first = told.iter().position(|e| *e == "trial-started").unwrap();
    let before = &told[..first];
    assert!(before.contains(&"warmed-up") && before.contains(&"baseline"), "{told:?}");
    for file in ["warm-up", "after-warm-up", "idle-power-before", "idle-power-after", "after-a_0"] {
        let csv = scratch.results().join(format!("pauses/{file}.csv"));
        assert!(csv.is_file(), "{} is there", csv.display());
    }
    assert_eq!(scratch.processes(), Vec::<String>::new(), "no meter is left");
}

#[test]
fn the_estimate_watches_the_pauses() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let flags = ["--iterations", "2", "--meter", "estimate"];
    let output = with_pauses(&scratch, "a", &flags).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("Idle power"), "{}", text(&output));
    check_pauses(&scratch, None);
    let rows = std::fs::read_to_string(scratch.results().join("trials.csv")).unwrap();
    let column = rows.lines().next().unwrap().split(',').position(|c| c == "above_idle_j").unwrap();
    for row in rows.lines().skip(1) {
        assert!(row.split(',').nth(column).unwrap().parse::<f64>().is_ok(), "{row}");
    }
}

#[test]
fn a_sensor_tells_idle_power_and_what_sampling_draws() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let tree = Powercap::two_sockets();
    let powercap = tree.root().to_str().unwrap().to_owned();
    let flags = ["--iterations", "2", "--meter", "rapl", "--powercap", &powercap];
    let output = with_pauses(&scratch, "a", &flags).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    // Two packages of 50 W and their memories of 5 W, whatever the machine does.
    check_pauses(&scratch, Some(110.0));
    let overhead = scratch.json("experiment.json")["settling"]["overhead"].clone();
    assert!(number(&overhead["cpu_seconds"]) > 0.0, "{overhead}");
    assert!(number(&overhead["watts"]).abs() < 5.0, "a constant power does not rise: {overhead}");
}

#[test]
fn energibridge_watches_the_pauses_and_ends_with_them() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    std::fs::create_dir(scratch.at("bin")).unwrap();
    let program = stand_in(&scratch.at("bin"), Mode::Fine);
    let program = program.to_str().unwrap();
    let flags = ["--iterations", "2", "--meter", "energibridge", "--energibridge", program];
    let output = with_pauses(&scratch, "a", &flags).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    check_pauses(&scratch, Some(energibridge::WATTS));
    let overhead = scratch.json("experiment.json")["settling"]["overhead"].clone();
    assert!(overhead["cpu_seconds"].is_number(), "{overhead}");
}

#[test]
fn a_stop_in_the_warm_up_ends_at_once_and_resume_begins_with_another() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let mut command = scratch.program();
    command
        .args(["--frameworks", "a", "--iterations", "1", "--no-analysis", "--meter", "estimate"])
        .args(["--epochs", "1", "--batch-size", "8", "--allow-unlocked", "--warmup", "600s"])
        .args(["--cooldown", "0s", "--baseline", "0s", "--train-samples", "10"])
        .args(["--dataset", "mnist", "--test-samples", "10", "--workloads"])
        .arg(scratch.at("workloads"))
        .arg("--data-dir")
        .arg(scratch.at("data"))
        .arg("--python-env")
        .arg(environment(&scratch))
        .arg("--output")
        .arg(scratch.results());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !scratch.results().join("pauses/warm-up.csv").is_file() {
        assert!(Instant::now() < until, "the warm-up begins");
        std::thread::sleep(Duration::from_millis(20));
    }
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id() as i32),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    let report = &scratch.json("experiment.json")["settling"]["warmups"][0];
    assert_eq!(report["stopped"], true, "{report}");
    assert!(number(&report["seconds"]) < 300.0);
    assert_eq!(scratch.journal().iter().filter(|e| e["event"] == "trial-started").count(), 0);
}

/// Seconds of processor time of all processes so far.
fn busy_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let ticks: f64 = stat
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .take(3)
        .map(|t| t.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

/// A process that burns a core during one trial is found in that trial and, where the machine does
/// nothing else, in no other.
#[test]
fn a_burner_during_one_trial_is_flagged_there() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.5}")]);
    let (began, busy) = (Instant::now(), busy_seconds());
    std::thread::sleep(Duration::from_secs(2));
    let quiet = (busy_seconds() - busy) / began.elapsed().as_secs_f64() < 0.05;
    let flags = ["--iterations", "3", "--meter", "estimate"];
    let child = with_pauses(&scratch, "a", &flags)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let await_count = |event: &str, count: usize| {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let file = scratch.results().join("journal.jsonl");
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if text.matches(&format!("\"{event}\"")).count() >= count {
                return;
            }
            assert!(Instant::now() < until, "{count} times {event}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    await_count("trial-started", 2);
    let mut burner = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    await_count("trial-ended", 2);
    burner.kill().unwrap();
    burner.wait().unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    let seen = |block: usize| {
        let record = scratch.json(&format!("a/a_{block}.json"));
        let flagged = record["flags"].as_array().unwrap().iter().any(|f| f == "interference");
        (flagged, number(&record["interference"]["other_cores"]))
    };
    let (flagged, cores) = seen(1);
    assert!(flagged && cores > 0.3, "the burner kept {cores} of a core busy");
    let rows = std::fs::read_to_string(scratch.results().join("trials.csv")).unwrap();
    assert!(rows.lines().any(|r| r.starts_with("a_1,") && r.contains("interference")), "{rows}");
    if !quiet {
        eprintln!("the machine is busy with other things, so the other trials are not looked at");
        return;
    }
    for block in [0, 2] {
        let (flagged, cores) = seen(block);
        assert!(!flagged, "trial {block} was flagged for {cores} of a core");
    }
}
