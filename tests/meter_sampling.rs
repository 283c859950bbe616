//! When the built-in meters take a reading: at the very start, at every mark, at every interval and
//! at the very end, each row stamped with its own instant.
#![cfg(target_os = "linux")]

use joulerace::Remedy as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use joulerace::meter::{Choice, Kind, Meter, MeterError, MeterSettings, select};
use joulerace::samples::{self, Domain};

fn unix_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn estimate(interval: Duration) -> Meter {
    let choice = Choice::only(Kind::Estimate);
    select(&MeterSettings { choice, interval, ..MeterSettings::default() }).unwrap().meter
}

fn times(csv: &Path) -> Vec<i64> {
    let text = std::fs::read_to_string(csv).unwrap();
    text.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().parse().unwrap()).collect()
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("t.csv");
    (folder, csv)
}

#[test]
fn the_first_row_is_there_on_return_and_the_last_is_taken_at_the_end() {
    let (_folder, csv) = scratch();
    let before = unix_ms();
    let session = estimate(Duration::from_secs(60)).start(&csv).unwrap();
    let started = unix_ms();
    let first = times(&csv);
    assert_eq!(first.len(), 1);
    assert!((before..=started).contains(&first[0]), "{before} {first:?} {started}");
    std::thread::sleep(Duration::from_millis(40));
    let ending = unix_ms();
    let report = session.finish().unwrap();
    let rows = times(&csv);
    assert_eq!((rows.len(), report.samples), (2, 2));
    assert!((ending..=unix_ms()).contains(&rows[1]), "{ending} {rows:?}");
    assert!((0.04..10.0).contains(&report.seconds), "{report:?}");
}

#[test]
fn each_mark_adds_a_row_at_its_own_instant() {
    let (_folder, csv) = scratch();
    let session = estimate(Duration::from_secs(60)).start(&csv).unwrap();
    let mut asked = Vec::new();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(30));
        asked.push(unix_ms());
        session.mark();
    }
    let report = session.finish().unwrap();
    let rows = times(&csv);
    assert_eq!(rows.len(), 5);
    for (asked, row) in asked.iter().zip(&rows[1..]) {
        let late = (row - asked) as f64;
        assert!(late >= 0.0 && late <= report.slowest_mark_ms + 1.0, "{late} ms: {report:?}");
    }
}

#[test]
fn deadlines_do_not_drift() {
    let (_folder, csv) = scratch();
    let interval = Duration::from_millis(20);
    let session = estimate(interval).start(&csv).unwrap();
    let begun = Instant::now();
    std::thread::sleep(Duration::from_millis(600));
    let passed = begun.elapsed().as_secs_f64() / interval.as_secs_f64();
    let report = session.finish().unwrap();
    // Every deadline gave a row or was counted as missed, besides the first and the last row.
    let accounted = (report.samples - 2 + report.missed) as f64;
    assert!((accounted - passed.floor()).abs() <= 1.0, "{accounted} of {passed}: {report:?}");
}

#[test]
fn marks_do_not_push_the_samples_away() {
    let (_folder, csv) = scratch();
    let interval = Duration::from_millis(50);
    let session = estimate(interval).start(&csv).unwrap();
    let (begun, mut marks) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(500) {
        session.mark();
        marks += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    let passed = begun.elapsed().as_secs_f64() / interval.as_secs_f64();
    let report = session.finish().unwrap();
    let accounted = (report.samples - 2 - marks + report.missed) as f64;
    assert!((accounted - passed.floor()).abs() <= 1.0, "{accounted} of {passed}: {report:?}");
}

#[test]
fn the_samplers_own_processor_time_is_a_part_of_the_processs() {
    use nix::time::{ClockId, clock_gettime};
    let process = || Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap());
    let (_folder, csv) = scratch();
    let meter = estimate(Duration::from_millis(1));
    let before = process();
    let session = meter.start(&csv).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let report = session.finish().unwrap();
    let (own, all) = (report.cpu_seconds.unwrap(), (process() - before).as_secs_f64());
    // Each row is a few system calls; other tests of this process add to the whole.
    assert!(own > 1e-6 * report.samples as f64 && own <= all, "{own} s of {all} s: {report:?}");
    println!("{:.1}% of the process's time in {} rows", 100.0 * own / all, report.samples);
}

#[test]
fn the_file_reads_back_as_an_estimate_with_the_reported_joules() {
    let (_folder, csv) = scratch();
    let session = estimate(Duration::from_millis(20)).start(&csv).unwrap();
    let spin = Instant::now();
    while spin.elapsed() < Duration::from_millis(200) {
        std::hint::black_box(spin.elapsed());
    }
    let watts = loop {
        match session.watts() {
            Some(watts) => break watts,
            None => std::thread::yield_now(),
        }
    };
    assert!(watts >= 10.0, "{watts} W is less than at rest");
    let report = session.finish().unwrap();
    assert!(report.estimated);
    let trace = samples::read(&csv).unwrap();
    assert_eq!(trace.columns.len(), 1);
    assert_eq!(trace.columns[0].domain, Domain::Estimated);
    let joules = report.joules[&Domain::Estimated];
    assert!(report.total_j == Some(joules));
    let mean_w = joules / report.seconds;
    assert!((10.0..=75.0).contains(&mean_w), "{mean_w} W outside of what was stated");
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let csv = Path::new("/nonexistent-folder/t.csv");
    let error = estimate(Duration::from_millis(20)).start(csv).unwrap_err();
    assert!(matches!(&error, MeterError::Create { .. }));
    assert!(error.in_line().contains("/nonexistent-folder/t.csv"), "{error}");
}

/// A small disk of its own; none where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted =
            mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(folder));
        }
        eprintln!("skipped: a small disk cannot be mounted by this user");
        None
    }

    fn csv(&self) -> PathBuf {
        self.0.path().join("t.csv")
    }

    /// Takes what space is left.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.path().join("filler")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_noticed_at_the_start() {
    let Some(disk) = SmallDisk::new() else { return };
    disk.fill();
    let session = estimate(Duration::from_millis(10)).start(&disk.csv()).map(|_| ());
    assert!(matches!(session, Err(MeterError::Write { .. })), "{session:?}");
}

#[test]
fn a_file_that_cannot_be_continued_is_noticed_while_it_runs() {
    let Some(disk) = SmallDisk::new() else { return };
    let session = estimate(Duration::from_millis(2)).start(&disk.csv()).unwrap();
    session.health().unwrap();
    disk.fill();
    let fault = loop {
        match session.health() {
            Ok(()) => std::thread::sleep(Duration::from_millis(1)),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(&fault, MeterError::Write { .. }), "{fault}");
    assert!(fault.in_line().contains(&disk.csv().display().to_string()), "{fault}");
    assert_eq!(session.finish().unwrap_err().in_line(), fault.in_line());
}

#[test]
fn what_is_no_plain_file_is_not_written_to() {
    let session = estimate(Duration::from_millis(10)).start(Path::new("/dev/full")).map(|_| ());
    assert!(matches!(session, Err(MeterError::Create { .. })), "{session:?}");
}

#[test]
fn an_interval_of_nothing_is_refused() {
    let settings = MeterSettings { interval: Duration::ZERO, ..MeterSettings::default() };
    assert!(select(&settings).unwrap_err().in_line().contains("--interval"));
}

#[test]
fn auto_says_why_the_better_meters_were_not_taken() {
    let empty = tempfile::tempdir().unwrap();
    let settings = MeterSettings {
        powercap: empty.path().into(),
        search_path: Some(empty.path().into()),
        ..MeterSettings::default()
    };
    let selected = select(&settings).unwrap();
    assert_eq!(selected.meter.sensors(), Kind::Estimate.into());
    let kinds: Vec<Kind> = selected.rejected.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [Kind::Energibridge, Kind::Rapl]);
}
