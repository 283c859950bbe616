//! A call of a Python function, or a run of a command, in a fresh worker that nobody measures.

use super::channel::Listener;
use super::failure::Failure;
use super::host::{Ended, run};
use super::launch::{Launch, Limits, Seen, Task};
use super::protocol::Message;
use crate::files::Scratch;
use serde_json::Value;
use std::io;
use tokio_util::sync::CancellationToken;

/// How much of what a worker printed is shown where it failed.
const LOG_TAIL: usize = 4000;

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Called {
    /// What went wrong, if anything.
    pub failure: Option<Failure>,
    /// Python's traceback, where there was one.
    pub traceback: String,
    /// The end of what it printed.
    pub printed: String,
}

/// Does `task` in a fresh worker and passes what it emits to `hear`, whose `Err` stops it; so does `stop`.
/// When this returns, no process of the worker's is left.
///
/// # Errors
///
/// There is no place for the socket and the log.
pub(crate) async fn call(
    task: impl Into<Task>,
    stop: &CancellationToken,
    mut hear: impl FnMut(&Value) -> Result<(), String>,
) -> io::Result<Called> {
    let listener = Listener::bind()?;
    let scratch = Scratch::new()?;
    let log = scratch.path().join("log");
    let program = std::env::current_exe()?;
    let launch = Launch {
        task: task.into(),
        argv: vec![program.into(), "worker".into(), "--socket".into(), listener.path().into()],
        log: log.clone(),
        limits: Limits::default(),
    };
    let heard = run(launch, &listener, |seen| match seen {
        Seen::Message(Message::Event { event }) => hear(event),
        _ if stop.is_cancelled() => Err("it was interrupted".to_owned()),
        _ => Ok(()),
    });
    let Ended { failure, traceback, .. } = heard.await;
    let printed = std::fs::read(&log).unwrap_or_default();
    let tail = &printed[printed.len().saturating_sub(LOG_TAIL)..];
    Ok(Called { failure, traceback, printed: String::from_utf8_lossy(tail).into_owned() })
}
