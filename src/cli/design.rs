//! How an experiment is laid out, and what is done about failures: the same for frameworks and commands.

use super::AfterArgs;
use crate::plan::Order;
use crate::settings::Shard;
use std::path::PathBuf;
use std::time::Duration;

/// Order, pauses, folder.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DesignArgs {
    /// The order within blocks: random, or balanced for position and predecessor (Williams squares)
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Order::Random, help_heading = "Experiment")]
    pub order: Order,
    /// Seeds the order of trials, and nothing else [default: drawn and recorded]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Experiment")]
    pub order_seed: Option<u64>,
    /// Load on all cores before the first trial
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = super::duration, help_heading = "Experiment")]
    pub warmup: Duration,
    /// End the warm-up when power and temperature have settled, or go on until they have, within bounds
    #[arg(long, help_heading = "Experiment")]
    pub warmup_until_stable: bool,
    /// Idling after each trial
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = super::duration, help_heading = "Experiment")]
    pub cooldown: Duration,
    /// Go on idling until power is within PCT percent of the idle baseline, within bounds
    #[arg(long, value_name = "PCT", allow_negative_numbers = true, help_heading = "Experiment")]
    pub cooldown_until_idle: Option<f64>,
    /// Measure idle power this long before the first trial and after the last; 0s for not at all
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = super::duration, help_heading = "Experiment")]
    pub baseline: Duration,
    /// The experiment's folder [default: results/<date-time>]
    #[arg(long, value_name = "DIR", help_heading = "Experiment")]
    pub output: Option<PathBuf>,
    /// Run this part of the blocks only, such as 2/5: whole blocks, on one of several machines that are
    /// given the same flags and the same --order-seed; then: joulerace merge
    #[arg(long, value_name = "K/N", help_heading = "Experiment")]
    pub shard: Option<Shard>,
    /// Print the plan and how long it takes, and touch nothing
    #[arg(long, help_heading = "Experiment")]
    pub dry_run: bool,
    /// Go on with the experiment in --output, if it has the same settings
    #[arg(long, requires = "output", help_heading = "Experiment")]
    pub resume: bool,
    /// With --resume: go on although something differs, and record what
    #[arg(long, requires = "resume", help_heading = "Experiment")]
    pub accept_changes: bool,
    /// Write what this command line means to FILE, for joulerace run FILE, and run nothing
    #[arg(long, value_name = "FILE", help_heading = "Experiment")]
    pub save: Option<PathBuf>,
    /// Refuse to start where `joulerace doctor` would warn
    #[arg(long, help_heading = "Experiment")]
    pub strict: bool,
    /// What is done at the end.
    #[command(flatten, next_help_heading = "Experiment")]
    pub after: AfterArgs,
}

/// What is done about failures.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FailureArgs {
    /// How often a failed trial is tried again
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        default_value_t = 1,
        help_heading = "Failures"
    )]
    pub retries: u32,
    /// How long one trial may take [default: as long as it takes]
    #[arg(long, value_name = "DURATION", value_parser = super::duration, help_heading = "Failures")]
    pub trial_timeout: Option<Duration>,
    /// Failed attempts after which the experiment stops
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 10, value_parser = super::failures(), help_heading = "Failures")]
    pub max_failures: u32,
}
