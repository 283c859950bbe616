//! `joulerace` without a subcommand: what may be typed.

use super::{DesignArgs, FailureArgs, MeterArgs, named_folder};
use crate::dataset::Choice as DatasetChoice;
use crate::settings::{Device, Factor};
use clap::Args;
use std::path::PathBuf;

/// The experiment.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Blocks; each runs every treatment once, in an order of its own
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub iterations: u32,
    /// What to compare, each NAME[:VARIANT][@ENVIRONMENT]: torch, torch:compile, torch@current, torch@2.4.1
    #[arg(
        long,
        alias = "frameworks",
        value_name = "LIST",
        default_value = "keras,torch,jax",
        value_delimiter = ','
    )]
    pub treatments: Vec<String>,
    /// Show what --treatments can name, and end
    #[arg(long)]
    pub list_treatments: bool,
    /// Compare releases of a framework, each with its neighbour: jax=0.4.30..0.6.2
    #[arg(long, value_name = "NAME=FROM..TO", conflicts_with = "treatments")]
    pub versions: Option<String>,
    /// Of those releases take so many, evenly spread, the first and the last among them
    #[arg(long, value_name = "N", requires = "versions", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=100))]
    pub releases: u32,
    /// Vary this too, over all treatments: batch-size=32,64,128; may stand several times
    #[arg(long, value_name = "FACTOR=LEVELS", value_parser = Factor::parse)]
    pub vary: Vec<Factor>,
    /// An environment of your own: a folder with pyproject.toml and poetry.lock
    #[arg(long, value_name = "NAME=DIR", value_parser = named_folder)]
    pub environment: Vec<(String, PathBuf)>,
    /// The job: cnn, mlp, inference, or a folder of your own scripts
    #[arg(long, value_name = "NAME|DIR", default_value = "cnn")]
    pub workload: String,
    /// Run this treatment twice in every block, to learn what the experiment cannot tell apart
    #[arg(long, value_name = "TREATMENT")]
    pub control: Option<String>,
    /// Compare every other treatment with this one, and no other pairs [default: all pairs]
    #[arg(long, value_name = "TREATMENT")]
    pub compare_to: Option<String>,
    /// The largest difference that counts as none: tests for equivalence within ±PCT percent
    #[arg(long, value_name = "PCT")]
    pub margin: Option<f64>,
    /// Stop at the first block at which each comparison is resolved, or known to within ±PCT percent;
    /// --iterations is the most
    #[arg(long, value_name = "PCT")]
    pub until_precise: Option<f64>,

    /// Passes over the training set
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Training job")]
    pub epochs: u32,
    /// Images per step
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=60_000), help_heading = "Training job")]
    pub batch_size: u32,
    /// Adam's step size
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.001,
        allow_negative_numbers = true,
        help_heading = "Training job"
    )]
    pub learning_rate: f64,
    /// Seeds initial weights and the order of images
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        default_value_t = 42,
        help_heading = "Training job"
    )]
    pub seed: u64,
    /// Train each block from a seed of its own, the same for all its treatments, drawn from --seed
    #[arg(long, help_heading = "Training job")]
    pub seed_per_block: bool,
    /// Use the first N training images only [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training job")]
    pub train_samples: Option<u32>,
    /// Use the first N test images only [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training job")]
    pub test_samples: Option<u32>,
    /// The same cap on processors for every treatment [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training job")]
    pub threads: Option<u32>,
    /// Where the job runs: cpu, or gpu for an NVIDIA graphics card, in an environment with CUDA
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true, default_value_t = Device::Cpu, help_heading = "Training job")]
    pub device: Device,
    /// mnist, digits, or auto: MNIST where it can be had
    #[arg(long, value_name = "NAME", value_enum, default_value_t = DatasetChoice::Auto, help_heading = "Training job")]
    pub dataset: DatasetChoice,
    /// Where MNIST's four IDX files are or go [default: the user's cache]
    #[arg(long, value_name = "DIR", env = "JOULERACE_DATA_DIR", help_heading = "Training job")]
    pub data_dir: Option<PathBuf>,
    /// The virtual environment to embed [default: an active one that fits the lock, else joulerace's own]
    #[arg(long, value_name = "DIR", help_heading = "Training job")]
    pub python_env: Option<PathBuf>,
    /// Take --python-env although its versions differ from the lock, and record that
    #[arg(long, requires = "python_env", help_heading = "Training job")]
    pub allow_unlocked: bool,

    /// How the experiment is laid out.
    #[command(flatten)]
    pub design: DesignArgs,

    /// What reads the energy.
    #[command(flatten, next_help_heading = "Meter")]
    pub meter: MeterArgs,

    /// What is done about failures.
    #[command(flatten)]
    pub failures: FailureArgs,

    /// Another folder of the workload's scripts
    #[arg(long, value_name = "DIR", hide = true)]
    pub workloads: Option<PathBuf>,
}
