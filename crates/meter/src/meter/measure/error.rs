//! Why a command was not measured.

use crate::meter::MeterError;
use crate::process::Exit;

/// Why a command was not measured.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum MeasureError {
    /// There is nothing after `--`.
    #[error("there is no command to measure")]
    #[diagnostic(help("Write: joulerace measure -- COMMAND"))]
    NoCommand,
    /// No meter works, or the one asked for does not, or it failed before the command started.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Meter(#[from] MeterError),
    /// The command does not start.
    #[error("'{command}' cannot be started: {source}")]
    #[diagnostic(help("Check its name and that it may be executed"))]
    Start {
        /// The program.
        command: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// The command ran, and the meter failed meanwhile.
    #[error("the command ended with {exit}, but its samples are of no use: {source}")]
    #[diagnostic(forward(source))]
    Lost {
        /// How the command ended.
        exit: Exit,
        /// What became of the meter.
        source: MeterError,
    },
    /// The system refuses what waiting for a process takes.
    #[error("cannot wait for processes and signals: {0}")]
    System(std::io::Error),
}
