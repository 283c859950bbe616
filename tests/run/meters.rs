//! Meters that fail in the middle of an experiment: the trial is failed by rule and tried again, never
//! silently short, and no estimate takes a sensor's place.

use crate::energibridge::{Mode, stand_in};
use crate::experiment::{Scratch, eventually, start, text};
use crate::powercap::Powercap;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::process::Output;

/// Long enough for a failure in its middle to be noticed, at a processor that works.
const WORKS: &str = "{'seconds': 1.2, 'busy': True}";
const SHORT: &str = "{'seconds': 0.1, 'busy': True}";

/// Runs two trials, breaks the counters in the first and mends them once that is noticed.
fn broken_and_mended(breaks: fn(&Powercap)) -> (Scratch, Output) {
    let scratch = Scratch::new(&[("a", WORKS)]);
    let tree = Powercap::two_sockets();
    let meter = ["--meter", "rapl", "--powercap", tree.root().to_str().unwrap()];
    let host = start(scratch.measured("a", &meter, &["--iterations", "2", "--interval", "50ms"]));
    scratch.await_event("trial-started", 1);
    eventually("samples are written", || {
        let samples = std::fs::read_to_string(scratch.results().join("a/a_0.csv"));
        samples.is_ok_and(|text| text.lines().count() > 10)
    });
    breaks(&tree);
    scratch.await_event("trial-ended", 1);
    tree.mend();
    let output = host.wait_with_output().unwrap();
    scratch.await_no_process();
    (scratch, output)
}

fn assert_failed_and_repeated(scratch: &Scratch, output: &Output, word: &str) {
    assert!(output.status.success(), "{}", text(output));
    let failed = scratch.json("a/failed/a_0-attempt-1.json");
    let reason = failed["reason"].as_str().unwrap();
    assert!(failed["status"] == "failed" && reason.contains(word), "{reason}");
    for trial in ["a_0", "a_1"] {
        let record = scratch.json(&format!("a/{trial}.json"));
        assert_eq!((&record["status"], &record["meter"]), (&"ok".into(), &"rapl".into()));
        // 110 W, and all of it: neither the failed attempt's joules nor a gap.
        let window = &record["window"];
        let watts = window["total_j"].as_f64().unwrap() / window["seconds"].as_f64().unwrap();
        assert!((105.0..115.0).contains(&watts), "{trial}: {watts} W");
    }
    let flags = scratch.json("a/a_0.json")["flags"].clone();
    assert!(flags.as_array().unwrap().contains(&"retried".into()), "{flags}");
    scratch.assert_complete(2);
}

#[test]
fn a_counter_that_freezes_fails_the_trial_which_is_tried_again() {
    let (scratch, output) = broken_and_mended(Powercap::freeze);
    assert_failed_and_repeated(&scratch, &output, "frozen");
}

#[test]
fn a_counter_that_is_set_back_fails_the_trial_which_is_tried_again() {
    let (scratch, output) = broken_and_mended(|tree| tree.reset(0));
    assert_failed_and_repeated(&scratch, &output, "reset");
}

#[test]
fn a_counter_that_cannot_be_read_any_more_fails_the_trial_which_is_tried_again() {
    let (scratch, output) = broken_and_mended(Powercap::blank);
    assert_failed_and_repeated(&scratch, &output, "energy_uj could not be read");
}

/// The permission goes between two trials: what is opened then cannot be had.
#[test]
fn a_sensor_that_goes_stops_the_experiment_and_no_estimate_takes_its_place() {
    for choice in ["rapl", "auto"] {
        let scratch = Scratch::new(&[("a", SHORT)]);
        let tree = Powercap::two_sockets();
        let zone = tree.root().join("intel-rapl:0");
        let meter = ["--meter", choice, "--powercap", tree.root().to_str().unwrap()];
        let named = ["--powercap", tree.root().to_str().unwrap()];
        let more = ["--iterations", "9", "--retries", "0", "--max-failures", "2"];
        let host = start(scratch.measured("a", &meter, &more));
        scratch.await_event("trial-ended", 2);
        std::fs::rename(zone.join("energy_uj"), zone.join("gone")).unwrap();
        let output = host.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{}", text(&output));
        assert!(text(&output).contains("--max-failures"), "{}", text(&output));
        assert!(text(&output).contains(zone.to_str().unwrap()), "{}", text(&output));

        // With the zones gone altogether, as after a reboot without the driver.
        let folder = tree.root().join("intel-rapl:1");
        std::fs::rename(&zone, tree.root().join("away-0")).unwrap();
        std::fs::rename(&folder, tree.root().join("away-1")).unwrap();
        let before = scratch.journal_text();
        let refused = scratch.resume(&named).output().unwrap();
        let (status, word) = if choice == "rapl" { (4, "--powercap") } else { (6, "meter: was") };
        assert_eq!(refused.status.code(), Some(status), "{}", text(&refused));
        assert!(text(&refused).contains(word), "{}", text(&refused));
        assert_eq!(scratch.journal_text(), before, "a refused resume leaves the journal alone");

        std::fs::rename(tree.root().join("away-0"), &zone).unwrap();
        std::fs::rename(tree.root().join("away-1"), &folder).unwrap();
        std::fs::rename(zone.join("gone"), zone.join("energy_uj")).unwrap();
        let output = scratch.resume(&named).output().unwrap();
        assert!(output.status.success(), "what was not measured is run: {}", text(&output));
        for block in 0..9 {
            assert_eq!(scratch.json(&format!("a/a_{block}.json"))["status"], "ok");
        }
        for block in 0..9 {
            assert_eq!(scratch.json(&format!("a/a_{block}.json"))["meter"], "rapl");
        }
    }
}

#[test]
fn a_register_that_the_processor_lacks_fails_no_trial_and_is_told_once() {
    let scratch = Scratch::new(&[("a", "{'seconds': 2.4}")]);
    let program = stand_in(&scratch.at(""), Mode::Client);
    let meter = ["--meter", "energibridge", "--energibridge", program.to_str().unwrap()];
    let output = scratch.measured("a", &meter, &["--iterations", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let record = scratch.json("a/a_0.json");
    assert_eq!((&record["status"], &record["attempt"]), (&"ok".into(), &1.into()));
    let flags = record["flags"].to_string();
    assert!(!flags.contains("stuck") && !flags.contains("nothing"), "{flags}");
    let window = &record["window"];
    let watts = window["total_j"].as_f64().unwrap() / window["seconds"].as_f64().unwrap();
    assert!((49.0..51.0).contains(&watts), "{watts} W");
    assert!(window["joules"].get("dram").is_none(), "{window}");
    assert_eq!(
        record["sampler"]["absent"],
        serde_json::json!(["DRAM_ENERGY (J)", "PP1_ENERGY (J)"])
    );
    let meter = scratch.json("experiment.json")["meter"].to_string();
    assert_eq!(meter.matches("no counter behind DRAM_ENERGY (J)").count(), 1, "{meter}");
}

/// One trial of three seconds under a program that fails after one, beside what came of it.
fn under(mode: Mode) -> (Scratch, String) {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.8}")]);
    let program = stand_in(&scratch.at(""), mode);
    let meter = ["--meter", "energibridge", "--energibridge", program.to_str().unwrap()];
    let more = ["--iterations", "1", "--retries", "1", "--interval", "100ms"];
    let output = scratch.measured("a", &meter, &more).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    scratch.await_no_process();
    let record = scratch.json("a/a_0.json");
    assert_eq!((&record["status"], &record["attempt"]), (&"failed".into(), &2.into()));
    for attempt in [1, 2] {
        let kept = scratch.results().join(format!("a/failed/a_0-attempt-{attempt}.csv"));
        assert!(kept.is_file(), "{} is kept", kept.display());
    }
    (scratch, record["reason"].as_str().unwrap().to_owned())
}

#[test]
fn energibridge_that_panics_midway_fails_the_trial_and_leaves_no_worker() {
    let (_, reason) = under(Mode::PanicsMidway);
    assert!(reason.contains("meter") || reason.contains("EnergiBridge"), "{reason}");
}

#[test]
fn energibridge_that_dies_in_a_row_fails_the_trial_and_leaves_no_worker() {
    let (_, reason) = under(Mode::CutsARow);
    assert!(reason.contains("meter") || reason.contains("EnergiBridge"), "{reason}");
}

#[test]
fn energibridge_whose_counter_freezes_fails_the_trial() {
    let (_, reason) = under(Mode::Frozen);
    assert!(reason.contains("frozen") || reason.contains("stood still"), "{reason}");
}

#[test]
fn energibridge_that_vanishes_fails_the_trial_which_is_tried_again() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.5}")]);
    let program = stand_in(&scratch.at(""), Mode::Fine);
    let meter = ["--meter", "energibridge", "--energibridge", program.to_str().unwrap()];
    let host = start(scratch.measured("a", &meter, &["--iterations", "1"]));
    scratch.await_event("trial-started", 1);
    let mut found = None;
    eventually("it measures the worker", || {
        found = scratch.pids().into_iter().find(|(_, line)| {
            line.contains("a_0.csv") && line.contains("worker") && line.contains("python")
        });
        found.is_some() && scratch.results().join("a/a_0.csv").is_file()
    });
    kill(Pid::from_raw(found.unwrap().0), Signal::SIGKILL).unwrap();
    let output = host.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let failed = scratch.json("a/failed/a_0-attempt-1.json");
    assert_eq!(failed["status"], "failed");
    scratch.assert_complete(1);
    scratch.await_no_process();
}

#[test]
fn a_card_that_is_lost_leaves_the_processors_joules_and_no_zero() {
    let Some(library) = crate::cards::library() else { return };
    let scratch = Scratch::new(&[("a", WORKS)]);
    let tree = Powercap::two_sockets();
    let meter = ["--meter", "rapl+nvml", "--powercap", tree.root().to_str().unwrap()];
    let more = ["--iterations", "1", "--interval", "50ms", "--retries", "0"];
    let output = scratch
        .measured("a", &meter, &more)
        .env("LD_LIBRARY_PATH", library)
        .env("CARD_FAULT", "gone@1.3")
        .output()
        .unwrap();
    let record = scratch.json("a/a_0.json");
    assert_eq!(record["status"], "failed", "{}", text(&output));
    assert_eq!(record["meter"], "rapl+nvml");
    assert!(record["reason"].as_str().unwrap().contains("GPU 0 is lost"), "{record}");
    let window = &record["window"];
    assert_eq!((&window["total_j"], &window["joules"]["gpu0"]), (&Value::Null, &Value::Null));
    assert!(window["joules"]["package"].as_f64().unwrap() > 50.0, "{window}");
    let flags = record["flags"].as_array().unwrap();
    assert!(flags.contains(&"lost-sensor".into()), "{flags:?}");
}

#[test]
fn a_job_for_a_card_is_refused_before_anything_is_written_where_it_would_not_be_measured() {
    let Some(library) = crate::cards::library() else { return };
    let scratch = Scratch::new(&[("a", &format!("DEVICES = ('cpu', 'gpu')\n{SHORT}"))]);
    let refused = |meter: &[&str], card: (&str, &str)| -> (Option<i32>, String) {
        let more = ["--iterations", "1", "--device", "gpu"];
        let mut command = scratch.measured("a", meter, &more);
        let output = command.env("LD_LIBRARY_PATH", library).env(card.0, card.1).output().unwrap();
        assert!(!scratch.results().exists(), "{}", text(&output));
        (output.status.code(), text(&output))
    };
    let (code, told) = refused(&["--meter", "auto"], ("CARDS", ""));
    assert!(
        code == Some(4) && told.contains("--device gpu: NVIDIA's driver shows no card"),
        "{told}"
    );
    let (code, told) = refused(&["--meter", "auto"], ("CARD_FAULT", "asleep"));
    assert!(code == Some(4) && told.contains("driver is not loaded"), "{told}");
    let (code, told) = refused(&["--meter", "auto"], ("CARD_FAULT", "old"));
    assert!(code == Some(4) && told.contains("has no energy counter"), "{told}");
    let (code, told) = refused(&["--meter", "auto", "--gpus", "none"], ("CARDS", "150"));
    assert!(code == Some(2) && told.contains("--gpus none leaves out"), "{told}");
    let (code, told) = refused(&["--meter", "estimate"], ("CARDS", "150"));
    assert!(code == Some(2) && told.contains("--meter estimate leaves out"), "{told}");
}

#[test]
fn a_script_that_stayed_on_the_processor_did_not_do_the_work_that_was_asked_of_a_card() {
    let Some(library) = crate::cards::library() else { return };
    let scratch = Scratch::new(&[("a", &format!("DEVICES = ('cpu', 'gpu')\n{SHORT}"))]);
    let meter = ["--meter", "estimate+nvml", "--gpus", "1"];
    let more = ["--iterations", "1", "--device", "gpu", "--retries", "0"];
    let mut command = scratch.measured("a", &meter, &more);
    let output = command.env("LD_LIBRARY_PATH", library).env("CARDS", "150,40").output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    let record = scratch.json("a/a_0.json");
    assert_eq!(record["status"], "invalid");
    assert!(
        record["reason"].as_str().unwrap().contains("device is cpu instead of gpu"),
        "{record}"
    );
    let experiment = scratch.json("experiment.json");
    assert_eq!(experiment["settings"]["job"]["device"], "gpu");
    assert_eq!(experiment["protocol"]["gpus"], "1", "which cards count is declared beforehand");
    // And how the card that counted was set.
    let cards = &experiment["meter"]["chosen"]["cards"];
    assert_eq!(cards.as_array().unwrap().len(), 1);
    for (field, is) in [
        ("driver", Value::from("99.01")),
        ("power_limit_w", 180.5.into()),
        ("power_limit_default_w", 250.0.into()),
        ("persistence", false.into()),
        ("clock_mhz", 1155.into()),
        ("clock_most_mhz", 1410.into()),
        ("mig", true.into()),
        ("processes", 2.into()),
    ] {
        assert_eq!(cards[0][field], is, "{field}");
    }
}
