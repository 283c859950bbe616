//! One experiment at a time: two on one machine would measure each other, and two in one folder would
//! write over each other.

#[cfg(unix)]
#[path = "lock/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "lock/windows.rs"]
mod system;

use super::folder::Folder;
use crate::clean;
use crate::files::{FolderLock, InUse};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Holds the machine. The operating system lets go of it when the process ends, however it ends, so
/// it is never stale.
#[derive(Debug)]
pub(crate) struct MachineLock {
    _name: Option<system::Name>,
    _file: Option<File>,
}

/// The machine or the folder cannot be had.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum LockError {
    /// Another experiment runs.
    #[error(
        "another joulerace measures on this machine ({holder}), and two at once would measure each other"
    )]
    #[diagnostic(help("wait for it or stop it"))]
    Held {
        /// Who, as far as it can be told.
        holder: String,
    },
    /// Another program writes to the experiment's folder.
    #[error(transparent)]
    #[diagnostic(transparent)]
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
    #[error("the machine-wide lock cannot be used: {0}")]
    #[diagnostic(help("set JOULERACE_LOCK_FILE to a file that all who measure here can write"))]
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux keeps such names"))]
    Name(io::Error),
    /// The lock file cannot be used.
    #[error("the machine-wide lock {path} cannot be used: {source}", path = path.display())]
    #[diagnostic(help("set JOULERACE_LOCK_FILE to a file that all who measure here can write"))]
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
pub(crate) fn folder(folder: &Folder) -> Result<FolderLock, LockError> {
    let taken = folder.open().and_then(|dir| FolderLock::take(&dir));
    taken.map_err(|error| match error.downcast::<InUse>() {
        Ok(in_use) => LockError::Folder(in_use),
        Err(source) => LockError::FolderIo { path: folder.root().to_owned(), source },
    })
}

/// Takes the machine: a name that the kernel keeps, and where `path` names one, a file as well.
///
/// The name is a socket without a file (an abstract one, unix(7)): there is nothing that could be deleted, linked
/// elsewhere, kept from others by a umask or left behind, and all users share it. Another user can take it, like
/// any lock; then that process is named. Containers with a network of their own have such names of their own;
/// there a shared file is the lock. `holder` is written into the file for others to read.
///
/// # Errors
///
/// [`LockError::Held`] with the holder's words where another has it.
pub(crate) fn take(path: Option<&Path>, holder: &str) -> Result<MachineLock, LockError> {
    let name = system::take_name(path)?;
    let file = path.map(|path| take_file(path, holder)).transpose()?;
    Ok(MachineLock { _name: name, _file: file })
}

/// Who holds the machine, if anybody. Looks without taking it or writing anything.
///
/// # Errors
///
/// The system's, about the file.
pub(crate) fn holder(path: Option<&Path>) -> io::Result<Option<String>> {
    if let Some(holder) = system::name_holder(path) {
        return Ok(Some(holder));
    }
    let Some(path) = path else { return Ok(None) };
    match system::look(path) {
        Ok(None) => Ok(None),
        Ok(Some(file)) => Ok(Some(file_holder(&file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
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
    if named.is_empty() {
        system::locked_by(file).unwrap_or_else(|| "unnamed".to_owned())
    } else {
        named
    }
}

fn take_file(path: &Path, holder: &str) -> Result<File, LockError> {
    let mut file = match system::take(path) {
        Ok(Taken::Mine(file)) => file,
        Ok(Taken::Theirs(file)) => return Err(LockError::Held { holder: file_holder(&file) }),
        Err(source) => return Err(LockError::Io { path: path.to_owned(), source }),
    };
    // Its content only helps people; where another user owns the file it stays theirs.
    let _ = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(holder.as_bytes()));
    Ok(file)
}

/// What trying to lock a file came to.
enum Taken {
    /// It is locked by this program now.
    Mine(File),
    /// Another has it. What it wrote can be read.
    Theirs(File),
}

#[cfg(all(test, unix))]
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
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
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
