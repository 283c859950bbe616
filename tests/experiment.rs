//! An experiment from its command line to its files, with scripts that only sleep.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, text};

const SLEEPS: &str = "{'seconds': 0.05}";

#[test]
fn every_trial_leaves_samples_a_record_a_log_and_a_row() {
    let scratch = Scratch::new(&[("a", SLEEPS), ("b", SLEEPS)]);
    let output = scratch.experiment("a,b", &["--iterations", "2"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for trial in ["a/a_0", "a/a_1", "b/b_0", "b/b_1"] {
        for ending in ["csv", "json", "log"] {
            let file = scratch.results().join(format!("{trial}.{ending}"));
            assert!(file.is_file(), "{} is there", file.display());
        }
        let record = scratch.json(&format!("{trial}.json"));
        assert_eq!(record["status"], "ok");
        assert_eq!(record["estimated"], true);
        // Build, train and evaluate sleep 50 ms each.
        let window = record["window"]["seconds"].as_f64().unwrap();
        assert!((0.15..1.0).contains(&window), "window of {window} s");
        assert!(record["window"]["total_j"].as_f64().unwrap() > 0.0);
    }
    let rows = std::fs::read_to_string(scratch.results().join("trials.csv")).unwrap();
    assert_eq!(rows.lines().count(), 5, "{rows}");
    assert!(text(&output).contains("ESTIMATE"), "an estimate says what it is: {}", text(&output));
    assert_eq!(scratch.json("experiment.json")["work"]["identical"], true);
    assert_eq!(scratch.processes(), Vec::<String>::new());
}

#[test]
fn the_order_that_runs_is_the_order_that_was_planned() {
    let scratch = Scratch::new(&[("a", SLEEPS), ("b", SLEEPS), ("c", SLEEPS)]);
    let output = scratch.experiment("a,b,c", &["--iterations", "3"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let plan = scratch.json("experiment.json")["plan"]["trials"].clone();
    let planned: Vec<&str> =
        plan.as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    let journal = scratch.journal();
    let ran: Vec<&str> = journal
        .iter()
        .filter(|e| e["event"] == "trial-started")
        .map(|e| e["trial"].as_str().unwrap())
        .collect();
    assert_eq!(ran, planned);
}

#[test]
fn a_dry_run_prints_the_plan_and_touches_nothing() {
    let scratch = Scratch::new(&[("a", SLEEPS), ("b", SLEEPS)]);
    let output = scratch.experiment("a,b", &["--dry-run"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("30 blocks") && text(&output).contains("Expected in all"));
    assert!(!scratch.results().exists());
}

#[test]
fn a_folder_with_an_experiment_is_not_overwritten() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let run = || scratch.experiment("a", &["--iterations", "1"]).output().unwrap();
    assert!(run().status.success());
    let again = run();
    assert_eq!(again.status.code(), Some(6), "{}", text(&again));
    assert!(text(&again).contains("--output") && text(&again).contains("joulerace resume"));
}

#[test]
fn bad_input_names_its_flag_and_leaves_nothing() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    for (flags, status, word) in [
        (["--frameworks", "caffe"], 2, "--treatments"),
        (["--learning-rate", "0"], 2, "--learning-rate"),
        (["--threads", "100000"], 2, "--threads"),
        (["--control", "zig"], 2, "--control"),
    ] {
        let mut command = scratch.program();
        command.args(["--workloads"]).arg(scratch.at("workloads"));
        if flags[0] != "--frameworks" {
            command.args(["--frameworks", "a"]);
        }
        let output = command.arg("--output").arg(scratch.results()).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{flags:?}: {}", text(&output));
        assert!(text(&output).contains(word), "{flags:?}: {}", text(&output));
        assert!(!scratch.results().exists());
    }
}

#[test]
fn a_meter_that_is_not_there_is_refused_and_nothing_is_written() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let empty = scratch.at("powercap");
    std::fs::create_dir(&empty).unwrap();
    let mut command = scratch.program();
    command.args(["measure", "--meter", "rapl", "--powercap"]).arg(&empty).args(["--", "true"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains(empty.to_str().unwrap()), "{}", text(&output));
}

#[test]
fn work_that_differs_makes_a_trial_invalid_with_its_reason() {
    for (result, word) in [
        ("{'losses': [float('nan')]}", "not a number"),
        ("{'frameworks_loaded': ['a', 'torch']}", "torch was loaded"),
        ("{'batches': 1}", "batches"),
        ("{'parameters': 11}", "parameters"),
        ("{'frameworks_loaded': []}", "does not report"),
        ("{'test_loss': 1e999}", "loss on the test set"),
        ("{'accuracy': 0.1}", "from the median"),
    ] {
        // A literal cannot hold NaN; infinity is as little of a number.
        let result = result.replace("float('nan')", "1e999");
        let odd = format!("{{'seconds': 0.02, 'result': {result}}}");
        let scratch = Scratch::new(&[("a", &odd), ("b", SLEEPS), ("c", SLEEPS)]);
        let output = scratch.experiment("a,b,c", &["--iterations", "1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(7), "{}", text(&output));
        let record = scratch.json("a/a_0.json");
        assert_eq!(record["status"], "invalid", "{record:#}");
        assert!(record["reason"].as_str().unwrap().contains(word), "{record:#}");
        assert_eq!(scratch.json("experiment.json")["work"]["identical"], false);
    }
}
