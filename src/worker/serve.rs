//! `joulerace worker`: connects to the host, hears one request, has Python serve it or runs a command, and leaves.

use super::channel;
use super::launch::Task;
use super::protocol::Message;
use super::{WorkerError, command, python};
use crate::Remedy as _;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Serves one request from the host that listens at `socket` and returns the exit status; where Python
/// runs in this process, that ends it: with 0 where the function returned, 1 where it raised.
///
/// # Errors
///
/// [`WorkerError::Host`] where there is no host to talk to.
pub(crate) fn serve(socket: &Path) -> Result<i32, WorkerError> {
    let no_host = |why: String| WorkerError::Host { socket: socket.to_owned(), why };
    let (mut lines, sender) = channel::connect(socket).map_err(|e| no_host(e.to_string()))?;
    let mut first = String::new();
    lines.read_line(&mut first).map_err(|e| no_host(e.to_string()))?;
    let task: Task = serde_json::from_str(&first).map_err(|e| no_host(e.to_string()))?;
    crate::process::adopt_orphans();
    crate::process::offer_to_out_of_memory();
    channel::die_with_host(lines, socket);

    let sender = Arc::new(Mutex::new(sender));
    let request = match task {
        Task::Python(request) => request,
        Task::Command(request) => {
            let say = |message: Message| {
                let told = sender.lock().unwrap_or_else(|e| e.into_inner()).send(&message);
                if told.is_err() {
                    std::thread::sleep(LAST_WATCH);
                }
            };
            return Ok(command::serve(&request, &say));
        }
    };
    let own = Arc::clone(&sender);
    let hear = move |line: &[u8]| {
        if let Ok(Message::Failed { error, traceback, .. }) = serde_json::from_slice(line) {
            log(if traceback.is_empty() { &error } else { &traceback });
        }
        let told = own.lock().unwrap_or_else(|e| e.into_inner()).pass_on(line);
        if told.is_err() {
            // The watch over the host is about to end this process with all that it started; leaving
            // before it has would let those get away.
            std::thread::sleep(LAST_WATCH);
        }
        told.is_ok()
    };
    match python::run(&request, hear) {
        Ok(status) => Ok(status),
        Err(error) => {
            let error = error.in_line();
            log(&error);
            let failed = Message::Failed { error, traceback: String::new(), begun: false };
            let told = sender.lock().unwrap_or_else(|e| e.into_inner()).send(&failed);
            told.map_err(|e| no_host(e.to_string())).map(|()| 1)
        }
    }
}

/// Writes to the log. A full disk must not keep the host from hearing the same.
fn log(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", crate::clean::private(text.trim_end()));
}

/// Longer than the watch over the host takes to notice that it has gone, and to act.
const LAST_WATCH: std::time::Duration = std::time::Duration::from_secs(5);
