//! `joulerace verify`: what may be typed.

use super::JobArgs;
use std::path::PathBuf;

/// `joulerace verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// What to compare; the first is what the others are held against
    #[arg(
        long,
        alias = "frameworks",
        value_name = "LIST",
        default_value = "keras,torch,jax",
        value_delimiter = ','
    )]
    pub treatments: Vec<String>,
    /// An environment of your own: a folder with pyproject.toml and poetry.lock
    #[arg(long, value_name = "NAME=DIR", value_parser = super::named_folder)]
    pub environment: Vec<(String, PathBuf)>,
    /// The job: cnn, mlp, inference, or a folder of your own scripts
    #[arg(long, value_name = "NAME|DIR", default_value = "cnn")]
    pub workload: String,
    /// Steps whose losses are compared
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// What is trained, and on what.
    #[command(flatten)]
    pub job: JobArgs,
    /// The virtual environment to embed
    #[arg(long, value_name = "DIR")]
    pub python_env: Option<PathBuf>,
    /// Take --python-env although its versions differ from the lock
    #[arg(long, requires = "python_env")]
    pub allow_unlocked: bool,
    /// Print the comparison as JSON
    #[arg(long)]
    pub json: bool,
    /// Another folder of the workload's scripts
    #[arg(long, value_name = "DIR", hide = true)]
    pub workloads: Option<PathBuf>,
}
