//! What `doctor` says of machines of several kinds, each a tree of the files that their kernels show.
#![cfg(target_os = "linux")]

#[path = "common/energibridge.rs"]
mod energibridge;
#[path = "common/machine.rs"]
mod machine;
#[path = "common/powercap.rs"]
mod powercap;
#[path = "common/snapshot.rs"]
mod snapshot;

use joulerace::dataset::{self, DatasetSettings};
use joulerace::doctor::{Effort, Finding, Level, Report, Subject, examine, show};
use joulerace::meter::{Choice, Kind, MeterSettings};
use joulerace::settings::Settings;
use machine::Tree;
use powercap::{Powercap, Zone};
use serde_json::json;
use snapshot::snapshot;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn settings(choice: Choice) -> Settings {
    let treatment = |name: &str| json!({ "name": name, "framework": name });
    serde_json::from_value(json!({
        "iterations": 30, "treatments": (["keras", "torch", "jax"].map(treatment)), "control": null,
        "job": { "epochs": 3, "batch_size": 64, "learning_rate": 0.001, "seed": 42,
                 "train_samples": null, "test_samples": null, "threads": 4 },
        "order_seed": 1, "warmup": "5m", "warmup_until_stable": false, "cooldown": "1m",
        "cooldown_until_idle": null, "baseline": "10s", "interval": "200ms", "meter": choice,
        "cpu_watts": { "idle_w": 10.0, "busy_w": 65.0 }, "energibridge": null, "powercap": "/none",
        "dataset": "digits", "data_dir": null, "python_env": null, "allow_unlocked": false,
        "workloads": null,
        "failures": { "retries": 1, "trial_timeout": null, "max_failures": 10 },
    }))
    .unwrap()
}

/// Examines an experiment on that machine; its energy counters are below `powercap`.
fn doctor(tree: &Tree, powercap: &Path, choice: Choice) -> Report {
    doctor_with(tree, powercap, choice, None)
}

fn doctor_with(
    tree: &Tree,
    powercap: &Path,
    choice: Choice,
    energibridge: Option<PathBuf>,
) -> Report {
    let scratch = tempfile::tempdir().unwrap();
    let settings = settings(choice);
    let subject = Subject {
        meters: MeterSettings {
            choice,
            energibridge,
            search_path: None,
            powercap: powercap.to_owned(),
            proc_root: tree.roots().proc,
            cpu_root: tree.roots().sys.join("devices/system/cpu"),
            ..MeterSettings::default()
        },
        settings,
        roots: tree.roots(),
        environments: Vec::new(),
        images: true,
        dataset: DatasetSettings::new(
            dataset::Choice::Digits,
            None,
            scratch.path().join("no-cache-yet"),
        ),
        results: scratch.path().join("results"),
        lock_file: Some(scratch.path().join("lock")),
        spread: 0.05,
        effort: Effort { rest: Duration::from_millis(150), load: Duration::from_millis(150) },
        ask: &|_| Some("yes".to_owned()),
    };
    let before = std::fs::read_dir(scratch.path()).unwrap().count();
    let report = examine(&subject, &mut |_, _| ());
    let after = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(before, after, "it looks and changes nothing");
    report
}

fn levels(report: &Report, ids: &[&str]) -> Vec<Level> {
    ids.iter().map(|id| report.get(id).unwrap_or_else(|| panic!("{id}")).level).collect()
}

/// Every warning and failure says what to do.
fn assert_remedies(report: &Report) {
    for finding in report.findings.iter().filter(|f| f.level >= Level::Warning) {
        assert!(finding.remedy.as_deref().is_some_and(|r| !r.is_empty()), "{finding:?}");
    }
}

fn nothing() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn one_socket() -> Powercap {
    let zone = |path, name, watts| Zone { path, name, watts, start_uj: 1_000_000 };
    Powercap::new(&[
        zone("intel-rapl:0", "package-0", 50.0),
        zone("intel-rapl:0/intel-rapl:0:0", "core", 25.0),
        zone("intel-rapl:0/intel-rapl:0:1", "dram", 5.0),
    ])
}

const MACHINE: [&str; 9] = [
    "virtual_machine",
    "container",
    "power_supply",
    "governor",
    "turbo",
    "smt",
    "frequency",
    "temperature",
    "clock",
];

#[test]
fn a_desktop_that_is_set_up_for_measuring_is_fit() {
    use Level::{Note, Ok};
    let (tree, powercap) = (Tree::intel_one_socket(), one_socket());
    let report = doctor(&tree, powercap.root(), Choice::Auto);
    assert_eq!(levels(&report, &MACHINE), [Ok, Ok, Ok, Ok, Ok, Note, Ok, Ok, Ok]);
    let rest = ["meter", "dataset", "disk.results", "processes", "daemons", "lock", "plan.effect"];
    assert_eq!(levels(&report, &rest), [Ok, Note, Ok, Ok, Ok, Ok, Ok]);
    // The tree draws 55 W whatever the processors do, and that is noticed.
    let rapl = report.get("meter.rapl").unwrap();
    assert_eq!(rapl.level, Level::Warning, "{}", rapl.found);
    assert!(rapl.found.contains("does not follow the load"), "{}", rapl.found);
    assert!(rapl.found.contains("15.26 µJ"), "{}", rapl.found);
    for phase in ["rest_w", "load_w"] {
        let watts = rapl.details[phase].as_f64().unwrap();
        // Loosely: with all processors loaded, the tree's own clock may be late.
        assert!((watts - 55.0).abs() < 25.0, "{watts} W");
    }
}

#[test]
fn a_server_is_told_of_its_second_socket() {
    use Level::{Ok, Warning};
    let tree = Tree::intel_two_sockets();
    let both = Powercap::two_sockets();
    let report = doctor(&tree, both.root(), Choice::only(Kind::Rapl));
    assert_eq!(levels(&report, &["meter", "governor", "turbo", "smt"]), [Ok, Warning, Warning, Ok]);
    assert_eq!(report.get("cpu").unwrap().details["sockets"], 2);
    let rapl = report.get("meter.rapl").unwrap();
    assert!(rapl.found.contains("2 × package"), "{}", rapl.found);
    assert!(!rapl.found.contains("sockets"), "{}", rapl.found);
    let one = one_socket();
    let report = doctor(&tree, one.root(), Choice::only(Kind::Rapl));
    let rapl = report.get("meter.rapl").unwrap();
    assert!(rapl.found.contains("it reads 1 of 2 sockets"), "{}", rapl.found);
    assert_remedies(&report);
}

#[test]
fn energibridge_is_tried_out_and_its_single_socket_told() {
    use Level::{Failure, Note, Ok};
    let (tree, none, folder) = (Tree::intel_two_sockets(), nothing(), nothing());
    let program = energibridge::stand_in(folder.path(), energibridge::Mode::Fine);
    let report = doctor_with(&tree, none.path(), Choice::Auto, Some(program));
    assert_eq!(levels(&report, &["meter", "meter.rapl", "meter.estimate"]), [Ok, Note, Note]);
    let found = report.get("meter.energibridge").unwrap();
    assert_eq!((found.level, &found.details["version"]), (Level::Warning, &json!("0.0.7")));
    assert!(found.found.contains("it reads 1 of 2 sockets"), "{}", found.found);
    let watts = found.details["rest_w"].as_f64().unwrap();
    assert!((watts - energibridge::WATTS).abs() < 25.0, "{watts} W");
    let broken = energibridge::stand_in(folder.path(), energibridge::Mode::PanicsAtStart);
    let choice = Choice::only(Kind::Energibridge);
    let report = doctor_with(&tree, none.path(), choice, Some(broken));
    assert_eq!(levels(&report, &["meter", "meter.energibridge"]), [Failure, Failure]);
    let found = report.get("meter.energibridge").unwrap();
    assert!(found.found.contains("src/cpu/amd.rs:20:76"), "{}", found.found);
    assert!(found.remedy.as_deref().unwrap().contains("sudo modprobe msr"));
    assert_remedies(&report);
}

#[test]
fn amds_boost_has_a_switch_of_its_own() {
    use Level::{Ok, Warning};
    let (tree, powercap) = (Tree::amd(), one_socket());
    let report = doctor(&tree, powercap.root(), Choice::Auto);
    let found = levels(&report, &["governor", "turbo", "frequency", "temperature"]);
    assert_eq!(found, [Warning, Warning, Ok, Ok]);
    let remedy = report.get("turbo").unwrap().remedy.as_deref().unwrap();
    assert!(remedy.contains("cpufreq/boost"), "{remedy}");
    assert_remedies(&report);
}

#[test]
fn a_laptop_on_its_battery_gets_a_warning_for_each_thing_that_holds_it_back() {
    let (tree, powercap) = (Tree::laptop(), one_socket());
    let report = doctor(&tree, powercap.root(), Choice::Auto);
    let ids = ["power_supply", "governor", "turbo", "frequency", "temperature", "daemons"];
    assert_eq!(levels(&report, &ids), [Level::Warning; 6]);
    assert!(report.get("power_supply").unwrap().found.contains("63%"));
    assert_remedies(&report);
}

#[test]
fn a_guest_can_only_estimate_and_what_it_cannot_see_is_unknown() {
    use Level::{Failure, Note, Ok, Unknown, Warning};
    let (tree, none) = (Tree::virtual_machine(), nothing());
    let report = doctor(&tree, none.path(), Choice::Auto);
    assert_eq!(
        levels(&report, &MACHINE),
        [Warning, Ok, Unknown, Unknown, Unknown, Ok, Unknown, Unknown, Ok]
    );
    assert_eq!(levels(&report, &["meter", "meter.rapl"]), [Warning, Note]);
    assert_eq!(report.worst, Warning);
    assert_remedies(&report);
    let report = doctor(&tree, none.path(), Choice::only(Kind::Rapl));
    assert_eq!(levels(&report, &["meter", "meter.rapl"]), [Failure, Failure]);
    assert_eq!(report.worst, Failure);
    assert_remedies(&report);
}

#[test]
fn a_container_is_told_that_others_go_into_its_numbers() {
    use Level::{Ok, Unknown, Warning};
    let (tree, none) = (Tree::container(), nothing());
    let report = doctor(&tree, none.path(), Choice::Auto);
    let found = levels(&report, &["container", "virtual_machine", "governor", "daemons"]);
    assert_eq!(found, [Warning, Ok, Ok, Unknown]);
    assert!(report.get("container").unwrap().remedy.as_deref().unwrap().contains("run outside"));
}

#[test]
fn counters_that_may_not_be_read_are_named_with_the_command_that_opens_them() {
    use std::os::unix::fs::PermissionsExt;
    let (tree, powercap) = (Tree::intel_one_socket(), one_socket());
    let close = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
    };
    for zone in ["intel-rapl:0", "intel-rapl:0/intel-rapl:0:0", "intel-rapl:0/intel-rapl:0:1"] {
        close(&powercap.root().join(zone).join("energy_uj"));
    }
    close(&tree.path().join("sys/devices/system/cpu/cpufreq/policy0/scaling_governor"));
    close(&tree.path().join("sys/class/hwmon/hwmon1/temp1_input"));
    for folder in [powercap.root(), tree.path()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Root reads everything; the file system can be told per thread to take it for somebody else. The
    // folder for scratch files is then made by that one, too.
    let report = std::thread::scope(|scope| {
        let examined = scope.spawn(|| {
            let report = |choice| {
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
                let report = doctor(&tree, powercap.root(), choice);
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(0));
                report
            };
            (report(Choice::Auto), report(Choice::only(Kind::Rapl)))
        });
        examined.join().unwrap()
    });
    let (auto, only) = report;
    use Level::{Failure, Note, Unknown, Warning};
    let ids = ["meter", "meter.rapl", "governor", "temperature"];
    assert_eq!(levels(&auto, &ids), [Warning, Note, Unknown, Unknown]);
    assert_eq!(levels(&only, &ids), [Failure, Failure, Unknown, Unknown]);
    for report in [auto, only] {
        let remedy = report.get("meter.rapl").unwrap().remedy.as_deref().unwrap();
        let command =
            format!("\n  sudo chmod a+r {}/intel-rapl*/energy_uj", powercap.root().display());
        assert!(remedy.contains(&command), "{remedy}");
    }
}

#[test]
fn a_register_that_the_processor_lacks_is_no_counter_and_no_worry() {
    let (tree, folder) = (Tree::intel_one_socket(), nothing());
    let program = energibridge::stand_in(folder.path(), energibridge::Mode::Client);
    let choice = Choice::only(Kind::Energibridge);
    let report = doctor_with(&tree, nothing().path(), choice, Some(program));
    assert_eq!(report.get("meter").unwrap().level, Level::Ok);
    let found = &report.get("meter.energibridge").unwrap().found;
    assert!(found.contains("no counter behind DRAM_ENERGY (J), PP1_ENERGY (J)"), "{found}");
    assert!(found.contains("no DRAM counter"), "{found}");
    assert!(!found.contains("dram,") && !found.contains("uncore"), "{found}");
    // The tree's processor is Intel's and shows no register to look into.
    assert_eq!(report.get("energy_filtering").unwrap().level, Level::Unknown);
}

/// With 9 for every number, which are measured or this machine's, and names for this run's folders.
fn steady(finding: &Finding, folders: &[(&Path, &str)]) -> Finding {
    let steady = |text: &str| {
        let named = folders.iter().fold(text.to_owned(), |text, (folder, name)| {
            text.replace(&folder.display().to_string(), name)
        });
        let mut told = String::new();
        for letter in named.chars() {
            let number = letter.is_ascii_digit() || letter == '.' && told.ends_with('9');
            match number {
                true if told.ends_with('9') => {}
                true => told.push('9'),
                false => told.push(letter),
            }
        }
        told
    };
    let remedy = finding.remedy.as_deref().map(steady);
    Finding { found: steady(&finding.found), remedy, ..finding.clone() }
}

/// All that doctor shows of a report, for so many columns.
fn screen(report: &Report, columns: usize) -> String {
    let groups = report.findings.chunk_by(|a, b| a.group == b.group);
    let groups = groups.map(|own| show::group(own[0].group, own, columns)).collect::<String>();
    groups + &show::fix_first(report, columns) + &show::counts_line(report, columns)
}

#[test]
fn the_screens_of_a_laptop_and_of_a_guest_are_these_with_colours_and_without() {
    let (laptop, guest, powercap, none) =
        (Tree::laptop(), Tree::virtual_machine(), one_socket(), nothing());
    let found = [
        ("a laptop on its battery", doctor(&laptop, powercap.root(), Choice::Auto)),
        ("a guest", doctor(&guest, none.path(), Choice::Auto)),
    ];
    let folders = [
        (laptop.path(), "MACHINE"),
        (guest.path(), "MACHINE"),
        (powercap.root(), "POWERCAP"),
        (none.path(), "POWERCAP"),
    ];
    for columns in [60, 80, 120] {
        let text: String = found
            .iter()
            .map(|(name, report)| {
                // Left out is what this machine's own disk, programs, cards and speed make of it.
                let own = [
                    "dataset",
                    "disk.results",
                    "disk.cache",
                    "meter.nvml",
                    "meter.energibridge",
                    "meter.rapl",
                    "meter.estimate",
                ];
                let findings = report.findings.iter().filter(|f| !own.contains(&f.id));
                let findings = findings.map(|f| steady(f, &folders)).collect();
                let report = Report { findings, seconds: 0.4, ..report.clone() };
                format!("--- {name}\n{}\n", screen(&report, columns))
            })
            .collect();
        let plain = anstream::adapter::strip_str(&text).to_string();
        snapshot(&format!("doctor-{columns}-plain.txt"), &plain);
        snapshot(&format!("doctor-{columns}-colour.txt"), &text.replace('\x1b', "\\e"));
        let prose = |line: &&str| !line.contains("sudo ");
        let wide = plain.lines().filter(prose).find(|line| line.chars().count() > columns);
        assert!(wide.is_none(), "{wide:?}");
    }
}
