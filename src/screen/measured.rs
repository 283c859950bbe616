//! What `joulerace measure` came to, for people and for programs.

use crate::energy::Energy;
use crate::meter::MeterDescription;
use crate::meter::measure::{Measured, Phases};
use crate::paths::shown;
use crate::phase::Phase;
use crate::process::Exit;
use crate::samples::Domain;
use crate::units::{self, digits, mean_sd, summary};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Version of the layout that `--json` prints.
const SCHEMA: u32 = 1;

/// One run of the command.
#[derive(Debug, Clone)]
pub struct Run {
    pub csv: PathBuf,
    exit: Exit,
    status: i32,
    seconds: f64,
    joules: Option<f64>,
    watts: Option<f64>,
    domains: BTreeMap<Domain, f64>,
    missed: u64,
    /// What the command marked; none where it marked nothing.
    phases: Option<Phases>,
    /// What to know of the numbers, a sentence each.
    notes: Vec<String>,
}

/// `train`, or what counts of all that was marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Phase(Phase),
    Window,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Phase(phase) => write!(f, "{phase}"),
            Part::Window => f.write_str("window"),
        }
    }
}

impl Run {
    pub fn of(measured: &Measured) -> Run {
        Run {
            csv: measured.csv.clone(),
            exit: measured.exit,
            status: measured.exit_status(),
            seconds: measured.report.seconds,
            joules: measured.report.total_j,
            watts: measured.watts(),
            domains: measured.counted(),
            missed: measured.report.missed,
            phases: measured.phases.clone(),
            notes: notes(measured),
        }
    }

    /// `12.5 J in 0.500 s, 25.0 W`.
    pub fn sentence(&self) -> String {
        let joules = self.joules.map_or("an unknown number of".to_owned(), digits);
        let watts = self.watts.map_or("–".to_owned(), digits);
        let failed =
            if self.status == 0 { String::new() } else { format!("; ended with {}", self.exit) };
        format!("{joules} J in {:.3} s, {watts} W{failed}", self.seconds)
    }

    /// The phases that were marked, and the window where that is more than one of them.
    fn parts(&self) -> Vec<(Part, &Energy)> {
        let Some(phases) = &self.phases else { return Vec::new() };
        let each = phases.each.iter().map(|(phase, energy)| (Part::Phase(*phase), energy));
        let window = phases.window.iter().map(|energy| (Part::Window, energy));
        let alone = phases.each.len() < 2;
        each.chain(window.filter(|_| !alone)).collect()
    }

    /// The result of a single run, in a line, and a line for each phase.
    pub fn result(&self, meter: &MeterDescription, csv: Option<&Path>) -> String {
        let domains: Vec<String> = self
            .domains
            .iter()
            .map(|(domain, joules)| format!("{domain} {} J", digits(*joules)))
            .collect();
        let place = csv.map_or(String::new(), |csv| format!("; samples in {}", shown(csv)));
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        let domains = match domains.is_empty() {
            true => String::new(),
            false => format!(": {}", domains.join(", ")),
        };
        let parts = self.parts();
        let wide = parts.iter().map(|(part, _)| part.to_string().len()).max().unwrap_or_default();
        let parts: String = parts
            .iter()
            .map(|(part, energy)| format!("  {:wide$}  {}\n", part.to_string(), of_part(energy)))
            .collect();
        format!(
            "{} ({}{}{}){place}\n{parts}{notes}",
            self.sentence(),
            by(meter),
            domains,
            missed(self.missed)
        )
    }

    fn json(&self) -> Value {
        let domains: BTreeMap<String, f64> =
            self.domains.iter().map(|(domain, joules)| (domain.to_string(), *joules)).collect();
        json!({
            "file": self.csv,
            "exit_status": self.status,
            "energy_j": self.joules,
            "time_s": self.seconds,
            "power_w": self.watts,
            "domains_j": domains,
            "phases": self.phases.iter().flat_map(|p| &p.each)
                .map(|(phase, energy)| (phase.to_string(), part_json(energy)))
                .collect::<serde_json::Map<_, _>>(),
            "window": self.phases.as_ref().and_then(|p| p.window.as_ref()).map(part_json),
            "missed_samples": self.missed,
            "notes": self.notes,
        })
    }
}

/// `12.5 J in 0.500 s, 25.0 W`.
fn of_part(energy: &Energy) -> String {
    let known = |value: f64| if value.is_finite() { digits(value) } else { "–".to_owned() };
    format!("{} J in {:.3} s, {} W", known(energy.total_j), energy.seconds, known(energy.watts()))
}

fn part_json(energy: &Energy) -> Value {
    let known = |value: f64| Some(value).filter(|value| value.is_finite());
    json!({
        "energy_j": known(energy.total_j),
        "time_s": energy.seconds,
        "power_w": known(energy.watts()),
    })
}

fn by(meter: &MeterDescription) -> String {
    let measuring: Vec<String> =
        meter.kind.each().filter(|kind| kind.measures()).map(|kind| kind.to_string()).collect();
    if measuring.is_empty() {
        return "an estimate from processor time, not a measurement".to_owned();
    }
    if meter.estimated {
        return format!(
            "the processor's part an estimate, not a measurement; the rest measured by {}",
            measuring.join("+")
        );
    }
    format!("measured by {}", meter.kind)
}

/// What to know of the numbers.
fn notes(measured: &Measured) -> Vec<String> {
    let report = &measured.report;
    let mut notes = Vec::new();
    if report.suspended_s > 0.0 {
        notes.push(format!(
            "the machine was suspended for {} meanwhile, which is not in the seconds; the joules hold \
             whatever the counters went on to count",
            units::duration(report.suspended_s)
        ));
    }
    for found in &report.disagreements {
        notes.push(format!(
            "the counter of {} says {} J and its power {} J: they may differ by {} J, and one of them is \
             wrong",
            found.domain,
            digits(found.counter_j),
            digits(found.power_j),
            digits(found.limit_j)
        ));
    }
    notes.extend(report.unmeasured.iter().map(|sensor| sensor.why.clone()));
    notes.extend(measured.heard.faults.iter().cloned());
    if let Some(Phases { each, window: None }) = &measured.phases {
        let ended: Vec<String> = each.keys().map(Phase::to_string).collect();
        let ended = if ended.is_empty() { "none".to_owned() } else { ended.join(", ") };
        notes.push(format!(
            "not every phase that it marked began and ended (those that did: {ended})"
        ));
    }
    if report.unmeasured.is_empty() && report.is_short(report.seconds) {
        notes.push(format!(
            "a counter moves only every {}: so short a command is measured coarsely",
            units::duration(report.update_ms.unwrap_or_default() / 1e3)
        ));
    }
    // EnergiBridge shows what it lacks in every file; what the built-in meter leaves out was seen at first.
    let absent = [&report.absent, &measured.meter.absent];
    if let Some(absent) = absent.into_iter().find(|absent| !absent.is_empty()) {
        notes.push(format!("no counter behind {}: it never moved", absent.join(", ")));
    }
    notes
}

fn missed(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => ", 1 sample missed".to_owned(),
        count => format!(", {count} samples missed"),
    }
}

/// All runs of one command.
pub struct Result<'a> {
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
    pub fn table(&self, meter: &MeterDescription) -> String {
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
            let (mean, sd, _) = summary(&values);
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
    pub fn json(&self, meter: &MeterDescription) -> String {
        let command: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        let runs: Vec<Value> = self.runs.iter().map(Run::json).collect();
        let value = json!({
            "schema": SCHEMA,
            "version": env!("CARGO_PKG_VERSION"),
            "name": self.name,
            "command": command,
            "meter": meter.kind,
            "estimated": meter.estimated,
            "energy_j": numbers(&self.joules()),
            "time_s": numbers(&self.seconds()),
            "power_w": numbers(&self.watts()),
            "runs": runs,
        });
        format!("{value:#}\n")
    }
}

fn ends(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::NAN, f64::min);
    (least, values.iter().copied().fold(f64::NAN, f64::max))
}

/// JSON has no NaN: what is unknown is null.
fn numbers(values: &[f64]) -> Value {
    let (mean, sd, median) = summary(values);
    let (min, max) = ends(values);
    let known = |value: f64| Some(value).filter(|value| value.is_finite());
    json!({
        "n": values.len(), "mean": known(mean), "sd": known(sd), "median": known(median),
        "min": known(min), "max": known(max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(numbers(&[3.0])["sd"], Value::Null);
        assert_eq!(numbers(&[])["mean"], Value::Null);
    }
}
