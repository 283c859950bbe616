//! `joulerace measure` as people use it: its files, its result for people and programs, its status.
#![cfg(target_os = "linux")]

#[path = "common/powercap.rs"]
mod powercap;

use powercap::Powercap;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn measure(folder: &Path, tree: &Powercap, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_joulerace"))
        .current_dir(folder)
        .args(["measure", "--meter", "rapl", "--interval", "20ms", "--powercap"])
        .arg(tree.root())
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_nobody_named_is_never_used_twice() {
    let (tree, folder) = (Powercap::two_sockets(), tempfile::tempdir().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let output = measure(folder.path(), &tree, &["--", "true"]);
                assert!(output.status.success(), "{}", err(&output));
            });
        }
    });
    let names = names(folder.path());
    assert_eq!(names.len(), 5, "{names:?}");
    for name in names {
        let text = std::fs::read_to_string(folder.path().join(&name)).unwrap();
        assert!(text.lines().count() >= 3, "{name}: {text}");
    }
}

#[test]
fn samples_go_to_standard_output_and_nothing_else_does() {
    let (tree, folder) = (Powercap::two_sockets(), tempfile::tempdir().unwrap());
    let output = measure(folder.path(), &tree, &["-o", "-", "--", "echo", "hello"]);
    assert!(out(&output).starts_with("Delta,Time"), "{}", out(&output));
    assert!(out(&output).lines().all(|line| line.contains(',')), "{}", out(&output));
    assert!(err(&output).contains("hello") && err(&output).contains(" J in "), "{}", err(&output));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn quiet_leaves_the_result() {
    let (tree, folder) = (Powercap::two_sockets(), tempfile::tempdir().unwrap());
    let output = measure(folder.path(), &tree, &["-q", "--", "sleep", "0.1"]);
    assert!(err(&output).contains(" J in 0."), "{}", err(&output));
    assert_eq!(err(&output).lines().count(), 1, "{}", err(&output));
}

/// The tree draws 110 W, package and DRAM of two sockets together.
#[test]
fn a_series_gives_its_numbers_and_files_that_the_analysis_reads() {
    let (tree, folder) = (Powercap::two_sockets(), tempfile::tempdir().unwrap());
    let series = ["--runs", "3", "--name", "a", "--output", "dir", "--json", "--", "sleep", "0.2"];
    let output = measure(folder.path(), &tree, &series);
    assert!(output.status.success(), "{}", err(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let watts = told["power_w"]["mean"].as_f64().unwrap();
    assert!((watts - 110.0).abs() < 4.0, "{watts}");
    let runs = told["runs"].as_array().unwrap();
    let joules: Vec<f64> = runs.iter().map(|run| run["energy_j"].as_f64().unwrap()).collect();
    let mean = joules.iter().sum::<f64>() / 3.0;
    assert!((told["energy_j"]["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    assert_eq!(told["estimated"], false);
    assert!(err(&output).contains("mean ± SD"), "{}", err(&output));
    assert!(err(&output).contains("[3/3]"), "{}", err(&output));

    let more = measure(folder.path(), &tree, &["--name", "a", "--output", "dir", "--", "true"]);
    assert!(more.status.success());
    let files = names(&folder.path().join("dir/a"));
    assert_eq!(files, ["a_0.csv", "a_1.csv", "a_2.csv", "a_3.csv"], "numbered on");
    let found = joulerace::analysis::scan::scan(&folder.path().join("dir"), Path::new("none"));
    let inputs = found.unwrap().inputs;
    assert_eq!(inputs.len(), 4);
    assert!(inputs.iter().all(|input| input.group == "a"), "{inputs:?}");
}

#[test]
fn a_run_that_fails_ends_the_series_with_its_status_and_is_no_trial() {
    let (tree, folder) = (Powercap::two_sockets(), tempfile::tempdir().unwrap());
    let shell = "test -e stop && exit 7; touch stop";
    let args = ["--runs", "4", "--output", "dir", "--name", "x"];
    let output = measure(folder.path(), &tree, &[&args[..], &["--", "sh", "-c", shell]].concat());
    assert_eq!(output.status.code(), Some(7), "{}", err(&output));
    assert!(err(&output).contains("run 2 of 4 ended with exit status 7"), "{}", err(&output));
    assert_eq!(names(&folder.path().join("dir/x")), ["x_0.csv", "x_1.csv.failed"]);
    let on = ["--ignore-failure", "--runs", "2", "--output", "dir", "--name", "x"];
    let output = measure(folder.path(), &tree, &[&on[..], &["--", "sh", "-c", shell]].concat());
    assert_eq!(output.status.code(), Some(7));
    assert!(names(&folder.path().join("dir/x")).contains(&"x_3.csv".to_owned()));
}

#[test]
fn the_status_is_the_commands_own_or_a_shells() {
    let (tree, folder) = (Powercap::two_sockets(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("plain"), "text").unwrap();
    for (command, status) in
        [(&["sh", "-c", "exit 5"][..], 5), (&["no-such-program"], 127), (&["./plain"], 126)]
    {
        let output = measure(folder.path(), &tree, &[&["-o", "m.csv", "--"], command].concat());
        assert_eq!(output.status.code(), Some(status), "{command:?}: {}", err(&output));
    }
}

/// What the command marks, by the program and by a line, is told beside the whole, and together.
#[test]
fn marked_phases_are_told_one_by_one_and_together() {
    let (tree, folder) = (Powercap::two_sockets(), tempfile::tempdir().unwrap());
    let joulerace = env!("CARGO_BIN_EXE_joulerace");
    let script = format!(
        "{joulerace} mark load begin; sleep 0.05; {joulerace} mark load end; sleep 0.05
         echo sort begin >> $JOULERACE_MARKS; sleep 0.1; echo sort end >> $JOULERACE_MARKS"
    );
    let output = measure(folder.path(), &tree, &["--json", "--", "sh", "-c", &script]);
    assert!(output.status.success(), "{}", err(&output));
    let told: Value = serde_json::from_str(out(&output)).unwrap();
    let run = &told["runs"][0];
    let seconds = |part: &Value| part["time_s"].as_f64().unwrap();
    let (load, sort) = (seconds(&run["phases"]["load"]), seconds(&run["phases"]["sort"]));
    assert!(load >= 0.05 && sort >= 0.1, "{run}");
    assert!((seconds(&run["window"]) - load - sort).abs() < 1e-6, "{run}");
    assert!(seconds(&run["window"]) + 0.05 < seconds(run), "{run}");
    // Where nobody measures, marks go nowhere.
    let alone = Command::new(joulerace).args(["mark", "load", "begin"]).output().unwrap();
    assert!(alone.status.success() && alone.stdout.is_empty() && alone.stderr.is_empty());
}
