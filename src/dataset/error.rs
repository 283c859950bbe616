//! What can go wrong with the data, each told with what to do about it.

#![allow(missing_docs, reason = "an error's message says what its fields are")]

use std::fmt;
use std::path::PathBuf;

use super::idx::IdxError;

/// Why there is no data set.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum DatasetError {
    /// A file is not what its name says.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help(
        "Get the file again (delete it, and joulerace downloads it), or name another folder with \
         --data-dir"
    ))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: IdxError,
    },
    /// Images and labels do not belong together.
    #[error(
        "{}: it holds {images} images, but {} holds {labels} labels",
        images_file.display(), labels_file.display()
    )]
    #[diagnostic(help(
        "The two do not belong together: get both again, or name another folder with --data-dir"
    ))]
    Disagree {
        images_file: PathBuf,
        /// How many it holds.
        images: u32,
        labels_file: PathBuf,
        /// How many it holds.
        labels: u32,
    },
    /// No mirror gave the file.
    #[error(
        "{file} is not in {} and could not be downloaded:\n{}",
        dir.display(), Attempts(attempts)
    )]
    #[diagnostic(help(
        "Put MNIST's four files there yourself or name their folder with --data-dir{hint}; \
         without MNIST, --dataset digits needs no download"
    ))]
    Download {
        /// The file's name.
        file: String,
        /// Where it should go.
        dir: PathBuf,
        /// What each mirror answered.
        attempts: Vec<Attempt>,
        /// More advice, or nothing.
        hint: String,
    },
    /// The digits could not be made.
    #[error("the digits data set could not be made in {}: {reason}", dir.display())]
    #[diagnostic(help(
        "Name a folder with MNIST's four files with --data-dir, or look at the environment: \
         joulerace doctor"
    ))]
    Digits {
        /// Where it should go.
        dir: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// Somebody asked to stop.
    #[error("stopped while {file} was fetched or read; nothing half-done was kept")]
    Cancelled { file: String },
    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    #[diagnostic(help("Name another folder with --data-dir"))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DatasetError {
    /// Adapts an I/O error.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| DatasetError::Io { action, path, source }
    }
}

/// What one mirror answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address that was asked.
    pub url: String,
    /// Why its answer was of no use.
    pub reason: String,
}

struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Attempt { url, reason }) in self.0.iter().enumerate() {
            write!(f, "{}  {url}: {reason}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
