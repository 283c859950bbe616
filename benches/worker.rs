//! A trial's worker beside plain Python: whole processes with the same job, in turn.
//!
//!     JOULERACE_BENCH_PYTHON=/path/to/environment/bin/python \
//!     JOULERACE_BENCH_DATA=/path/to/mnist cargo bench --bench worker
//!
//! The one is `joulerace worker`, asked by its host as in a trial; the other is
//! `python python/workloads/cnn/torch_cnn.py` with the same settings. The order within a pair alternates.
//! `JOULERACE_BENCH_PAIRS` is how many pairs each framework gets (5); `-- torch` at the end keeps to
//! one framework.

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use joulerace::process::children_cpu_seconds;
use joulerace::worker::protocol::{Interpreter, Request};
use joulerace::worker::{Launch, Limits, Listener, Task, run};
use serde_json::json;

const FRAMEWORKS: [&str; 3] = ["keras", "torch", "jax"];
const EPOCHS: u32 = 1;
const TRAIN: u32 = 3200;
const TEST: u32 = 500;

fn main() -> io::Result<()> {
    let Some(python) = env::var_os("JOULERACE_BENCH_PYTHON").map(PathBuf::from) else {
        println!("no environment to train in (set JOULERACE_BENCH_PYTHON to its bin/python)");
        return Ok(());
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = env::var_os("JOULERACE_BENCH_DATA")
        .map_or_else(|| root.join("../shared/mnist"), PathBuf::from)
        .canonicalize()?;
    let pairs = match env::var("JOULERACE_BENCH_PAIRS") {
        Ok(text) => text.parse().map_err(io::Error::other)?,
        Err(_) => 5,
    };
    let bench = Bench {
        threads: std::thread::available_parallelism()?.get(),
        workloads: root.join("python/workloads"),
        scratch: tempfile::tempdir()?,
        interpreter: joulerace::env::interpreter(&python).map_err(io::Error::other)?,
        python,
        data,
    };
    println!("whole processes, {TRAIN} images to train on and {TEST} to test, {EPOCHS} epoch");
    let named: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |framework: &&str| named.is_empty() || named.iter().any(|name| name == framework);
    for framework in FRAMEWORKS.into_iter().filter(wanted) {
        // Once each beforehand, so that neither side pays for files that were not read yet.
        bench.worker(framework)?;
        bench.plain(framework)?;
        let (mut worker, mut plain) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            if pair % 2 == 0 {
                worker.push(bench.worker(framework)?);
                plain.push(bench.plain(framework)?);
            } else {
                plain.push(bench.plain(framework)?);
                worker.push(bench.worker(framework)?);
            }
        }
        print(framework, "wall", &worker, &plain, |took| took.wall_s);
        print(framework, "CPU ", &worker, &plain, |took| took.cpu_s);
    }
    Ok(())
}

/// What one process took, in seconds.
struct Took {
    wall_s: f64,
    cpu_s: f64,
}

struct Bench {
    python: PathBuf,
    interpreter: Interpreter,
    workloads: PathBuf,
    data: PathBuf,
    threads: usize,
    scratch: tempfile::TempDir,
}

impl Bench {
    /// A worker as the host starts it, until nothing of it is left.
    fn worker(&self, framework: &str) -> io::Result<Took> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = Listener::bind()?;
            let job = json!({
                "epochs": EPOCHS, "batch_size": 64, "learning_rate": 0.001, "seed": 42,
                "train_samples": TRAIN, "test_samples": TEST, "threads": self.threads,
                "dataset": "mnist", "data_dir": self.data,
            });
            let launch = Launch {
                task: Task::Python(Request {
                    python: self.interpreter.clone(),
                    sys_path: vec![self.workloads.join("cnn"), self.workloads.clone()],
                    module: "harness".to_owned(),
                    function: "run".to_owned(),
                    argument: json!({ "framework": framework, "job": job }),
                    arrays: None,
                }),
                argv: vec![
                    env!("CARGO_BIN_EXE_joulerace").into(),
                    "worker".into(),
                    "--socket".into(),
                    listener.path().into(),
                ],
                log: self.log(),
                limits: Limits::default(),
            };
            let begun = Instant::now();
            let ended = run(launch, &listener, |_| Ok(())).await;
            match ended.failure {
                None => {
                    let wall_s = begun.elapsed().as_secs_f64();
                    Ok(Took { wall_s, cpu_s: ended.cpu_seconds })
                }
                Some(failure) => Err(io::Error::other(failure.to_string() + &ended.traceback)),
            }
        })
    }

    fn plain(&self, framework: &str) -> io::Result<Took> {
        let log = File::create(self.log())?;
        let before = children_cpu_seconds();
        let begun = Instant::now();
        let status = Command::new(&self.python)
            .arg(self.workloads.join(format!("cnn/{framework}_cnn.py")))
            .args(["--epochs", &EPOCHS.to_string(), "--train-samples", &TRAIN.to_string()])
            .args(["--test-samples", &TEST.to_string(), "--threads", &self.threads.to_string()])
            .arg("--data-dir")
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        let wall_s = begun.elapsed().as_secs_f64();
        if !status.success() {
            return Err(io::Error::other(std::fs::read_to_string(self.log())?));
        }
        Ok(Took { wall_s, cpu_s: children_cpu_seconds() - before })
    }

    fn log(&self) -> PathBuf {
        self.scratch.path().join("log")
    }
}

/// Medians, and the differences within the pairs: their median, least and most.
fn print(framework: &str, what: &str, worker: &[Took], plain: &[Took], of: fn(&Took) -> f64) {
    let sorted = |values: &mut dyn Iterator<Item = f64>| {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let differences = sorted(&mut worker.iter().zip(plain).map(|(w, p)| of(w) - of(p)));
    let (worker, plain) = (sorted(&mut worker.iter().map(of)), sorted(&mut plain.iter().map(of)));
    let (Some(least), Some(most)) = (differences.first(), differences.last()) else { return };
    println!(
        "{framework:<6} {what}: worker {:.2} s ({:.2}–{:.2}), python {:.2} s ({:.2}–{:.2}); worker less \
         python {:+.2} s ({least:+.2} to {most:+.2}), {} pairs",
        middle(&worker),
        worker[0],
        worker[worker.len() - 1],
        middle(&plain),
        plain[0],
        plain[plain.len() - 1],
        middle(&differences),
        differences.len()
    );
}

fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
