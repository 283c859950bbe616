//! What the host and `python/analysis` say to each other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scan::{Scan, Source};
use super::settings::{AnalyzeSettings, CarbonIntensity, Method};
use super::study::Decided;
use super::table::Table;
use crate::clean;
use crate::store::settling::When;
use crate::worker::protocol::Arrays;

/// What Python reports to the host; other messages are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum AnalysisMessage {
    /// A step begins.
    Progress {
        /// What is done, for a terminal.
        step: String,
    },
    /// Everything is written.
    Result {
        /// The verdict, in one sentence.
        sentence: String,
        /// What somebody who reads that sentence alone has to know besides.
        #[serde(default)]
        cautions: Vec<String>,
        /// The names of the files that were written, within the folder.
        files: Vec<String>,
    },
    /// A setting does not fit the data.
    Refused {
        /// Which, and why.
        message: String,
    },
    /// No carbon intensity for this place.
    Place {
        /// As it was typed.
        place: String,
        /// The codes that there are.
        known: Vec<String>,
    },
}

/// The argument of `analysis.host.serve`; see `python/analysis/settings.py`.
#[derive(Serialize)]
struct Argument<'a> {
    output: &'a Path,
    /// Where the results will lie, for the report.
    place: String,
    title: String,
    source: Source,
    method: Method,
    alpha: f64,
    seed: u64,
    base: Option<&'a str>,
    practical: Practical<'a>,
    carbon: Option<Carbon<'a>>,
    baseline: Option<Baseline>,
    /// `experiment.json` as it stands; null where there is none.
    experiment: Value,
    /// Columns of text.
    strings: BTreeMap<&'a str, &'a [Option<String>]>,
    command: &'a str,
    /// What the groups were found by, or a table's columns taken for.
    by: &'a str,
    version: &'static str,
    #[serde(flatten)]
    decided: &'a Decided,
}

/// What a difference is worth.
#[derive(Serialize)]
struct Practical<'a> {
    runs_per_year: f64,
    price_per_kwh: f64,
    currency: &'a str,
}

/// What was said of carbon: grams, or a place that Python looks up.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Carbon<'a> {
    Grams(f64),
    Place(&'a str),
}

/// Idle power at an experiment's two ends, in watts.
#[derive(Debug, PartialEq, Serialize)]
struct Baseline {
    before_w: Option<f64>,
    after_w: Option<f64>,
    drift_w: Option<f64>,
}

/// The argument for a table that is to be analysed into `output`. Names, reasons and commands may be a
/// stranger's, so they are cleaned before they are shown.
pub(super) fn argument(
    settings: &AnalyzeSettings,
    output: &Path,
    scan: &Scan,
    table: &Table,
    decided: &Decided,
) -> Value {
    let experiment = match scan.source {
        Source::Experiment => experiment(&settings.dir),
        Source::Csv => Value::Null,
    };
    let named = settings.dir.canonicalize().unwrap_or_else(|_| settings.dir.clone());
    let folder = || named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let home = std::env::var("HOME").ok();
    let argument = Argument {
        output,
        place: settings.place.clone().unwrap_or_else(|| {
            clean::without_home(&settings.output().display().to_string(), home.as_deref())
        }),
        title: settings.title.clone().unwrap_or_else(folder),
        source: scan.source,
        method: settings.method,
        alpha: settings.alpha,
        seed: settings.seed,
        base: settings.base.as_deref(),
        practical: Practical {
            runs_per_year: settings.runs_per_year,
            price_per_kwh: settings.price_per_kwh,
            currency: &settings.currency,
        },
        carbon: match &settings.carbon_intensity {
            CarbonIntensity::Default => None,
            CarbonIntensity::Grams(grams) => Some(Carbon::Grams(*grams)),
            CarbonIntensity::Place(place) => Some(Carbon::Place(place)),
        },
        baseline: baseline(&experiment),
        experiment,
        strings: table.texts.iter().map(|(name, column)| (*name, &column[..])).collect(),
        command: &settings.command,
        by: &scan.by,
        version: env!("CARGO_PKG_VERSION"),
        decided,
    };
    let argument = serde_json::to_value(argument).unwrap_or_default();
    // The folder itself stays what it is, whatever its name.
    match clean::in_strings(argument, &|text| clean::lines(&clean::private(&text))) {
        Value::Object(mut fields) => {
            fields.insert("output".to_owned(), serde_json::to_value(output).unwrap_or_default());
            Value::Object(fields)
        }
        other => other,
    }
}

/// Idle power at the experiment's two ends, in watts: the first baseline before trials and the last one
/// after; an experiment that was resumed has more. None where none was measured.
fn baseline(experiment: &Value) -> Option<Baseline> {
    let WithIdlePower { settling: Ends { baselines } } =
        WithIdlePower::deserialize(experiment).ok()?;
    let mut at = baselines.iter().filter_map(|end| Some((end.when, end.watts?)));
    let before = at.clone().find(|(when, _)| *when == When::Before).map(|(_, watts)| watts);
    let after = at.rfind(|(when, _)| *when == When::After).map(|(_, watts)| watts);
    before.or(after)?;
    let drift_w = before.zip(after).map(|(before, after)| after - before);
    Some(Baseline { before_w: before, after_w: after, drift_w })
}

/// As much of an experiment as its idle power takes: one of another version is read as far as this goes.
#[derive(Deserialize, Default)]
#[serde(default)]
struct WithIdlePower {
    settling: Ends,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ends {
    baselines: Vec<End>,
}

#[derive(Deserialize)]
struct End {
    when: When,
    /// None where it could not be measured.
    watts: Option<f64>,
}

fn experiment(dir: &Path) -> Value {
    // The host has refused one that cannot be read.
    let text = crate::files::read(&dir.join("experiment.json"), 1 << 30).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Writes every column of numbers and every trace's two, one after another.
pub(super) fn write_arrays(table: Table, path: &Path) -> io::Result<Arrays> {
    let mut file = io::BufWriter::new(File::create(path)?);
    let mut columns = Vec::new();
    let mut write = |name: String, column: &[f64]| -> io::Result<()> {
        for value in column {
            file.write_all(&value.to_ne_bytes())?;
        }
        columns.push((name, column.len()));
        Ok(())
    };
    for (name, column) in table.numbers {
        write(name, &column)?;
    }
    for (trial, power) in table.traces {
        write(format!("trace:{trial}:t"), &power.t_s)?;
        write(format!("trace:{trial}:w"), &power.watts)?;
    }
    file.flush()?;
    Ok(Arrays { file: path.to_owned(), columns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn idle_power_is_that_of_the_first_baseline_before_and_the_last_after() {
        let experiment = json!({ "settling": { "baselines": [
            { "when": "before", "watts": null },
            { "when": "before", "watts": 12.5 },
            { "when": "after", "watts": 13.0 },
            { "when": "before", "watts": 14.0 },
            { "when": "after", "watts": 12.0 },
        ]}});
        let found = baseline(&experiment);
        let told = serde_json::to_value(found).unwrap();
        assert_eq!(told, json!({ "before_w": 12.5, "after_w": 12.0, "drift_w": -0.5 }));
        assert_eq!(baseline(&json!({})), None);
        assert_eq!(baseline(&json!({ "settling": { "baselines": [] } })), None);
        let only = json!({ "settling": { "baselines": [{ "when": "before", "watts": 9.0 }] } });
        assert_eq!(baseline(&only).unwrap().drift_w, None);
    }
}
