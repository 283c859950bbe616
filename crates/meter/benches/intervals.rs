//! What reading costs at each interval: processor time of one session of the built-in meter at 200 ms, at 1 ms
//! and at the edges alone, beside the least that any reader takes at the same intervals: a loop that wakes,
//! reads the same packages and DRAM, and writes a line. At 200 ms stands beside them the least that has the columns
//! of processors and memory as well: the same loop, which reads `/proc/stat` and `/proc/meminfo` once a second.
//!
//!     cargo bench -p joulerace-meter --bench intervals
//!
//! Each runs in a process of its own that measures itself, opening its files included and finding that they
//! work not, in turn. The counters are plain files that this bench advances, two sockets
//! with cores and DRAM; `JOULERACE_BENCH_POWERCAP` names others. `JOULERACE_BENCH_SECONDS` is how long a
//! session is (30). Processor time is charged to whoever takes it, so that this can be run on a machine that
//! does other things, with more noise.

#[path = "../../../tests/common/powercap.rs"]
mod powercap;

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use joulerace_meter::meter::{Choice, EDGES, Kind, MeterSettings, select};
use nix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 5;
/// So that the row of a whole second is never just too early.
const ABOUT_A_SECOND: Duration = Duration::from_millis(950);

/// Said by this program to itself.
const SESSION: &str = "--session";
const LEAST: &str = "--least";
const WITH_COLUMNS: &str = "--least-with-columns";

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().collect();
    let kinds = [SESSION, LEAST, WITH_COLUMNS];
    if let Some(kind) = args.get(1).filter(|arg| kinds.contains(&arg.as_str())) {
        println!("{}", own_cpu_ms(kind, &args[2..])?);
        return Ok(());
    }
    let seconds = match env::var("JOULERACE_BENCH_SECONDS") {
        Ok(text) => text.parse().map_err(io::Error::other)?,
        Err(_) => 30.0,
    };
    let scratch = tempfile::tempdir()?;
    let csv = scratch.path().join("samples.csv").display().to_string();
    let tree = powercap::Powercap::two_sockets();
    let zones = env::var_os("JOULERACE_BENCH_POWERCAP").map(PathBuf::from);
    let zones = zones.unwrap_or_else(|| tree.root().to_owned());
    let counters = counters(&zones)?;
    let line = |kind: &str, interval: Duration| {
        let mut line = vec![kind.to_owned(), interval.as_micros().to_string(), seconds.to_string()];
        line.push(csv.clone());
        match kind {
            SESSION => line.push(zones.display().to_string()),
            _ => line.extend_from_slice(&counters),
        }
        line
    };
    println!("a session of {seconds} s, milliseconds of CPU a second, {ROUNDS} of each in turn");
    let (short, shortest) = (Duration::from_millis(200), Duration::from_millis(1));
    for (name, interval) in [("200 ms", short), ("1 ms", shortest), ("edges", EDGES)] {
        let mut costs: [Vec<f64>; 3] = Default::default();
        // Once a second is seldom at 200 ms alone.
        let kinds = if interval == short { &kinds[..] } else { &kinds[..2] };
        for _ in 0..ROUNDS {
            for (kind, cost) in kinds.iter().zip(&mut costs) {
                cost.push(charged(&line(kind, interval))? / seconds);
            }
        }
        let [ours, least, with_columns] = costs;
        let ratio = median(&ours) / median(&least);
        println!("{name}: rapl {}, the least {}, ratio {ratio:.2}", told(&ours), told(&least));
        if !with_columns.is_empty() {
            let ratio = median(&with_columns) / median(&least);
            println!("{name}: the least with columns {}, ratio {ratio:.2}", told(&with_columns));
        }
    }
    Ok(())
}

/// The files of packages and DRAM.
fn counters(zones: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(zones)? {
        let zone = entry?.path();
        // What the made zones are told to use lies beside them.
        if !zone.join("energy_uj").is_file() {
            continue;
        }
        for part in fs::read_dir(&zone)? {
            let part = part?.path();
            if fs::read_to_string(part.join("name")).is_ok_and(|name| name.trim() == "dram") {
                files.push(part.join("energy_uj").display().to_string());
            }
        }
        files.push(zone.join("energy_uj").display().to_string());
    }
    Ok(files)
}

/// What this program says that it took, called with these arguments.
fn charged(args: &[String]) -> io::Result<f64> {
    let output = Command::new(env::current_exe()?).args(args).output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let failed = |_| io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned());
    told.trim().parse().map_err(failed)
}

/// Milliseconds of CPU that one session takes, or one loop of the least:
/// `MICROSECONDS SECONDS CSV (ZONES | COUNTER...)`.
fn own_cpu_ms(kind: &str, args: &[String]) -> io::Result<f64> {
    let interval = Duration::from_micros(args[0].parse().map_err(io::Error::other)?);
    let time = Duration::from_secs_f64(args[1].parse().map_err(io::Error::other)?);
    if kind != SESSION {
        let beside: &[&str] = match kind == WITH_COLUMNS {
            true => &["/proc/stat", "/proc/meminfo"],
            false => &[],
        };
        return the_least(interval, time, Path::new(&args[2]), &args[3..], beside);
    }
    let settings = MeterSettings {
        choice: Choice::only(Kind::Rapl),
        powercap: args[3].clone().into(),
        interval,
        ..MeterSettings::default()
    };
    let meter = select(&settings).map_err(io::Error::other)?.meter;
    let before = cpu_ms()?;
    let session = meter.start(Path::new(&args[2])).map_err(io::Error::other)?;
    std::thread::sleep(time);
    session.finish().map_err(io::Error::other)?;
    Ok(cpu_ms()? - before)
}

/// Reads counters into lines, and what is `beside` them once a second, and does nothing else.
fn the_least(
    interval: Duration,
    time: Duration,
    csv: &Path,
    files: &[String],
    beside: &[&str],
) -> io::Result<f64> {
    let (before, start) = (cpu_ms()?, Instant::now());
    let mut out = File::create(csv)?;
    let counters: Vec<File> = files.iter().map(File::open).collect::<io::Result<_>>()?;
    let beside: Vec<File> = beside.iter().map(File::open).collect::<io::Result<_>>()?;
    let (mut line, mut ending, mut read, mut long) = (Vec::new(), false, None, vec![0; 1 << 14]);
    loop {
        line.clear();
        for counter in &counters {
            let mut text = [0; 32];
            let length = counter.read_at(&mut text, 0)?;
            line.extend_from_slice(text[..length].trim_ascii());
            line.push(b',');
        }
        if !beside.is_empty() && read.is_none_or(|at: Instant| at.elapsed() >= ABOUT_A_SECOND) {
            read = Some(Instant::now());
            for file in &beside {
                file.read_at(&mut long, 0)?;
            }
        }
        line.push(b'\n');
        out.write_all(&line)?;
        if ending {
            return Ok(cpu_ms()? - before);
        }
        std::thread::sleep(interval.min(time.saturating_sub(start.elapsed())));
        ending = start.elapsed() >= time;
    }
}

/// Milliseconds of CPU that this process took since it began.
fn cpu_ms() -> io::Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(Duration::from(time).as_secs_f64() * 1e3)
}

fn told(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.4} ({least:.4}-{most:.4})", median(values))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
