#![allow(dead_code, reason = "each test binary uses a part of it")]
//! An experiment of sleeping scripts: the real program, real workers and a real interpreter, in a
//! scratch folder with a lock of its own, so that tests run side by side.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far beyond what anything here takes, also on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Scratch {
    folder: TempDir,
}

/// An environment without packages, shared by the tests of one binary; it costs a moment to make.
pub fn environment() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(&joulerace::env::pythons()[0])
            .args(["-m", "venv", "--without-pip"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(made.success(), "a virtual environment can be made");
        folder
    })
    .path()
}

impl Scratch {
    /// With these scripts: a name and the dictionary that says what it does.
    pub fn new(scripts: &[(&str, &str)]) -> Scratch {
        let scratch = Scratch { folder: tempfile::tempdir().unwrap() };
        let workloads = scratch.at("workloads");
        std::fs::create_dir(&workloads).unwrap();
        let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/harness.py");
        std::fs::copy(harness, workloads.join("harness.py")).unwrap();
        for (name, does) in scripts {
            std::fs::write(workloads.join(format!("{name}_cnn.py")), does).unwrap();
        }
        make_data(&scratch.at("data"));
        scratch
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn results(&self) -> PathBuf {
        self.at("results")
    }

    /// The program, ready to be given a subcommand.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_joulerace"));
        command
            .env("JOULERACE_LOCK_FILE", self.at("lock"))
            .env_remove("VIRTUAL_ENV")
            .env_remove("JOULERACE_DATA_DIR")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    /// An experiment of these frameworks without pauses and without a sensor, into `results`.
    pub fn experiment(&self, frameworks: &str, more: &[&str]) -> Command {
        self.measured(frameworks, &["--meter", "estimate"], more)
    }

    /// The same with another meter.
    pub fn measured(&self, frameworks: &str, meter: &[&str], more: &[&str]) -> Command {
        let mut command = self.program();
        command
            .args(["--treatments", frameworks, "--order-seed", "1"])
            .args(meter)
            .args(["--epochs", "1", "--batch-size", "8", "--no-analysis"])
            .args(["--warmup", "0s", "--cooldown", "0s", "--baseline", "0s", "--allow-unlocked"])
            .args(["--dataset", "mnist", "--train-samples", "10", "--test-samples", "10"])
            .arg("--workloads")
            .arg(self.at("workloads"))
            .arg("--python-env")
            .arg(environment())
            .arg("--data-dir")
            .arg(self.at("data"))
            .arg("--output")
            .arg(self.results())
            .args(more);
        if !more.contains(&"--interval") {
            command.args(["--interval", "20ms"]);
        }
        command
    }

    pub fn resume(&self, more: &[&str]) -> Command {
        let mut command = self.unnamed_resume(more);
        command.arg("--workloads").arg(self.at("workloads"));
        for (flag, value) in
            [("--python-env", environment().to_owned()), ("--data-dir", self.at("data"))]
        {
            if !more.contains(&flag) {
                command.arg(flag).arg(value);
            }
        }
        command
    }

    /// The same on the folder's word alone: nothing outside it is named.
    pub fn unnamed_resume(&self, more: &[&str]) -> Command {
        let mut command = self.program();
        command.arg("resume").arg(self.results()).arg("--no-analysis").args(more);
        command
    }

    pub fn journal_text(&self) -> String {
        std::fs::read_to_string(self.results().join("journal.jsonl")).unwrap_or_default()
    }

    /// The journal's events, as JSON.
    pub fn journal(&self) -> Vec<serde_json::Value> {
        self.journal_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn json(&self, file: &str) -> serde_json::Value {
        let path = self.results().join(file);
        let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&text).unwrap()
    }

    /// Analyses it, in an environment that is made where there is none; the summary.
    pub fn analysis(&self) -> serde_json::Value {
        let output = self.program().arg("analyze").arg(self.results()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        self.json("analysis/summary.json")
    }

    /// Waits until the journal says `event` so many times.
    pub fn await_event(&self, event: &str, times: usize) {
        let word = format!("\"{event}\"");
        eventually(&format!("{times} times {event} in the journal"), || {
            self.journal_text().matches(&word).count() >= times
        });
    }

    /// Waits until nothing runs that this scratch folder's programs started.
    pub fn await_no_process(&self) {
        eventually("no process is left", || self.processes().is_empty());
    }

    /// Every planned trial has exactly one end, a good record of its own, samples, a log and a row,
    /// and nothing else lies beside them.
    pub fn assert_complete(&self, trials: usize) {
        let mut ends: BTreeMap<String, u32> = BTreeMap::new();
        for event in self.journal() {
            if event["event"] == "trial-ended" && event["retry"] == false {
                assert_eq!(event["status"], "ok", "{event}");
                *ends.entry(event["trial"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        assert_eq!(ends.len(), trials);
        assert!(ends.values().all(|n| *n == 1), "{ends:?}");
        let mut expected: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for trial in ends.keys() {
            let (folder, _) = trial.rsplit_once('_').unwrap();
            let record = self.json(&format!("{folder}/{trial}.json"));
            assert_eq!(
                (&record["trial"], &record["status"]),
                (&trial.as_str().into(), &"ok".into())
            );
            let files = ["csv", "json", "log"].map(|ending| format!("{trial}.{ending}"));
            expected.entry(folder).or_default().extend(files);
        }
        for (folder, mut files) in expected {
            files.sort();
            let aside = |name: &String| name != "failed" && name != "interrupted";
            let found: Vec<String> =
                names(&self.results().join(folder)).into_iter().filter(aside).collect();
            assert_eq!(found, files);
        }
        let rows = std::fs::read_to_string(self.results().join("trials.csv")).unwrap();
        assert_eq!(rows.lines().count(), trials + 1, "{rows}");
    }

    /// Command lines of the processes whose environment names this scratch folder, as the lock's
    /// path does for all that the program starts.
    pub fn processes(&self) -> Vec<String> {
        self.pids().into_iter().map(|(_, line)| line).collect()
    }

    /// The same with their numbers.
    pub fn pids(&self) -> Vec<(i32, String)> {
        let marker = self.folder.path().to_str().unwrap().to_owned();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let environ = std::fs::read(entry.path().join("environ")).ok()?;
                let cmdline = std::fs::read(entry.path().join("cmdline")).ok()?;
                let named = String::from_utf8_lossy(&environ).contains(&marker);
                let line = String::from_utf8_lossy(&cmdline).replace('\0', " ");
                (named && !cmdline.is_empty()).then_some((pid, line))
            })
            .collect()
    }
}

/// A test that fails leaves nothing running.
impl Drop for Scratch {
    fn drop(&mut self) {
        for (pid, _) in self.pids() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Waits until something is so.
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A program that runs, with what it says in pipes.
pub fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// The names in a folder, sorted, hidden ones too.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Four IDX files with MNIST's names, of 20 and 10 images of zeros: only their structure is looked at.
fn make_data(folder: &Path) {
    use std::io::Write;
    std::fs::create_dir(folder).unwrap();
    for (name, count, side) in [
        ("train-images-idx3-ubyte.gz", 20u32, 28),
        ("train-labels-idx1-ubyte.gz", 20, 0),
        ("t10k-images-idx3-ubyte.gz", 10, 28),
        ("t10k-labels-idx1-ubyte.gz", 10, 0),
    ] {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let magic: u32 = if side > 0 { 0x803 } else { 0x801 };
        gz.write_all(&magic.to_be_bytes()).unwrap();
        gz.write_all(&count.to_be_bytes()).unwrap();
        let mut size = count as usize;
        if side > 0 {
            gz.write_all(&u32::to_be_bytes(side)).unwrap();
            gz.write_all(&u32::to_be_bytes(side)).unwrap();
            size *= 28 * 28;
        }
        gz.write_all(&vec![0; size]).unwrap();
        gz.finish().unwrap();
    }
}
