//! Unix: locks on files, and on Linux a name that the kernel keeps.

use super::{LockError, Taken};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// A socket without a file.
pub(super) type Name = std::os::unix::net::UnixListener;

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
            format!("joulerace: {}", crate::clean::hex(&digest[..16]))
        }
    };
    std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes())
}

/// Who has taken the name, if anybody.
#[cfg(target_os = "linux")]
pub(super) fn name_holder(path: Option<&Path>) -> Option<String> {
    holder_of(&address(path).ok()?, path)
}

/// Other systems keep no such names.
#[cfg(not(target_os = "linux"))]
pub(super) fn name_holder(_: Option<&Path>) -> Option<String> {
    None
}

/// By the words in the file, else by what the kernel knows of the process.
#[cfg(target_os = "linux")]
fn holder_of(address: &std::os::unix::net::SocketAddr, path: Option<&Path>) -> Option<String> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let stream = std::os::unix::net::UnixStream::connect_addr(address).ok()?;
    let words =
        path.and_then(|path| super::holder_in(open_plain(path, OFlag::O_RDONLY).ok()?).ok());
    let peer = || getsockopt(&stream, PeerCredentials).ok();
    let known = || peer().map(|peer| process(peer.pid() as u32, peer.uid()));
    Some(words.filter(|w| !w.is_empty()).or_else(known).unwrap_or_else(|| "unnamed".to_owned()))
}

#[cfg(target_os = "linux")]
pub(super) fn take_name(path: Option<&Path>) -> Result<Option<Name>, LockError> {
    let address = address(path).map_err(LockError::Name)?;
    match std::os::unix::net::UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let holder = holder_of(&address, path).unwrap_or_else(|| "unnamed".to_owned());
            Err(LockError::Held { holder })
        }
        Err(error) => Err(LockError::Name(error)),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn take_name(_: Option<&Path>) -> Result<Option<Name>, LockError> {
    Ok(None)
}

/// A process in words: its number, its name, its user.
#[cfg(target_os = "linux")]
fn process(pid: u32, uid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("process {pid}, {}, of user {uid}", crate::clean::line(name.trim()))
}

/// Opens what is a plain file under its own name; a pipe is not waited for, a link not followed.
fn open_plain(path: &Path, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = match open(path, flags, Mode::from_bits_truncate(0o666)) {
        Ok(file) => File::from(file),
        Err(nix::errno::Errno::ELOOP) => return Err(io::Error::other("it is a symbolic link")),
        Err(nix::errno::Errno::ENXIO) => return Err(io::Error::other("it is not a plain file")),
        Err(error) => return Err(error.into()),
    };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    if about.nlink() > 1 {
        return Err(io::Error::other("it has a second name (a hard link)"));
    }
    Ok(file)
}

/// The file, where somebody has locked it; looks only.
pub(super) fn look(path: &Path) -> io::Result<Option<File>> {
    let file = open_plain(path, OFlag::O_RDONLY)?;
    // A shared lock is refused only while somebody has the machine, and is given back at once.
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks the file, which is made where there is none.
pub(super) fn take(path: &Path) -> io::Result<Taken> {
    // Opened without the flag to create it first: in a sticky folder, Linux lets nobody open another
    // user's file with it (fs.protected_regular), but a reader may lock it all the same.
    let file = match open_plain(path, OFlag::O_RDWR) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let file = open_plain(path, OFlag::O_RDWR | OFlag::O_CREAT)?;
            // All who measure here share it, whatever this user's umask is.
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o666));
            file
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => open_plain(path, OFlag::O_RDONLY)?,
        Err(e) => return Err(e),
    };
    match file.try_lock() {
        Ok(()) => Ok(Taken::Mine(file)),
        Err(TryLockError::WouldBlock) => Ok(Taken::Theirs(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The process that holds a lock on a file, out of `/proc/locks` (proc_locks(5)).
pub(super) fn locked_by(file: &File) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
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
