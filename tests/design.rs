//! The design of an experiment, carried out: balanced orders, seeds of blocks, and stopping when it is
//! precise enough.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;
#[path = "common/powercap.rs"]
mod powercap;

use experiment::{Scratch, send, start, text};
use nix::sys::signal::Signal;
use powercap::Powercap;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Half as much again, at a known power, where trials scatter by a percent or so.
const APART: [(&str, &str); 2] = [("a", "{'seconds': 0.15}"), ("b", "{'seconds': 0.225}")];
const ALIKE: [(&str, &str); 2] = [("a", "{'seconds': 0.03}"), ("b", "{'seconds': 0.03}")];

fn measured(scratch: &Scratch, tree: &Powercap, frameworks: &str, more: &[&str]) -> Command {
    let meter = ["--meter", "rapl", "--powercap", tree.root().to_str().unwrap()];
    scratch.measured(frameworks, &meter, more)
}

/// Going on with it; the counters lie in another folder, which has to be named again.
fn resume(scratch: &Scratch, tree: &Powercap) -> Command {
    scratch.resume(&["--powercap", tree.root().to_str().unwrap()])
}

fn of<'j>(journal: &'j [Value], event: &str) -> Vec<&'j Value> {
    journal.iter().filter(|entry| entry["event"] == event).collect()
}

/// Takes everything from the last line with `word` on off the journal, as if the host had been killed
/// before it.
fn cut_before(scratch: &Scratch, word: &str) {
    let text = scratch.journal_text();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.contains(word)).unwrap();
    let kept: String = lines[..last].iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(scratch.results().join("journal.jsonl"), kept).unwrap();
}

#[test]
fn a_clear_difference_ends_the_experiment_at_the_block_that_shows_it() {
    let (scratch, tree) = (Scratch::new(&APART), Powercap::two_sockets());
    let flags = ["--iterations", "25", "--until-precise", "4"];
    let output = measured(&scratch, &tree, "a,b", &flags).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");

    let journal = scratch.journal();
    let looks = of(&journal, "looked");
    let last = looks.last().unwrap();
    let blocks = last["blocks"].as_u64().unwrap() as usize;
    assert!((3..25).contains(&blocks), "{last:#}");
    assert_eq!(last["stop"], true);
    let numbers: Vec<u64> = looks.iter().map(|look| look["blocks"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (3..=blocks as u64).collect::<Vec<_>>(), "each block from the third on");
    assert!(looks[..looks.len() - 1].iter().all(|look| look["stop"] == false));
    let compared = &last["comparisons"][0];
    assert_eq!((&compared["a"], &compared["b"]), (&"a".into(), &"b".into()));
    let (low, high) =
        (compared["low_pct"].as_f64().unwrap(), compared["high_pct"].as_f64().unwrap());
    assert!(low < 50.0 && 45.0 < high, "half as much again: {compared:#}");

    scratch.assert_complete(2 * blocks);
    assert_eq!(journal.last().unwrap()["event"], "finished");
    let experiment = scratch.json("experiment.json");
    assert_eq!(experiment["looks"].as_array().unwrap().len(), looks.len());
    assert_eq!(experiment["protocol"]["sequential"]["most"], 25);
    assert!(said.contains("at most 50 trials"), "{said}");
    assert!(said.contains("all 1 decided, so it stops here (at most 25)"), "{said}");

    // There is nothing left to do, now or ever.
    let again = resume(&scratch, &tree).output().unwrap();
    assert!(again.status.success(), "{}", text(&again));
    assert_eq!(of(&scratch.journal(), "trial-started").len(), 2 * blocks);

    // A host that dies between the trial and the look has it made up for, before anything is run.
    cut_before(&scratch, "\"looked\"");
    let resumed = resume(&scratch, &tree).output().unwrap();
    assert!(resumed.status.success(), "{}", text(&resumed));
    let journal = scratch.journal();
    assert_eq!(of(&journal, "trial-started").len(), 2 * blocks);
    assert_eq!(of(&journal, "looked").last().unwrap()["comparisons"], last["comparisons"]);
    assert_eq!(scratch.json("experiment.json")["looks"], experiment["looks"]);
}

/// Two that are alike are told apart by chance in one experiment of twenty, which then ends early. So
/// there are several tries; that all end early is one chance in hundreds of thousands.
#[test]
fn what_cannot_be_told_apart_runs_to_the_most_and_a_resume_keeps_the_looks() {
    assert!((0..4).any(|_| runs_to_the_most()), "four of four experiments ended early");
}

/// False where chance ended the experiment before the most blocks.
fn runs_to_the_most() -> bool {
    let (scratch, tree) = (Scratch::new(&ALIKE), Powercap::two_sockets());
    let flags = ["--iterations", "8", "--until-precise", "0.001"];
    let mut host = start(measured(&scratch, &tree, "a,b", &flags));
    let looked = || scratch.journal_text().matches("\"looked\"").count() >= 2;
    experiment::eventually("two looks, or an end", || {
        looked() || host.try_wait().unwrap().is_some()
    });
    if !looked() {
        return false;
    }
    send(&host, Signal::SIGINT);
    let stopped = host.wait_with_output().unwrap();
    let before = scratch.journal();
    let ended_early = |journal: &[Value]| of(journal, "looked").iter().any(|l| l["stop"] == true);
    if ended_early(&before) {
        return false;
    }
    assert_eq!(stopped.status.code(), Some(8), "{}", text(&stopped));
    let output = resume(&scratch, &tree).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let journal = scratch.journal();
    let looks = of(&journal, "looked");
    let kept = of(&before, "looked");
    assert_eq!(looks[..kept.len()], kept[..], "earlier looks stay as they were");
    assert!(looks.iter().all(|look| look["comparisons"][0]["precise"] == false));
    let numbers: Vec<u64> = looks.iter().map(|look| look["blocks"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 4, 5, 6, 7, 8][..numbers.len()]);
    let written = scratch.json("experiment.json")["looks"].clone();
    assert_eq!(written.as_array().unwrap().len(), numbers.len());
    scratch.assert_complete(2 * *numbers.last().unwrap() as usize);
    numbers.len() == 6
}

#[test]
fn a_balanced_order_and_seeds_of_blocks_are_planned_run_and_recorded() {
    let scripts =
        [("a", "{'seconds': 0.02}"), ("b", "{'seconds': 0.02}"), ("c", "{'seconds': 0.02}")];
    let scratch = Scratch::new(&scripts);
    let flags =
        ["--iterations", "6", "--order", "balanced", "--seed-per-block", "--compare-to", "b"];
    let output = scratch.experiment("a,b,c", &flags).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(18);
    let experiment = scratch.json("experiment.json");
    assert_eq!(experiment["settings"]["order"], "balanced");
    assert!(experiment["protocol"]["design"].as_str().unwrap().contains("Williams squares of 6"));
    assert_eq!(experiment["protocol"]["comparisons"], serde_json::json!([["b", "a"], ["b", "c"]]));
    assert_eq!(experiment["work"]["identical"], true);

    let mut places: BTreeMap<(String, u64), u32> = BTreeMap::new();
    let mut seeds: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for trial in experiment["plan"]["trials"].as_array().unwrap() {
        let name = trial["name"].as_str().unwrap();
        let treatment = trial["treatment"].as_str().unwrap();
        let record = scratch.json(&format!("{treatment}/{name}.json"));
        for key in ["position", "run_order", "seed"] {
            assert_eq!(record[key], trial[key], "{name}'s {key}");
        }
        assert_eq!(record["result"]["seed"], trial["seed"], "the script trained from it");
        let position = trial["position"].as_u64().unwrap();
        *places.entry((treatment.to_owned(), position)).or_default() += 1;
        let block = trial["block"].as_u64().unwrap();
        seeds.entry(block).or_default().insert(trial["seed"].as_u64().unwrap());
    }
    assert!(places.len() == 9 && places.values().all(|times| *times == 2), "{places:?}");
    assert!(seeds.values().all(|own| own.len() == 1), "one seed a block: {seeds:?}");
    assert_eq!(seeds.values().flatten().collect::<BTreeSet<_>>().len(), 6, "all different");
}

#[test]
fn what_cannot_be_asked_for_is_refused_by_its_flag() {
    let scratch = Scratch::new(&ALIKE);
    for (flags, named) in [
        (&["--until-precise", "0"][..], "--until-precise: 0"),
        (&["--until-precise", "5", "--iterations", "2"], "--iterations: 2"),
        (&["--margin", "120"], "--margin: 120"),
        (&["--compare-to", "c"], "--compare-to: 'c' is not among the treatments"),
        (&["--order", "fixed"], "--order"),
    ] {
        let output = scratch.experiment("a,b", flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", text(&output));
        assert!(text(&output).contains(named), "{flags:?}: {}", text(&output));
    }
    let alone = scratch.experiment("a", &["--until-precise", "5"]).output().unwrap();
    assert!(text(&alone).contains("--until-precise: one treatment alone"), "{}", text(&alone));
}

/// The report of an early stop has the intervals of the look that ended it, and several experiments make
/// one answer.
#[test]
fn days_are_analysed_by_themselves_and_together_and_looks_and_report_agree() {
    let (scratch, tree) = (Scratch::new(&APART), Powercap::two_sockets());
    let days = ["monday", "tuesday", "friday"].map(|day| scratch.at(day));
    for day in &days {
        let flags = ["--iterations", "12", "--until-precise", "5"];
        let output = measured(&scratch, &tree, "a,b", &flags).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        std::fs::rename(scratch.results(), day).unwrap();
    }
    let output = scratch.program().arg("analyze").args(&days).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Over 3 experiments, b used"), "{said}");

    let read = |path: std::path::PathBuf| -> Value {
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
    };
    let mut ratios = Vec::new();
    for day in &days {
        let looks = read(day.join("experiment.json"))["looks"].clone();
        let look = looks.as_array().unwrap().last().unwrap()["comparisons"][0].clone();
        let own = read(day.join("analysis/summary.json"))["all_comparisons"][0].clone();
        for (of_look, of_report) in
            [("pct", "pct_change"), ("low_pct", "ci_low"), ("high_pct", "ci_high"), ("p", "p")]
        {
            let (a, b) = (look[of_look].as_f64().unwrap(), own[of_report].as_f64().unwrap());
            assert!((a - b).abs() < 1e-6 * a.abs().max(1e-3), "{of_look}: {a} and {b}\n{own:#}");
        }
        let html = std::fs::read_to_string(day.join("analysis/report.html")).unwrap();
        assert!(html.contains("of at most 12 blocks"), "the report says that it stopped early");
        ratios.push(own["log_ratio"].as_f64().unwrap());
    }
    let across = read(scratch.at("across/across.json"));
    let pooled = across["comparisons"][0]["pooled"]["mean"].as_f64().unwrap();
    assert!((pooled - ratios.iter().sum::<f64>() / 3.0).abs() < 1e-9, "{across:#}");
    assert_eq!(across["comparisons"][0]["pooled"]["k"], 3);
    assert!(scratch.at("across/report.html").is_file());

    let twice = scratch.program().arg("analyze").args([&days[0], &days[0]]).output().unwrap();
    assert!(text(&twice).contains("named twice"), "{}", text(&twice));
}
