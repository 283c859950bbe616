//! The RAPL meter against counters of known power: how many joules it finds, in which domains, and
//! what it says when the counters misbehave.
#![cfg(target_os = "linux")]

#[path = "common/powercap.rs"]
mod powercap;

use joulerace::Remedy as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use joulerace::meter::{Choice, Kind, Meter, MeterError, MeterSettings, Session, select};
use joulerace::samples::{self, Domain};
use powercap::{Powercap, RANGE_UJ, Zone};

fn settings(root: &Path) -> MeterSettings {
    MeterSettings {
        choice: Choice::only(Kind::Rapl),
        powercap: root.to_owned(),
        interval: Duration::from_millis(20),
        ..MeterSettings::default()
    }
}

fn meter(root: &Path) -> Meter {
    select(&settings(root)).unwrap().meter
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("t.csv");
    (folder, csv)
}

/// Keeps one processor busy, as a trial would.
fn work(time: Duration) {
    let start = std::time::Instant::now();
    while start.elapsed() < time {
        std::hint::black_box(start.elapsed());
    }
}

fn fault(session: &Session) -> MeterError {
    loop {
        work(Duration::from_millis(10));
        if let Err(fault) = session.health() {
            return fault;
        }
    }
}

/// Within half a percent, and what the counters' own millisecond can make.
fn assert_power(joules: f64, seconds: f64, watts: f64) {
    let (off, may) = ((joules - watts * seconds).abs(), watts * (0.005 * seconds + 0.004));
    assert!(off <= may, "{joules} J in {seconds} s are {} W, not {watts} W", joules / seconds);
}

#[test]
fn all_sockets_and_their_dram_are_added_and_the_cores_are_not() {
    let (tree, (_folder, csv)) = (Powercap::two_sockets(), scratch());
    let session = meter(tree.root()).start(&csv).unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    let report = session.finish().unwrap();
    assert_power(report.joules[&Domain::Package], report.seconds, 100.0);
    assert_power(report.joules[&Domain::Dram], report.seconds, 10.0);
    assert_power(report.joules[&Domain::Core], report.seconds, 50.0);
    assert_power(report.total_j.unwrap(), report.seconds, 110.0);
    assert_eq!((report.wraps, report.resets, report.read_errors), (0, 0, 0));
    // The file says the same, from its first to its last row.
    let trace = samples::read(&csv).unwrap();
    for (column, series) in trace.columns.iter().zip(&trace.series) {
        let drawn = series[series.len() - 1] - series[0];
        assert!((drawn - report.joules[&column.domain]).abs() < 1e-9, "{column:?}");
    }
    let seconds = (trace.time_ms[trace.time_ms.len() - 1] - trace.time_ms[0]) / 1000.0;
    assert!((seconds - report.seconds).abs() < 0.002, "{seconds} {}", report.seconds);
}

#[test]
fn wraps_in_the_middle_are_undone_in_the_file() {
    // 15 J before the end of the range: each package gets there after 0.3 s, each core after 0.6 s.
    let (tree, (_folder, csv)) = (Powercap::two_sockets_from(RANGE_UJ - 15_000_000), scratch());
    let session = meter(tree.root()).start(&csv).unwrap();
    std::thread::sleep(Duration::from_millis(900));
    let report = session.finish().unwrap();
    assert_power(report.joules[&Domain::Package], report.seconds, 100.0);
    assert_power(report.total_j.unwrap(), report.seconds, 110.0);
    assert!(report.wraps >= 2 && report.resets == 0, "{report:?}");
    let trace = samples::read(&csv).unwrap();
    for series in &trace.series {
        assert!(series.is_sorted(), "a column falls: {series:?}");
    }
}

#[test]
fn a_frozen_counter_is_noticed_while_the_processors_work() {
    let (tree, (_folder, csv)) = (Powercap::two_sockets(), scratch());
    let session = meter(tree.root()).start(&csv).unwrap();
    work(Duration::from_millis(100));
    session.health().unwrap();
    tree.freeze();
    let found = fault(&session);
    assert!(matches!(&found, MeterError::Frozen { .. }), "{found}");
    assert!(found.in_line().contains("intel-rapl:0/energy_uj"), "{found}");
    assert!(session.finish().is_err());
}

#[test]
fn a_counter_that_froze_shortly_before_the_end_is_noticed_at_the_end() {
    let (tree, (_folder, csv)) = (Powercap::two_sockets(), scratch());
    let session = meter(tree.root()).start(&csv).unwrap();
    work(Duration::from_millis(100));
    tree.freeze();
    work(Duration::from_millis(250));
    let found = session.finish().unwrap_err();
    assert!(matches!(&found, MeterError::Frozen { .. }), "{found}");
}

#[test]
fn a_counter_that_is_set_back_makes_its_joules_unknown_and_shows_in_the_file() {
    let (tree, (_folder, csv)) = (Powercap::two_sockets(), scratch());
    let session = meter(tree.root()).start(&csv).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    tree.reset(0);
    std::thread::sleep(Duration::from_millis(200));
    let report = session.finish().unwrap();
    assert_eq!((report.resets, report.wraps), (1, 0));
    assert_eq!(report.total_j, None);
    assert!(!report.joules.contains_key(&Domain::Package), "{report:?}");
    assert_power(report.joules[&Domain::Dram], report.seconds, 10.0);
    let trace = samples::read(&csv).unwrap();
    let package = trace.columns.iter().position(|c| c.domain == Domain::Package).unwrap();
    let falls = trace.series[package].windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert_eq!(falls, 1);
}

#[test]
fn counters_that_stand_still_from_the_start_are_refused() {
    let tree = Powercap::two_sockets();
    tree.freeze();
    let error = select(&settings(tree.root())).unwrap_err();
    assert!(matches!(&error, MeterError::StandsStill { .. }), "{error}");
}

#[test]
fn a_dram_counter_that_stands_still_is_left_out_and_said_so() {
    let zone = |path, name, watts| Zone { path, name, watts, start_uj: 1000 };
    let tree = Powercap::new(&[
        zone("intel-rapl:0", "package-0", 50.0),
        zone("intel-rapl:0/intel-rapl:0:0", "dram", 0.0),
    ]);
    let described = meter(tree.root()).describe();
    assert_eq!(described.counters.len(), 1);
    assert_eq!(described.counters[0].domain, Domain::Package);
    assert!(described.notes.iter().any(|note| note.contains("package-0/dram")), "{described:?}");
}

#[test]
fn dies_that_show_one_counter_count_once_and_dies_of_their_own_twice() {
    let zone = |path, name, start_uj| Zone { path, name, watts: 30.0, start_uj };
    let own = Powercap::new(&[
        zone("intel-rapl:0", "package-0-die-0", 1_000_000),
        zone("intel-rapl:1", "package-0-die-1", 9_000_000),
    ]);
    assert_eq!(meter(own.root()).describe().counters.len(), 2);
    let shared = Powercap::new(&[zone("intel-rapl:0", "package-0-die-0", 1_000_000)]);
    let mirror = shared.root().join("intel-rapl:1");
    std::fs::create_dir(&mirror).unwrap();
    std::fs::write(mirror.join("name"), "package-0-die-1\n").unwrap();
    for file in ["energy_uj", "max_energy_range_uj"] {
        let original = shared.root().join("intel-rapl:0").join(file);
        std::os::unix::fs::symlink(original, mirror.join(file)).unwrap();
    }
    let described = meter(shared.root()).describe();
    assert_eq!(described.counters.len(), 1, "{described:?}");
    assert!(described.notes.iter().any(|note| note.contains("package-0-die-1")), "{described:?}");
}

#[test]
fn psys_is_never_read() {
    let zone = |path, name, watts| Zone { path, name, watts, start_uj: 0 };
    let tree = Powercap::new(&[
        zone("intel-rapl:0", "psys", 90.0),
        zone("intel-rapl:1", "package-0", 50.0),
    ]);
    let described = meter(tree.root()).describe();
    let names: Vec<&str> = described.counters.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["package-0"]);
}

#[test]
fn a_range_that_may_not_be_read_gets_the_same_advice_as_a_counter() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Powercap::two_sockets();
    let range = tree.root().join("intel-rapl:1/max_energy_range_uj");
    std::fs::set_permissions(&range, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(tree.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = settings(tree.root());
    let tried = std::thread::spawn(move || {
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        select(&settings)
    });
    let error = tried.join().unwrap().unwrap_err();
    let MeterError::Permission { file, command } = &error else { panic!("{error}") };
    assert_eq!(file, &range);
    assert!(command.contains("/intel-rapl*/max_energy_range_uj"), "{command}");
    assert!(command.contains("/intel-rapl*/energy_uj"), "{command}");
    let chmod = command.strip_prefix("sudo ").unwrap();
    assert!(std::process::Command::new("sh").args(["-c", chmod]).status().unwrap().success());
    let mode = range.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "what it says works");
}

#[test]
fn a_memory_zone_that_never_moves_is_no_counter_and_no_fault() {
    let zone = |path, name, watts| Zone { path, name, watts, start_uj: 7_000_000 };
    let tree = Powercap::new(&[
        zone("intel-rapl:0", "package-0", 30.0),
        zone("intel-rapl:0/intel-rapl:0:0", "dram", 0.0),
    ]);
    let (meter, (_folder, csv)) = (meter(tree.root()), scratch());
    let about = meter.describe();
    assert!(about.notes.iter().any(|note| note.contains("dram") && note.contains("not move")));
    let session = meter.start(&csv).unwrap();
    work(Duration::from_millis(900));
    session.health().unwrap();
    let report = session.finish().unwrap();
    assert_power(report.total_j.unwrap(), report.seconds, 30.0);
    assert!(!report.joules.contains_key(&Domain::Dram), "{report:?}");
}

#[test]
fn without_permission_the_error_names_the_command_that_grants_it() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Powercap::two_sockets();
    for zone in ["intel-rapl:0", "intel-rapl:1", "intel-rapl:1/intel-rapl:1:1"] {
        let file = tree.root().join(zone).join("energy_uj");
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let root = tree.root().to_owned();
    // Root reads everything; the file system can be told per thread to take it for somebody else.
    let settings = settings(&root);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let tried = std::thread::spawn(move || {
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        select(&settings)
    });
    let error = tried.join().unwrap().unwrap_err();
    let MeterError::Permission { file, command } = &error else { panic!("{error}") };
    assert_eq!(file, &root.join("intel-rapl:0/energy_uj"));
    let shown = root.display();
    assert_eq!(
        command,
        &format!(
            "sudo chmod a+r {shown}/intel-rapl*/energy_uj {shown}/intel-rapl*/intel-rapl*/energy_uj"
        )
    );
    assert!(error.in_line().contains("until the next reboot"), "{error}");
    // What it says works.
    let chmod = command.strip_prefix("sudo ").unwrap();
    assert!(std::process::Command::new("sh").args(["-c", chmod]).status().unwrap().success());
    let readable = tree.root().to_owned();
    let again = std::thread::spawn(move || {
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        select(&self::settings(&readable)).map(|selected| selected.meter.sensors())
    });
    assert_eq!(again.join().unwrap().unwrap(), Kind::Rapl.into());
}

#[test]
fn without_zones_the_error_names_the_folder_and_the_flag() {
    let empty = tempfile::tempdir().unwrap();
    let error = select(&settings(empty.path())).unwrap_err().in_line();
    assert!(error.contains(&empty.path().display().to_string()), "{error}");
    assert!(error.contains("--powercap"), "{error}");
}
