//! One experiment at a time: two on one machine would measure each other, and two in one folder would
//! write over each other.

use super::folder::Folder;
use crate::clean;
use crate::files::{FolderLock, InUse};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Holds the machine. The operating system lets go of it when the process ends, however it ends, so
/// it is never stale.
#[derive(Debug)]
pub struct MachineLock {
    _name: Option<std::os::unix::net::UnixListener>,
    _file: Option<File>,
}

/// The machine or the folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another experiment runs.
    #[error(
        "another joulerace measures on this machine ({holder}); two at once would measure each other, so wait for it or stop it"
    )]
    Held {
        /// Who, as far as it can be told.
        holder: String,
    },
    /// Another program writes to the experiment's folder.
    #[error(transparent)]
    Folder(InUse),
    /// The folder's lock cannot be used.
    #[error("the lock of the folder {path} cannot be used: {source}", path = path.display())]
    FolderIo {
        /// The folder.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The machine's name cannot be taken.
    #[error(
        "the machine-wide lock cannot be used: {0}; set JOULERACE_LOCK_FILE to a file that all who measure here can write"
    )]
    Name(io::Error),
    /// The lock file cannot be used.
    #[error("the machine-wide lock {path} cannot be used: {source}; set JOULERACE_LOCK_FILE to a file that all who measure here can write",
        path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

/// Takes an experiment's folder, for one writer on whichever machine.
///
/// # Errors
///
/// [`LockError::Folder`] where another has it.
pub fn folder(folder: &Folder) -> Result<FolderLock, LockError> {
    let taken = folder.open().and_then(|dir| FolderLock::take(&dir));
    taken.map_err(|error| match error.downcast::<InUse>() {
        Ok(in_use) => LockError::Folder(in_use),
        Err(source) => LockError::FolderIo { path: folder.root().to_owned(), source },
    })
}

/// Takes the machine: a name that the kernel keeps, and where `path` names one, a file as well.
///
/// The name is a socket without a file (an abstract one, unix(7)): there is nothing that could be
/// deleted, linked elsewhere, kept from others by a umask or left behind, and all users share it. Another
/// user can take it, like any lock; then that process is named. Machines' parts with a network of their
/// own (most containers) have names of their own; there, a file that they share does it. `holder` is
/// written into the file for others to read.
///
/// # Errors
///
/// [`LockError::Held`] with the holder's words where another has it.
pub fn take(path: Option<&Path>, holder: &str) -> Result<MachineLock, LockError> {
    let name = take_name(path)?;
    let file = path.map(|path| take_file(path, holder)).transpose()?;
    Ok(MachineLock { _name: name, _file: file })
}

/// Who holds the machine, if anybody. Looks without taking it or writing anything.
///
/// # Errors
///
/// The system's, about the file.
pub fn holder(path: Option<&Path>) -> io::Result<Option<String>> {
    #[cfg(target_os = "linux")]
    if let Some(holder) = address(path).ok().and_then(|address| name_holder(&address, path)) {
        return Ok(Some(holder));
    }
    let Some(path) = path else { return Ok(None) };
    let file = match open_plain(path, OFlag::O_RDONLY) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A shared lock is refused only while somebody has the machine, and is given back at once.
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(file_holder(&file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The kernel's name for the machine, or for those who share a file. Whoever deletes the file has not
/// deleted this.
#[cfg(target_os = "linux")]
fn address(path: Option<&Path>) -> io::Result<std::os::unix::net::SocketAddr> {
    use sha2::{Digest, Sha256};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    let name = match path {
        None => "joulerace: this machine is measured".to_owned(),
        Some(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let digest = Sha256::digest(path.as_os_str().as_bytes());
            let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("joulerace: {hex}")
        }
    };
    std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes())
}

/// Who has taken the name: by the words in the file, else by what the kernel knows of the process.
#[cfg(target_os = "linux")]
fn name_holder(address: &std::os::unix::net::SocketAddr, path: Option<&Path>) -> Option<String> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let stream = std::os::unix::net::UnixStream::connect_addr(address).ok()?;
    let words = path.and_then(|path| holder_in(open_plain(path, OFlag::O_RDONLY).ok()?).ok());
    let peer = || getsockopt(&stream, PeerCredentials).ok();
    let known = || peer().map(|peer| process(peer.pid() as u32, peer.uid()));
    Some(words.filter(|w| !w.is_empty()).or_else(known).unwrap_or_else(|| "unnamed".to_owned()))
}

#[cfg(target_os = "linux")]
fn take_name(path: Option<&Path>) -> Result<Option<std::os::unix::net::UnixListener>, LockError> {
    let address = address(path).map_err(LockError::Name)?;
    match std::os::unix::net::UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let holder = name_holder(&address, path).unwrap_or_else(|| "unnamed".to_owned());
            Err(LockError::Held { holder })
        }
        Err(error) => Err(LockError::Name(error)),
    }
}

#[cfg(not(target_os = "linux"))]
fn take_name(_: Option<&Path>) -> Result<Option<std::os::unix::net::UnixListener>, LockError> {
    Ok(None)
}

/// A process in words: its number, its name, its user.
#[cfg(target_os = "linux")]
fn process(pid: u32, uid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("process {pid}, {}, of user {uid}", clean::line(name.trim()))
}

/// Opens what is a plain file under its own name; a pipe is not waited for, a link not followed.
fn open_plain(path: &Path, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = match open(path, flags, Mode::from_bits_truncate(0o666)) {
        Ok(file) => File::from(file),
        Err(nix::errno::Errno::ELOOP) => return Err(io::Error::other("it is a symbolic link")),
        Err(nix::errno::Errno::ENXIO) => return Err(io::Error::other("it is no plain file")),
        Err(error) => return Err(error.into()),
    };
    use std::os::unix::fs::MetadataExt as _;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    if about.nlink() > 1 {
        return Err(io::Error::other("it has a second name (a hard link)"));
    }
    Ok(file)
}

fn holder_in(file: File) -> io::Result<String> {
    let mut holder = Vec::new();
    file.take(4096).read_to_end(&mut holder)?;
    // Anybody may have written it.
    Ok(clean::cut(clean::line(&String::from_utf8_lossy(&holder)).trim(), 300))
}

/// Who has locked the file: by its words, or where it has none (whoever holds it may be writing its name
/// just now, or be a stranger) by what the kernel knows.
fn file_holder(file: &File) -> String {
    let named = file.try_clone().and_then(holder_in).unwrap_or_default();
    if named.is_empty() { locked_by(file).unwrap_or_else(|| "unnamed".to_owned()) } else { named }
}

fn take_file(path: &Path, holder: &str) -> Result<File, LockError> {
    let io = |source| LockError::Io { path: path.to_owned(), source };
    // Opened without the flag to create it first: in a sticky folder, Linux lets nobody open another
    // user's file with it (fs.protected_regular), but a reader may lock it all the same.
    let mut file = match open_plain(path, OFlag::O_RDWR) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let file = open_plain(path, OFlag::O_RDWR | OFlag::O_CREAT).map_err(io)?;
            // All who measure here share it, whatever this user's umask is.
            use std::os::unix::fs::PermissionsExt as _;
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o666));
            file
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            open_plain(path, OFlag::O_RDONLY).map_err(io)?
        }
        Err(e) => return Err(io(e)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(LockError::Held { holder: file_holder(&file) });
        }
        Err(TryLockError::Error(e)) => return Err(io(e)),
    }
    // Its content only helps people; where another user owns the file it stays theirs.
    let _ = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(holder.as_bytes()));
    Ok(file)
}

/// The process that holds a lock on a file, out of `/proc/locks` (proc_locks(5)).
fn locked_by(file: &File) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;
        let about = file.metadata().ok()?;
        let inode = format!(":{}", about.ino());
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let line = locks.lines().find(|line| {
            line.contains("FLOCK") && line.split_whitespace().any(|word| word.ends_with(&inode))
        })?;
        let pid: u32 = line.split_whitespace().nth(4)?.parse().ok()?;
        let uid = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        Some(process(pid, uid))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_of_the_first_and_the_lock_goes_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = take(Some(&path), "process 7, results/a").unwrap();
        let refused = take(Some(&path), "process 8").unwrap_err().to_string();
        assert!(refused.contains("process 7"), "{refused}");
        std::fs::remove_file(&path).unwrap();
        let refused = take(Some(&path), "process 8").unwrap_err().to_string();
        assert!(refused.contains("measures on this machine"), "deleted: {refused}");
        drop(first);
        take(Some(&path), "process 8").unwrap();
    }

    #[test]
    fn what_is_no_plain_file_is_neither_followed_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("mine"), "mine").unwrap();
        std::os::unix::fs::symlink(at("mine"), at("link")).unwrap();
        std::fs::hard_link(at("mine"), at("twin")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        for name in ["link", "twin", "pipe"] {
            let refused = take(Some(&at(name)), "process 8").unwrap_err();
            assert!(matches!(refused, LockError::Io { .. }), "{name}: {refused}");
        }
        assert_eq!(std::fs::read_to_string(at("mine")).unwrap(), "mine");
    }

    /// Any user may lock a file that they can read: then it is said who does.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_stranger_who_locks_the_file_is_named_and_its_words_do_not_act() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "").unwrap();
        let theirs = File::open(&path).unwrap();
        theirs.lock().unwrap();
        let refused = take(Some(&path), "process 8").unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        std::fs::write(&path, "\x1b[2Jnobody").unwrap();
        let refused = take(Some(&path), "process 8").unwrap_err().to_string();
        assert!(refused.contains("nobody") && !refused.contains('\x1b'), "{refused}");
    }
}
