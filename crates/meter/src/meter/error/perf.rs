//! Why RAPL cannot be read through performance events: each reason in its own sentence, with what to do.

#![allow(missing_docs, reason = "an error's message says what its fields are")]

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Energy events that are absent, forbidden, or of no use.
#[derive(Debug, Clone, thiserror::Error, miette::Diagnostic)]
pub enum PerfError {
    /// The kernel has no such events.
    #[error("the kernel has no energy events ({} is not there)", folder.display())]
    #[diagnostic(help(
        "Virtual machines hide them; elsewhere load their driver (sudo modprobe rapl)"
    ))]
    Absent {
        /// The folder of the `power` events.
        folder: PathBuf,
    },
    /// There are events, and none of the processor's packages.
    #[error(
        "{} counts no package (energy-pkg): this processor's energy cannot be read there",
        folder.display()
    )]
    #[diagnostic(help("Take another --meter"))]
    NoPackage {
        /// The folder of the `power` events.
        folder: PathBuf,
    },
    /// What the kernel says of its events cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    #[diagnostic(help("Allow reading it, or take another --meter"))]
    Unreadable {
        file: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// What the kernel says of its events is not understood.
    #[error(
        "{} says '{text}' instead of {wanted}: such a kernel is not known here",
        file.display()
    )]
    #[diagnostic(help("Take another --meter"))]
    Strange {
        file: PathBuf,
        /// What is in it.
        text: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// The kernel keeps its events for privileged programs.
    #[error(
        "kernel.perf_event_paranoid is {level}, so that energy events are for privileged programs"
    )]
    #[diagnostic(help(
        "Allow everybody until the next reboot with\n  sudo sysctl \
         kernel.perf_event_paranoid=0\nor this program for good with\n  sudo setcap \
         cap_perfmon=ep {}",
        program.display()
    ))]
    Paranoid {
        /// `kernel.perf_event_paranoid`.
        level: i32,
        program: PathBuf,
    },
    /// Something else than the kernel's own setting forbids it.
    #[error(
        "performance events are forbidden here ({source}) by something else than \
         kernel.perf_event_paranoid: a container's filter of system calls, a security module or \
         a locked-down kernel"
    )]
    #[diagnostic(help("Start the container with --cap-add PERFMON, or measure outside of it"))]
    Forbidden {
        /// The kernel's word.
        source: Arc<io::Error>,
    },
    /// The kernel was built without them.
    #[error("this kernel has no performance events at all ({source})")]
    #[diagnostic(help("Take another --meter"))]
    NoSuchCall {
        /// Its word.
        source: Arc<io::Error>,
    },
    /// The kernel names the events and does not open them.
    #[error("the energy events of {place} cannot be opened on processor {cpu}: {source}")]
    #[diagnostic(help("See what the kernel says of it (sudo dmesg), or take another --meter"))]
    Unopened {
        /// The package.
        place: String,
        /// The processor.
        cpu: usize,
        /// The kernel's word.
        source: Arc<io::Error>,
    },
    /// An open counter gives no reading.
    #[error(
        "the energy events of {place} cannot be read: {source}. Processor {cpu} may have been \
         taken offline"
    )]
    #[diagnostic(help("bring it back, or restart the measurement"))]
    Unread {
        /// The package.
        place: String,
        /// The processor.
        cpu: usize,
        /// The kernel's word.
        source: Arc<io::Error>,
    },
    /// The counter did not move before the measurement.
    #[error(
        "the energy event of {place} stands still (watched for {waited_ms} ms), so that it \
         measures nothing. Some virtual machines show such events"
    )]
    #[diagnostic(help("take --meter estimate"))]
    StandsStill {
        /// The package.
        place: String,
        /// For how long it was watched, in milliseconds.
        waited_ms: u64,
    },
}
