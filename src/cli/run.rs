//! `joulerace run`: what may be typed.

use std::ffi::OsString;
use std::path::PathBuf;

/// `joulerace run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RaceArgs {
    /// The file; its keys are the flags of joulerace, or of joulerace compare where it has commands
    #[arg(value_name = "FILE", allow_hyphen_values = true)]
    pub file: PathBuf,
    /// Flags that count instead of the file's keys; all of joulerace, or of joulerace compare
    #[arg(value_name = "FLAGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub flags: Vec<OsString>,
}
