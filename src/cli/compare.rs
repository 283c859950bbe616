//! `joulerace compare`: what may be typed.

use super::{DesignArgs, FailureArgs, MeterArgs, PairArgs};
use crate::settings::commands::MOST_REPETITIONS;

/// [`PairArgs::until_precise`] where the most is another flag.
const UNTIL_PRECISE: &str = "Stop at the first block at which each comparison is resolved, or known to \
    within ±PCT percent; --runs is the most";

/// `joulerace compare`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    // Commands are short, and not all load the machine.
    mut_arg("warmup", |arg| arg.default_value("3s")),
    mut_arg("cooldown", |arg| arg.default_value("500ms")),
    mut_arg("baseline", |arg| arg.default_value("3s")),
    mut_arg("output", |arg| arg.help("The experiment's folder [default: results/<date-time>, here]")),
    mut_arg("retries", |arg| arg.default_value("0")),
    mut_arg("control", |arg| arg.value_name("NAME")),
    mut_arg("compare_to", |arg| arg.value_name("NAME")),
    mut_arg("until_precise", |arg| arg.help(UNTIL_PRECISE)),
)]
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
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, default_value_t = 10, value_parser = super::blocks())]
    pub runs: u32,
    /// Run a command so many times within a trial, the same for all; joules are told for one
    /// [default: as many as the meter needs, found by a run before]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = super::up_to(MOST_REPETITIONS))]
    pub repetitions: Option<u32>,
    /// Which pairs, and how exactly.
    #[command(flatten)]
    pub pairs: PairArgs,

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
