//! `joulerace verify`: what may be typed.

use crate::dataset::Choice as DatasetChoice;
use crate::settings::Device;
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
    /// Images per step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub batch_size: u32,
    /// Adam's step size
    #[arg(long, value_name = "X", default_value_t = 0.001)]
    pub learning_rate: f64,
    /// Seeds initial weights and the order of images
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Use the first N training images only [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub train_samples: Option<u32>,
    /// Use the first N test images only [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub test_samples: Option<u32>,
    /// Processors for every treatment [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Where the job runs: cpu, or gpu for an NVIDIA graphics card, in an environment with CUDA
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true, default_value_t = Device::Cpu)]
    pub device: Device,
    /// mnist, digits, or auto: MNIST where it can be had
    #[arg(long, value_name = "NAME", value_enum, default_value_t = DatasetChoice::Auto)]
    pub dataset: DatasetChoice,
    /// Where MNIST's four IDX files are or go
    #[arg(long, value_name = "DIR", env = "JOULERACE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
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
