//! Reading and integrating a study's files: 105 files of 52 MB together, beside pandas.
//!
//!     cargo bench --bench read
//!     JOULERACE_BENCH_PYTHON=/path/to/python cargo bench --bench read     beside pandas, same files
//!
//! The files are made for the run, with the columns and the digits of EnergiBridge on a Windows
//! machine with an AMD processor; the real ones in `../shared` are measured as well where they are.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use joulerace::analysis::gather::{Outcome, gather};
use joulerace::analysis::scan::scan;
use joulerace::energy::{Wrapping, account_file};

const FILES: usize = 105;
const BYTES: usize = 52_000_000;
const REPEATS: usize = 11;
const CORES: usize = 12;

/// What an analysis in pandas does at least: read each file, last minus first. The time to import
/// pandas is not counted.
const PANDAS: &str = "
import glob, sys, time
import pandas as pd
files = glob.glob(sys.argv[1] + '/*/*.csv')
start, joules = time.perf_counter(), 0.0
for file in files:
    table = pd.read_csv(file)
    energy, at = table['CPU_ENERGY (J)'], table['Time']
    joules += energy.iloc[-1] - energy.iloc[0] + 0.0 * (at.iloc[-1] - at.iloc[0])
print(time.perf_counter() - start)
";

fn main() -> io::Result<()> {
    let made = tempfile::tempdir()?;
    for number in 0..FILES {
        let group = made.path().join(["jax", "keras", "torch"][number % 3]);
        fs::create_dir_all(&group)?;
        write_file(&group.join(format!("trial_{}.csv", number / 3)), number, BYTES / FILES)?;
    }
    let threads = std::thread::available_parallelism()?;
    println!("reading and integrating, {threads} cores, files in the page cache");
    measure("made", made.path())?;
    let real =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/energibridge/windows-amd-ryzen");
    if real.is_dir() {
        measure("real", &real)?;
    }
    memory(made.path())
}

fn measure(name: &str, dir: &Path) -> io::Result<()> {
    let files = csv_files(dir)?;
    let bytes: u64 = files.iter().map(|f| fs::metadata(f).map_or(0, |m| m.len())).sum();
    let mut seconds = Vec::new();
    for _ in 0..REPEATS {
        let start = Instant::now();
        let found = scan(dir, Path::new(""))?;
        let trials = gather(&found.inputs, found.source);
        seconds.push(start.elapsed().as_secs_f64());
        assert!(trials.iter().all(|t| matches!(t.outcome, Outcome::Read(_))), "a file was refused");
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[REPEATS / 2];
    println!(
        "{name}: {} files, {:.1} MB: median {median:.3} s (least {:.3} s, most {:.3} s), {:.0} MB/s",
        files.len(),
        bytes as f64 / 1e6,
        seconds[0],
        seconds[REPEATS - 1],
        bytes as f64 / 1e6 / median,
    );
    match pandas(dir) {
        Some(pandas) => {
            println!("{name}: pandas {pandas:.3} s, {:.1} times as long", pandas / median)
        }
        None => println!("{name}: no pandas to compare with (set JOULERACE_BENCH_PYTHON)"),
    }
    Ok(())
}

fn pandas(dir: &Path) -> Option<f64> {
    let python = std::env::var_os("JOULERACE_BENCH_PYTHON")?;
    let run = || {
        let output = Command::new(&python).args(["-c", PANDAS]).arg(dir).output().ok()?;
        io::stderr().write_all(&output.stderr).ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    // The best of three: the comparison is not to be won by a cold start.
    (0..3).filter_map(|_| run()).min_by(f64::total_cmp)
}

/// Memory must not grow with a file's length.
fn memory(dir: &Path) -> io::Result<()> {
    let long = dir.join("long.csv");
    write_file(&long, 0, BYTES * 4)?;
    let Some(before) = resident_kib() else { return Ok(()) };
    let accounts = account_file(&long, &[], &Wrapping::Infer).map_err(io::Error::other)?;
    let after = resident_kib().unwrap_or(before);
    println!(
        "one file of {:.0} MB, {} samples: resident memory {before} KiB before, {after} KiB after",
        fs::metadata(&long)?.len() as f64 / 1e6,
        accounts.integrity.samples,
    );
    Ok(())
}

/// Resident memory now, where the system tells.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn csv_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for group in fs::read_dir(dir)? {
        let group = group?.path();
        if group.is_dir() {
            for file in fs::read_dir(group)? {
                files.push(file?.path());
            }
        }
    }
    Ok(files)
}

/// One file of about `bytes` bytes, written line by line so that making it takes no memory.
fn write_file(path: &Path, seed: usize, bytes: usize) -> io::Result<()> {
    let mut file = io::BufWriter::new(fs::File::create(path)?);
    let mut line = "Delta,Time,CORE0_ENERGY (J),CORE0_FREQ (MHZ),CORE0_PSTATE,CORE0_VOLT (V),\
                    CPU_ENERGY (J)"
        .to_owned();
    for column in ["CPU_FREQUENCY", "CPU_USAGE"] {
        for core in 0..CORES {
            write!(line, ",{column}_{core}").map_err(io::Error::other)?;
        }
    }
    line.push_str(",TOTAL_MEMORY,TOTAL_SWAP,USED_MEMORY,USED_SWAP\n");
    // A linear congruential generator: any digits will do, the same in every run.
    let mut state = seed as u64 + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1u32 << 24)
    };
    let (mut time, mut package, mut core) = (1_740_653_207_388u64, 100_000_000.0, 8_000_000.0);
    let unit = 2f64.powi(-16);
    let mut written = 0;
    while written < bytes {
        file.write_all(line.as_bytes())?;
        written += line.len();
        time += 200;
        package = (package + (600_000.0 + 200_000.0 * next()).floor()) % 2f64.powi(32);
        core = (core + (60_000.0 * next()).floor()) % 2f64.powi(32);
        line.clear();
        write!(line, "199,{time},{},3260,1,1.31875,{}", core * unit, package * unit)
            .map_err(io::Error::other)?;
        for _ in 0..CORES {
            line.push_str(",3593");
        }
        for _ in 0..CORES {
            write!(line, ",{}", 99.9 * next()).map_err(io::Error::other)?;
        }
        line.push_str(",17125388288,4831838208,4837986304,0\n");
    }
    file.flush()
}
