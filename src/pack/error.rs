//! What can go wrong with an archive.

use std::io;
use std::path::PathBuf;

/// Why an archive cannot be made, or not be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum PackError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The folder has no report, or one that nobody can make again.
    #[error("{folder} has no report that can be made again")]
    #[diagnostic(help("make it with: joulerace analyze {folder}"))]
    NoReport {
        /// The experiment's folder.
        folder: String,
    },
    /// The locks at hand are not those that the experiment ran with.
    #[error(
        "{folder} ran in an environment of another lock than this program's, so its lock cannot \
         be packed"
    )]
    #[diagnostic(help(
        "use the joulerace that made it ({version}), or set JOULERACE_HOME to a folder with its \
         poetry.lock and pyproject.toml"
    ))]
    OtherLock {
        /// The experiment's folder.
        folder: String,
        /// The version that made it.
        version: String,
    },
    /// Raw samples are packed as they are, or not at all.
    #[error("{path} is a file of samples and holds text that should not be published ({what})")]
    #[diagnostic(help("remove it from there"))]
    NotSamples {
        /// Which.
        path: String,
        /// What was found.
        what: &'static str,
    },
    /// The archive's name is taken.
    #[error("{path} is there already", path = path.display())]
    #[diagnostic(help("remove it, or name another file with --output"))]
    Taken {
        /// The archive.
        path: PathBuf,
    },
    /// The archive was damaged on its way.
    #[error("{path} cannot be used: {why}", path = path.display())]
    #[diagnostic(help("copy it again"))]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The archive is none of ours.
    #[error("{path} cannot be used: {why}", path = path.display())]
    Unfit {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl PackError {
    /// For [`Result::map_err`].
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PackError {
        let path = path.into();
        |source| PackError::Io { path, source }
    }
}
