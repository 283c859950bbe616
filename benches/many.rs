//! Folders of many trials: 9,000 in three groups, and 72 groups of 35.
//!
//!     cargo bench --bench many                     reading and deciding, in this process
//!     JOULERACE_BENCH_WHOLE=1 cargo bench --bench many     and `joulerace analyze` as a whole
//!
//! The files are made for the run: 30 s at 200 ms, the columns of EnergiBridge on an Intel desktop, blocks
//! in random order.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use joulerace::analysis::scan::scan_with;
use joulerace::analysis::{AnalyzeSettings, study};

const SAMPLES: usize = 150;
const CORES: usize = 8;

/// Groups and trials in each.
const SIZES: [(usize, usize); 2] = [(3, 3000), (72, 35)];

fn main() -> io::Result<()> {
    let threads = std::thread::available_parallelism()?;
    for (groups, each) in SIZES {
        let made = tempfile::tempdir()?;
        let bytes = make(made.path(), groups, each)?;
        let trials = groups * each;
        println!(
            "{trials} trials, {groups} groups, {:.0} MB, {threads} cores, files in the page cache",
            bytes as f64 / 1e6
        );
        read(made.path())?;
        if std::env::var_os("JOULERACE_BENCH_WHOLE").is_some() {
            whole(made.path())?;
        }
    }
    Ok(())
}

/// What the host and the process that analyses do before Python begins.
fn read(dir: &Path) -> io::Result<()> {
    let settings = AnalyzeSettings::new(dir, "python");
    let before = Instant::now();
    let found = scan_with(dir, &settings.output(), &settings.search)?;
    let scanned = before.elapsed().as_secs_f64();
    let study = study(&settings, &found, &|_| {}).map_err(io::Error::other)?;
    println!(
        "  found in {scanned:.2} s; read and decided in {:.2} s; {} usable; {}; at most {} MB",
        before.elapsed().as_secs_f64() - scanned,
        study.told.usable,
        study.told.pairing,
        most_kib("self")? / 1024
    );
    Ok(())
}

fn whole(dir: &Path) -> io::Result<()> {
    let before = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_joulerace")).arg("analyze").arg(dir).spawn()?;
    let done = child.wait_with_output()?;
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    println!(
        "  as a whole: {:.1} s, {}; the largest process so far had {} MB",
        before.elapsed().as_secs_f64(),
        done.status,
        usage.max_rss() / 1024
    );
    Ok(())
}

/// The most memory that a process has had, KiB.
fn most_kib(process: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("the kernel does not say how much memory was used"))
}

fn make(root: &Path, groups: usize, each: usize) -> io::Result<u64> {
    let mut random = Random(42);
    let mut bytes = 0;
    let mut begin_ms = 1_740_000_000_000u64;
    let mut order: Vec<usize> = (0..groups).collect();
    for block in 0..each {
        for at in (1..groups).rev() {
            order.swap(at, (random.next() * (at + 1) as f64) as usize);
        }
        for group in &order {
            let folder = root.join(format!("way{group:02}"));
            if block == 0 {
                fs::create_dir_all(&folder)?;
            }
            let watts = 40.0 + *group as f64 * 0.5 + 0.8 * (random.next() - 0.5);
            let text = samples(begin_ms, watts, &mut random);
            bytes += text.len() as u64;
            fs::write(folder.join(format!("way{group:02}_{block}.csv")), text)?;
            begin_ms += 40_000;
        }
    }
    Ok(bytes)
}

fn samples(begin_ms: u64, watts: f64, random: &mut Random) -> String {
    let mut text = "Delta,Time".to_owned();
    for core in 0..CORES {
        write!(text, ",CPU_USAGE_{core}").expect("memory takes all");
    }
    text.push_str(",DRAM_ENERGY (J),PACKAGE_ENERGY (J),PP0_ENERGY (J),USED_MEMORY\n");
    let mut package = 100_000.0 * random.next();
    for i in 0..=SAMPLES as u64 {
        write!(text, "199,{}", begin_ms + 200 * i).expect("memory takes all");
        for _ in 0..CORES {
            write!(text, ",{:.2}", 100.0 * random.next()).expect("memory takes all");
        }
        let counted = (package * 16384.0).round() / 16384.0;
        writeln!(text, ",0,{counted},{},4837986304", counted / 2.0).expect("memory takes all");
        package += 0.2 * watts * (0.95 + 0.1 * random.next());
    }
    text
}

/// A linear congruential generator: any digits will do, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / f64::from(1u32 << 24)
    }
}
