//! `joulerace doctor`: what may be typed.

use super::{CompareArgs, RunArgs};
use clap::Subcommand;

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
#[command(args_conflicts_with_subcommands = true)]
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
    #[command(
        mut_arg("warmup", |arg| arg.default_value("3s")),
        mut_arg("cooldown", |arg| arg.default_value("500ms")),
        mut_arg("baseline", |arg| arg.default_value("3s")),
        mut_arg("retries", |arg| arg.default_value("0")),
        mut_arg("dry_run", |arg| arg.hide(true)),
        mut_arg("resume", |arg| arg.hide(true)),
        mut_arg("accept_changes", |arg| arg.hide(true)),
        mut_arg("strict", |arg| arg.hide(true)),
        mut_arg("save", |arg| arg.hide(true)),
    )]
    Compare(Box<DoctorCompareArgs>),
}

/// `joulerace doctor compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorCompareArgs {
    /// How it is told.
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// The comparison.
    #[command(flatten)]
    pub compare: CompareArgs,
}
