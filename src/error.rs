//! What ends the program, and with which exit status.

use crate::analysis::AnalysisError;
use crate::settings::DeviceError;
use std::process::ExitCode;

/// Exit statuses, as documented in the README. 2 is clap's, for a command line it cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// Something nobody foresaw.
    Internal = 1,
    /// A flag's value, or a subcommand's argument.
    Usage = 2,
    /// Python, libpython or the environment.
    Environment = 3,
    /// No meter, or not the one asked for.
    Meter = 4,
    /// The data set.
    Dataset = 5,
    /// The output folder or an experiment in it.
    Output = 6,
    /// The experiment ran and trials failed, or their work was not the same.
    Trials = 7,
    /// It stopped before its end and can be resumed.
    Stopped = 8,
    /// Another experiment runs.
    Busy = 9,
    Analysis = 10,
    /// `doctor` warns; with `--strict`, the experiment was not started for that, or `audit` warns.
    Warnings = 11,
    /// `doctor` finds what makes the experiment impossible; with `--strict`, as above, or `audit` finds
    /// something serious.
    Unfit = 12,
    /// What `replay` made again is not what the archive holds.
    Differs = 13,
    /// The command to measure is there and cannot be run, as shells say it.
    NotExecutable = 126,
    /// There is no such command to measure, as shells say it.
    NotFound = 127,
}

/// An error on its way to the user.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum Error {
    /// See [`crate::settings::SettingsError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Settings(#[from] crate::settings::SettingsError),
    /// See [`crate::settings::DeviceError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Device(#[from] crate::settings::DeviceError),
    /// See [`crate::settings::RaceError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Race(#[from] crate::settings::RaceError),
    /// See [`crate::paths::NoProject`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Project(#[from] crate::paths::NoProject),
    /// See [`crate::workload::WorkloadError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Workload(#[from] crate::workload::WorkloadError),
    /// See [`crate::env::EnvError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Env(#[from] crate::env::EnvError),
    /// See [`crate::worker::WorkerError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Worker(#[from] crate::worker::WorkerError),
    /// See [`crate::meter::MeterError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Meter(#[from] crate::meter::MeterError),
    /// See [`crate::dataset::DatasetError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Dataset(#[from] crate::dataset::DatasetError),
    /// See [`crate::store::ExperimentError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Experiment(#[from] crate::store::ExperimentError),
    /// See [`crate::cluster::MergeError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Merge(#[from] crate::cluster::MergeError),
    /// See [`crate::cluster::SlurmError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Slurm(#[from] crate::cluster::SlurmError),
    /// See [`crate::cluster::StudyError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Study(#[from] crate::cluster::StudyError),
    /// See [`crate::store::journal::JournalError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Journal(#[from] crate::store::journal::JournalError),
    /// See [`crate::store::lock::LockError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lock(#[from] crate::store::lock::LockError),
    /// See [`crate::analysis::AnalysisError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Analysis(#[from] crate::analysis::AnalysisError),
    /// See [`crate::pack::PackError`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pack(#[from] crate::pack::PackError),
    /// Said already, in full; only the status remains.
    #[error("{message}")]
    Told {
        /// What happened.
        message: String,
        /// What to do about it.
        #[help]
        remedy: Option<String>,
        /// With which status to end.
        status: Status,
    },
    /// Nobody's fault that is foreseen.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Error {
    /// What happened, in words, and the status to end with.
    pub(crate) fn told(status: Status, message: impl Into<String>) -> Error {
        Error::Told { message: message.into(), remedy: None, status }
    }

    /// The same with what to do about it.
    pub(crate) fn advised(
        status: Status,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Error {
        Error::Told { message: message.into(), remedy: Some(remedy.into()), status }
    }

    /// The exit status that this error ends the program with.
    pub(crate) fn status(&self) -> Status {
        match self {
            Error::Settings(_) | Error::Race(_) | Error::Workload(_) => Status::Usage,
            Error::Device(DeviceError::LeftOut { .. } | DeviceError::NotDeclared { .. }) => {
                Status::Usage
            }
            Error::Device(_) => Status::Meter,
            Error::Project(_) | Error::Env(_) | Error::Worker(_) => Status::Environment,
            Error::Meter(_) => Status::Meter,
            Error::Dataset(_) => Status::Dataset,
            Error::Slurm(_) => Status::Environment,
            Error::Experiment(_)
            | Error::Study(_)
            | Error::Merge(_)
            | Error::Journal(_)
            | Error::Pack(_) => Status::Output,
            Error::Lock(_) => Status::Busy,
            Error::Analysis(AnalysisError::Unfit { .. }) => Status::Output,
            Error::Analysis(AnalysisError::Interrupted { .. }) => Status::Stopped,
            Error::Analysis(_) => Status::Analysis,
            Error::Told { status, .. } => *status,
            Error::Other(_) => Status::Internal,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status as u8)
    }
}
