//! Processes as the operating system has them: groups, orphans, processor time, and what else of a system
//! has no other way in. Each system's own lies in a file below, with the same functions; this room is the
//! only one of the crate with unsafe code.
//!
//! The crate `process-wrap` gives groups and job objects as well. It does not find what has left its group, which
//! a subreaper and a marker do here, so it would be a second way beside this one.

#![expect(
    unsafe_code,
    reason = "what runs between fork and exec, signals, and Windows' job objects have no other way in"
)]

#[cfg(target_os = "macos")]
mod macos;
#[cfg(unix)]
#[path = "process/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "process/windows.rs"]
mod system;

pub use system::Awake;
pub use system::{
    adopt_orphans, children_cpu_seconds, count_interrupts, end_likewise, end_with_host,
    end_with_parent, has_children, ignore_file_size_signal, interrupt, kill_all, kill_descendants,
    kill_group, kill_own_group, offer_to_out_of_memory, own_group, stay_awake, strays,
};
pub(crate) use system::{own_cpu_seconds, processors, slept, supply, thread_cpu_seconds};

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody knows.
    Unknown,
}

impl Exit {
    /// Whether somebody asked the process to end: SIGINT or SIGTERM, whose numbers are the same everywhere.
    pub fn is_asked_for(self) -> bool {
        matches!(self, Exit::Signal(2 | 15))
    }
}

impl From<std::process::ExitStatus> for Exit {
    fn from(status: std::process::ExitStatus) -> Exit {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Exit::Signal(signal);
        }
        status.code().map_or(Exit::Unknown, Exit::Code)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Windows' own reasons are told in hexadecimal digits: 0xC0000005.
            Exit::Code(code) if code.is_negative() => write!(f, "exit status {code:#X}"),
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
            Exit::Unknown => f.write_str("no exit status"),
        }
    }
}

/// Whether `program` is this program.
pub fn is_self(program: &OsStr) -> bool {
    std::env::current_exe().is_ok_and(|me| me == Path::new(program))
}

/// The program that a command names, as the system would find it: on `PATH`, or below `folder` where it is
/// a path.
pub fn found(program: &OsStr, folder: &Path) -> Option<std::path::PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.is_absolute() {
        return Some(folder.join(path)).filter(|path| path.is_file() && is_executable(path));
    }
    let search = std::env::var_os("PATH")?;
    let endings: &[&str] = if cfg!(windows) { &["", ".exe", ".bat", ".cmd"] } else { &[""] };
    std::env::split_paths(&search)
        .flat_map(|place| {
            endings.iter().map(move |ending| {
                let mut name = program.to_owned();
                name.push(ending);
                place.join(name)
            })
        })
        .find(|path| path.is_file() && is_executable(path))
}

/// Whether anyone may execute it.
pub(crate) fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        true
    }
}

/// How often this program was asked to stop, since [`count_interrupts`].
static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);

/// How often SIGINT or SIGTERM came, for what runs where no event loop turns: the analysis waits for its
/// process, and output that nobody reads is waited for.
pub fn interrupts() -> usize {
    INTERRUPTS.load(Ordering::Relaxed)
}

/// Processor time of all processors together since boot, where the system keeps it in no file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processors {
    /// Seconds in which processors were busy, added up.
    pub busy_s: f64,
    /// How many there are.
    pub cpus: usize,
}

/// What feeds the machine, where the system keeps it in no file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Supply {
    /// Whether a mains supply is connected, where that is known.
    pub mains: Option<bool>,
    /// Whether there is a battery.
    pub battery: bool,
    /// How full it is, in percent.
    pub percent: Option<f64>,
}

/// A command that sleeps so long, or up to a second longer where the system has no finer one: for trying
/// what wraps commands.
pub fn sleeper(time: Duration) -> Vec<std::ffi::OsString> {
    if cfg!(windows) {
        // `timeout` refuses to run without a console; ping waits a second between two questions.
        let count = time.as_secs_f64().ceil() as u64 + 1;
        return ["ping".into(), "-n".into(), count.to_string().into(), "127.0.0.1".into()].into();
    }
    vec!["sleep".into(), time.as_secs_f64().to_string().into()]
}
