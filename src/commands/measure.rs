//! `joulerace measure`.

use crate::cli::Talk;
use crate::error::Error;
use std::process::ExitCode;

/// `joulerace measure`.
#[derive(Debug, clap::Args)]
pub struct MeasureArgs {
    /// The command
    #[arg(last = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `joulerace measure`.
pub fn measure(_: MeasureArgs, _: Talk) -> Result<ExitCode, Error> {
    Ok(ExitCode::SUCCESS)
}
