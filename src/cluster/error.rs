//! Why shards cannot be made one experiment.

#![allow(missing_docs, reason = "an error's message says what its fields are")]

use super::study::{SHARDS, StudyError};
use crate::store::ExperimentError;
use crate::store::journal::JournalError;
use std::io;
use std::path::PathBuf;

/// Shards that cannot be made one experiment.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum MergeError {
    /// There is none.
    #[error("{0} holds no shards: there is no folder {SHARDS} with 1, 2, … in it")]
    #[diagnostic(help("Name the study's folder, into which the shards' folders were copied"))]
    None(String),
    /// A folder among the shards is not one.
    #[error("{path}: {why}", path = path.display())]
    NoShard {
        /// The folder.
        path: PathBuf,
        why: String,
    },
    /// The study was submitted, and none of its shards has begun.
    #[error("no shard of the study in {folder} has begun:\n  {}", lines(why))]
    #[diagnostic(help("what its tasks said is in {folder}/logs; when they have run, merge again"))]
    NotBegun {
        /// The study's folder.
        folder: String,
        /// Shard by shard.
        why: Vec<String>,
    },
    /// Shards whose files do not agree with each other.
    #[error("what is kept of these trials does not agree:\n  {}\nnothing is merged", lines(what))]
    #[diagnostic(help(
        "Bring the shards back from where they were run, or have these trials run again: \
         joulerace resume {folder}/{SHARDS}/NUMBER --accept-changes"
    ))]
    Damaged {
        /// The study's folder.
        folder: String,
        /// Trial by trial.
        what: Vec<String>,
    },
    /// Shards of different studies, or of other work.
    #[error("the shards in {folder} are not of one study:\n  {}", lines(differences))]
    #[diagnostic(help(
        "run the shard again as the others were run, or have it merged and recorded with \
         --accept-changes"
    ))]
    Differ {
        /// The study's folder.
        folder: String,
        /// Shard by shard.
        differences: Vec<String>,
    },
    /// See [`ExperimentError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Experiment(#[from] ExperimentError),
    /// See [`JournalError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Journal(#[from] JournalError),
    /// See [`StudyError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Study(#[from] StudyError),
    /// The table cannot be written.
    #[error("{path} cannot be written: {source}", path = path.display())]
    #[diagnostic(help("free space, and merge again"))]
    Table {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

/// As many lines are told.
const MOST_LINES: usize = 20;

fn lines(all: &[String]) -> String {
    let told = all.iter().take(MOST_LINES).map(String::as_str).collect::<Vec<_>>().join("\n  ");
    match all.len().saturating_sub(MOST_LINES) {
        0 => told,
        more => format!("{told}\n  and {more} more"),
    }
}
