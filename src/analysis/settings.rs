//! What an analysis is told.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pairing::Asked;
use super::scan::Search;
use super::tables::Columns;

/// Which recipe the tables follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Wraps undone, paired within blocks, all data.
    #[default]
    Joulerace,
    /// The published studies' own: last minus first reading, negative energies and values beyond
    /// three standard deviations dropped.
    Published,
}

/// Emissions of a kilowatt-hour.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CarbonIntensity {
    /// The table's default, the world's mean.
    #[default]
    Default,
    /// This many grams of CO2e per kWh.
    Grams(f64),
    /// A place of the table by its code (`NL`) or name (`Netherlands`), in any case.
    Place(String),
}

/// A carbon intensity that is neither a number nor a word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a carbon intensity: give grams of CO2e per kWh as a number that is not negative, or a \
     country's two-letter code"
)]
pub struct InvalidIntensity(String);

impl FromStr for CarbonIntensity {
    type Err = InvalidIntensity;

    fn from_str(text: &str) -> Result<Self, InvalidIntensity> {
        let text = text.trim();
        match text.parse::<f64>() {
            Ok(grams) if grams.is_finite() && grams >= 0.0 => Ok(CarbonIntensity::Grams(grams)),
            Err(_) if text.starts_with(char::is_alphabetic) => {
                Ok(CarbonIntensity::Place(text.to_owned()))
            }
            _ => Err(InvalidIntensity(text.to_owned())),
        }
    }
}

impl fmt::Display for CarbonIntensity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CarbonIntensity::Default => f.write_str("default"),
            CarbonIntensity::Grams(grams) => write!(f, "{grams}"),
            CarbonIntensity::Place(place) => f.write_str(place),
        }
    }
}

/// What `joulerace analyze` is told. [`AnalyzeSettings::new`] gives the defaults. It is written beside what
/// came of it, without the places of this machine, so that the same can be asked again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalyzeSettings {
    /// An experiment's folder, or one of `<group>/<anything>_<n>.csv`.
    #[serde(skip)]
    pub dir: PathBuf,
    /// Where to write; `dir/analysis`, or `dir/audit`, where `None`; beside a table.
    #[serde(skip)]
    pub output: Option<PathBuf>,
    /// What the report says of where it lies, where that is not where it is made.
    #[serde(skip)]
    pub place: Option<String>,
    /// The report's title; the folder's name where `None`.
    pub title: Option<String>,
    /// Which recipe.
    pub method: Method,
    /// How often such a run happens in a year, for what a difference is worth.
    pub runs_per_year: f64,
    /// Price of a kilowatt-hour, in `currency`.
    pub price_per_kwh: f64,
    /// The price's currency, such as `EUR`.
    pub currency: String,
    /// Emissions of a kilowatt-hour.
    pub carbon_intensity: CarbonIntensity,
    /// The group that the others are compared with; the one of least mean energy where `None`.
    pub base: Option<String>,
    /// Level of the tests; intervals cover `1 - alpha`.
    pub alpha: f64,
    /// Seeds the bootstrap.
    pub seed: u64,
    /// The folder with the package `analysis` (`python/` of the project).
    #[serde(skip)]
    pub python_dir: PathBuf,
    /// The command line that reproduces this, for the report.
    pub command: String,
    /// How the folder is searched.
    pub search: Search,
    /// What blocks are asked for, of files that are no experiment's.
    pub pairing: Asked,
    /// The domains to compare; those that all usable trials have where `None`.
    pub domains: Option<Vec<String>>,
    /// The parts of a file between holes longer than this are trials.
    pub split_gaps: Option<Duration>,
    /// Groups whose difference lies surely within so many per cent count as equivalent.
    pub margin_pct: Option<f64>,
    /// Whether the files are audited instead of compared.
    #[serde(default)]
    pub audit: bool,
    /// What else the report has to note, a sentence each.
    pub remarks: Vec<String>,
}

/// How often a run happens in a year where nobody says.
pub(crate) const RUNS_PER_YEAR: f64 = 1000.0;
/// Price of a kilowatt-hour in [`CURRENCY`] where nobody says.
pub(crate) const PRICE_PER_KWH: f64 = 0.30;
pub(crate) const CURRENCY: &str = "EUR";
/// Seeds the bootstrap where nobody says.
pub(crate) const SEED: u64 = 42;

impl AnalyzeSettings {
    /// Defaults for a folder: joulerace's method, 1000 runs a year at 0.30 EUR/kWh, alpha 0.05, seed 42.
    pub fn new(dir: impl Into<PathBuf>, python_dir: impl Into<PathBuf>) -> AnalyzeSettings {
        AnalyzeSettings {
            dir: dir.into(),
            output: None,
            place: None,
            title: None,
            method: Method::Joulerace,
            runs_per_year: RUNS_PER_YEAR,
            price_per_kwh: PRICE_PER_KWH,
            currency: CURRENCY.into(),
            carbon_intensity: CarbonIntensity::Default,
            base: None,
            alpha: crate::plan::detectable::ALPHA,
            seed: SEED,
            python_dir: python_dir.into(),
            command: String::new(),
            search: Search::default(),
            pairing: Asked::Auto,
            domains: None,
            split_gaps: None,
            margin_pct: None,
            audit: false,
            remarks: Vec::new(),
        }
    }

    /// Refuses values that no analysis can use.
    ///
    /// # Errors
    ///
    /// The flag, and what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (flag, value) in
            [("runs-per-year", self.runs_per_year), ("price-per-kwh", self.price_per_kwh)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("--{flag}: expected a number ≥ 0, not {value}"));
            }
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return Err(format!("--alpha: {} is not between 0 and 0.5", self.alpha));
        }
        if let Some(margin) = self.margin_pct.filter(|m| !(*m > 0.0 && *m < 100.0)) {
            return Err(format!("--margin: {margin} is not between 0 and 100 per cent"));
        }
        Ok(())
    }

    /// Refuses flags that do not apply to an experiment of joulerace's own.
    ///
    /// # Errors
    ///
    /// The flag, and what is wrong with it.
    pub(crate) fn check_for_experiment(&self) -> Result<(), String> {
        let plain =
            "it is for other files: an experiment has its groups, blocks and trials on record";
        let flags = [
            ("group-by", self.search.group_by.is_some()),
            ("exclude", !self.search.exclude.is_empty()),
            ("split-gaps", self.split_gaps.is_some()),
            ("columns", self.search.columns != Columns::default()),
            ("pairing", matches!(self.pairing, Asked::Number | Asked::Time)),
        ];
        match flags.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(format!("--{flag}: {plain}")),
            None => Ok(()),
        }
    }

    /// Where the results go.
    pub fn output(&self) -> PathBuf {
        let name = if self.audit { "audit" } else { "analysis" };
        self.output.clone().unwrap_or_else(|| match self.dir.file_stem() {
            Some(stem) if self.dir.is_file() => {
                self.dir.with_file_name(format!("{}-{name}", stem.to_string_lossy()))
            }
            _ => self.dir.join(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_make_no_sense_are_refused_by_their_flag() {
        let good = AnalyzeSettings::new("a", "python");
        assert_eq!(good.check(), Ok(()));
        let refused = |bad: AnalyzeSettings| bad.check().expect_err("accepted");
        let runs = AnalyzeSettings { runs_per_year: -1.0, ..good.clone() };
        let said = refused(runs);
        assert!(said.starts_with("--runs-per-year") && said.ends_with("not -1"), "{said}");
        let price = AnalyzeSettings { price_per_kwh: f64::NAN, ..good.clone() };
        assert!(refused(price).starts_with("--price-per-kwh"));
        assert!(refused(AnalyzeSettings { alpha: 0.5, ..good }).starts_with("--alpha"));
    }

    #[test]
    fn a_carbon_intensity_is_a_number_or_a_place() {
        assert_eq!("268.5".parse(), Ok(CarbonIntensity::Grams(268.5)));
        assert_eq!("nl".parse(), Ok(CarbonIntensity::Place("nl".into())));
        for bad in ["-3", "inf", "", "?"] {
            assert!(bad.parse::<CarbonIntensity>().is_err(), "{bad}");
        }
    }
}
