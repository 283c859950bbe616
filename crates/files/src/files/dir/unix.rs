//! A folder by its descriptor: names are reached through it (openat(2)), so that nobody can put another
//! folder in its place.

use super::{For, Kind};
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Modes before the umask takes its share.
const FILE: Mode = Mode::from_bits_truncate(0o666);
const FOLDER: Mode = Mode::from_bits_truncate(0o777);

/// An open folder.
#[derive(Debug)]
pub(super) struct Handle(OwnedFd);

/// A file that was opened, and what it turned out to be.
pub(super) struct Opened {
    pub file: File,
    pub kind: Kind,
    /// How many names it has.
    pub names: u64,
}

/// What tells a file from every other one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity(nix::libc::dev_t, nix::libc::ino_t);

/// Which file is open.
pub(super) fn identity(file: &File) -> io::Result<Identity> {
    let stat = fstat(file)?;
    Ok(Identity(stat.st_dev, stat.st_ino))
}

fn kind(stat: &FileStat) -> Kind {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFLNK => Kind::Link,
        SFlag::S_IFIFO => Kind::Pipe,
        SFlag::S_IFSOCK => Kind::Socket,
        SFlag::S_IFCHR | SFlag::S_IFBLK => Kind::Device,
        SFlag::S_IFDIR => Kind::Folder,
        _ => Kind::File,
    }
}

impl Handle {
    pub(crate) fn open(path: &Path) -> io::Result<Handle> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Handle(nix::fcntl::open(path, flags, Mode::empty())?))
    }

    pub(crate) fn sub(&self, name: &OsStr) -> io::Result<Handle> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Handle(openat(&self.0, name, flags, Mode::empty())?))
    }

    pub(crate) fn make(&self, name: &OsStr) -> io::Result<()> {
        Ok(mkdirat(&self.0, name, FOLDER)?)
    }

    fn stat(&self, name: &OsStr) -> io::Result<Option<FileStat>> {
        match fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(nix::errno::Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn kind(&self, name: &OsStr) -> io::Result<Option<Kind>> {
        Ok(self.stat(name)?.as_ref().map(kind))
    }

    pub(crate) fn identity(&self, name: &OsStr) -> io::Result<Option<Identity>> {
        Ok(self.stat(name)?.map(|stat| Identity(stat.st_dev, stat.st_ino)))
    }

    pub(crate) fn file(&self, name: &OsStr, what_for: For) -> io::Result<Opened> {
        // Does not wait, in case the name now belongs to a pipe.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let flags = flags
            | match what_for {
                For::Reading => OFlag::O_RDONLY,
                For::Appending => OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT,
                For::Cutting => OFlag::O_WRONLY,
                For::Making => OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL,
            };
        let file = File::from(openat(&self.0, name, flags, FILE)?);
        let stat = fstat(&file)?;
        let (kind, names) = (kind(&stat), links(&stat));
        Ok(Opened { file, kind, names })
    }

    pub(crate) fn rename(&self, name: &OsStr, to: &Handle, new: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, name, &to.0, new)?)
    }

    pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(nix::unistd::fsync(&self.0)?)
    }

    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let copy = openat(&self.0, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in nix::dir::Dir::from_fd(copy)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// Its type differs between systems.
#[allow(clippy::useless_conversion, reason = "u64 on some systems, less on others")]
fn links(stat: &FileStat) -> u64 {
    u64::from(stat.st_nlink)
}
