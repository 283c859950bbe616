//! `joulerace` without a subcommand: what may be typed.

use super::python;
use super::{DesignArgs, FailureArgs, JobArgs, MeterArgs, PairArgs, PythonArgs, WorkArgs};
use crate::settings::{Factor, MOST_EPOCHS};
use clap::Args;

/// The experiment.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("python_env", |arg| arg.help(python::TRAINING)))]
pub(crate) struct RunArgs {
    /// Blocks; each runs every treatment once, in an order of its own
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 30, value_parser = super::blocks())]
    pub iterations: u32,
    /// What is compared, and at which job.
    #[command(flatten)]
    pub work: WorkArgs,
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
    /// Which pairs, and how exactly.
    #[command(flatten)]
    pub pairs: PairArgs,

    /// Passes over the training set
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 3, value_parser = super::up_to(MOST_EPOCHS), help_heading = "Training job")]
    pub epochs: u32,
    /// What is trained, and on what.
    #[command(flatten, next_help_heading = "Training job")]
    pub job: JobArgs,
    /// Train each block from a seed of its own, the same for all its treatments, drawn from --seed
    #[arg(long, help_heading = "Training job")]
    pub seed_per_block: bool,
    /// What Python it runs in.
    #[command(flatten, next_help_heading = "Training job")]
    pub python: PythonArgs,

    /// How the experiment is laid out.
    #[command(flatten)]
    pub design: DesignArgs,

    /// What reads the energy.
    #[command(flatten, next_help_heading = "Meter")]
    pub meter: MeterArgs,

    /// What is done about failures.
    #[command(flatten)]
    pub failures: FailureArgs,
}
