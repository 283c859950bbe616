//! Readings that fail, which no plain file can do: the opened file is replaced by one that fails as
//! told and otherwise shows a clock at a known power.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Opener, Powercap, Readable};
use crate::meter::machine::Machine;
use crate::meter::sampler::Sampler;
use crate::meter::source::Source;
use crate::meter::suspend::Slept;
use crate::meter::{Kind, MeterError};
use crate::meter::{Session, SessionReport};
use crate::samples::Domain;

const WATTS: f64 = 50.0;
const EIO: i32 = 5;

/// Says of a reading's number whether it fails.
type Rule = Box<dyn Fn(u64) -> bool + Send>;

/// A sensor whose readings and openings fail on command.
#[derive(Clone)]
struct Faulty {
    start: Instant,
    reads: Arc<AtomicU64>,
    /// Which readings fail, by their number.
    fails: Arc<Mutex<Rule>>,
    revoked: Arc<AtomicBool>,
}

impl Faulty {
    fn new(fails: impl Fn(u64) -> bool + Send + 'static) -> Faulty {
        Faulty {
            start: Instant::now(),
            reads: Arc::new(AtomicU64::new(0)),
            fails: Arc::new(Mutex::new(Box::new(fails))),
            revoked: Arc::new(AtomicBool::new(false)),
        }
    }

    fn opener(&self) -> Opener {
        let sensor = self.clone();
        Arc::new(move |_| match sensor.revoked.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Ok(Box::new(sensor.clone())),
        })
    }

    /// From now on, every reading fails.
    fn break_down(&self) {
        *self.fails.lock().unwrap() = Box::new(|_| true);
    }
}

impl Readable for Faulty {
    fn read_start(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        if (self.fails.lock().unwrap())(number) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let text = format!("{}\n", (self.start.elapsed().as_secs_f64() * WATTS * 1e6) as u64);
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(text.len())
    }
}

struct Bench {
    folder: tempfile::TempDir,
    rapl: Powercap,
}

impl Bench {
    /// A tree with one package; its files only say what there is to open.
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let zone = folder.path().join("intel-rapl:0");
        std::fs::create_dir(&zone).unwrap();
        std::fs::write(zone.join("name"), "package-0\n").unwrap();
        std::fs::write(zone.join("max_energy_range_uj"), "65532610987\n").unwrap();
        let rapl = Powercap::probe(folder.path(), &Faulty::new(|_| false).opener()).unwrap();
        Bench { folder, rapl }
    }

    fn csv(&self) -> PathBuf {
        self.folder.path().join("t.csv")
    }

    fn start(&self, sensor: &Faulty) -> Result<Session, MeterError> {
        self.start_with(sensor, &Slept::of_the_system())
    }

    fn start_with(&self, sensor: &Faulty, slept: &Slept) -> Result<Session, MeterError> {
        let source: Box<dyn Source> = Box::new(self.rapl.open(sensor.opener())?);
        let machine = Machine::open(Path::new("/proc"), Path::new("/nowhere"));
        let (csv, every) = (self.csv(), Duration::from_millis(10));
        Session::start(
            |shared| {
                let report = SessionReport::new(Kind::Rapl.into());
                Sampler::begin(vec![(Kind::Rapl, source)], machine, csv, every, shared, report)
            },
            &self.csv(),
            slept,
        )
    }
}

/// What the report says against what the clock says.
fn assert_whole(report: &SessionReport) {
    let (joules, truth) = (report.joules[&Domain::Package], WATTS * report.seconds);
    assert!((joules - truth).abs() < 0.005 * truth + 0.05, "{joules} J instead of {truth} J");
}

#[test]
fn a_reading_that_fails_once_is_read_again_and_no_row_is_missed() {
    let sensor = Faulty::new(|number| number % 7 == 0);
    let session = Bench::new().start(&sensor).unwrap();
    while sensor.reads.load(Ordering::SeqCst) < 40 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let report = session.finish().unwrap();
    assert!(report.read_errors >= 5, "{report:?}");
    // Each one that failed was made up for in its own row; what is missed was late, not failed.
    let reads = sensor.reads.load(Ordering::SeqCst);
    assert_eq!(reads, report.samples + report.read_errors, "{report:?}");
    assert_whole(&report);
}

#[test]
fn a_suspend_in_the_middle_is_told_with_its_length() {
    // A clock that stands 90 s further ahead of the steady one once the lid was closed.
    let closed = Arc::new(AtomicBool::new(false));
    let lid = Arc::clone(&closed);
    let clock =
        move || Some(Duration::from_secs(if lid.load(Ordering::SeqCst) { 100 } else { 10 }));
    let slept = Slept::made(clock);
    let sensor = Faulty::new(|_| false);
    let awake = Bench::new().start_with(&sensor, &slept).unwrap().finish().unwrap();
    assert_eq!(awake.suspended_s, 0.0);
    let session = Bench::new().start_with(&sensor, &slept).unwrap();
    closed.store(true, Ordering::SeqCst);
    let report = session.finish().unwrap();
    assert_eq!(report.suspended_s, 90.0);
    assert!(report.seconds < 10.0, "time slept is no measured time: {report:?}");
}

#[test]
fn a_reading_that_fails_twice_misses_its_row_and_nothing_else() {
    // The second reading of two rows in a row fails as well: readings 5 to 8.
    let sensor = Faulty::new(|number| (5..=8).contains(&number));
    let session = Bench::new().start(&sensor).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let report = session.finish().unwrap();
    assert_eq!(report.read_errors, 4);
    assert!(report.missed >= 2, "{report:?}");
    assert_whole(&report);
}

#[test]
fn the_last_reading_is_tried_again_until_it_works() {
    let sensor = Faulty::new(|_| false);
    let session = Bench::new().start(&sensor).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let next = sensor.reads.load(Ordering::SeqCst);
    // Fewer failures than make a sensor lost, whichever rows they hit.
    *sensor.fails.lock().unwrap() = Box::new(move |number| number <= next + 8);
    assert_whole(&session.finish().unwrap());
}

#[test]
fn a_sensor_that_breaks_down_is_lost_within_a_few_rows() {
    let (bench, sensor) = (Bench::new(), Faulty::new(|_| false));
    let session = bench.start(&sensor).unwrap();
    session.health().unwrap();
    sensor.break_down();
    let fault = loop {
        match session.health() {
            Ok(()) => std::thread::sleep(Duration::from_millis(1)),
            Err(fault) => break fault,
        }
    };
    let MeterError::Lost { file, misses, source } = &fault else { panic!("{fault}") };
    assert!(file.ends_with("intel-rapl:0/energy_uj"));
    assert_eq!((*misses, source.raw_os_error()), (5, Some(EIO)));
    assert!(session.finish().is_err(), "a file that is short must not pass");
}

#[test]
fn a_permission_that_is_revoked_half_way_is_told_as_such() {
    let sensor = Faulty::new(|_| false);
    let session = Bench::new().start(&sensor).unwrap();
    sensor.revoked.store(true, Ordering::SeqCst);
    sensor.break_down();
    let fault = loop {
        match session.health() {
            Ok(()) => std::thread::sleep(Duration::from_millis(1)),
            Err(fault) => break fault,
        }
    };
    let MeterError::Lost { source, .. } = &fault else { panic!("{fault}") };
    assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_sensor_that_fails_at_the_end_fails_the_session() {
    let sensor = Faulty::new(|_| false);
    let session = Bench::new().start(&sensor).unwrap();
    sensor.break_down();
    let error = session.finish().unwrap_err();
    assert!(matches!(error, MeterError::Counter { .. } | MeterError::Lost { .. }), "{error}");
}

#[test]
fn a_sensor_that_fails_at_the_start_starts_no_session() {
    let error = Bench::new().start(&Faulty::new(|_| true)).map(|_| ()).unwrap_err();
    assert!(matches!(&error, MeterError::Counter { .. }), "{error}");
}
