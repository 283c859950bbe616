//! Graphics cards through a library of known power: how many joules are found, how each fault is told, and
//! what is left of the other sensors where one fails.
#![cfg(target_os = "linux")]

#[path = "common/cards.rs"]
mod cards;
#[path = "common/energibridge.rs"]
mod energibridge;
#[path = "common/powercap.rs"]
mod powercap;

use joulerace::samples::{self, Domain};
use powercap::{Powercap, Zone};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `joulerace measure` in `folder`, with these cards.
fn measure(folder: &Path, library: &Path, cards: &[(&str, &str)], args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_joulerace"))
        .current_dir(folder)
        .env("LD_LIBRARY_PATH", library)
        .envs(cards.iter().copied())
        .args(["measure", "-o", "m.csv", "--json"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn told_of(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Within a period's worth at either end.
fn assert_joules(found: &Value, watts: f64, seconds: f64, period_s: f64) {
    let (joules, truth) = (found.as_f64().unwrap(), watts * seconds);
    let may = watts * (period_s + 0.005) + 0.002 * truth;
    assert!((joules - truth).abs() <= may, "{joules} J instead of {truth} ± {may} J");
}

#[test]
fn two_cards_are_read_to_within_a_period_of_their_counters() {
    let (Some(library), folder) = (cards::library(), tempfile::tempdir().unwrap()) else { return };
    for step_ms in ["20", "100"] {
        let cards = [("CARDS", "150,40"), ("CARD_STEP_MS", step_ms)];
        let args = ["--meter", "nvml", "--interval", "50ms", "--", "sleep", "1.2"];
        let told = told_of(&measure(folder.path(), library, &cards, &args));
        let (run, period_s) = (&told["runs"][0], step_ms.parse::<f64>().unwrap() / 1e3);
        let seconds = run["time_s"].as_f64().unwrap();
        assert_joules(&run["domains_j"]["gpu0"], 150.0, seconds, period_s);
        assert_joules(&run["domains_j"]["gpu1"], 40.0, seconds, period_s);
        assert_joules(&told["energy_j"]["mean"], 190.0, seconds, period_s);
        let trace = samples::read(&folder.path().join("m.csv")).unwrap();
        let columns: Vec<&str> = trace.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(
            columns,
            ["GPU0_ENERGY (J)", "GPU1_ENERGY (J)"],
            "the counter counts, not the power"
        );
    }
    let one = ["--meter", "nvml", "--gpus", "1", "--", "sleep", "0.3"];
    let told = told_of(&measure(folder.path(), library, &[("CARDS", "150,40")], &one));
    let domains = told["runs"][0]["domains_j"].as_object().unwrap();
    assert_eq!(domains.keys().collect::<Vec<_>>(), ["gpu1"]);
}

/// One socket of 30 W beside one card of 150 W.
fn socket() -> Powercap {
    Powercap::new(&[Zone {
        path: "intel-rapl:0",
        name: "package-0",
        watts: 30.0,
        start_uj: 5_000_000,
    }])
}

#[test]
fn processor_and_card_are_in_one_file_and_one_total() {
    let Some(library) = cards::library() else { return };
    let (tree, folder) = (socket(), tempfile::tempdir().unwrap());
    let root = tree.root().to_str().unwrap();
    for meter in ["auto", "nvml+rapl"] {
        // Whether this machine has an EnergiBridge is not for the test to find out.
        let args =
            ["--meter", meter, "--powercap", root, "--interval", "20ms", "--", "/bin/sleep", "0.8"];
        let output = Command::new(env!("CARGO_BIN_EXE_joulerace"))
            .current_dir(folder.path())
            .env("LD_LIBRARY_PATH", library)
            .env("PATH", "")
            .args(["measure", "-o", "m.csv", "--json"])
            .args(args)
            .output()
            .unwrap();
        let told = told_of(&output);
        assert_eq!(told["meter"], "rapl+nvml");
        let seconds = told["time_s"]["mean"].as_f64().unwrap();
        assert_joules(&told["runs"][0]["domains_j"]["package"], 30.0, seconds, 0.02);
        assert_joules(&told["runs"][0]["domains_j"]["gpu0"], 150.0, seconds, 0.02);
        assert_joules(&told["energy_j"]["mean"], 180.0, seconds, 0.02);
    }
}

#[test]
fn a_card_that_is_lost_does_not_lose_the_processor() {
    let Some(library) = cards::library() else { return };
    let (tree, folder) = (socket(), tempfile::tempdir().unwrap());
    let root = tree.root().to_str().unwrap();
    let args =
        ["--meter", "rapl+nvml", "--powercap", root, "--interval", "20ms", "--", "sleep", "1.5"];
    let cards = [("CARD_FAULT", "gone@1.0")];
    let error = refusal(&measure(folder.path(), library, &cards, &args));
    assert!(error.contains("GPU 0 is lost") && error.contains("package 4"), "{error}");
    // 30 W for 1.5 s, from the file itself; what the card drew is missing there and not 0.
    let accounts = joulerace::energy::account_file(
        &folder.path().join("m.csv"),
        &[],
        &joulerace::energy::Wrapping::Never,
    )
    .unwrap();
    let package = accounts.whole.joules[&Domain::Package];
    assert!((package - 45.0).abs() < 2.0, "{package}");
    assert!(accounts.integrity.unknown_energy().is_some());
}

#[test]
fn each_fault_has_its_own_sentence_and_none_is_zero_joules() {
    let Some(library) = cards::library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let args = ["--meter", "nvml", "--interval", "20ms", "--", "sleep", "1.4"];
    let faults = [
        ("old", "no energy counter"),
        ("shut", "no permission"),
        ("asleep", "driver is not loaded"),
        ("still@0", "stands still"),
        ("still@0.6", "frozen"),
        ("back@0.6", "set back"),
        ("gone@0.6", "is lost"),
    ];
    for (fault, word) in faults {
        let error = refusal(&measure(folder.path(), library, &[("CARD_FAULT", fault)], &args));
        assert!(error.contains(word), "{fault}: {error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = refusal(&measure(folder.path(), empty.path(), &[], &args));
    assert!(error.contains("no NVIDIA driver") || error.contains("GPU"), "{error}");
    let three = ["--meter", "nvml", "--gpus", "0,3", "--", "true"];
    let error = refusal(&measure(folder.path(), library, &[], &three));
    assert!(error.contains("no GPU 3"), "{error}");
}

#[test]
fn a_power_that_does_not_fit_the_counter_is_told_and_an_honest_one_is_not() {
    let Some(library) = cards::library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let args = ["--meter", "nvml", "--interval", "50ms", "--", "sleep", "1.5"];
    for (tells, wrong) in [("1.04", false), ("0.6", true), ("1.4", true)] {
        let told = told_of(&measure(folder.path(), library, &[("CARD_TELLS", tells)], &args));
        let notes = told["runs"][0]["notes"].to_string();
        assert_eq!(notes.contains("its power"), wrong, "{tells}: {notes}");
    }
}

#[test]
fn a_command_of_few_updates_is_told_to_be_short() {
    let Some(library) = cards::library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let args = ["--meter", "nvml", "--", "sleep", "0.4"];
    let told = told_of(&measure(folder.path(), library, &[("CARD_STEP_MS", "100")], &args));
    let notes = told["runs"][0]["notes"].to_string();
    assert!(notes.contains("moves only every"), "{notes}");
    // Where the counter did not move at all, nothing was measured, and that is not 0 J.
    let args = ["--meter", "nvml", "--", "sleep", "0.05"];
    let told = told_of(&measure(folder.path(), library, &[("CARD_STEP_MS", "700")], &args));
    assert_eq!(told["energy_j"]["mean"], Value::Null);
    assert_eq!(told["runs"][0]["domains_j"], serde_json::json!({}));
    let notes = told["runs"][0]["notes"].to_string();
    assert!(notes.contains("GPU 0 was not measured"), "{notes}");
}

#[test]
fn energibridge_and_a_card_become_one_file() {
    let Some(library) = cards::library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = energibridge::stand_in(folder.path(), energibridge::Mode::Fine);
    let program = program.to_str().unwrap();
    let args = [
        "--meter",
        "energibridge+nvml",
        "--energibridge",
        program,
        "--interval",
        "50ms",
        "--",
        "sleep",
        "1",
    ];
    let told = told_of(&measure(folder.path(), library, &[], &args));
    assert_eq!(told["meter"], "energibridge+nvml");
    let seconds = told["time_s"]["mean"].as_f64().unwrap();
    let domains = &told["runs"][0]["domains_j"];
    assert_joules(&domains["package"], energibridge::WATTS, seconds, 0.02);
    assert_joules(&domains["gpu0"], 150.0, seconds, 0.02);
    assert!(!folder.path().join("m.csv.cards").exists());
}
