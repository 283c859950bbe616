//! `joulerace doctor` and `--strict` as they are typed: exit status, JSON, and nothing left behind.
#![cfg(target_os = "linux")]

#[path = "common/powercap.rs"]
mod powercap;

use powercap::Powercap;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

/// The program with a cache of its own, in which there is nothing, and no EnergiBridge.
fn joulerace(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_joulerace"))
        .args(arguments)
        .env("JOULERACE_CACHE_DIR", folder.join("cache"))
        .env("JOULERACE_LOCK_FILE", folder.join("lock"))
        .env_remove("JOULERACE_DATA_DIR")
        .env_remove("VIRTUAL_ENV")
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn level<'r>(report: &'r Value, id: &str) -> &'r str {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["id"] == id);
    finding.unwrap_or_else(|| panic!("no {id}"))["level"].as_str().unwrap()
}

#[test]
fn the_json_judges_the_experiment_that_the_flags_describe() {
    let (folder, tree) = (tempfile::tempdir().unwrap(), Powercap::two_sockets());
    let powercap = tree.root().to_str().unwrap();
    let flags = ["doctor", "--json", "--iterations", "5", "--dataset", "digits", "--spread", "2"];
    let with_rapl = [&flags[..], &["--meter", "rapl", "--powercap", powercap]].concat();
    let output = joulerace(folder.path(), &with_rapl);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(level(&report, "meter"), "ok");
    assert_eq!(level(&report, "plan.effect"), "warning");
    assert_eq!(level(&report, "environment.training"), "warning");
    let findings = report["findings"].as_array().unwrap();
    let ids: BTreeSet<&str> = findings.iter().map(|f| f["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), findings.len(), "each check has an id of its own");
    let worst = report["worst"].as_str().unwrap();
    let status = if worst == "failure" { 12 } else { 11 };
    assert_eq!(output.status.code(), Some(status), "{worst}");
    assert!(!folder.path().join("cache").exists(), "nothing is made");
    assert!(!folder.path().join("lock").exists(), "nothing is taken");

    let elsewhere = [&flags[..], &["--meter", "rapl", "--powercap", "/nowhere"]].concat();
    let output = joulerace(folder.path(), &elsewhere);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((level(&report, "meter"), &report["worst"]), ("failure", &Value::from("failure")));
    assert_eq!(output.status.code(), Some(12));
}

#[test]
fn strict_refuses_with_the_remedies_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    let flags = ["--strict", "--meter", "estimate", "--dataset", "digits", "--output"];
    let output = joulerace(folder.path(), &[&flags[..], &[results.to_str().unwrap()]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(matches!(output.status.code(), Some(11 | 12)), "{said}");
    assert!(said.contains("an estimate from processor time"), "{said}");
    assert!(said.contains("joulerace env sync training"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    assert!(!results.exists() && !folder.path().join("cache").exists());
}

#[test]
fn a_flag_that_the_experiment_would_refuse_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (flags, named) in [
        (["--treatments", "caffe"], "--treatments"),
        (["--spread", "0"], "--spread"),
        (["--spread", "nan"], "--spread"),
    ] {
        let output = joulerace(folder.path(), &[&["doctor"], &flags[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains(named));
    }
}

#[test]
fn a_comparison_of_commands_is_judged_without_running_any() {
    let (folder, tree) = (tempfile::tempdir().unwrap(), Powercap::two_sockets());
    let ran = folder.path().join("ran");
    let (one, other) = (format!("touch {}", ran.display()), "true");
    let powercap = tree.root().to_str().unwrap();
    let flags = ["doctor", "compare", &one, other, "--json", "-r", "5", "--meter", "rapl"];
    let output = joulerace(folder.path(), &[&flags[..], &["--powercap", powercap]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((level(&report, "meter"), level(&report, "plan.effect")), ("ok", "warning"));
    let told = report.to_string();
    assert!(told.contains("--runs 30") && !told.contains("--iterations"), "{told}");
    // Neither a data set nor an environment for training is of any use to it.
    assert!(!told.contains("\"dataset\"") && !told.contains("environment.training"), "{told}");
    assert!(!ran.exists() && !folder.path().join("cache").exists());

    let unknown = joulerace(folder.path(), &["doctor", "compare", "nosuchprogram", "true"]);
    assert_eq!(unknown.status.code(), Some(127));
}
