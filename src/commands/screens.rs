//! What a run, a comparison, a measurement, a study's status, a verification and a plan look like, at three
//! widths, with UTF-8 and without, from made records and at a time that stands still. Each stands in
//! `tests/snapshots`; after a wanted change, `UPDATE_SNAPSHOTS=1 cargo test --lib screens` writes them anew, for you
//! to read. Help, mistakes and doctor are in `tests/messages.rs` and `tests/doctor.rs`.

use super::{dry_run, status, verify};
use crate::cluster::status::{Line, Status as Study};
use crate::dataset::{Dataset, Name};
use crate::energy::Energy;
use crate::events::{Event, IDLE_POWER, Observer, Planned};
use crate::meter::MeterDescription;
use crate::meter::measure::{Measured, Phases};
use crate::phase::Phase;
use crate::plan::{Plan, Trial};
use crate::process::Exit;
use crate::samples::Domain;
use crate::screen::measured::{self, Run};
use crate::screen::{Terminal, compared, letters, report};
use crate::settings::Settings;
use crate::store::experiment::Verdict;
use crate::store::folder::Folder;
use crate::store::look::Look;
use crate::store::record::TrialRecord;
use crate::store::settling::Settling;
use serde_json::{Value, json};
use std::path::Path;
use std::rc::Rc;

/// The time at which all of it happens.
fn now() -> jiff::ZonedDateTime {
    "2026-03-05T14:05:09[UTC]".parse().unwrap()
}

fn settings(names: [&str; 3]) -> Settings {
    let treatment = |name: &str| json!({ "name": name, "framework": name });
    serde_json::from_value(json!({
        "iterations": 2, "treatments": names.map(treatment), "control": null,
        "job": { "epochs": 3, "batch_size": 64, "learning_rate": 0.001, "seed": 42,
                 "train_samples": null, "test_samples": null, "threads": 4 },
        "order_seed": 1, "warmup": "5m", "warmup_until_stable": false, "cooldown": "1m",
        "cooldown_until_idle": null, "baseline": "10s", "interval": "200ms", "meter": "rapl",
        "cpu_watts": { "idle_w": 10.0, "busy_w": 65.0 }, "energibridge": null, "powercap": "/none",
        "dataset": "mnist", "data_dir": null, "python_env": null, "allow_unlocked": false,
        "workloads": null,
        "failures": { "retries": 1, "trial_timeout": null, "max_failures": 10 },
    }))
    .unwrap()
}

fn meter(kind: &str, estimated: bool) -> MeterDescription {
    let counter = |name: &str, domain: &str| json!({ "domain": domain, "counted": true, "name": name, "path": "", "range_j": null });
    serde_json::from_value(json!({
        "kind": kind, "estimated": estimated, "version": "0.1.0", "notes": [],
        "counters": [counter("package-0", "package"), counter("dram", "dram")],
    }))
    .unwrap()
}

fn energy(seconds: f64, joules: f64) -> Value {
    json!({
        "seconds": seconds, "total_j": joules, "coverage": 1.0,
        "joules": { "package": 0.9 * joules, "dram": 0.1 * joules },
    })
}

/// A trial of so many joules in so many seconds; none where it failed.
fn trial(treatment: &str, block: u32, window: Option<(f64, f64)>, framework: bool) -> TrialRecord {
    serde_json::from_value(json!({
        "schema": 1, "trial": format!("{treatment}_{block}"), "treatment": treatment,
        "framework": treatment, "block": block, "position": 0, "run_order": 0, "predecessor": null,
        "attempt": 1, "status": if window.is_some() { "ok" } else { "failed" },
        "reason": window.is_none().then_some("it ended with exit status 1"),
        "flags": if block == 1 { json!(["interference"]) } else { json!([]) },
        "started": "2026-03-01T12:00:00Z", "wall_seconds": 3.0, "cpu_seconds": 2.0,
        "meter": "rapl", "estimated": false,
        "window": window.map(|(seconds, joules)| energy(seconds, joules)),
        "whole": null, "integrity": null, "sampler": null,
        "accuracy": framework.then_some(0.9873), "loss": framework.then_some(0.04),
        "result": null, "exit": { "code": 0 }, "idle_w": null,
    }))
    .unwrap()
}

fn records(names: [&str; 3], framework: bool) -> Vec<TrialRecord> {
    let joules = [[3120.0, 3180.0], [2210.0, 2254.0], [2890.0, 2951.0]];
    let mut all = Vec::new();
    for block in 0..2 {
        for (name, own) in names.iter().zip(joules) {
            let joules = own[block as usize];
            all.push(trial(name, block, Some((joules / 31.0, joules)), framework));
        }
    }
    all
}

fn settling() -> Settling {
    let baseline = |when: &str, watts: f64| {
        json!({ "when": when, "watts": watts, "sd_w": 0.1, "seconds": 10.0, "samples": 50,
                "celsius": null, "estimated": false, "stopped": false })
    };
    serde_json::from_value(json!({
        "warmups": [], "baselines": [baseline("before", 9.31), baseline("after", 9.44)],
        "overhead": { "seconds": 600.0, "cpu_seconds": 0.42, "cpu_share": 0.00021, "watts": null,
                      "watts_se": null },
    }))
    .unwrap()
}

/// The start line, the lines of a log or the line that moves, a look and the end of a stopped run.
fn running(moves: bool) -> String {
    let lines = Rc::default();
    let terminal = Terminal::kept(moves, Rc::clone(&lines), now);
    let (meter, folder) = (meter("rapl", false), Path::new("/home/me/results/2026-03-05_14-05-09"));
    let dataset = Dataset {
        name: Name::Mnist,
        dir: "/home/me/mnist".into(),
        files: Vec::new(),
        train_images: 60_000,
        test_images: 10_000,
        warning: None,
    };
    let plan = Plan::of(&settings(["keras", "torch", "jax"]));
    let trial = |n: usize| -> &Trial { &plan.trials[n] };
    terminal.on(&Event::Preparing("checking the environment"));
    terminal.on(&Event::Planned(Planned {
        remaining: 6,
        trials: 6,
        folder,
        meter: &meter,
        dataset: Some(&dataset),
        expected_s: 14.0 * 3600.0,
        may_stop: true,
        closing_s: 60.0,
    }));
    terminal.on(&Event::Warning("two processors are busy with something else"));
    let pause =
        |what, elapsed_s, total_s| Event::Pause { what, elapsed_s, total_s, watts: Some(9.31) };
    terminal.on(&pause("warm-up", 0.0, 300.0));
    terminal.on(&pause(IDLE_POWER, 4.0, 10.0));
    terminal.on(&Event::TrialStarted { trial: trial(0), attempt: 1 });
    terminal.on(&Event::Phase(Phase::Train));
    terminal.on(&Event::Epoch { epoch: 2, epochs: 3, loss: 0.0717 });
    terminal.on(&Event::Watts(31.24));
    let own = |n: usize, window| self::trial(&trial(n).treatment, trial(n).block, window, true);
    terminal.on(&Event::TrialEnded { record: &own(0, Some((101.2, 3120.0))), retry: false });
    terminal.took(6000.0); // told in minutes: what the test itself takes does not show
    terminal.on(&pause("cool-down", 12.0, 60.0));
    terminal.on(&Event::TrialStarted { trial: trial(1), attempt: 2 });
    terminal.on(&Event::TrialEnded { record: &own(1, None), retry: true });
    terminal.on(&Event::TrialEnded { record: &own(4, Some((71.0, 2210.0))), retry: false });
    let look: Look = serde_json::from_value(json!({
        "blocks": 3, "stop": false, "forecast": 7, "comparisons": [
            { "a": "torch", "b": "jax", "blocks": 3, "pct": 4.0, "low_pct": -1.0, "high_pct": 9.3,
              "p": 0.2, "p_holm": 0.4, "resolved": false, "precise": false },
            { "a": "torch", "b": "keras", "blocks": 3, "pct": 41.0, "low_pct": 36.0, "high_pct": 46.0,
              "p": 0.001, "p_holm": 0.002, "resolved": true, "precise": false },
        ],
    }))
    .unwrap();
    terminal.on(&Event::Looked { look: &look, most: 30, treatments: 3 });
    terminal.on(&Event::Stopping { now: false });
    terminal.on(&Event::Stopping { now: true });
    lines.borrow().join("\n") + "\n"
}

fn measuring() -> (Run, MeterDescription) {
    let meter = meter("rapl", false);
    let of =
        |seconds, joules| -> Energy { serde_json::from_value(energy(seconds, joules)).unwrap() };
    let each = [("load", of(0.5, 1.0)), ("sort", of(1.0, 8.0))];
    let measured = Measured {
        exit: Exit::Code(0),
        csv: "out/sort/sort_0.csv".into(),
        meter: meter.clone(),
        rejected: Vec::new(),
        report: serde_json::from_value(json!({
            "meter": "rapl", "estimated": false, "samples": 10, "missed": 2, "wraps": 0, "resets": 0,
            "read_errors": 0, "clock_step_s": 0.0, "slowest_mark_ms": 0.1, "slowest_read_ms": 0.1,
            "seconds": 2.0, "joules": { "package": 9.0, "dram": 1.0 }, "total_j": 10.0,
            "cpu_seconds": 0.001,
        }))
        .unwrap(),
        asked_to_stop: false,
        heard: Default::default(),
        phases: Some(Phases {
            each: each.map(|(name, energy)| (name.parse().unwrap(), energy)).into(),
            window: Some(of(1.5, 9.0)),
        }),
    };
    assert_eq!(Run::of(&measured).csv, Path::new("out/sort/sort_0.csv"));
    assert_eq!(
        measured.counted().keys().copied().collect::<Vec<_>>(),
        [Domain::Package, Domain::Dram]
    );
    (Run::of(&measured), meter)
}

fn study() -> Study {
    let line = |number, machine: Option<&str>, done, state: &str, idle| Line {
        number,
        blocks: [6 * number - 6, 6 * number - 1],
        machine: machine.map(str::to_owned),
        trials: 18,
        done,
        state: state.to_owned(),
        idle,
    };
    Study {
        lines: vec![
            line(1, Some("node-17.cluster"), 18, "done", false),
            line(2, Some("node-18.cluster"), 7, "stopped: the meter was lost", true),
            line(3, None, 0, "waits: Priority", false),
        ],
        study: None,
        unasked: None,
        merging: None,
    }
}

fn verified() -> verify::Comparison {
    let row = |name: &str| {
        json!({
            "framework": name, "parameters": 1_199_882, "batches": 938, "images": 60_000,
            "dtype": "float32", "start_difference": 0.0, "logit_difference": 1.2e-7,
            "accuracy": 0.9731, "accuracy_difference": 0.0004,
        })
    };
    let told = json!({
        "rows": (["keras", "torch", "jax"].map(row)), "steps": 50, "reference": "keras",
        "identical": true, "tolerances": { "logit_difference": 1e-6, "accuracy_difference": 0.01 },
        "expected": {}, "reasons": [],
    });
    serde_json::from_value(told).unwrap()
}

/// All of them for a terminal of so many columns, each below what brings it up.
fn screens(columns: u16) -> String {
    let frameworks = ["keras", "torch", "jax"];
    let commands = ["python sort_a.py", "python sort_b.py --fast", "./sort"];
    let settings = settings(frameworks);
    let alike = Verdict { identical: true, reasons: Vec::new() };
    let apart =
        Verdict { identical: false, reasons: vec!["jax_1: its loss is not a number".into()] };
    let names = frameworks.map(str::to_owned);
    let mut failed = records(frameworks, true);
    failed[5] = trial("jax", 1, None, true);
    let end = |records: &[TrialRecord], work, data| {
        report::result(records, &names, Some(work), &settling(), data, columns)
    };
    let (run, meter) = measuring();
    let runs = [run.clone(), run.clone()];
    let command = ["./sort".into(), "big file".into()];
    let series = measured::Result { name: Some("sort"), command: &command, runs: &runs };
    let mut of_commands = self::settings(commands);
    of_commands.commands = serde_json::from_value(json!({
        "shell": "none", "same_output": true, "repetitions": 20, "folder": "/home/me",
    }))
    .ok();
    let races = compared::result(
        &records(commands, false),
        &of_commands,
        Some(&alike),
        &Settling::default(),
        columns,
    );
    let study = study();
    let root = Path::new("/home/me/study");
    [
        ("the lines of a log", running(false)),
        ("the line that moves (~), and those above it", running(true)),
        ("the end of a run", end(&records(frameworks, true), &alike, None)),
        (
            "the end of one that went wrong",
            end(&failed, &apart, Some("Trained on files of your own.")),
        ),
        ("joulerace compare", races),
        ("joulerace measure", run.result(&meter, Some(&run.csv))),
        ("joulerace measure --runs 2", series.table(&meter)),
        ("joulerace status", status::table(&study, columns) + &status::ahead(&study, root)),
        ("joulerace verify", verify::table(&verified(), columns)),
        (
            "joulerace --dry-run",
            dry_run::told(
                &settings,
                &Plan::of(&settings),
                &Folder::at("/home/me/results"),
                columns.into(),
            ),
        ),
    ]
    .map(|(name, text)| format!("--- {name}\n{text}\n"))
    .concat()
}

#[test]
fn screens_are_these_at_three_widths_with_utf8_and_without() {
    for columns in [60, 80, 120] {
        let text = screens(columns);
        assert!(!text.contains('\x1b'), "colours are for help, doctor and warnings");
        // Commands and samples' places stay in one line, so that they can be copied.
        let text_only = |line: &&str| !line.contains("joulerace analyze") && !line.contains(".csv");
        for (name, text) in [("plain", text.clone()), ("ascii", letters::ascii(&text))] {
            assert_eq!(name == "ascii", text.is_ascii(), "{text}");
            let path = format!("tests/snapshots/results-{columns}-{name}.txt");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let wanted = std::fs::read_to_string(&path).unwrap_or_default();
            let differs = wanted.lines().zip(text.lines()).find(|(wanted, found)| wanted != found);
            assert!(
                wanted == text,
                "{} differs: {differs:?}; UPDATE_SNAPSHOTS=1 cargo test --lib screens writes it anew",
                path.display()
            );
        }
        let tables = text.split("--- the end of a run").nth(1).unwrap();
        let wide = tables
            .lines()
            .filter(text_only)
            .find(|line| line.chars().count() > usize::from(columns));
        assert!(wide.is_none(), "{columns}: {wide:?}");
    }
}
