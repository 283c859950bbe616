//! Folders for what lies between processes and is not kept.

#[cfg(unix)]
#[path = "scratch/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "scratch/windows.rs"]
mod system;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How their names begin.
const PREFIX: &str = "joulerace-";

/// Longest path of a folder in which a socket can still be bound: sun_path holds 108 bytes (unix(7)), 104
/// on macOS. Windows has no sockets there.
const LONGEST: usize = if cfg!(windows) { 240 } else { 90 };

/// A folder younger than this may not be locked by its maker yet.
const SURELY_LOCKED: Duration = Duration::from_secs(60);

/// A folder that only this user can enter. It goes when this is dropped, and what a program left that
/// was killed goes when a later one [sweeps](Scratch::sweep): whoever lives holds a lock on its own.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// None while it goes.
    lock: Option<File>,
}

impl Scratch {
    /// A new folder in the system's folder for temporary files, or where that is missing, full of
    /// rights or too long a path for a socket, in another place that always is there.
    ///
    /// # Errors
    ///
    /// The system's last error, where no place can be used.
    pub fn new() -> io::Result<Scratch> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for place in places() {
            match Scratch::below(&place) {
                Ok(scratch) => return Ok(scratch),
                Err(error) => {
                    last = io::Error::new(error.kind(), format!("{}: {error}", place.display()));
                }
            }
        }
        Err(last)
    }

    fn below(place: &Path) -> io::Result<Scratch> {
        use rand::RngExt as _;
        let path = place.join(format!("{PREFIX}{:016x}", rand::rng().random::<u64>()));
        // Made anew or not at all: nothing that waits under this name is taken.
        system::make(&path)?;
        let lock = system::lock_of(&path).and_then(|lock| lock.lock().map(|()| lock));
        match lock {
            Ok(lock) => Ok(Scratch { path, lock: Some(lock) }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what this user's programs left that were killed.
    pub fn sweep() {
        for place in places() {
            for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
                let ours = entry.file_name().to_str().is_some_and(|name| {
                    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
                    digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
                });
                if !ours {
                    continue;
                }
                let Ok(about) = std::fs::symlink_metadata(entry.path()) else { continue };
                let young = about.modified().ok().and_then(|then| then.elapsed().ok());
                if !about.is_dir()
                    || !system::is_mine(&about)
                    || young.is_none_or(|age| age < SURELY_LOCKED)
                {
                    continue;
                }
                let Ok(lock) = system::lock_of(&entry.path()) else { continue };
                if lock.try_lock().is_ok() {
                    drop(lock);
                    let _ = std::fs::remove_dir_all(entry.path());
                }
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Windows removes nothing that is open.
        drop(self.lock.take());
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Where such folders may be, the best first.
fn places() -> Vec<PathBuf> {
    let mut places = vec![std::env::temp_dir()];
    places.extend(system::places());
    places.retain(|place| place.is_absolute() && place.as_os_str().len() < LONGEST - 26);
    places.dedup();
    places
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_is_this_users_alone_and_goes_with_its_owner() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(path.as_os_str().len() < LONGEST);
        Scratch::sweep();
        assert!(path.is_dir(), "what lives is not swept");
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn what_was_left_long_ago_is_swept() {
        let scratch = Scratch::new().unwrap();
        let left = scratch.path().with_file_name(format!("{PREFIX}00000000deadbeef"));
        let _ = std::fs::remove_dir_all(&left);
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("host"), "").unwrap();
        Scratch::sweep();
        assert!(left.exists(), "it may be its maker's, not locked yet");
        let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
        File::open(&left).unwrap().set_modified(hour_ago).unwrap();
        Scratch::sweep();
        assert!(!left.exists());
    }
}
