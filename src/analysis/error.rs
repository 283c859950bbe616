//! Why an analysis could not be made.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::scan::Ignored;
use super::table::Broken;

/// Why an analysis could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The folder cannot be read.
    #[error("{} cannot be read ({source}). Name an experiment's folder, or one of EnergiBridge's CSV files", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The Python of the environment for analysis does not run.
    #[error(transparent)]
    Environment(crate::env::EnvError),
    /// There is nothing to analyse.
    #[error(
        "{} holds no trials. Files are looked for as {}/<group>/<name>_<number>.csv, or directly in the folder{}",
        dir.display(),
        dir.display(),
        instead.as_ref().map_or(String::new(), |i| format!("; {} {}", i.file.display(), i.reason))
    )]
    NoTrials {
        /// The folder.
        dir: PathBuf,
        /// A folder in it that could be analysed instead.
        instead: Option<Ignored>,
    },
    /// There are files, and none can be used.
    #[error("none of the {} files in {} can be used; the first: {}{}: {}", broken.len(), dir.display(),
        first(broken).file, row(first(broken).row), first(broken).reason)]
    NothingReadable {
        /// The folder.
        dir: PathBuf,
        /// Each file with what is wrong with it.
        broken: Vec<Broken>,
    },
    /// The results cannot be written.
    #[error("{} cannot be written ({source}). Name another folder with --output", path.display())]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The place is not in the table of carbon intensities.
    #[error(
        "--carbon-intensity: no figure for '{place}'. Give grams of CO2e per kWh, or one of {}",
        known.join(", ")
    )]
    UnknownPlace {
        /// What was asked for.
        place: String,
        /// Codes that are known.
        known: Vec<String>,
    },
    /// A setting does not fit the data.
    #[error("{0}")]
    Refused(String),
    /// The analysis itself failed.
    #[error("the analysis failed: {message}\n{traceback}")]
    Python {
        /// The exception's type and message.
        message: String,
        /// Python's traceback.
        traceback: String,
    },
    /// Its process could not be started.
    #[error("{} could not be started to analyse ({source})", program.display())]
    Start {
        /// This program.
        program: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Its process ended without a result.
    #[error("the process that analyses ended without a result ({status}). It last said:\n{log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        log: String,
    },
    /// Somebody asked this program to end.
    #[error("the analysis was interrupted, and nothing of it was written; make it with: joulerace analyze {}", dir.display())]
    Interrupted {
        /// The folder.
        dir: PathBuf,
    },
    /// Files between the two processes could not be used.
    #[error("the process that analyses could not be talked to through {} ({source})", path.display())]
    Channel {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

fn first(broken: &[Broken]) -> &Broken {
    static NONE: Broken = Broken { file: String::new(), row: None, reason: String::new() };
    broken.first().unwrap_or(&NONE)
}

fn row(row: Option<u64>) -> String {
    row.map(|row| format!(", row {row}")).unwrap_or_default()
}
