//! What can keep a worker from its work.

use crate::paths::shipped::NotPlaced;
use std::path::PathBuf;

/// Why a worker did not do what it was asked.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum WorkerError {
    /// Python could not be started.
    #[error("{python} could not be started: {why}", python = python.display())]
    #[diagnostic(help("`joulerace doctor` checks the environment"))]
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
    #[error(
        "{name} is not beside this program in {folder}",
        name = name.display(), folder = folder.display()
    )]
    #[diagnostic(help("build both: cargo build"))]
    NoLibrary {
        /// The library's file name.
        name: PathBuf,
        /// Where this program lies.
        folder: PathBuf,
    },
    /// See [`NotPlaced`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Place(#[from] NotPlaced),
    /// The host could not be reached, or what it said could not be read.
    #[error(
        "the worker cannot talk to its host through {socket}: {why}",
        socket = socket.display()
    )]
    #[diagnostic(help("workers are started by the host, not by hand"))]
    Host {
        /// The socket's path.
        socket: PathBuf,
        /// The system's word.
        why: String,
    },
}
