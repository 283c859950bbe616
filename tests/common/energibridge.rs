//! A program that speaks EnergiBridge's command line and file format, at a known power, and fails in
//! the ways in which the real one does.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Watts that it measures.
pub const WATTS: f64 = 50.0;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it should.
    Fine,
    /// Panics before it writes anything, as where the registers cannot be read.
    PanicsAtStart,
    /// Panics after a second and leaves the command running. Works for the short command that it
    /// is tried out with.
    PanicsMidway,
    /// Is killed in the middle of a row, after a second; the command runs on.
    CutsARow,
    /// Says that it is version 0.0.6.
    Old,
    /// Knows no energy on this machine.
    NoEnergy,
    /// Its counter stands still after a second.
    Frozen,
    /// As on most Intel desktops and laptops: all four of RAPL's columns, and no register behind `DRAM`
    /// (always 0) and `PP1` (always the same).
    Client,
    /// As where it cannot read the registers and does not notice: none of its columns ever moves.
    Dead,
}

/// Writes the program into `folder`, under its real name, and gives its path.
pub fn stand_in(folder: &Path, mode: Mode) -> PathBuf {
    let (text, path) = (folder.join("energibridge.py"), folder.join("energibridge"));
    std::fs::write(&text, PROGRAM.replace("MODE_OF_TEST", &format!("{mode:?}"))).unwrap();
    std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Copied by a process of its own: a file that this one had open for writing cannot be run while
    // another test's child, forked in that moment, still holds it.
    assert!(Command::new("cp").arg("-p").args([&text, &path]).status().unwrap().success());
    path
}

const PROGRAM: &str = r#"#!/usr/bin/env python3
import argparse, os, signal, subprocess, sys, time

MODE, WATTS = "MODE_OF_TEST", 50.0
START = time.monotonic()

p = argparse.ArgumentParser(prog="energibridge")
p.add_argument("-o", "--output")
p.add_argument("-s", "--separator", default=",")
p.add_argument("-c", "--command-output")
p.add_argument("-i", "--interval", type=int, default=200)
p.add_argument("-m", "--max-execution", type=int, default=0)
p.add_argument("-g", "--gpu", action="store_true")
p.add_argument("--summary", action="store_true")
p.add_argument("-V", "--version", action="version",
               version="energibridge " + ("0.0.6" if MODE == "Old" else "0.0.7"))
p.add_argument("command", nargs=argparse.REMAINDER)
args = p.parse_args()
command = args.command[1:] if args.command[:1] == ["--"] else args.command


def panic(place, message):
    sys.stderr.write(f"\nthread 'main' ({os.getpid()}) panicked at {place}:\n{message}\n"
                     "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n")
    sys.stderr.flush()
    os._exit(101)


def collect():
    seconds = time.monotonic() - START
    if MODE == "Frozen":
        seconds = min(seconds, 1.0)
    row = {"CPU_FREQUENCY_0": 3400, "CPU_USAGE_0": 50.0, "TOTAL_MEMORY": 1 << 30,
           "USED_MEMORY": 1 << 29, "TOTAL_SWAP": 0, "USED_SWAP": 0}
    if MODE in ("Client", "Dead"):
        moves = seconds if MODE == "Client" else 0
        row["PACKAGE_ENERGY (J)"] = 2000 + WATTS * moves
        row["PP0_ENERGY (J)"] = 700 + WATTS / 2 * moves
        row["PP1_ENERGY (J)"], row["DRAM_ENERGY (J)"] = 12.5, 0
    elif MODE != "NoEnergy":
        row["CPU_ENERGY (J)"] = 1000 + WATTS * seconds
        row["CORE0_ENERGY (J)"] = 500 + WATTS / 2 * seconds
    return time.time(), row


def show(sample, whole=True):
    at, row = sample
    fields = [int((time.time() - at) * 1000), int(at * 1000)] + [row[k] for k in sorted(row)]
    line = args.separator.join(str(f) for f in fields)
    os.write(out, (line + "\n").encode() if whole else line[: len(line) // 2].encode())


if MODE == "PanicsAtStart":
    panic("src/cpu/amd.rs:20:76", "called `Result::unwrap()` on an `Err` value: "
          'Os { code: 2, kind: NotFound, message: "No such file or directory" }')
stopped = False


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
out = os.open(args.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) if args.output else 1
try:
    child = subprocess.Popen(command)
except OSError as error:
    sys.stderr.write(f"Failed to execute command: {error}\n")
    sys.exit(1)
sample = collect()
first = sample
os.write(out, args.separator.join(["Delta", "Time", *sorted(sample[1])]).encode() + b"\n")
while True:
    show(sample)
    sample = collect()
    late = time.monotonic() - START > 1.0
    if late and MODE == "PanicsMidway":
        panic("library/core/src/time.rs:1223:31", "overflow when subtracting durations")
    if late and MODE == "CutsARow":
        show(sample, whole=False)
        os.kill(os.getpid(), signal.SIGKILL)
    if stopped:
        child.kill()
        code = 1
        break
    if child.poll() is not None:
        code = child.returncode
        if code < 0:
            panic("src/main.rs:156:45", "called `Option::unwrap()` on a `None` value")
        break
    time.sleep(args.interval / 1000)
show(sample)
joules = sum(sample[1].get(f"{c}_ENERGY (J)", 0) - first[1].get(f"{c}_ENERGY (J)", 0)
             for c in ("CPU", "PACKAGE"))
if args.summary and joules > 0:
    print(f"Energy consumption in joules: {joules} for {time.monotonic() - START} sec of execution.")
sys.exit(code)
"#;
