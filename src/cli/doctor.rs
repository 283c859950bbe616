//! `joulerace doctor`: what may be typed.

use super::RunArgs;

/// `joulerace doctor`: put the word in front of an experiment's flags, and that experiment is judged.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// How far paired log energies are expected to scatter (their differences' SD), in percent; an
    /// earlier experiment's report tells
    #[arg(long, value_name = "PCT", default_value_t = 5.0)]
    pub spread: f64,
    /// The experiment.
    #[command(flatten)]
    pub run: RunArgs,
}
