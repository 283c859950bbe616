//! Treatments beyond a framework as it is: variants, levels of factors, versions on the spot, histories;
//! through the program itself, with scripts that sleep.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;
#[path = "common/powercap.rs"]
mod powercap;

use experiment::{Scratch, names, text};
use powercap::Powercap;
use serde_json::json;
use std::process::Command;

const SLEEPS: &str = "{'seconds': 0.01}";

fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    said
}

/// A script with two variants; the stand-in harness reads the last line.
const VARIED: &str = "VARIANTS = {\n    'fast': 'Compiled as a whole.',\n    'taught': (\n        'As its '\n        'tutorial has it.'\n    ),\n}\n{'seconds': 0.01}\n";

#[test]
fn variants_run_side_by_side_under_names_that_every_file_system_takes() {
    let scratch = Scratch::new(&[("a", VARIED)]);
    run(scratch.experiment("a,a:fast,a:taught", &["--iterations", "2"]));
    scratch.assert_complete(6);
    let folders = names(&scratch.results());
    assert!(folders.contains(&"a+fast".to_owned()) && folders.contains(&"a+taught".to_owned()));
    let record = scratch.json("a+fast/a+fast_1.json");
    assert_eq!((&record["treatment"], &record["variant"]), (&json!("a:fast"), &json!("fast")));
    // The script was told which way it is to go.
    assert_eq!(record["result"]["versions"], json!({ "variant": "fast" }));
    assert_eq!(scratch.json("a/a_0.json")["result"]["versions"], json!({ "variant": "none" }));
    let table = std::fs::read_to_string(scratch.results().join("trials.csv")).unwrap();
    assert!(table.contains("a+taught_0,a:taught,"), "{table}");
    let contestants = &scratch.json("experiment.json")["contestants"];
    assert_eq!(contestants[2]["sentence"], "As its tutorial has it.");
}

#[test]
fn what_can_be_compared_is_listed_with_each_variants_sentence() {
    let scratch = Scratch::new(&[("a", VARIED), ("b", SLEEPS)]);
    let mut command = scratch.program();
    command.arg("--list-treatments").arg("--workloads").arg(scratch.at("workloads"));
    let told = run(command);
    for word in ["a:fast  Compiled as a whole.", "a:taught  As its tutorial has it.", "@study"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
}

#[test]
fn a_script_that_cannot_be_read_without_running_it_is_refused() {
    let scratch = Scratch::new(&[("a", "VARIANTS = dict(fast='x')\n"), ("b", SLEEPS)]);
    let output = scratch.experiment("a", &["--iterations", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("VARIANTS"), "{}", text(&output));
    run(scratch.experiment("b", &["--iterations", "1"]));
}

#[test]
fn factors_are_complete_blocks_with_comparisons_within_levels() {
    let scratch = Scratch::new(&[("a", SLEEPS), ("b", SLEEPS)]);
    let vary = ["--iterations", "2", "--vary", "batch-size=2,5", "--vary", "threads=1,2"];
    if std::thread::available_parallelism().map_or(1, |n| n.get()) < 2 {
        println!("skipped: one processor");
        return;
    }
    run(scratch.experiment("a,b", &vary));
    scratch.assert_complete(16);
    let experiment = scratch.json("experiment.json");
    let protocol = &experiment["protocol"];
    assert_eq!(protocol["comparisons"].as_array().unwrap().len(), 4);
    assert_eq!(
        protocol["comparisons"][0],
        json!(["a[batch-size=2,threads=1]", "b[batch-size=2,threads=1]"])
    );
    assert_eq!(
        protocol["factors"]["levels"][0],
        json!({ "factor": "batch-size", "levels": ["2", "5"] })
    );
    let cell = &protocol["factors"]["cells"][1];
    assert_eq!((&cell["of"], &cell["levels"]["threads"]), (&json!("a"), &json!("2")));
    // Ten images in steps of five are two, in steps of two five: each did the work of its level.
    let batches = |file: &str| scratch.json(file)["result"]["batches"].clone();
    assert_eq!(batches("a+batch-size-5+threads-1/a+batch-size-5+threads-1_0.json"), 2);
    assert_eq!(batches("b+batch-size-2+threads-2/b+batch-size-2+threads-2_1.json"), 5);
    assert_eq!(experiment["work"]["identical"], true);
}

#[test]
fn a_factor_of_one_treatment_compares_its_neighbouring_levels() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    run(scratch.experiment("a", &["--iterations", "1", "--vary", "epochs=1,2,3"]));
    let comparisons = scratch.json("experiment.json")["protocol"]["comparisons"].clone();
    assert_eq!(
        comparisons,
        json!([["a[epochs=1]", "a[epochs=2]"], ["a[epochs=2]", "a[epochs=3]"]])
    );
}

#[test]
fn the_analysis_knows_treatments_by_their_names_and_not_by_their_folders() {
    let scratch = Scratch::new(&[("a", VARIED)]);
    run(scratch.experiment("a:fast,a:taught", &["--iterations", "3"]));
    let told = scratch.analysis().to_string();
    assert!(told.contains("a:fast") && !told.contains("a+fast\""), "{told}");
}

/// At the smaller batch b takes half of what a takes, at the larger one twice as much; threads change
/// nothing.
#[test]
fn a_planted_interaction_is_found_and_the_ranking_said_to_flip() {
    if std::thread::available_parallelism().map_or(1, |n| n.get()) < 2 {
        println!("skipped: one processor");
        return;
    }
    let (scratch, tree) = (Scratch::new(&[]), Powercap::to_order());
    for (name, costs) in [("a", "{'2': 2.0, '5': 2.0}"), ("b", "{'2': 1.0, '5': 4.0}")] {
        let orders = tree.orders().display();
        let script = format!("{{'seconds': 0.01, 'costs': {costs}, 'orders': '{orders}'}}");
        std::fs::write(scratch.at(&format!("workloads/{name}_cnn.py")), script).unwrap();
    }
    let vary = ["--iterations", "6", "--vary", "batch-size=2,5", "--vary", "threads=1,2"];
    let meter = ["--meter", "rapl", "--powercap", tree.root().to_str().unwrap()];
    run(scratch.measured("a,b", &meter, &vary));
    scratch.assert_complete(48);
    let told = scratch.analysis();
    let factors = &told["factors"];
    let p = |of: &str| {
        let tests = factors["tests"].as_array().unwrap().iter();
        let mut tests = tests.filter(|test| test["of"] == json!(["treatment", of]));
        tests.next().unwrap()["p_holm"].as_f64().unwrap()
    };
    assert!(p("batch-size") < 1e-3 && p("threads") > 1e-3, "{factors:#}");
    assert_eq!(factors["flips"][0]["state"], "flips", "{factors:#}");
    let mut sizes = factors["interactions"].as_array().unwrap().iter();
    let size = sizes.find(|row| row["factor"] == "batch-size").unwrap();
    // From half as much to twice as much is four times the ratio: 300% more.
    let (low, high) = (size["ci_low"].as_f64().unwrap(), size["ci_high"].as_f64().unwrap());
    assert!(low < 350.0 && high > 250.0, "{size}");
    let report = std::fs::read_to_string(scratch.results().join("analysis/report.md")).unwrap();
    for words in ["Treatment and batch-size interact", "the ranking flips with the level"] {
        assert!(report.contains(words), "{words}: {report}");
    }
}
