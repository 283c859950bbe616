//! A study on a thousand machines: what the plan, the merge and the analysis of 100,000 trials cost.
//!
//!     cargo bench --bench shards                              plan and merge
//!     JOULERACE_BENCH_WHOLE=1 cargo bench --bench shards      and `joulerace analyze`, after
//!                                                             `cargo build --release`
//!     JOULERACE_BENCH_MACHINES=100 cargo bench --bench shards     a tenth of it
//!
//! The shards are made for the run, in the form in which the program writes them: 50 blocks of two
//! treatments on each machine, some 3.5 s of samples at 200 ms a trial. They take 1.2 GB for the time. What
//! is told is processor time of all threads, which other work on the machine changes little, and in brackets
//! time on the clock.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use joulerace::cluster::{merge, study};
use joulerace::plan::{Plan, Trial};
use joulerace::settings::{Settings, Shard};
use nix::sys::resource::{UsageWho, getrusage};
use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Blocks that a machine runs.
const BLOCKS: u32 = 50;
const SAMPLES: u64 = 18;

fn main() -> io::Result<()> {
    let machines: u32 = std::env::var("JOULERACE_BENCH_MACHINES")
        .map_or(Ok(1000), |machines| machines.parse())
        .map_err(io::Error::other)?;
    let settings = settings(machines * BLOCKS);
    let begun = Spent::new(UsageWho::RUSAGE_SELF)?;
    let plan = Plan::of(&settings);
    println!("{machines} machines, {} trials, {} threads", plan.trials.len(), threads()?);
    println!("  planned in {}", begun.since()?);
    let begun = Spent::new(UsageWho::RUSAGE_SELF)?;
    let one = Plan::of(&study::of_shard(&settings, machines, machines));
    println!("  a shard's plan ({} trials) in {}", one.trials.len(), begun.since()?);

    let root = tempfile::tempdir()?;
    let begun = Spent::new(UsageWho::RUSAGE_SELF)?;
    (1..=machines)
        .into_par_iter()
        .try_for_each(|number| shard(root.path(), &settings, Shard { number, of: machines }))?;
    println!("  (made in {})", begun.since()?);
    let begun = Spent::new(UsageWho::RUSAGE_SELF)?;
    let merged = merge(root.path(), false, &|_| {}).map_err(io::Error::other)?;
    let (done, all) = merged.done();
    assert_eq!((done, all), (plan.trials.len() as u32, plan.trials.len() as u32));
    assert_eq!(merged.experiment.machines.len(), machines as usize);
    println!("  merged in {}; at most {} MB", begun.since()?, most_kib()? / 1024);
    if std::env::var_os("JOULERACE_BENCH_WHOLE").is_some() {
        whole(root.path())?;
    }
    Ok(())
}

fn whole(dir: &Path) -> io::Result<()> {
    let begun = Spent::new(UsageWho::RUSAGE_CHILDREN)?;
    let child = Command::new(env!("CARGO_BIN_EXE_joulerace")).arg("analyze").arg(dir).spawn()?;
    let done = child.wait_with_output()?;
    let most = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() / 1024;
    println!(
        "  analysed in {}, {}; the largest process had {most} MB",
        begun.since()?,
        done.status
    );
    let size = |name: &str| fs::metadata(dir.join("analysis").join(name)).map_or(0, |m| m.len());
    println!(
        "  report.html {} kB, summary.json {} kB",
        size("report.html") / 1000,
        size("summary.json") / 1000
    );
    Ok(())
}

/// What was spent since a moment.
struct Spent {
    whose: UsageWho,
    processor: Duration,
    clock: Instant,
}

impl Spent {
    fn new(whose: UsageWho) -> io::Result<Spent> {
        Ok(Spent { whose, processor: processor(whose)?, clock: Instant::now() })
    }

    fn since(&self) -> io::Result<String> {
        let used = processor(self.whose)? - self.processor;
        Ok(format!("{:.2} s ({:.1} s)", used.as_secs_f64(), self.clock.elapsed().as_secs_f64()))
    }
}

/// Processor time of all threads of this process, or of its children that have ended.
fn processor(whose: UsageWho) -> io::Result<Duration> {
    let usage = getrusage(whose)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = [user, system].map(|t| 1_000_000 * t.tv_sec() + t.tv_usec()).iter().sum::<i64>();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

fn threads() -> io::Result<usize> {
    Ok(std::thread::available_parallelism()?.get())
}

/// The most memory that this process has had, KiB.
fn most_kib() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("the kernel does not say how much memory was used"))
}

fn settings(blocks: u32) -> Settings {
    let treatment = |name: &str| json!({ "name": name, "framework": name });
    serde_json::from_value(json!({
        "iterations": blocks, "treatments": (["a", "b"].map(treatment)), "control": null,
        "job": { "epochs": 1, "batch_size": 64, "learning_rate": 0.001, "seed": 42,
                 "train_samples": null, "test_samples": null, "threads": 8 },
        "order_seed": 7, "warmup": "5m", "warmup_until_stable": false, "cooldown": "1m",
        "cooldown_until_idle": null, "baseline": "10s", "interval": "200ms", "meter": "rapl",
        "cpu_watts": { "idle_w": 10.0, "busy_w": 65.0 }, "energibridge": null,
        "powercap": "/sys/class/powercap", "dataset": "mnist", "data_dir": null,
        "python_env": null, "allow_unlocked": false, "workloads": null,
        "failures": { "retries": 1, "trial_timeout": null, "max_failures": 10 },
    }))
    .expect("these are settings")
}

/// One shard's folder, as its machine leaves it.
fn shard(root: &Path, settings: &Settings, shard: Shard) -> io::Result<()> {
    let settings = study::of_shard(settings, shard.number, shard.of);
    let plan = Plan::of(&settings);
    let folder = root.join("shards").join(shard.number.to_string());
    let name = format!("node{:04}", shard.number);
    let mut random = Random(u64::from(shard.number));
    // What machines differ by, and what a block has in common.
    let level = 1.0 + 0.1 * (random.next() - 0.5);
    let mut journal = String::new();
    for trial in &plan.trials {
        let watts = 50.0 * level * if trial.treatment == "a" { 1.0 } else { 1.03 };
        let watts = watts * (1.0 + 0.02 * (random.next() - 0.5));
        write_trial(&folder, trial, &name, watts, plan.predecessor(trial))?;
        let at = "2026-01-02T03:04:05Z";
        for event in [
            json!({ "at": at, "event": "trial-started", "trial": trial.name, "attempt": 1 }),
            json!({ "at": at, "event": "trial-ended", "trial": trial.name, "attempt": 1,
                    "status": "ok", "retry": false }),
        ] {
            writeln!(journal, "{event}").expect("memory takes all");
        }
    }
    fs::write(folder.join("journal.jsonl"), journal)?;
    let experiment = experiment(&settings, &plan, &name, shard);
    fs::write(folder.join("experiment.json"), experiment.to_string())
}

fn experiment(settings: &Settings, plan: &Plan, machine: &str, shard: Shard) -> Value {
    let conditions = ["processor: made", "threads: 8", "memory: 32000 MiB", "kernel: 6.1"];
    let meter = "rapl 0.1.0 (PACKAGE_ENERGY (J)), every 200ms";
    json!({
        "schema": 1, "version": env!("CARGO_PKG_VERSION"), "created": "2026-01-02T03:04:05Z",
        "command": ["joulerace"], "settings": settings, "plan": plan,
        "conditions": {
            "joulerace": env!("CARGO_PKG_VERSION"), "python": "3.11.2", "lock": "made",
            "unlocked": [], "data": [], "scripts": [], "meter": meter, "machine": conditions,
        },
        "protocol": {
            "schema": 2, "primary_metric": "energy_j of the window, on the log scale",
            "window": ["build", "train", "evaluate"], "design": "blocks",
            "comparisons": settings.comparisons(), "tests": [], "exclusions": [],
        },
        "machines": [{
            "name": machine, "shards": [shard.number], "estimated": false, "meter": meter,
            "conditions": conditions, "threads": 8,
        }],
        "work": { "identical": true, "reasons": [] },
    })
}

fn write_trial(
    folder: &Path,
    trial: &Trial,
    machine: &str,
    watts: f64,
    before: Option<&Trial>,
) -> io::Result<()> {
    let own = folder.join(&trial.treatment);
    fs::create_dir_all(&own)?;
    let begin_ms = 1_767_322_000_000 + 60_000 * u64::from(trial.run_order);
    let mut samples = "Delta,Time,PACKAGE_ENERGY (J)\n".to_owned();
    for i in 0..=SAMPLES {
        let joules = 0.2 * watts * i as f64;
        writeln!(samples, "200,{},{joules}", begin_ms + 200 * i).expect("memory takes all");
    }
    let total = 0.2 * watts * SAMPLES as f64;
    let energy = |share: f64| {
        let seconds = 0.2 * SAMPLES as f64 * share;
        json!({ "seconds": seconds, "joules": { "package": total * share },
                "total_j": total * share, "coverage": 1.0 })
    };
    let phases = ["import", "data", "build", "train", "evaluate"];
    let marks: Vec<Value> = (0..)
        .zip(phases)
        .flat_map(|(n, phase)| {
            let at = |n: u64| (begin_ms + 100 + 680 * n) * 1_000_000;
            [("begin", at(n)), ("end", at(n + 1))]
                .map(|(edge, unix_ns)| json!({ "phase": phase, "edge": edge, "unix_ns": unix_ns }))
        })
        .collect();
    let record = json!({
        "schema": 1, "trial": trial.name, "treatment": trial.treatment,
        "framework": trial.framework, "block": trial.block, "position": trial.position,
        "run_order": trial.run_order, "machine": machine,
        "predecessor": before.map(|trial| &trial.treatment), "seed": 42, "attempt": 1,
        "status": "ok", "reason": null, "flags": [], "started": "2026-01-02T03:04:05Z",
        "wall_seconds": 3.6, "cpu_seconds": 3.0, "meter": "rapl", "estimated": false,
        "window": energy(0.6), "phases": {}, "whole": energy(1.0), "integrity": null,
        "sampler": null,
        "samples": {
            "bytes": samples.len(), "sha256": joulerace::clean::hex(&Sha256::digest(&samples)),
        },
        "marks": marks, "accuracy": 0.98, "loss": 0.1,
        "result": { "accuracy": 0.98, "parameters": 10, "data": {}, "losses": [0.1] },
        "exit": { "code": 0 }, "traceback": "", "idle_w": 10.0, "interference": null,
        "cooldown": null,
    });
    fs::write(own.join(format!("{}.csv", trial.name)), samples)?;
    fs::write(own.join(format!("{}.json", trial.name)), format!("{record:#}"))?;
    fs::write(own.join(format!("{}.log", trial.name)), "")
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
