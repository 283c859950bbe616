//! What can go wrong with a meter: what happened, to which file or program, and what to do.

#![allow(missing_docs, reason = "an error's message says what its fields are")]

mod gpu;
mod perf;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Kind;
use crate::process::Exit;
use crate::samples::ReadError;
pub use gpu::GpuError;
use joulerace_files::Remedy as _;
pub use perf::PerfError;

/// A meter that cannot be used, or that failed while it measured.
///
/// It can be cloned because a fault found on the sampler's thread is asked for more than once.
#[derive(Debug, Clone, thiserror::Error, miette::Diagnostic)]
pub enum MeterError {
    /// The meter asked for reads no cards, and some were named, or the other way round.
    #[error("--gpus {gpus} and --meter {meter} do not go together")]
    #[diagnostic(help("nvml is what reads graphics cards, as in --meter rapl+nvml"))]
    GpusAgainstMeter { gpus: String, meter: String },
    /// `--interval` is too short to be a sampling interval.
    #[error("--interval {0:?} is too short: the meters need at least 1ms between two samples")]
    Interval(std::time::Duration),
    /// A wrapping meter reads at its own intervals only.
    #[error(
        "EnergiBridge reads at its own intervals and cannot be asked for a reading at a phase's \
         edge"
    )]
    #[diagnostic(help("take another --meter, or an --interval below 30s"))]
    NoEdges,
    /// `auto` tried every meter in vain.
    #[error("no meter works on this machine:\n{}", .0.iter().map(|(kind, why)| format!("  {kind}: {why}")).collect::<Vec<_>>().join("\n"))]
    NoneWorks(Vec<(Kind, String)>),

    /// Processor times cannot be read.
    #[error("the estimate needs the processor times of {}: {source}", path.display())]
    #[diagnostic(help("Take another --meter"))]
    NoCpuTimes {
        /// The file that was tried.
        path: PathBuf,
        /// Why it could not be read.
        source: Arc<io::Error>,
    },

    /// There is nothing like RAPL in the powercap folder.
    #[error(
        "no RAPL package zone (intel-rapl:*) in {}. Virtual machines and most containers have \
         none",
        powercap.display()
    )]
    #[diagnostic(help(
        "Load the module (sudo modprobe intel_rapl_msr), name the folder with --powercap DIR \
         where it is mounted elsewhere, or take --meter estimate"
    ))]
    NoZones {
        /// The folder that was searched.
        powercap: PathBuf,
    },
    /// The counters are there but may not be read.
    #[error("no permission to read {}: the kernel keeps energy counters for root", file.display())]
    #[diagnostic(help("Allow it until the next reboot with\n  {command}"))]
    Permission {
        /// The first counter that could not be read.
        file: PathBuf,
        /// The shell command that grants reading.
        command: String,
    },
    /// A zone's file is there but gives no number.
    #[error("cannot read the counter {}: {source}", file.display())]
    #[diagnostic(help("Try another --meter, or name the right folder with --powercap DIR"))]
    Counter {
        file: PathBuf,
        /// What reading it gave.
        source: Arc<io::Error>,
    },
    /// The counter did not move before the measurement.
    #[error(
        "the counter {} stands still at {value} µJ (watched for {waited_ms} ms), so that it \
         measures nothing. Some virtual machines show such zones",
        file.display()
    )]
    #[diagnostic(help("take --meter estimate"))]
    StandsStill {
        /// The zone's `energy_uj`.
        file: PathBuf,
        /// What it reads, in microjoules.
        value: u64,
        /// For how long it was watched, in milliseconds.
        waited_ms: u64,
    },
    /// The counter stopped moving during the measurement.
    #[error(
        "the counter {} has not moved for {seconds:.1} s while the processors worked: it is \
         frozen, and the joules since then are missing",
        file.display()
    )]
    #[diagnostic(help("Run the trial again; if it stays so, reload the driver or reboot"))]
    Frozen {
        /// The zone's `energy_uj`.
        file: PathBuf,
        /// For how long it stood still, in seconds.
        seconds: f64,
    },
    /// A counter was set back during the measurement.
    #[error(
        "{resets} reading(s) fell below the one before without a wrap: counters were set back, \
         by a suspend or a driver that was loaded anew, and what they had counted is lost"
    )]
    #[diagnostic(help("Measure again"))]
    Reset {
        /// How many readings.
        resets: u64,
    },
    /// What was measured has no total that could be told.
    #[error("{0}")]
    #[diagnostic(help("Measure again"))]
    UnknownTotal(String),
    /// The counter cannot be read any more.
    #[error(
        "the counter {} could not be read {misses} times in a row: {source}. Its permission or \
         its driver may have gone",
        file.display()
    )]
    #[diagnostic(help("check it with: cat {}", file.display()))]
    Lost {
        file: PathBuf,
        /// How many rows were missed, one after the other.
        misses: u64,
        /// What the last attempt gave.
        source: Arc<io::Error>,
    },

    /// RAPL can be read neither through powercap nor through performance events.
    // Two causes, each with its remedy beside it.
    #[error("{}\nNor through perf events: {}", powercap.in_line(), perf.in_line())]
    NeitherWay {
        /// Why not through powercap.
        powercap: Box<MeterError>,
        /// Why not through performance events.
        perf: PerfError,
    },
    /// RAPL cannot be read through performance events, or not any more.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Perf(#[from] PerfError),

    /// A graphics card cannot be read, or not any more.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gpu(#[from] GpuError),

    /// There is no EnergiBridge.
    #[error("{place}")]
    #[diagnostic(help(
        "Build EnergiBridge 0.0.7 or later (https://github.com/tdurieux/EnergiBridge) and name \
         its binary with --energibridge PATH, or take another --meter"
    ))]
    EnergibridgeMissing {
        /// Where it was looked for.
        place: String,
    },
    /// It is older than what is known here.
    #[error("{} is EnergiBridge {version}, and 0.0.7 or later is needed", path.display())]
    #[diagnostic(help("name another with --energibridge PATH"))]
    EnergibridgeTooOld {
        /// The binary.
        path: PathBuf,
        /// What it calls its version.
        version: String,
    },
    /// It cannot be run, or what it writes is of no use.
    #[error("{} cannot be used as a meter: {what}", path.display())]
    #[diagnostic(help("Check it with --energibridge PATH"))]
    EnergibridgeUnusable {
        /// The binary.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It fails on a command that only sleeps.
    #[error("{} does not work on this machine ({exit}): {said}", path.display())]
    #[diagnostic(help("{}", needs(path, said)))]
    EnergibridgeFails {
        /// The binary.
        path: PathBuf,
        /// How it ended.
        exit: Exit,
        /// What it printed last.
        said: String,
    },
    /// A sample took it longer than the interval, at which it panics.
    #[error(
        "EnergiBridge failed ({exit}): a sample took longer than the interval, which it does not \
         survive ({said})"
    )]
    #[diagnostic(help("Take a longer --interval, or leave the machine to the measurement"))]
    EnergibridgeLate {
        /// How it ended.
        exit: Exit,
        /// What it printed last.
        said: String,
    },
    /// It ended in the middle of a measurement.
    #[error("EnergiBridge failed in the middle of the measurement ({exit}): {said}")]
    #[diagnostic(help("Run the trial again"))]
    EnergibridgeEnded {
        /// How it ended.
        exit: Exit,
        /// What it printed last.
        said: String,
    },
    /// It writes no more rows.
    #[error("no new row in {} for {seconds:.0} s: EnergiBridge hangs or is gone", file.display())]
    #[diagnostic(help("Run the trial again"))]
    Stalled {
        /// The file of samples.
        file: PathBuf,
        /// For how long nothing came, in seconds.
        seconds: f64,
    },
    /// What it wrote cannot be used.
    #[error("the meter's samples cannot be used: {0}")]
    #[diagnostic(forward(0))]
    Samples(Arc<ReadError>),

    /// The file of samples cannot be made.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// The file of samples cannot be continued.
    #[error("cannot write to {}: {source}. The samples since then are lost", path.display())]
    #[diagnostic(help("make room or restore the folder, and run the trial again"))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// The thread that samples could not be started, or ended by itself.
    #[error("the sampling thread {0}")]
    #[diagnostic(help("Run the trial again"))]
    Sampler(String),
}

impl MeterError {
    /// The shell command that lets everybody read RAPL's counters until the next reboot, where that is all
    /// that is missing.
    pub fn granted_by(&self) -> Option<&str> {
        match self {
            MeterError::Permission { command, .. } => Some(command),
            MeterError::NeitherWay { powercap, perf: PerfError::Paranoid { .. } } => {
                powercap.granted_by().or(Some("sudo sysctl kernel.perf_event_paranoid=0"))
            }
            MeterError::NeitherWay { powercap, .. } => powercap.granted_by(),
            _ => None,
        }
    }
}

/// What EnergiBridge needs where it fails, by its last words: each system has its own way to the
/// processor's registers. Lines that begin with two spaces are commands.
pub fn needs(path: &std::path::Path, said: &str) -> String {
    // Its own words on Windows (`src/cpu/msr/windows.rs`).
    if said.contains("not running as admin") {
        return "On Windows it runs with an administrator's rights only: start joulerace in a terminal that \
                was opened with 'Run as administrator'"
            .to_owned();
    }
    if said.contains("failed to open driver handle") || cfg!(windows) {
        let driver = path.with_file_name("LibreHardwareMonitor.sys");
        return format!(
            "On Windows it reads the processor's registers through a driver that is shipped beside it; \
             in a terminal with an administrator's rights\n  \
             sc.exe create rapl type=kernel binPath=\"{}\"\n  sc.exe start rapl\n\
             Where Windows refuses to start it, its list of vulnerable drivers or memory integrity (Core \
             isolation) blocks it, which only the machine's owner may decide to lift",
            driver.display()
        );
    }
    if cfg!(target_os = "macos") {
        return "On macOS it reads the system's power from the SMC, without further rights; build the \
                release for this processor"
            .to_owned();
    }
    format!(
        "It needs the processor's registers: run as root, or\n  sudo modprobe msr\n  \
         sudo chmod a+r /dev/cpu/*/msr\n  sudo setcap cap_sys_rawio=ep {}",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_energibridge_needs_is_told_by_its_own_last_words() {
        let rights = "src\\cpu\\msr\\windows.rs:37:13: not running as admin, this is required for the \
                      RAPL driver to work";
        assert!(needs(Path::new("energibridge.exe"), rights).contains("Run as administrator"));
        let driver = "failed to open driver handle, make sure the driver is installed and running: \
                      Error { code: HRESULT(0x80070002) }";
        let told = needs(Path::new("tools/energibridge.exe"), driver);
        assert!(told.contains("sc.exe start rapl"), "{told}");
        assert!(told.contains("tools/LibreHardwareMonitor.sys\""), "{told}");
        if cfg!(target_os = "linux") {
            assert!(
                needs(Path::new("/eb"), "no such file").contains("setcap cap_sys_rawio=ep /eb")
            );
        }
    }
}
