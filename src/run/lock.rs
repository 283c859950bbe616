//! One experiment at a time: two on one machine would measure each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Holds the machine. The operating system lets go of it when the process ends, however it ends, so
/// it is never stale.
#[derive(Debug)]
pub struct MachineLock {
    _file: File,
}

/// The machine cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another experiment runs.
    #[error(
        "another joulerace measures on this machine ({holder}); two at once would measure each other, so wait for it or stop it"
    )]
    Held {
        /// Who, as far as the lock file says.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("the machine-wide lock {path} cannot be used: {source}; set JOULERACE_LOCK_FILE to a file that all who measure here can write",
        path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
}

/// Takes the machine-wide lock and writes `holder` into it for others to read.
///
/// # Errors
///
/// [`LockError::Held`] with the holder's words where another has it.
pub fn take(path: &Path, holder: &str) -> Result<MachineLock, LockError> {
    let io = |source| LockError::Io { path: path.to_owned(), source };
    // Opened for reading first: in a sticky folder, Linux lets nobody open another user's file with
    // the flag to create it (fs.protected_regular), but a reader may lock it all the same.
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?,
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            File::open(path).map_err(io)?
        }
        Err(e) => return Err(io(e)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Whoever holds it may be writing its name just now.
            let _ = file.take(4096).read_to_string(&mut holder);
            let holder =
                if holder.trim().is_empty() { "unnamed" } else { holder.trim() }.to_owned();
            return Err(LockError::Held { holder });
        }
        Err(TryLockError::Error(e)) => return Err(io(e)),
    }
    // Its content only helps people; where another user owns the file it stays theirs.
    let _ = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(holder.as_bytes()));
    Ok(MachineLock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_of_the_first_and_the_lock_goes_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = take(&path, "process 7, results/a").unwrap();
        let refused = take(&path, "process 8").unwrap_err().to_string();
        assert!(refused.contains("process 7, results/a"), "{refused}");
        drop(first);
        take(&path, "process 8").unwrap();
    }
}
