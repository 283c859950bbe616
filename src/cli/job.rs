//! The training job's flags, the same for an experiment and for `joulerace verify`.

use crate::dataset::Choice as DatasetChoice;
use crate::settings::{Device, MOST_BATCH};
use std::path::PathBuf;

/// What every treatment trains, and on what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct JobArgs {
    /// Images per step
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 64, value_parser = super::up_to(MOST_BATCH))]
    pub batch_size: u32,
    /// Adam's step size
    #[arg(long, value_name = "X", default_value_t = 0.001, allow_negative_numbers = true)]
    pub learning_rate: f64,
    /// Seeds initial weights and the order of images
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 42)]
    pub seed: u64,
    /// Use the first N training images only [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub train_samples: Option<u32>,
    /// Use the first N test images only [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub test_samples: Option<u32>,
    /// The same cap on processors for every treatment [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub threads: Option<u32>,
    /// Where the job runs: cpu, or gpu for an NVIDIA graphics card, in an environment with CUDA
    #[arg(long, value_name = "NAME", value_enum, hide_possible_values = true, default_value_t = Device::Cpu)]
    pub device: Device,
    /// mnist, digits, or auto: MNIST where it can be had
    #[arg(long, value_name = "NAME", value_enum, default_value_t = DatasetChoice::Auto)]
    pub dataset: DatasetChoice,
    /// Where MNIST's four IDX files are or go [default: the user's cache]
    #[arg(long, value_name = "DIR", env = super::DATA_DIR)]
    pub data_dir: Option<PathBuf>,
}
