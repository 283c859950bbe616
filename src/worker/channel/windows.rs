//! A named pipe that nobody guesses.

use super::Sender;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::sync::Mutex;

/// One end of the line, in the worker.
pub(super) type Stream = File;

/// The host has accepted another worker just now, and has not made the next end (`ERROR_PIPE_BUSY`).
const PIPE_BUSY: i32 = 231;
/// How long that is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects a worker to its host.
///
/// A thread that reads such a file keeps others from writing to it, so that nobody may read any more once
/// the request has come.
pub(crate) fn connect(pipe: &Path) -> io::Result<(BufReader<File>, Sender)> {
    let begun = Instant::now();
    let stream = loop {
        match OpenOptions::new().read(true).write(true).open(pipe) {
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => break opened?,
        }
    };
    Ok((BufReader::new(stream.try_clone()?), Sender(stream)))
}

/// A worker ends with its host by the host's job object, with all that it started; nothing is to be
/// watched.
pub(crate) fn die_with_host(lines: BufReader<File>, _: &Path) {
    drop(lines);
}

/// The host's end: a pipe that only processes of this machine can open.
#[derive(Debug)]
pub struct Listener {
    name: PathBuf,
    /// The end that the next worker connects to.
    next: Mutex<NamedPipeServer>,
}

impl Listener {
    /// Listens under a name that is drawn.
    pub(crate) fn bind() -> io::Result<Listener> {
        use rand::RngExt as _;
        let number = rand::rng().random::<u128>();
        let name = PathBuf::from(format!(r"\\.\pipe\joulerace-{number:032x}"));
        let first = ServerOptions::new().first_pipe_instance(true).create(&name)?;
        Ok(Listener { name, next: Mutex::new(first) })
    }

    /// Where workers connect.
    pub(crate) fn path(&self) -> PathBuf {
        self.name.clone()
    }

    /// Waits for the worker. Nothing is lost where this is dropped before it is ready.
    pub(crate) async fn accept(&self) -> io::Result<NamedPipeServer> {
        let mut next = self.next.lock().await;
        next.connect().await?;
        let another = ServerOptions::new().create(&self.name)?;
        Ok(std::mem::replace(&mut *next, another))
    }
}
