//! Versions on the spot, for real: small packages locked, installed and run in environments of their own.
//!
//! Needs the package index; says so and passes where it cannot be reached.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, text};
use serde_json::json;

/// Its framework is a package of a few kilobytes that has had several releases.
const SCRIPT: &str =
    "PACKAGES = ('iniconfig',)\n{'seconds': 0.01, 'result': {'frameworks_loaded': ['iniconfig']}}";

#[test]
fn releases_run_each_in_its_own_locked_environment_and_resume_goes_on_with_those() {
    let scratch = Scratch::new(&[("iniconfig", SCRIPT)]);
    let mut lock = scratch.program();
    lock.args(["env", "lock", "iniconfig@2.0.0", "--workloads"]).arg(scratch.at("workloads"));
    let output = lock.output().unwrap();
    if !output.status.success() {
        println!("skipped: {}", text(&output));
        return;
    }
    let kept = String::from_utf8(output.stdout).unwrap();
    let (locked, list) = (
        std::fs::read_to_string(kept.trim()).unwrap(),
        "iniconfig@2.3.0,iniconfig@2.0.0,iniconfig@2.1.0",
    );
    assert!(locked.contains("iniconfig==2.0.0 \\\n    --hash=sha256:"), "{locked}");

    let output = scratch.experiment(list, &["--iterations", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(3);
    let experiment = scratch.json("experiment.json");
    let releases = &experiment["protocol"]["history"]["releases"];
    let told: Vec<&str> =
        releases.as_array().unwrap().iter().map(|r| r["release"].as_str().unwrap()).collect();
    assert_eq!(told, ["2.0.0", "2.1.0", "2.3.0"]);
    assert_eq!(
        experiment["protocol"]["comparisons"],
        json!([["iniconfig@2.0.0", "iniconfig@2.1.0"], ["iniconfig@2.1.0", "iniconfig@2.3.0"]])
    );
    let oldest = &experiment["contestants"][0];
    assert_eq!(oldest["packages"], json!({ "iniconfig": "2.0.0" }));
    assert_eq!(oldest["lock_file"], "locks/iniconfig@2.0.0.txt");
    let own = scratch.results().join("locks/iniconfig@2.0.0.txt");
    assert_eq!(std::fs::read_to_string(&own).unwrap(), locked);

    // A lock that was changed is another environment: nothing goes on as if it were the same.
    let first = locked.find("sha256:").unwrap();
    let mut changed = locked.clone();
    changed.replace_range(
        first + 7..first + 9,
        if &locked[first + 7..first + 9] == "00" { "11" } else { "00" },
    );
    std::fs::write(&own, changed).unwrap();
    let output = scratch.resume(&[]).output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    std::fs::write(&own, locked).unwrap();
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_version_that_there_is_not_is_told_before_anything_is_written() {
    let scratch = Scratch::new(&[("iniconfig", SCRIPT)]);
    let mut run = scratch.experiment("iniconfig@2.0.0,iniconfig@99.0", &["--iterations", "1"]);
    let output = run.output().unwrap();
    let said = text(&output);
    if said.contains("could not be reached") {
        println!("skipped: {said}");
        return;
    }
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("iniconfig 99.0 cannot be installed here"), "{said}");
    assert!(said.contains("around it: ") && !scratch.results().exists(), "{said}");
}
