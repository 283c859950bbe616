//! `joulerace compare`: what may be typed.

use super::{DesignArgs, FailureArgs, MeterArgs};

/// `joulerace compare`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CompareArgs {
    /// What is compared, each command in quotes
    #[arg(value_name = "COMMAND", required = true, num_args = 1.., help_heading = "Arguments")]
    pub commands: Vec<String>,
    /// Call the commands so, in their order; may be repeated [default: as they are typed]
    #[arg(short, long, value_name = "NAME")]
    pub name: Vec<String>,
    /// What runs a command: none (its words are split as a shell would), sh, bash, another; auto takes sh
    /// for all where one of them needs it
    #[arg(long, value_name = "SHELL", default_value = "auto")]
    pub shell: String,
    /// Blocks; each runs every command once, in an order of its own
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub runs: u32,
    /// Run a command so many times within a trial, the same for all; joules are told for one
    /// [default: as many as the meter needs, found by a run before]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repetitions: Option<u32>,
    /// Run this command twice in every block, to learn what the experiment cannot tell apart
    #[arg(long, value_name = "NAME")]
    pub control: Option<String>,
    /// Compare every other command with this one, and no other pairs [default: all pairs]
    #[arg(long, value_name = "NAME")]
    pub compare_to: Option<String>,
    /// The largest difference that counts as none: tests for equivalence within ±PCT percent
    #[arg(long, value_name = "PCT")]
    pub margin: Option<f64>,
    /// Stop at the first block at which each comparison is resolved, or known to within ±PCT percent;
    /// --runs is the most
    #[arg(long, value_name = "PCT")]
    pub until_precise: Option<f64>,

    /// Run this before the first trial, once for each command where {NAME} makes it differ; anew when an
    /// experiment goes on
    #[arg(short, long, value_name = "CMD", help_heading = "Around the commands")]
    pub setup: Option<String>,
    /// Run this before each run of a command, unmeasured
    #[arg(short, long, value_name = "CMD", help_heading = "Around the commands")]
    pub prepare: Option<String>,
    /// Run this after the last trial, as often as --setup
    #[arg(short, long, value_name = "CMD", help_heading = "Around the commands")]
    pub cleanup: Option<String>,
    /// Put each of VALUES (1,2,3) for {NAME} in the commands; may be repeated, for all combinations
    #[arg(short = 'L', long, value_names = ["NAME", "VALUES"], num_args = 2, action = clap::ArgAction::Append, help_heading = "Around the commands")]
    pub parameter_list: Vec<String>,
    /// The same with the numbers from FROM to TO
    #[arg(
        short = 'P',
        long,
        value_name = "NAME FROM TO [STEP]",
        help_heading = "Around the commands"
    )]
    pub parameter_scan: Vec<String>,

    /// All commands have to print the same on standard output, every time
    #[arg(long, help_heading = "Equal work")]
    pub same_output: bool,
    /// Run this after each trial, unmeasured; where it fails, the trial's work was not done
    #[arg(long, value_name = "CMD", help_heading = "Equal work")]
    pub check: Option<String>,
    /// Measure a command whatever status it ends with
    #[arg(short, long, help_heading = "Equal work")]
    pub ignore_failure: bool,

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
