//! What may have a name in a folder of results, and what may not.

use std::io;
use std::path::PathBuf;

/// Something that is neither a plain file nor a folder, where only these may be. Cause and remedy are one text: it
/// travels inside an `io::Error`, which has room for one.
#[derive(Debug, thiserror::Error)]
#[error("{path} is {what}, and joulerace uses plain files and folders only in a folder of results; remove it, or put in its place what it stands for",
    path = path.display())]
pub(crate) struct NotPlain {
    /// What has the name.
    pub path: PathBuf,
    /// `a symbolic link`, `a named pipe`, …
    pub what: &'static str,
}

impl NotPlain {
    /// As the system's functions report errors.
    pub(super) fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, self)
    }
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    #[cfg_attr(windows, expect(dead_code, reason = "no folder holds one there"))]
    Pipe,
    #[cfg_attr(windows, expect(dead_code, reason = "no folder holds one there"))]
    Socket,
    #[cfg_attr(windows, expect(dead_code, reason = "no folder holds one there"))]
    Device,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::File => "a file",
            Kind::Folder => "a folder",
            Kind::Link => "a symbolic link",
            Kind::Pipe => "a named pipe",
            Kind::Socket => "a socket",
            Kind::Device => "a device",
        }
    }
}
