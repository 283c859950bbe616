//! Signals, terminals that go, and a host that is killed: runs end as told, and nothing is left.

use crate::energibridge::{Mode, stand_in};
use crate::experiment::{Scratch, send, start, text};
use nix::pty::openpty;
use nix::sys::signal::Signal;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

const SLEEPS: [(&str, &str); 2] = [("a", "{'seconds': 0.1}"), ("b", "{'seconds': 0.1}")];

#[test]
fn a_host_that_is_killed_takes_the_worker_and_what_it_started_along() {
    let started = "{'seconds': 0.1, 'trouble': 'family'}";
    let scratch = Scratch::new(&[("a", started)]);
    let mut host = start(scratch.experiment("a", &["--iterations", "1"]));
    // The host, its worker, a child, and a grandchild in a session of its own.
    crate::experiment::eventually("all four run", || scratch.processes().len() == 4);
    host.kill().unwrap();
    host.wait().unwrap();
    scratch.await_no_process();
}

#[test]
fn a_host_that_is_killed_takes_energibridge_along() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.5}")]);
    let program = stand_in(&scratch.at(""), Mode::Fine);
    let meter = ["--meter", "energibridge", "--energibridge", program.to_str().unwrap()];
    let mut host = start(scratch.measured("a", &meter, &["--iterations", "2"]));
    for moment in [0, 50, 400, 1200] {
        let begun = scratch.journal_text().matches("\"started\"").count();
        scratch.await_event("started", begun.max(1));
        std::thread::sleep(Duration::from_millis(moment));
        host.kill().unwrap();
        host.wait().unwrap();
        scratch.await_no_process();
        host = start(scratch.resume(&["--energibridge", program.to_str().unwrap()]));
        scratch.await_event("started", begun.max(1) + 1);
    }
    let output = host.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(2);
}

#[test]
fn a_host_that_is_killed_in_its_warm_up_leaves_nothing_and_resumes() {
    let scratch = Scratch::new(&SLEEPS);
    let mut command = scratch.experiment("a,b", &["--iterations", "1"]);
    let zero = command.get_args().position(|arg| arg == "0s").unwrap();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = scratch.program();
    command.args(&arguments[..zero]).arg("1s").args(&arguments[zero + 1..]);
    let mut host = start(command);
    scratch.await_event("started", 1);
    std::thread::sleep(Duration::from_millis(300));
    host.kill().unwrap();
    host.wait().unwrap();
    scratch.await_no_process();
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(2);
}

#[test]
fn a_resumed_run_obeys_interrupts_as_the_first_did() {
    let scratch = Scratch::new(&SLEEPS);
    for _ in 0..2 {
        let begun = scratch.journal_text().matches("trial-started").count();
        let command = if begun == 0 {
            scratch.experiment("a,b", &["--iterations", "3"])
        } else {
            scratch.resume(&[])
        };
        let host = start(command);
        scratch.await_event("trial-started", begun + 1);
        send(&host, Signal::SIGINT);
        let output = host.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{}", text(&output));
        let journal = scratch.journal();
        let count = |event: &str| journal.iter().filter(|e| e["event"] == event).count();
        assert_eq!(count("trial-started"), count("trial-ended"), "the running trial was finished");
        assert_eq!(journal.last().unwrap()["event"], "stopped");
    }
    let mut same = scratch.experiment("a,b", &["--iterations", "3", "--resume"]);
    let output = same.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(6);
}

#[test]
fn a_run_whose_reader_has_gone_goes_on_and_still_hears_signals() {
    let scratch = Scratch::new(&SLEEPS);
    let mut host = start(scratch.experiment("a,b", &["--iterations", "20"]));
    scratch.await_event("trial-started", 1);
    drop((host.stdout.take(), host.stderr.take()));
    for _ in 0..3 {
        send(&host, Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(50));
    }
    scratch.await_event("trial-ended", 2);
    send(&host, Signal::SIGTERM);
    assert_eq!(host.wait().unwrap().code(), Some(8));
    scratch.await_no_process();
}

#[test]
#[expect(unsafe_code, reason = "a process gets a terminal of its own between fork and exec only")]
fn a_terminal_that_closes_does_not_end_the_run() {
    let scratch = Scratch::new(&SLEEPS);
    let terminal = openpty(None, None).unwrap();
    let slave = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut command = scratch.experiment("a,b", &["--iterations", "2"]);
    command.stdin(slave()).stdout(slave()).stderr(slave());
    // SAFETY: both calls are async-signal-safe and neither allocates.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            match nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let mut host = command.spawn().unwrap();
    drop((command, terminal.slave));
    let master: OwnedFd = terminal.master;
    scratch.await_event("trial-started", 1);
    // The kernel now sends SIGHUP, and every write fails.
    drop(master);
    assert_eq!(host.wait().unwrap().code(), Some(0));
    scratch.assert_complete(4);
}

#[test]
fn a_killed_holder_leaves_the_machine_free_and_a_living_one_is_named_with_its_folder() {
    let scratch = Scratch::new(&[("a", "{'seconds': 1}")]);
    let mut first = start(scratch.experiment("a", &["--iterations", "1"]));
    scratch.await_event("trial-started", 1);
    let mut second = scratch.experiment("a", &["--iterations", "1"]);
    second.args(["--output"]).arg(scratch.at("second"));
    let arguments: Vec<_> = second.get_args().map(ToOwned::to_owned).collect();
    let own = arguments.iter().position(|arg| *arg == *scratch.results().as_os_str()).unwrap();
    let second = || {
        let mut command = scratch.program();
        command.args(&arguments[..own - 1]).args(&arguments[own + 1..]);
        command
    };
    let refused = second().output().unwrap();
    assert_eq!(refused.status.code(), Some(9), "{}", text(&refused));
    assert!(text(&refused).contains(&format!("process {}", first.id())), "{}", text(&refused));
    assert!(text(&refused).contains(scratch.results().to_str().unwrap()), "{}", text(&refused));
    assert!(!scratch.at("second").exists(), "the refused one wrote nothing");
    first.kill().unwrap();
    first.wait().unwrap();
    let output = second().output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn an_interrupt_ends_a_preparation_that_hangs_and_leaves_no_folder() {
    let scratch = Scratch::new(&SLEEPS);
    let images = scratch.at("data").join("train-images-idx3-ubyte.gz");
    std::fs::remove_file(&images).unwrap();
    // Whoever opens it waits for a writer that never comes.
    nix::unistd::mkfifo(&images, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let host = start(scratch.experiment("a,b", &["--iterations", "1"]));
        let waits = || {
            let threads = std::fs::read_dir(format!("/proc/{}/task", host.id()));
            threads.is_ok_and(|threads| threads.count() > 1)
        };
        crate::experiment::eventually("a thread reads the data", waits);
        std::thread::sleep(Duration::from_millis(500));
        send(&host, signal);
        let output = host.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{signal}: {}", text(&output));
        assert!(text(&output).contains("stopped while"), "{signal}: {}", text(&output));
        assert!(!scratch.results().exists());
    }
}

/// As behind Ctrl-S, or before a program that has stopped reading.
#[test]
fn a_terminal_that_nobody_reads_stops_neither_the_trials_nor_the_signals() {
    let scratch = Scratch::new(&SLEEPS);
    let (_unread, full) = std::io::pipe().unwrap();
    let fill = OwnedFd::from(full.try_clone().unwrap());
    nix::fcntl::fcntl(&fill, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    while nix::unistd::write(&fill, &[b'x'; 4096]).is_ok() {}
    nix::fcntl::fcntl(&fill, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty())).unwrap();
    let mut command = scratch.experiment("a,b", &["--iterations", "50"]);
    let mut host = command.stdout(Stdio::null()).stderr(full).spawn().unwrap();
    scratch.await_event("trial-ended", 3);
    send(&host, Signal::SIGINT);
    scratch.await_event("stopped", 1);
    assert_eq!(host.wait().unwrap().code(), Some(8));
    scratch.await_no_process();
}

#[test]
fn a_folder_for_temporary_files_with_a_long_name_is_no_reason_to_fail() {
    let scratch = Scratch::new(&SLEEPS);
    let long = scratch.at(&"t".repeat(200));
    std::fs::create_dir(&long).unwrap();
    let mut command = scratch.experiment("a", &["--iterations", "1"]);
    let output = command.env("TMPDIR", long).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(1);
}

#[test]
fn an_analysis_ends_when_it_is_asked_to() {
    let scratch = Scratch::new(&SLEEPS);
    let output = scratch.experiment("a,b", &["--iterations", "3"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = scratch.program();
        command.arg("analyze").arg(scratch.results());
        let analysis = start(command);
        crate::experiment::eventually("its process runs", || {
            scratch.processes().iter().any(|line| line.contains("worker --socket"))
        });
        send(&analysis, signal);
        let output = analysis.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(8), "{}", text(&output));
        assert!(text(&output).contains("joulerace analyze"), "{}", text(&output));
        scratch.await_no_process();
    }
}

#[test]
fn an_analysis_that_is_killed_leaves_no_process_and_can_be_made_again() {
    let scratch = Scratch::new(&SLEEPS);
    let output = scratch.experiment("a,b", &["--iterations", "3"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let trials = std::fs::read(scratch.results().join("a/a_0.csv")).unwrap();
    for moment in [0, 300, 1500] {
        let mut command = scratch.program();
        command.arg("analyze").arg(scratch.results());
        let mut analysis = start(command);
        crate::experiment::eventually("its process runs", || {
            scratch.processes().iter().any(|line| line.contains("worker --socket"))
        });
        std::thread::sleep(Duration::from_millis(moment));
        analysis.kill().unwrap();
        analysis.wait().unwrap();
        scratch.await_no_process();
    }
    let output = scratch.program().arg("analyze").arg(scratch.results()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(scratch.results().join("analysis/report.html").is_file());
    assert_eq!(std::fs::read(scratch.results().join("a/a_0.csv")).unwrap(), trials);
}
