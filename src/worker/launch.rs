//! A worker that is to be started: what it does, and how long it may take.

use super::command::CommandRequest;
use super::failure::Failure;
use super::protocol::{Message, Request};
use crate::process::{self, Exit};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long a worker may take over what.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From its start to its first word; Python itself starts within a second.
    pub connect: Duration,
    /// From its start to its end; `None` for as long as it takes.
    pub trial: Option<Duration>,
    /// From its last word to its end, a wrapping meter's last sample included.
    pub leave: Duration,
    /// Bytes that it may print.
    pub log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(60),
            trial: None,
            leave: Duration::from_secs(15),
            log_bytes: 64 << 20,
        }
    }
}

/// What a worker does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Task {
    /// Calls a function of Python's.
    Python(Request),
    /// Runs a command.
    Command(CommandRequest),
}

impl From<CommandRequest> for Task {
    fn from(request: CommandRequest) -> Task {
        Task::Command(request)
    }
}

impl From<Request> for Task {
    fn from(request: Request) -> Task {
        Task::Python(request)
    }
}

impl Task {
    /// What is run, as a failure names it.
    pub(super) fn program(&self) -> PathBuf {
        match self {
            Task::Python(request) => request.python.executable.clone(),
            Task::Command(request) => request.argv.first().map(PathBuf::from).unwrap_or_default(),
        }
    }
}

/// A worker to be started.
#[derive(Debug)]
pub struct Launch {
    /// What it does.
    pub task: Task,
    /// Puts a meter's command before the worker's own, or leaves it as it is.
    pub argv: Vec<OsString>,
    /// Where the worker's standard output and error go.
    pub log: PathBuf,
    /// How long it may take.
    pub limits: Limits,
}

impl Launch {
    /// Whether a meter's program stands between this one and the worker.
    pub(super) fn is_wrapped(&self) -> bool {
        self.argv.first().is_some_and(|program| !process::is_self(program))
    }

    /// What went wrong when the outermost process ended like this in the middle of the work.
    pub(super) fn ended_early(&self, exit: Exit) -> Failure {
        match (self.is_wrapped(), exit) {
            (true, Exit::Code(0)) | (false, _) => Failure::Vanished { exit },
            (true, _) => Failure::WrapperEnded { exit },
        }
    }
}

/// What the host hears while a worker runs.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The process, as the operating system numbers it, was started.
    Started(u32),
    /// The worker said something.
    Message(&'a Message),
    /// Some time went by.
    Tick,
}
