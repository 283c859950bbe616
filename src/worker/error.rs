//! What can keep a worker from its work.

use crate::paths::shipped::NotPlaced;
use std::path::PathBuf;

/// Why a worker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    /// Python could not be started.
    #[error("{python} could not be started: {why}; `joulerace doctor` checks the environment",
        python = python.display())]
    Start {
        /// The interpreter that was asked for.
        python: PathBuf,
        /// What it, or the system, said.
        why: String,
    },
    /// A library could not be opened, or is another's.
    #[error("{path} cannot be used: {why}", path = path.display())]
    Library {
        /// libpython, or the worker's library.
        path: PathBuf,
        /// The loader's word.
        why: String,
    },
    /// The program was parted from its library.
    #[error("{name} is not beside this program in {folder}; build both: cargo build",
        name = name.display(), folder = folder.display())]
    NoLibrary {
        /// The library's file name.
        name: PathBuf,
        /// Where this program lies.
        folder: PathBuf,
    },
    /// See [`NotPlaced`].
    #[error(transparent)]
    Place(#[from] NotPlaced),
    /// The host could not be reached, or what it said could not be read.
    #[error("the worker cannot talk to its host through {socket}: {why}; workers are started by the host, not by hand",
        socket = socket.display())]
    Host {
        /// The socket's path.
        socket: PathBuf,
        /// The system's word.
        why: String,
    },
}
