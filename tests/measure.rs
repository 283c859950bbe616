//! Measuring any command: its exit status comes through, signals reach it, nothing of it outlives this
//! program, and its joules are those that the counters counted.
//!
//! The measuring program is this test binary itself, started again with the test [`program`] alone: it
//! has to be a process that can be signalled and killed.
#![cfg(target_os = "linux")]

#[path = "common/energibridge.rs"]
mod energibridge;
#[path = "common/powercap.rs"]
mod powercap;

use joulerace::Remedy as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use energibridge::{Mode, stand_in};
use joulerace::meter::measure::{MeasureError, run};
use joulerace::meter::{Choice, Kind, MeterError, MeterSettings};
use joulerace::process::Exit;
use joulerace::samples::{self, Domain};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use powercap::Powercap;

fn argv(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn estimate() -> MeterSettings {
    MeterSettings {
        choice: Choice::only(Kind::Estimate),
        interval: Duration::from_millis(20),
        ..MeterSettings::default()
    }
}

fn rapl(tree: &Powercap) -> MeterSettings {
    MeterSettings {
        choice: Choice::only(Kind::Rapl),
        powercap: tree.root().to_owned(),
        ..estimate()
    }
}

fn wrapping(folder: &Path, mode: Mode) -> MeterSettings {
    MeterSettings {
        choice: Choice::only(Kind::Energibridge),
        energibridge: Some(stand_in(folder, mode)),
        ..estimate()
    }
}

/// Not a test: the program that the others start. Without their environment it does nothing.
#[test]
fn program() {
    let (Ok(folder), Ok(shell)) = (std::env::var("MEASURE_FOLDER"), std::env::var("MEASURE_SHELL"))
    else {
        return;
    };
    let folder = PathBuf::from(folder);
    let settings = match std::env::var_os("MEASURE_WRAPPER") {
        None => estimate(),
        Some(program) => MeterSettings {
            choice: Choice::only(Kind::Energibridge),
            energibridge: Some(program.into()),
            ..estimate()
        },
    };
    match run(&settings, Some(&folder.join("m.csv")), argv(&["sh", "-c", &shell])) {
        Ok(measured) => std::process::exit(measured.exit_status()),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(99);
        }
    }
}

struct Started {
    folder: tempfile::TempDir,
    child: Child,
}

impl Started {
    /// Measures `shell`, in which `$PIDS` is a file for process numbers.
    fn new(shell: &str, wrapper: Option<Mode>) -> Started {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "program", "--nocapture"])
            .env("MEASURE_FOLDER", folder.path())
            .env("MEASURE_SHELL", shell)
            .env("PIDS", folder.path().join("pids"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(mode) = wrapper {
            command.env("MEASURE_WRAPPER", stand_in(folder.path(), mode));
        }
        Started { child: command.spawn().unwrap(), folder }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// The numbers of the command's processes, once there are `count`.
    fn pids(&self, count: usize) -> Vec<Pid> {
        loop {
            let text = std::fs::read_to_string(self.folder.path().join("pids")).unwrap_or_default();
            let whole = text.ends_with('\n');
            let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            if whole && pids.len() >= count {
                return pids.into_iter().map(Pid::from_raw).collect();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(self) -> (Output, tempfile::TempDir) {
        (self.child.wait_with_output().unwrap(), self.folder)
    }
}

/// Waits until a process is gone, or only a zombie of somebody else.
fn gone(pid: Pid) {
    loop {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        match state.rsplit_once(") ") {
            Some((_, rest)) if !rest.starts_with('Z') => {}
            _ => return,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_joules_of_a_command_are_those_of_its_time() {
    let tree = Powercap::two_sockets();
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("m.csv");
    let measured = run(&rapl(&tree), Some(&csv), argv(&["sleep", "0.6"])).unwrap();
    assert_eq!((measured.exit, measured.exit_status()), (Exit::Code(0), 0));
    assert!(measured.report.seconds >= 0.6);
    let watts = measured.watts().unwrap();
    assert!((watts - 110.0).abs() < 1.5, "{watts} W");
    let counted: Vec<Domain> = measured.counted().into_keys().collect();
    assert_eq!(counted, [Domain::Package, Domain::Dram]);
    assert_eq!(samples::read(&csv).unwrap().time_ms.len() as u64, measured.report.samples);
}

#[test]
fn a_register_that_the_processor_lacks_spoils_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("m.csv");
    let settings = wrapping(folder.path(), Mode::Client);
    // Longer than a counter may stand still.
    let measured = run(&settings, Some(&csv), argv(&["sleep", "2.4"])).unwrap();
    assert_eq!(measured.exit, Exit::Code(0));
    let watts = measured.watts().unwrap();
    assert!((watts - energibridge::WATTS).abs() < 2.0, "{watts} W");
    assert_eq!(measured.counted().into_keys().collect::<Vec<_>>(), [Domain::Package]);
    assert_eq!(measured.report.absent, ["DRAM_ENERGY (J)", "PP1_ENERGY (J)"]);
}

#[test]
fn the_exit_status_is_the_commands_own() {
    for (shell, expected) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
        let (output, _) = Started::new(shell, None).end();
        assert_eq!(output.status.code(), Some(expected), "{shell}");
    }
    let (output, _) = Started::new("exit 7", Some(Mode::Fine)).end();
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn the_commands_streams_are_left_alone() {
    let (output, _) = Started::new("echo out; echo err >&2", Some(Mode::Fine)).end();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert!(out.contains("out\n") && !out.contains("joules"), "{out}");
    assert_eq!(String::from_utf8(err).unwrap(), "err\n");
}

#[test]
fn a_signal_reaches_the_command_and_all_it_started() {
    let shell = "sleep 60 & echo $! >> $PIDS; echo $$ >> $PIDS; wait";
    for (signal, expected) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)]
    {
        let started = Started::new(shell, None);
        let pids = started.pids(2);
        kill(started.pid(), signal).unwrap();
        let (output, folder) = started.end();
        assert_eq!(output.status.code(), Some(expected), "{signal}");
        pids.into_iter().for_each(gone);
        // What was measured until then is there.
        assert!(samples::read(&folder.path().join("m.csv")).is_ok(), "{signal}");
    }
}

#[test]
fn a_command_that_catches_a_signal_may_end_in_its_own_way() {
    let shell = "trap 'exit 5' TERM; echo $$ >> $PIDS; while :; do sleep 0.02; done";
    let started = Started::new(shell, None);
    started.pids(1);
    kill(started.pid(), Signal::SIGTERM).unwrap();
    assert_eq!(started.end().0.status.code(), Some(5));
}

#[test]
fn a_second_signal_ends_a_command_that_ignores_the_first() {
    let shell = "trap '' INT TERM; echo $$ >> $PIDS; while :; do sleep 0.05; done";
    let started = Started::new(shell, None);
    let pids = started.pids(1);
    let pid = started.pid();
    let stopper = std::thread::spawn(move || {
        // Two of one kind that come at once are one.
        for signal in [Signal::SIGINT, Signal::SIGTERM].into_iter().cycle() {
            if kill(pid, signal).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.contains(") Z ") {
                return;
            }
        }
    });
    let (output, _) = started.end();
    stopper.join().unwrap();
    assert_eq!(output.status.code(), Some(137));
    pids.into_iter().for_each(gone);
}

#[test]
fn a_killed_program_takes_the_command_with_it() {
    let started = Started::new("echo $$ >> $PIDS; exec sleep 60", None);
    let pids = started.pids(1);
    kill(started.pid(), Signal::SIGKILL).unwrap();
    started.end();
    pids.into_iter().for_each(gone);
}

#[test]
fn a_wrapper_that_dies_leaves_no_command_behind_and_no_result() {
    let started = Started::new("echo $$ >> $PIDS; exec sleep 60", Some(Mode::PanicsMidway));
    let pids = started.pids(1);
    let (output, _) = started.end();
    pids.into_iter().for_each(gone);
    assert_eq!(output.status.code(), Some(99));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("EnergiBridge failed in the middle"), "{said}");
}

#[test]
fn a_command_that_does_not_exist_is_named_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("m.csv");
    let wrapped = wrapping(folder.path(), Mode::Fine);
    for (settings, program) in [
        (estimate(), "no-such-program-here"),
        (estimate(), "/no/such/program"),
        (estimate(), "/etc/passwd"),
        (wrapped, "no-such-program-here"),
    ] {
        let error = run(&settings, Some(&csv), argv(&[program])).unwrap_err();
        assert!(matches!(&error, MeasureError::Start { .. }), "{error}");
        assert!(error.in_line().contains(program), "{error}");
        assert!(!csv.exists(), "{program}");
    }
    assert!(matches!(run(&estimate(), None, Vec::new()), Err(MeasureError::NoCommand)));
}

#[test]
fn a_counter_that_freezes_makes_the_samples_worthless_and_says_how_the_command_ended() {
    let tree = Powercap::two_sockets();
    let folder = tempfile::tempdir().unwrap();
    let (settings, csv) = (rapl(&tree), folder.path().join("m.csv"));
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !csv.exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            tree.freeze();
        });
        let shell = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 0.3; exit 4";
        run(&settings, Some(&csv), argv(&["sh", "-c", shell])).unwrap_err()
    });
    let MeasureError::Lost { exit: Exit::Code(4), source } = &error else { panic!("{error}") };
    assert!(matches!(source, MeterError::Frozen { .. }), "{source}");
}

#[test]
fn a_counter_that_is_set_back_leaves_no_joules_and_no_success() {
    let tree = Powercap::two_sockets();
    let folder = tempfile::tempdir().unwrap();
    let (settings, csv) = (rapl(&tree), folder.path().join("m.csv"));
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !csv.exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(150));
            tree.reset(0);
        });
        run(&settings, Some(&csv), argv(&["sleep", "0.5"])).unwrap_err()
    });
    let MeasureError::Lost { exit: Exit::Code(0), source } = &error else { panic!("{error}") };
    assert!(matches!(source, MeterError::Reset { resets: 1 }), "{source}");
}
