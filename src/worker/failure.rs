//! Why a worker did not do what it was asked.

#![allow(missing_docs, reason = "an error's message says what its fields are")]

use crate::process::Exit;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a worker did not do what it was asked.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Failure {
    /// The command could not be started at all.
    #[error("{command} could not be started: {source}")]
    Start {
        /// The program.
        command: String,
        /// The system's word.
        source: io::Error,
    },
    /// It never reached its host.
    #[error("the worker did not report within {limit:?} ({exit})")]
    #[diagnostic(help("its log says why"))]
    Silent {
        limit: Duration,
        /// How its process ended, if it did.
        exit: Exit,
    },
    /// Python did not start in the environment that was asked for.
    #[error("{error}")]
    NoPython {
        /// Why.
        error: String,
    },
    /// The script raised.
    #[error("{error}")]
    Raised {
        /// The exception's type and message.
        error: String,
    },
    /// Python never said that it runs.
    #[error("{python} did not start ({exit})", python = python.display())]
    #[diagnostic(help("the log says why, and `joulerace doctor` checks the environment"))]
    NotStarted {
        /// The interpreter that was asked for.
        python: PathBuf,
        /// How its process ended.
        exit: Exit,
    },
    /// The process ended, or closed its line, in the middle of its work.
    #[error("the worker ended in the middle of its work ({exit}){}", hint(exit))]
    Vanished {
        /// How it ended.
        exit: Exit,
    },
    /// The meter that wraps the worker ended before it.
    #[error("the meter's process ended before its worker ({exit}); the worker was stopped")]
    WrapperEnded {
        /// How it ended.
        exit: Exit,
    },
    /// It took longer than it may.
    #[error("the trial took longer than {0:?} (--trial-timeout) and was stopped")]
    TimedOut(Duration),
    /// It said that it was done and stayed.
    #[error("the worker was done but had not ended {0:?} later, and was stopped")]
    Stayed(Duration),
    /// It printed more than a log may hold.
    #[error("the script printed more than {0} bytes and was stopped")]
    Flood(u64),
    /// It sent something endless to its host.
    #[error("the script emitted an event of more than {0} bytes and was stopped")]
    Babbled(usize),
    /// It left processes behind.
    #[error("the script left {0} process(es) running, which were stopped")]
    LeftProcesses(usize),
    /// Whoever listens had enough.
    #[error("{0}")]
    Stopped(String),
}

/// What Windows ends a process with (`STATUS_ACCESS_VIOLATION`, `STATUS_NO_MEMORY`).
const WINDOWS_ACCESS_VIOLATION: i32 = 0xC000_0005_u32 as i32;
const WINDOWS_NO_MEMORY: i32 = 0xC000_0017_u32 as i32;

fn hint(exit: &Exit) -> &'static str {
    match exit {
        Exit::Signal(9) => "; a process that the kernel ends with signal 9 is often out of memory",
        Exit::Signal(11) => "; a segmentation fault in native code",
        Exit::Code(WINDOWS_ACCESS_VIOLATION) => "; an access violation in native code",
        Exit::Code(WINDOWS_NO_MEMORY) => "; it ran out of memory",
        Exit::Signal(25) => "; it wrote a larger file than it may (ulimit -f)",
        _ => "",
    }
}

impl Failure {
    /// Whether it is the machine's: the worker never began its work, or what measured it ended.
    pub(crate) fn is_of_the_machine(&self) -> bool {
        matches!(
            self,
            Failure::Start { .. }
                | Failure::Silent { .. }
                | Failure::NoPython { .. }
                | Failure::NotStarted { .. }
                | Failure::WrapperEnded { .. }
        )
    }

    /// A worker's own ending is known only after it was waited for.
    pub(super) fn with_exit(self, exit: Exit) -> Failure {
        match self {
            Failure::Vanished { exit: Exit::Unknown } => Failure::Vanished { exit },
            Failure::Silent { limit, exit: Exit::Unknown } => Failure::Silent { limit, exit },
            Failure::NotStarted { python, exit: Exit::Unknown } => {
                Failure::NotStarted { python, exit }
            }
            other => other,
        }
    }
}
