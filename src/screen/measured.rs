//! What `joulerace measure` came to, for people and for programs.

mod run;

use crate::energy::Energy;
use crate::meter::{MeterDescription, Sensors};
use crate::paths::shown;
use crate::units::{digits, mean_sd, mean_sd_median};
pub(crate) use run::Run;
use run::{Part, ToldRun, by, missed};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

/// Version of the layout that `--json` prints.
const SCHEMA: u32 = 1;

/// All runs of one command.
pub(crate) struct Result<'a> {
    /// What the series is called.
    pub name: Option<&'a str>,
    pub command: &'a [OsString],
    pub runs: &'a [Run],
}

impl Result<'_> {
    fn line(&self) -> String {
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    fn joules(&self) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.joules).collect()
    }

    fn seconds(&self) -> Vec<f64> {
        self.runs.iter().map(|run| run.seconds).collect()
    }

    fn watts(&self) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.watts).collect()
    }

    /// Mean ± SD, least and most, of energy, its domains, time and power.
    pub(crate) fn table(&self, meter: &MeterDescription) -> String {
        let count = self.runs.len();
        let Some(first) = self.runs.first() else { return String::new() };
        let mut text = format!("{}: {count} runs, {}\n", self.line(), by(meter));
        let mut rows = vec![("Energy (J)".to_owned(), self.joules())];
        if first.domains.len() > 1 {
            for domain in first.domains.keys() {
                let joules = self.runs.iter().filter_map(|run| run.domains.get(domain).copied());
                rows.push((format!("  {domain}"), joules.collect()));
            }
        }
        rows.push(("Time (s)".to_owned(), self.seconds()));
        rows.push(("Power (W)".to_owned(), self.watts()));
        let mut marked: BTreeMap<Part, Vec<&Energy>> = BTreeMap::new();
        for (part, energy) in self.runs.iter().flat_map(Run::parts) {
            marked.entry(part).or_default().push(energy);
        }
        for (part, energies) in marked {
            let joules = energies.iter().map(|energy| energy.total_j).collect();
            rows.push((format!("{part} (J)"), joules));
            rows.push(("  (s)".to_owned(), energies.iter().map(|e| e.seconds).collect()));
        }
        let wide = rows.iter().map(|(name, _)| name.chars().count() + 1).max().unwrap_or(0).max(14);
        text += &format!("{:wide$}{:>18}{:>12}{:>12}\n", "", "mean ± SD", "min", "max");
        for (name, values) in rows {
            let (mean, sd, _) = mean_sd_median(&values);
            let (least, most) = ends(&values);
            text += &format!(
                "{name:wide$}{:>18}{:>12}{:>12}\n",
                mean_sd(mean, sd),
                digits(least),
                digits(most)
            );
        }
        let told: BTreeSet<&String> = self.runs.iter().flat_map(|run| &run.notes).collect();
        for note in told {
            text += &format!("{note}\n");
        }
        let lost = self.runs.iter().map(|run| run.missed).sum();
        if lost > 0 {
            text += &format!("{}\n", missed(lost).trim_start_matches(", "));
        }
        if let Some(folder) = first.csv.parent() {
            let root = folder.parent().filter(|root| !root.as_os_str().is_empty());
            text += &format!(
                "Samples in {}; compare what lies there with: joulerace analyze {}\n",
                shown(folder),
                shown(root.unwrap_or(Path::new(".")))
            );
        }
        text
    }

    /// The same for programs; layout in `docs/columns.md`.
    pub(crate) fn json(&self, meter: &MeterDescription) -> String {
        let command: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        let told = Told {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            name: self.name,
            command,
            meter: meter.kind,
            estimated: meter.estimated,
            energy_j: Numbers::of(&self.joules()),
            time_s: Numbers::of(&self.seconds()),
            power_w: Numbers::of(&self.watts()),
            runs: self.runs.iter().map(Run::json).collect(),
        };
        // Numbers and texts alone, which JSON can always hold.
        serde_json::to_string_pretty(&told).unwrap_or_default() + "\n"
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    schema: u32,
    version: &'static str,
    name: Option<&'a str>,
    command: Vec<Cow<'a, str>>,
    meter: Sensors,
    estimated: bool,
    energy_j: Numbers,
    time_s: Numbers,
    power_w: Numbers,
    runs: Vec<ToldRun<'a>>,
}

/// What a series came to. JSON has no NaN: what is unknown is null.
#[derive(Serialize)]
struct Numbers {
    n: usize,
    mean: Option<f64>,
    sd: Option<f64>,
    median: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Numbers {
    fn of(values: &[f64]) -> Numbers {
        let (mean, sd, median) = mean_sd_median(values);
        let (min, max) = ends(values);
        let [mean, sd, median, min, max] =
            [mean, sd, median, min, max].map(|value| Some(value).filter(|v| v.is_finite()));
        Numbers { n: values.len(), mean, sd, median, min, max }
    }
}

fn ends(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::NAN, f64::min);
    (least, values.iter().copied().fold(f64::NAN, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::measure::Phases;
    use crate::process::Exit;
    use crate::samples::Domain;
    use serde_json::{Value, json};

    fn run(joules: f64, seconds: f64) -> Run {
        Run {
            csv: "out/a/a_0.csv".into(),
            exit: Exit::Code(0),
            status: 0,
            seconds,
            joules: Some(joules),
            watts: Some(joules / seconds),
            domains: [(Domain::Package, joules)].into(),
            missed: 0,
            phases: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn phases_that_were_marked_are_told_one_by_one_and_together() {
        let energy = |joules: f64, seconds: f64| Energy {
            seconds,
            joules: [(Domain::Package, joules)].into(),
            total_j: joules,
            coverage: 1.0,
            ..Energy::default()
        };
        let each = [("load", energy(1.0, 0.5)), ("sort", energy(8.0, 1.0))];
        let each = each.map(|(name, energy)| (name.parse().unwrap(), energy)).into();
        let marked =
            Run { phases: Some(Phases { each, window: Some(energy(9.0, 1.5)) }), ..run(10.0, 2.0) };
        let meter: MeterDescription = serde_json::from_value(json!({
            "kind": "rapl", "estimated": false, "version": "1", "counters": [], "notes": [],
        }))
        .unwrap();
        let told = marked.result(&meter, None);
        assert!(told.contains("\n  load    1.000 J in 0.500 s, 2.000 W\n"), "{told}");
        assert!(told.contains("\n  window  9.000 J in 1.500 s, 6.000 W\n"), "{told}");
        let runs = [marked.clone(), marked];
        let result = Result { name: None, command: &[], runs: &runs };
        assert!(result.table(&meter).contains("sort (J)"), "{}", result.table(&meter));
        let json: Value = serde_json::from_str(&result.json(&meter)).unwrap();
        assert_eq!(json["runs"][0]["phases"]["sort"]["power_w"], 8.0);
        assert_eq!(json["runs"][0]["window"]["energy_j"], 9.0);
    }

    #[test]
    fn a_series_has_its_mean_spread_and_ends() {
        // Mean 12, SD of 10, 12 and 14 is 2; powers 10, 8 and 7.
        let runs = [run(10.0, 1.0), run(12.0, 1.5), run(14.0, 2.0)];
        let command = ["./a".into(), "b c".into()];
        let result = Result { name: Some("a"), command: &command, runs: &runs };
        let meter: MeterDescription = serde_json::from_value(json!({
            "kind": "rapl", "estimated": false, "version": "1", "counters": [], "notes": [],
        }))
        .unwrap();
        let table = result.table(&meter);
        assert!(table.contains("12.0 ± 2.0       10.00       14.00"), "{table}");
        assert!(table.contains("joulerace analyze out\n"), "{table}");
        let told: Value = serde_json::from_str(&result.json(&meter)).unwrap();
        assert_eq!(
            (told["energy_j"]["mean"].as_f64(), told["energy_j"]["sd"].as_f64()),
            (Some(12.0), Some(2.0))
        );
        assert_eq!(
            (told["power_w"]["min"].as_f64(), told["power_w"]["max"].as_f64()),
            (Some(7.0), Some(10.0))
        );
        assert_eq!(told["command"], json!(["./a", "b c"]));
    }

    #[test]
    fn a_single_run_has_no_spread() {
        assert_eq!(Numbers::of(&[3.0]).sd, None);
        assert_eq!(Numbers::of(&[]).mean, None);
    }
}
