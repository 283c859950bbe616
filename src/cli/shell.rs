//! `joulerace completions` and `joulerace man`: what may be typed.

use clap_complete::Shell;
use std::path::PathBuf;

/// `joulerace completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Whose
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `joulerace man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder [default: print the program's own]
    pub dir: Option<PathBuf>,
}
