//! File locks: one host builds an environment, many use it, nobody removes what is in use.
//!
//! The system drops such a lock when its holder ends, however that happens, so none is stale.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child::{Context, POLL};
use super::{EnvError, EnvProgress, Step};

/// Holds a lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    /// `None` where the cache is read-only and so cannot change.
    file: Option<File>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// For users of an environment.
    Shared,
    /// For whoever makes or removes it.
    Exclusive,
}

/// How often something in use is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whose turn it is to make something that many use.
pub(super) enum Turn<T> {
    /// Nobody's: it is there.
    Ready(T),
    /// This host's, with the lock of whoever makes it.
    Mine(Lease),
}

impl Lease {
    /// Waits until something is there or this host may make it. `ready` looks at it with a user's lease, and keeps
    /// the lease where it is there.
    ///
    /// Whoever made it goes on to use it, and as long as somebody does, nobody else gets the lock to make it: so it
    /// is looked at again and again, not waited for.
    pub(super) fn turn<T>(
        path: &Path,
        context: &mut Context,
        ready: impl Fn(Lease) -> Result<Option<T>, EnvError>,
    ) -> Result<Turn<T>, EnvError> {
        let mut told = false;
        loop {
            let user = Self::wait(path, Kind::Shared, context)?;
            if let Some(found) = ready(user)? {
                return Ok(Turn::Ready(found));
            }
            if let Some(exclusive) = Self::try_take(path, Kind::Exclusive)? {
                return Ok(Turn::Mine(exclusive));
            }
            if !told {
                (context.progress)(EnvProgress::Waiting { lock: path.to_path_buf() });
                told = true;
            }
            if context.stopped() {
                return Err(EnvError::Cancelled { step: Step::Wait });
            }
            // Seldom: looking at it reads files, and whoever uses it may be measuring.
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits for the lock `path`, saying so once, until it is free or the host is to stop.
    pub(super) fn wait(path: &Path, kind: Kind, context: &mut Context) -> Result<Self, EnvError> {
        let mut told = false;
        loop {
            if let Some(lease) = Self::try_take(path, kind)? {
                return Ok(lease);
            }
            if !told {
                (context.progress)(EnvProgress::Waiting { lock: path.to_path_buf() });
                told = true;
            }
            if context.stopped() {
                return Err(EnvError::Cancelled { step: Step::Wait });
            }
            std::thread::sleep(POLL);
        }
    }

    /// No lock, for a caller that already holds a stronger one.
    pub(super) fn none() -> Self {
        Self { file: None }
    }

    /// Lets other users in, while nobody may remove.
    pub(super) fn into_shared(self, path: &Path) -> Result<Self, EnvError> {
        if let Some(file) = &self.file {
            file.lock_shared().map_err(EnvError::io("lock", path))?;
        }
        Ok(self)
    }

    /// Takes the lock if nobody holds it in the way; `None` otherwise.
    pub(super) fn try_take(path: &Path, kind: Kind) -> Result<Option<Self>, EnvError> {
        let file = match OpenOptions::new().create(true).read(true).append(true).open(path) {
            Ok(file) => file,
            // A cache that cannot be written cannot be changed under its user either.
            Err(error)
                if kind == Kind::Shared
                    && matches!(
                        error.kind(),
                        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                    ) =>
            {
                return Ok(Some(Self { file: None }));
            }
            Err(error) => return Err(EnvError::io("open the lock file", path)(error)),
        };
        let taken = match kind {
            Kind::Shared => file.try_lock_shared(),
            Kind::Exclusive => file.try_lock(),
        };
        match taken {
            Ok(()) => Ok(Some(Self { file: Some(file) })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(EnvError::io("lock", path)(error)),
        }
    }
}

/// The lock file that goes with the folder `name`.
pub(super) fn lock_file(root: &Path, name: &str) -> PathBuf {
    root.join(format!(".{name}.lock"))
}
