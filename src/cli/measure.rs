//! `joulerace measure`: what may be typed.

use super::MeterArgs;
use std::ffi::OsString;
use std::path::PathBuf;

/// `joulerace measure`.
#[derive(Debug, clap::Args)]
pub(crate) struct MeasureArgs {
    /// Measure the command N times, and give mean, SD, least and most
    #[arg(short, long, value_name = "N", value_parser = super::blocks())]
    pub runs: Option<u32>,
    /// Run the command N times before, unmeasured
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub warmup: u32,
    /// Call the series NAME: samples go to DIR/NAME/NAME_<n>.csv [default: the program's name]
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,
    /// The file for the samples, - for standard output [default: measure_<date>_<time>.csv]; of a
    /// series the folder DIR [default: measured]
    #[arg(short, long, value_name = "FILE|DIR")]
    pub output: Option<PathBuf>,
    /// Print the result as JSON on standard output, and what the command prints on standard error
    #[arg(long)]
    pub json: bool,
    /// Go on where a run ends with another status than 0
    #[arg(short, long)]
    pub ignore_failure: bool,
    /// What reads the energy.
    #[command(flatten, next_help_heading = "Meter")]
    pub meter: MeterArgs,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        help_heading = "Arguments"
    )]
    pub command: Vec<OsString>,
}
