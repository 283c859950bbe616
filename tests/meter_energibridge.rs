//! EnergiBridge as a meter: whether it is found to work, what its file comes to, and how its failures
//! are told apart from those of the command that it wraps.
#![cfg(target_os = "linux")]

#[path = "common/energibridge.rs"]
mod energibridge;

use joulerace::Remedy as _;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use energibridge::{Mode, WATTS, stand_in};
use joulerace::meter::{Choice, Kind, Meter, MeterError, MeterSettings, Run, Selected, select};
use joulerace::process::{Exit, kill_group};
use joulerace::samples::Domain;

fn settings(program: &Path) -> MeterSettings {
    MeterSettings {
        choice: Choice::only(Kind::Energibridge),
        energibridge: Some(program.to_owned()),
        interval: Duration::from_millis(50),
        ..MeterSettings::default()
    }
}

struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Scratch {
        Scratch { folder: tempfile::tempdir().unwrap() }
    }

    fn select(&self, mode: Mode) -> Result<Selected, MeterError> {
        select(&settings(&stand_in(self.folder.path(), mode)))
    }

    fn meter(&self, mode: Mode) -> Meter {
        self.select(mode).unwrap().meter
    }

    fn csv(&self) -> PathBuf {
        self.folder.path().join("t.csv")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("t.log")
    }

    /// Measures a shell command, which is started in a process group of its own, streams into the log.
    fn start(&self, meter: &Meter, shell: &str) -> (Run, Group) {
        let argv: Vec<OsString> = ["sh", "-c", shell].map(OsString::from).into();
        let mut run = meter.run(&self.csv(), argv).unwrap();
        assert!(run.needs_its_command());
        let line = run.line();
        let log = File::create(self.log()).unwrap();
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        let group = Group(command.spawn().unwrap());
        run.started(group.0.id());
        (run, group)
    }
}

/// A process group that ends with the test.
struct Group(Child);

impl Group {
    fn wait(&mut self) -> Exit {
        Exit::from(self.0.wait().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill_group(self.0.id());
        let _ = self.0.wait();
    }
}

#[test]
fn its_file_comes_to_the_power_that_it_measured() {
    let scratch = Scratch::new();
    let meter = scratch.meter(Mode::Fine);
    let (run, mut group) = scratch.start(&meter, "sleep 0.5");
    let exit = group.wait();
    assert_eq!(exit, Exit::Code(0));
    assert!(run.failure(exit, &scratch.log()).is_none());
    let watts = run.session().watts().unwrap();
    assert!((watts - WATTS).abs() < 0.1 * WATTS, "{watts} W");
    run.session().health().unwrap();
    let report = run.finish().unwrap();
    let joules = report.total_j.unwrap();
    assert!((joules - WATTS * report.seconds).abs() < 0.02 * joules + 0.2, "{report:?}");
    assert!(report.joules.contains_key(&Domain::Core) && !report.estimated);
    let described = meter.describe();
    assert_eq!((described.kind, described.version.as_str()), (Kind::Energibridge.into(), "0.0.7"));
}

#[test]
fn the_commands_own_failures_are_not_the_meters() {
    let scratch = Scratch::new();
    let meter = scratch.meter(Mode::Fine);
    for (shell, expected) in [("exit 3", 3), ("exit 101", 101), ("kill -9 $$", 101)] {
        let (run, mut group) = scratch.start(&meter, shell);
        let exit = group.wait();
        assert_eq!(exit, Exit::Code(expected), "{shell}");
        let failure = run.failure(exit, &scratch.log());
        assert!(failure.is_none(), "{shell}: {failure:?}");
    }
}

#[test]
fn a_panic_in_the_middle_is_told_while_the_command_runs_on() {
    let scratch = Scratch::new();
    let meter = scratch.meter(Mode::PanicsMidway);
    let (run, mut group) = scratch.start(&meter, "sleep 60");
    let failure = run.failure(group.wait(), &scratch.log()).unwrap();
    assert!(matches!(&failure, MeterError::EnergibridgeLate { .. }), "{failure}");
    assert!(failure.in_line().contains("overflow when subtracting durations"), "{failure}");
    assert!(failure.in_line().contains("--interval"), "{failure}");
}

#[test]
fn a_cut_row_makes_the_file_unusable() {
    let scratch = Scratch::new();
    let meter = scratch.meter(Mode::CutsARow);
    let (run, mut group) = scratch.start(&meter, "sleep 60");
    let exit = group.wait();
    assert!(run.failure(exit, &scratch.log()).is_some(), "{exit}");
    let error = run.finish().unwrap_err();
    assert!(matches!(&error, MeterError::Samples(_)), "{error}");
}

#[test]
fn a_frozen_counter_is_noticed_while_it_runs() {
    let scratch = Scratch::new();
    let meter = scratch.meter(Mode::Frozen);
    let (run, _group) = scratch.start(&meter, "sleep 60");
    let fault = loop {
        match run.session().health() {
            Ok(()) => std::thread::sleep(Duration::from_millis(20)),
            Err(fault) => break fault,
        }
    };
    assert!(matches!(&fault, MeterError::Frozen { .. }), "{fault}");
    assert!(fault.in_line().contains("CPU_ENERGY (J)"), "{fault}");
}

#[test]
fn a_register_that_the_processor_lacks_is_told_and_is_no_fault() {
    let scratch = Scratch::new();
    let meter = scratch.meter(Mode::Client);
    let about = meter.describe();
    assert_eq!(about.absent, ["DRAM_ENERGY (J)", "PP1_ENERGY (J)"]);
    let covered: Vec<Domain> = about.counters.iter().map(|counter| counter.domain).collect();
    assert_eq!(covered, [Domain::Package, Domain::Core]);
    assert!(about.notes.iter().any(|note| note.contains("no counter behind DRAM_ENERGY (J)")));
    // Longer than a counter may stand still.
    let (mut run, mut group) = scratch.start(&meter, "sleep 2.6");
    while group.0.try_wait().unwrap().is_none() {
        run.look();
        run.session().health().unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let report = run.finish().unwrap();
    assert!(report.cpu_seconds.is_some(), "what the meter's own program took: {report:?}");
    let joules = report.total_j.unwrap();
    assert!((joules - WATTS * report.seconds).abs() < 0.02 * joules + 0.2, "{report:?}");
    assert_eq!(report.joules.keys().collect::<Vec<_>>(), [&Domain::Package, &Domain::Core]);
    assert_eq!(report.absent, ["DRAM_ENERGY (J)", "PP1_ENERGY (J)"]);
}

#[test]
fn where_nothing_moves_it_is_refused_with_what_it_looks_like() {
    let error = Scratch::new().select(Mode::Dead).unwrap_err();
    assert!(matches!(&error, MeterError::EnergibridgeUnusable { .. }), "{error}");
    let error = error.in_line();
    assert!(error.contains("and 'PACKAGE_ENERGY (J)' is 2000 J in all"), "{error}");
}

#[test]
fn what_does_not_work_here_is_refused_with_its_own_words() {
    let scratch = Scratch::new();
    let error = scratch.select(Mode::PanicsAtStart).unwrap_err();
    assert!(matches!(&error, MeterError::EnergibridgeFails { exit: Exit::Code(101), .. }));
    assert!(error.in_line().contains("src/cpu/amd.rs:20:76"), "{error}");
    let error = scratch.select(Mode::Old).unwrap_err();
    assert!(matches!(&error, MeterError::EnergibridgeTooOld { .. }), "{error}");
    assert!(error.in_line().contains("0.0.6"), "{error}");
    let error = scratch.select(Mode::NoEnergy).unwrap_err();
    assert!(matches!(&error, MeterError::EnergibridgeUnusable { .. }), "{error}");
}

#[test]
fn what_is_no_energibridge_is_refused() {
    let error = select(&settings(Path::new("/bin/true"))).unwrap_err();
    assert!(matches!(&error, MeterError::EnergibridgeUnusable { .. }), "{error}");
    let error = select(&settings(Path::new("/bin/no-such-program"))).unwrap_err();
    assert!(error.in_line().contains("/bin/no-such-program"), "{error}");
}

#[test]
fn auto_takes_it_first_where_it_works_and_passes_it_over_where_not() {
    let scratch = Scratch::new();
    let auto = |mode| {
        let program = stand_in(scratch.folder.path(), mode);
        let empty = scratch.folder.path().join("none");
        let settings =
            MeterSettings { choice: Choice::Auto, powercap: empty, ..settings(&program) };
        select(&settings).unwrap()
    };
    assert_eq!(auto(Mode::Fine).meter.sensors(), Kind::Energibridge.into());
    let passed = auto(Mode::PanicsAtStart);
    assert_eq!(passed.meter.sensors(), Kind::Estimate.into());
    assert!(passed.rejected[0].1.contains("panicked") || passed.rejected[0].1.contains("amd.rs"));
}

#[test]
fn an_old_file_of_the_same_name_is_not_taken_for_new() {
    let scratch = Scratch::new();
    let meter = scratch.meter(Mode::Fine);
    std::fs::write(scratch.csv(), "Delta,Time,CPU_ENERGY (J)\n0,1,1\n0,2,2\n").unwrap();
    let session = meter.start(&scratch.csv()).unwrap();
    assert_eq!(session.watts(), None);
    assert!(session.finish().is_err());
}
