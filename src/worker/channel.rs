//! The line between host and worker: a Unix socket, or on Windows a named pipe, each in a file of its own.
//!
//! The crate `interprocess` has both behind one name. Here they come with tokio and std, and what differs is what it
//! does not have: a socket's folder that only this user can enter, and a worker that ends with its host.

#[cfg(unix)]
#[path = "channel/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "channel/windows.rs"]
mod system;

pub use system::Listener;
pub(crate) use system::{connect, die_with_host};

use super::protocol::Message;
use std::io::{self, Write};

/// The worker's end: sends messages.
pub(crate) struct Sender(system::Stream);

impl Sender {
    /// Sends one message as one line.
    pub(crate) fn send(&mut self, message: &Message) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.pass_on(&line)
    }

    /// Sends one line that is a message already.
    pub(crate) fn pass_on(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }
}
