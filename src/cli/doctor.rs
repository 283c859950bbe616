//! `joulerace doctor`: what may be typed.

use super::{CompareArgs, RunArgs};
use clap::Subcommand;

/// Flags of an experiment that change nothing in what is judged.
const UNASKED: [&str; 5] = ["dry_run", "resume", "accept_changes", "strict", "save"];

/// They may stand in the line, as it is an experiment's, and are not shown.
fn hide_unasked(arg: clap::Arg) -> clap::Arg {
    let unasked = UNASKED.contains(&arg.get_id().as_str());
    if unasked { arg.hide(true) } else { arg }
}

/// How much is expected, and how it is told.
#[derive(Debug, clap::Args)]
pub(crate) struct JudgeArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// How far paired log energies are expected to scatter (their differences' SD), in percent; an
    /// earlier experiment's report tells
    #[arg(long, value_name = "PCT", default_value_t = 5.0)]
    pub spread: f64,
}

/// `joulerace doctor`: put the word in front of an experiment's flags, and that experiment is judged.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, mut_args(hide_unasked))]
pub(crate) struct DoctorArgs {
    /// How it is told.
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// The experiment.
    #[command(flatten)]
    pub run: RunArgs,
    /// Another kind of experiment.
    #[command(subcommand)]
    pub of: Option<DoctorOf>,
}

/// What else can be judged beside an experiment of frameworks.
#[derive(Debug, Subcommand)]
pub(crate) enum DoctorOf {
    /// Check this machine for a comparison of commands: joulerace doctor compare CMD CMD …
    Compare(Box<DoctorCompareArgs>),
}

/// `joulerace doctor compare`.
#[derive(Debug, clap::Args)]
#[command(mut_args(hide_unasked))]
pub(crate) struct DoctorCompareArgs {
    /// How it is told.
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// The comparison.
    #[command(flatten)]
    pub compare: CompareArgs,
}
