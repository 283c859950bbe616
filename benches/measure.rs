//! What measuring costs: processor time of `joulerace measure --meter rapl` beside EnergiBridge, both
//! at 200 ms, around the same sleeping command.
//!
//!     JOULERACE_BENCH_ENERGIBRIDGE=/path/to/energibridge \
//!     JOULERACE_BENCH_POWERCAP=/path/to/powercap cargo bench --bench measure
//!
//! Without the first variable only this program is measured. Without the second the counters are plain
//! files that this bench advances, two sockets with cores and DRAM, which cost a reader about what the
//! kernel's own do; with `/dev/cpu` bound to something plain as well, see `README.md`, EnergiBridge
//! reads as cheaply. `JOULERACE_BENCH_SECONDS` is how long the command sleeps (30).
//!
//! The time is what the kernel charges to the measuring process from its start to its end, less what
//! the command takes by itself. Beside it stands the least that any meter takes on the machine: a loop
//! that wakes, reads the same packages and DRAM, and writes a line.

#[path = "../tests/common/powercap.rs"]
mod powercap;

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use joulerace::process::children_cpu_seconds;

const INTERVAL: Duration = Duration::from_millis(200);
/// Long enough for one row: what it costs to start and to find that the counters work.
const SHORT_S: f64 = 0.3;
const ROUNDS: usize = 3;

/// Said by this program to itself.
const LEAST: &str = "--least";

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    if args.get(1).is_some_and(|arg| arg == LEAST) {
        return be_the_least(&args[2..]);
    }
    let seconds = match env::var("JOULERACE_BENCH_SECONDS") {
        Ok(text) => text.parse().map_err(io::Error::other)?,
        Err(_) => 30.0,
    };
    let scratch = tempfile::tempdir()?;
    let csv = scratch.path().join("samples.csv");
    let tree = powercap::Powercap::two_sockets();
    let zones = env::var_os("JOULERACE_BENCH_POWERCAP").map(PathBuf::from);
    let zones = zones.unwrap_or_else(|| tree.root().to_owned());
    let ours = ours(&csv, &zones);
    let theirs = theirs(&csv);
    if theirs.is_none() {
        println!("no EnergiBridge to compare with (set JOULERACE_BENCH_ENERGIBRIDGE)");
    }
    let (mut bare, least) = (Cost::default(), least(&scratch.path().join("least.csv"), &zones)?);
    let (mut built_in, mut estimated, mut other) =
        (Cost::default(), Cost::default(), Cost::default());
    for _ in 0..ROUNDS {
        bare.add(&least, seconds)?;
        built_in.add(&ours("rapl"), seconds)?;
        estimated.add(&ours("estimate"), seconds)?;
        if let Some(theirs) = &theirs {
            other.add(theirs, seconds)?;
        }
    }
    println!(
        "a command of {seconds} s at {} ms, medians of {ROUNDS} runs of each, in turn",
        INTERVAL.as_millis()
    );
    bare.print("the least that can be called a meter");
    built_in.print("joulerace measure --meter rapl");
    estimated.print("joulerace measure --meter estimate");
    if theirs.is_some() {
        other.print("energibridge");
        println!("rapl / energibridge: {:.3}", built_in.whole() / other.whole());
        println!("the same without starting: {:.3}", built_in.per_s() / other.per_s());
        println!("the least / energibridge, without starting: {:.3}", bare.per_s() / other.per_s());
    }
    Ok(())
}

/// This program's command line, but for the measured command.
fn ours(csv: &Path, powercap: &Path) -> impl Fn(&str) -> Vec<String> {
    let (csv, powercap) = (csv.display().to_string(), powercap.display().to_string());
    move |meter| {
        let program = env!("CARGO_BIN_EXE_joulerace");
        let interval = format!("{}ms", INTERVAL.as_millis());
        [
            program,
            "measure",
            "-q",
            "--meter",
            meter,
            "--powercap",
            &powercap,
            "--interval",
            &interval,
        ]
        .into_iter()
        .chain(["--output", &csv, "--"])
        .map(str::to_owned)
        .collect()
    }
}

fn theirs(csv: &Path) -> Option<Vec<String>> {
    let program = env::var("JOULERACE_BENCH_ENERGIBRIDGE").ok()?;
    let csv = csv.display().to_string();
    let interval = INTERVAL.as_millis().to_string();
    Some([&program, "-o", &csv, "-i", &interval, "--"].map(str::to_owned).to_vec())
}

/// Milliseconds of CPU around a short and around a long command.
#[derive(Default)]
struct Cost {
    short: Vec<f64>,
    long: Vec<f64>,
    seconds: f64,
}

impl Cost {
    fn add(&mut self, line: &[String], seconds: f64) -> io::Result<()> {
        self.seconds = seconds;
        self.short.push(around(line, SHORT_S)?);
        self.long.push(around(line, seconds)?);
        Ok(())
    }

    fn whole(&self) -> f64 {
        median(&self.long)
    }

    /// Milliseconds of CPU per second measured, once started.
    fn per_s(&self) -> f64 {
        (self.whole() - median(&self.short)) / (self.seconds - SHORT_S)
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: {:.1} ms of CPU in all ({:.2} ms per second), {:.1} ms of it around a command \
             of {SHORT_S} s; {:.2} ms per second beyond that",
            self.whole(),
            self.whole() / self.seconds,
            median(&self.short),
            self.per_s()
        );
    }
}

/// Milliseconds of CPU that measuring `sleep` takes beyond the command's own.
fn around(line: &[String], seconds: f64) -> io::Result<f64> {
    let sleep = ["sleep".to_owned(), seconds.to_string()];
    let alone = cpu_ms(&["sleep".to_owned(), "0".to_owned()])?;
    Ok(cpu_ms(&[line, &sleep].concat())? - alone)
}

fn cpu_ms(line: &[String]) -> io::Result<f64> {
    let before = children_cpu_seconds();
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("{}: {said}", line.join(" "))));
    }
    Ok((children_cpu_seconds() - before) * 1e3)
}

/// The command line of this program as the least that can be called a meter.
fn least(csv: &Path, zones: &Path) -> io::Result<Vec<String>> {
    let mut line = vec![env::current_exe()?.display().to_string(), LEAST.to_owned()];
    line.push(csv.display().to_string());
    for entry in fs::read_dir(zones)? {
        let zone = entry?.path();
        for part in fs::read_dir(&zone)? {
            let part = part?.path();
            if fs::read_to_string(part.join("name")).is_ok_and(|name| name.trim() == "dram") {
                line.push(part.join("energy_uj").display().to_string());
            }
        }
        line.push(zone.join("energy_uj").display().to_string());
    }
    line.push("--".to_owned());
    Ok(line)
}

/// Wakes at each interval, reads the counters and writes a line, until the command ends:
/// `CSV COUNTER... -- COMMAND`.
fn be_the_least(args: &[String]) -> io::Result<()> {
    let (files, command) = args.split_at(args.iter().position(|arg| arg == "--").unwrap_or(0));
    let mut out = File::create(&files[0])?;
    let counters: Vec<File> = files[1..].iter().map(File::open).collect::<io::Result<_>>()?;
    let mut child = Command::new(&command[1]).args(&command[2..]).spawn()?;
    let mut line = Vec::new();
    while child.try_wait()?.is_none() {
        std::thread::sleep(INTERVAL);
        line.clear();
        for counter in &counters {
            let mut text = [0; 32];
            let length = counter.read_at(&mut text, 0)?;
            line.extend_from_slice(text[..length].trim_ascii());
            line.push(b',');
        }
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
