//! A socket in a folder that nobody else can enter.

use super::Sender;
use crate::files::Scratch;
use crate::process;
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// One end of the line, in the worker.
pub(super) type Stream = UnixStream;

/// Connects a worker to its host.
pub(crate) fn connect(socket: &Path) -> io::Result<(BufReader<UnixStream>, Sender)> {
    let stream = UnixStream::connect(socket)?;
    Ok((BufReader::new(stream.try_clone()?), Sender(stream)))
}

/// How often to look at the line to the host. A reader that waited forever would keep the line open even after a
/// script has closed all of its process's files, and the host would never know.
const LOOK_MS: u16 = 1000;

/// How long the processes that a worker started may take to end with it.
const LAST: std::time::Duration = std::time::Duration::from_secs(2);

/// Ends this worker, all that it started and everything in its process group (EnergiBridge included)
/// as soon as the line to the host closes at either end: a host that was killed cannot tidy up any
/// more. The socket at `socket` goes too, with its folder.
pub(crate) fn die_with_host(lines: BufReader<UnixStream>, socket: &Path) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let socket = socket.to_owned();
    std::thread::spawn(move || {
        let stream = lines.into_inner();
        loop {
            let mut watched = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
            // Nothing more is ever sent, so anything to be seen here is the end of the line.
            match poll(&mut watched, PollTimeout::from(LOOK_MS)) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                _ => break,
            }
        }
        // A host that lives has removed them itself or is about to.
        let _ = std::fs::remove_file(&socket);
        let _ = socket.parent().map(std::fs::remove_dir);
        process::kill_descendants(LAST);
        process::kill_own_group();
    });
}

/// The host's end: a socket in a folder of its own that goes with it.
#[derive(Debug)]
pub struct Listener {
    listener: tokio::net::UnixListener,
    folder: Scratch,
}

impl Listener {
    /// Listens in a folder that only this user can enter, at a path within the 108 bytes that a
    /// socket's path may have.
    pub fn bind() -> io::Result<Listener> {
        let folder = Scratch::new()?;
        let listener = tokio::net::UnixListener::bind(folder.path().join("host"))?;
        Ok(Listener { listener, folder })
    }

    /// Where workers connect.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    /// Waits for the worker.
    pub(crate) async fn accept(&self) -> io::Result<tokio::net::UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}
