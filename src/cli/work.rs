//! What is compared and at which job, and the Python for it: the same for an experiment and for
//! `joulerace verify`.

use super::named_folder;
use std::path::PathBuf;

/// What is compared where nothing is named; a workload that lacks one of them has all of its own compared.
pub(crate) const DEFAULT_TREATMENTS: &str = "keras,torch,jax";

/// Treatments, and the job that they do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkArgs {
    /// What to compare, each NAME[:VARIANT][@ENVIRONMENT]: torch, torch:compile, torch@current, torch@2.4.1
    #[arg(
        long,
        alias = "frameworks",
        value_name = "LIST",
        default_value = DEFAULT_TREATMENTS,
        value_delimiter = ','
    )]
    pub treatments: Vec<String>,
    /// An environment of your own: a folder with pyproject.toml and poetry.lock
    #[arg(long, value_name = "NAME=DIR", value_parser = named_folder)]
    pub environment: Vec<(String, PathBuf)>,
    /// The job: cnn, mlp, inference, or a folder of your own scripts
    #[arg(long, value_name = "NAME|DIR", default_value = crate::settings::DEFAULT_WORKLOAD)]
    pub workload: String,
    /// Another folder of the workload's scripts
    #[arg(long, value_name = "DIR", hide = true)]
    pub workloads: Option<PathBuf>,
}
