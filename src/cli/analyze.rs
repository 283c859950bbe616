//! `joulerace analyze`: what may be typed.

use super::{ChosenArgs, PythonArgs};
use crate::analysis::pairing::Asked;
use crate::analysis::tables::Columns;
use crate::analysis::{CarbonIntensity, Method, settings};
use std::path::PathBuf;
use std::time::Duration;

/// `joulerace analyze`.
#[derive(Debug, clap::Args)]
pub(crate) struct AnalyzeArgs {
    /// An experiment's folder, any folder with EnergiBridge's CSV files in it or below it, or a table
    /// with a run in each row
    pub dir: PathBuf,
    /// Further experiments of the same plan, of other days or machines: each is analysed, and then all
    /// together
    #[arg(value_name = "DIR")]
    pub more: Vec<PathBuf>,
    /// Where to write [default: DIR/analysis; of several together: across, beside the first]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// The report's title [default: the folder's name]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// joulerace: wraps undone, paired, all data; published: the study's own recipe
    #[arg(long, value_name = "METHOD", default_value = "joulerace", value_parser = method)]
    pub method: Method,
    /// The group that the others are compared with [default: the one of least mean energy]
    #[arg(long, value_name = "GROUP")]
    pub base: Option<String>,
    /// How often such a run happens in a year
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = settings::RUNS_PER_YEAR, value_parser = from_zero_up)]
    pub runs_per_year: f64,
    /// Price of a kilowatt-hour
    #[arg(long, value_name = "X", allow_negative_numbers = true, default_value_t = settings::PRICE_PER_KWH, value_parser = from_zero_up)]
    pub price_per_kwh: f64,
    /// The price's currency
    #[arg(long, value_name = "CODE", default_value = settings::CURRENCY, value_parser = currency)]
    pub currency: String,
    /// Grams of CO2e per kWh, or a country's two-letter code [default: the world's mean]
    #[arg(long, value_name = "G|CODE")]
    pub carbon_intensity: Option<CarbonIntensity>,
    /// Seeds the bootstrap
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = settings::SEED)]
    pub seed: u64,
    /// Groups whose difference lies surely within PCT per cent count as equivalent
    #[arg(long, value_name = "PCT", value_parser = margin)]
    pub margin: Option<f64>,
    /// Of a table with a run in each row, which columns hold what: group=…,energy=…,unit=J|Wh|kWh,
    /// time=…,block=… [default: guessed]
    #[arg(long, value_name = "KEY=COLUMN", help_heading = "Files that are no experiment's")]
    pub columns: Option<Columns>,
    /// Blocks: auto (numbers or times, on evidence), number, time or none
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "Files that are no experiment's"
    )]
    pub pairing: Asked,
    /// Makes a trial of each part of a file between holes longer than this
    #[arg(long, value_name = "DURATION", value_parser = super::duration, help_heading = "Files that are no experiment's")]
    pub split_gaps: Option<Duration>,
    /// What totals hold: package, dram, gpu, system, … [default: what all usable trials have]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub domains: Option<Vec<String>>,
    /// What Python analyses.
    #[command(flatten)]
    pub python: PythonArgs,
    /// Which files, in which groups.
    #[command(flatten, next_help_heading = "Files that are no experiment's")]
    pub chosen: ChosenArgs,
}

fn method(text: &str) -> Result<Method, String> {
    match text {
        "joulerace" => Ok(Method::Joulerace),
        "published" => Ok(Method::Published),
        other => Err(format!("'{other}' is not a method; expected joulerace or published")),
    }
}

fn from_zero_up(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(format!("expected a number ≥ 0, not '{text}'")),
    }
}

fn margin(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(number) if number > 0.0 && number < 100.0 => Ok(number),
        _ => Err(format!("expected a number of per cent between 0 and 100, not '{text}'")),
    }
}

fn currency(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty; give a code such as EUR".to_owned()),
        code => Ok(code.to_owned()),
    }
}
