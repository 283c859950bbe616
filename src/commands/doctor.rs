//! `joulerace doctor`.

use crate::cli::Talk;
use crate::error::Error;
use crate::paths::Project;
use crate::settings::Settings;
use std::process::ExitCode;

/// `joulerace doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// `joulerace doctor`.
pub fn doctor(_: DoctorArgs, _: Talk) -> Result<ExitCode, Error> {
    Ok(ExitCode::SUCCESS)
}

/// `--strict`.
pub fn strict(_: &Settings, _: &Project) -> Result<(), Error> {
    Ok(())
}
