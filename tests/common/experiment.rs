#![allow(dead_code, reason = "each test binary uses a part of it")]
//! An experiment of sleeping scripts: the real program, real workers and a real interpreter, in a
//! scratch folder with a lock of its own, so that tests run side by side.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

pub struct Scratch {
    folder: TempDir,
}

/// An environment without packages, shared by the tests of one binary; it costs a moment to make.
fn environment() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(joulerace::worker::BUILT_FOR)
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

    /// An experiment of these frameworks without pauses, into `results`.
    pub fn experiment(&self, frameworks: &str, more: &[&str]) -> Command {
        let mut command = self.program();
        command
            .args(["--frameworks", frameworks, "--order-seed", "1", "--meter", "estimate"])
            .args(["--epochs", "1", "--batch-size", "8", "--interval", "20ms", "--no-analysis"])
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
        command
    }

    pub fn resume(&self, more: &[&str]) -> Command {
        let mut command = self.program();
        command.arg("resume").arg(self.results()).arg("--no-analysis").args(more);
        command
    }

    /// The journal's events, as JSON.
    pub fn journal(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.results().join("journal.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn json(&self, file: &str) -> serde_json::Value {
        let path = self.results().join(file);
        let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&text).unwrap()
    }

    /// Processes whose command line names this scratch folder: workers have it in their socket's or
    /// their script's path, so this finds what was left behind.
    pub fn processes(&self) -> Vec<String> {
        let marker = self.folder.path().to_str().unwrap().to_owned();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| {
                let environ = std::fs::read(entry.path().join("environ")).ok()?;
                let cmdline = std::fs::read(entry.path().join("cmdline")).ok()?;
                let named = String::from_utf8_lossy(&environ).contains(&marker);
                (named && !cmdline.is_empty()).then(|| String::from_utf8_lossy(&cmdline).replace('\0', " "))
            })
            .collect()
    }
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Four IDX files with MNIST's names and counts, all zeros: only their structure is looked at.
fn make_data(folder: &Path) {
    use std::io::Write;
    std::fs::create_dir(folder).unwrap();
    for (name, count, side) in [
        ("train-images-idx3-ubyte.gz", 60_000u32, 28),
        ("train-labels-idx1-ubyte.gz", 60_000, 0),
        ("t10k-images-idx3-ubyte.gz", 10_000, 28),
        ("t10k-labels-idx1-ubyte.gz", 10_000, 0),
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
