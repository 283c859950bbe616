//! `joulerace resume`: what may be typed.

use super::{AfterArgs, named_folder};
use clap::Args;
use std::path::PathBuf;

/// `joulerace resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The experiment's folder
    pub dir: PathBuf,
    /// Run trials again that failed, too; those that could not be measured are run in any case
    #[arg(long)]
    pub failed: bool,
    /// Go on although something differs from the start or is damaged, and record what
    #[arg(long)]
    pub accept_changes: bool,
    /// The environment to embed, where the experiment named one
    #[arg(long, value_name = "DIR")]
    pub python_env: Option<PathBuf>,
    /// A folder of an environment that the experiment named
    #[arg(long, value_name = "NAME=DIR", value_parser = named_folder)]
    pub environment: Vec<(String, PathBuf)>,
    /// Where the data set's files are, where the experiment named a folder
    #[arg(long, value_name = "DIR", env = super::DATA_DIR)]
    pub data_dir: Option<PathBuf>,
    /// EnergiBridge's binary, where the experiment named one
    #[arg(long, value_name = "PATH")]
    pub energibridge: Option<PathBuf>,
    /// Where RAPL's zones are, where the experiment named a folder
    #[arg(long, value_name = "DIR", env = super::POWERCAP, hide_env = true)]
    pub powercap: Option<PathBuf>,
    /// The folder of the workload's scripts, where the experiment named one
    #[arg(long = "workload", value_name = "DIR", alias = "workloads")]
    pub workloads: Option<PathBuf>,
    /// Run the commands that the experiment compares: they are whatever its maker wrote there
    #[arg(long)]
    pub run_commands: bool,
    /// What is done at the end.
    #[command(flatten)]
    pub after: AfterArgs,
    /// Failed attempts before it stops, counted anew
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = super::failures())]
    pub max_failures: Option<u32>,
}
