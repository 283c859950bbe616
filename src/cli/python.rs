//! Which environment Python is taken from: of the trials, or of the analysis.

use std::path::PathBuf;

/// What `--python-env` is where scripts are trained.
pub(super) const TRAINING: &str = "The virtual environment to embed [default: an active one that fits the lock, else joulerace's own]";

/// An environment of the user's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PythonArgs {
    /// The environment with the analysis packages [default: joulerace's own]
    #[arg(long, value_name = "DIR")]
    pub python_env: Option<PathBuf>,
    /// Take --python-env although its versions differ from the lock, and say so with the results
    #[arg(long, requires = "python_env")]
    pub allow_unlocked: bool,
}
