//! Why an analysis could not be made.

use std::io;
use std::path::{Path, PathBuf};

use super::kinds::Kind;
use super::scan::ScanError;
use super::study::Told;

/// Why an analysis could not be made.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum AnalysisError {
    /// The folder cannot be read.
    #[error("{} cannot be read ({source})", dir.display())]
    #[diagnostic(help("Name an experiment's folder, or one of EnergiBridge's CSV files"))]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The Python of the environment for analysis does not run.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Environment(crate::env::EnvError),
    /// It is an experiment's, and not as one has to be.
    #[error("{} is not analysed: {why}", dir.display())]
    Unfit {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What can be done.
        #[help]
        remedy: Option<String>,
    },
    /// Somebody asked this program to end.
    #[error("the analysis was interrupted, and nothing of it was written")]
    #[diagnostic(help("make it with: joulerace analyze {}", dir.display()))]
    Interrupted {
        /// The folder.
        dir: PathBuf,
    },
    /// There is nothing to analyse.
    #[error(
        "{} holds no trials: no CSV file with EnergiBridge's columns, in no folder below it{}",
        dir.display(), passed(ignored)
    )]
    #[diagnostic(help("Name a folder that has some, such as <group>/<name>_<number>.csv"))]
    NoTrials {
        /// The folder.
        dir: PathBuf,
        /// What is there instead.
        ignored: Vec<Kind>,
    },
    /// What the groups are is not clear, or a flag's pattern cannot be used.
    #[error("{}: {source}", dir.display())]
    #[diagnostic(forward(source))]
    Groups {
        /// The folder.
        dir: PathBuf,
        /// What is not clear.
        source: ScanError,
    },
    /// There are trials, and none can be used.
    #[error(
        "none of the {} trials in {} can be used. {}",
        told.trials, dir.display(), reasons(&told.unused)
    )]
    #[diagnostic(help("{}", hint(told, report.as_deref())))]
    NothingUsable {
        /// The folder.
        dir: PathBuf,
        /// How many there are, and why they cannot be used.
        told: Box<Told>,
        /// A report that says all that is known, where one could be made.
        report: Option<PathBuf>,
    },
    /// The results cannot be written.
    #[error("{} cannot be written ({source})", path.display())]
    #[diagnostic(help("Name another folder with --output"))]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The place is not in the table of carbon intensities.
    #[error("--carbon-intensity: no figure for '{place}'")]
    #[diagnostic(help("Give grams of CO2e per kWh, or one of {}", known.join(", ")))]
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
    /// Its process ended without a result.
    #[error("the process that analyses ended without a result ({why}). It last said:\n{log}")]
    Ended {
        /// How it ended.
        why: String,
        /// The end of what it printed.
        log: String,
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

/// How many reasons a message gives.
const REASONS: usize = 3;

fn reasons(unused: &[Kind]) -> String {
    let told: Vec<String> = unused.iter().take(REASONS).map(Kind::to_string).collect();
    match &told[..] {
        [] => "No reason is known".to_owned(),
        [only] if unused.len() == 1 => only.clone(),
        [first, others @ ..] => {
            let often = if unused[0].count > unused[1].count { "Most often: " } else { "" };
            format!("{often}{first}\n{}", others.join("\n"))
        }
    }
}

fn hint(told: &Told, report: Option<&Path>) -> String {
    let report = report.map(|report| format!("Report: {}", report.display()));
    let lines = [Some(told.hint()).filter(|hint| !hint.is_empty()), report];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn passed(ignored: &[Kind]) -> String {
    ignored.iter().map(|kind| format!("\npassed over: {kind}")).collect()
}
