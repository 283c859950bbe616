//! One run of a command: its sentence, its phases, and what to know of its numbers.

use crate::energy::Energy;
use crate::meter::MeterDescription;
use crate::meter::measure::{Measured, Phases};
use crate::paths::shown;
use crate::phase::Phase;
use crate::process::Exit;
use crate::samples::Domain;
use crate::units::{self, digits};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One run of the command.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub csv: PathBuf,
    pub(super) exit: Exit,
    pub(super) status: i32,
    pub(super) seconds: f64,
    pub(super) joules: Option<f64>,
    pub(super) watts: Option<f64>,
    pub(super) domains: BTreeMap<Domain, f64>,
    pub(super) missed: u64,
    /// What the command marked; none where it marked nothing.
    pub(super) phases: Option<Phases>,
    /// What to know of the numbers, a sentence each.
    pub(super) notes: Vec<String>,
}

/// A phase such as `train`, or the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
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
    pub(crate) fn of(measured: &Measured) -> Run {
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
    pub(crate) fn sentence(&self) -> String {
        let joules = self.joules.map_or("an unknown number of".to_owned(), digits);
        let watts = self.watts.map_or("–".to_owned(), digits);
        let failed =
            if self.status == 0 { String::new() } else { format!("; ended with {}", self.exit) };
        format!("{joules} J in {:.3} s, {watts} W{failed}", self.seconds)
    }

    /// The phases that were marked, and the window where that is more than one of them.
    pub(super) fn parts(&self) -> Vec<(Part, &Energy)> {
        let Some(phases) = &self.phases else { return Vec::new() };
        let each = phases.each.iter().map(|(phase, energy)| (Part::Phase(*phase), energy));
        let window = phases.window.iter().map(|energy| (Part::Window, energy));
        let alone = phases.each.len() < 2;
        each.chain(window.filter(|_| !alone)).collect()
    }

    /// The result of a single run, in a line, and a line for each phase.
    pub(crate) fn result(&self, meter: &MeterDescription, csv: Option<&Path>) -> String {
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

    pub(super) fn json(&self) -> ToldRun<'_> {
        let phases = self.phases.as_ref();
        ToldRun {
            file: &self.csv,
            exit_status: self.status,
            energy_j: self.joules,
            time_s: self.seconds,
            power_w: self.watts,
            domains_j: self.domains.iter().map(|(d, joules)| (d.to_string(), *joules)).collect(),
            phases: phases
                .into_iter()
                .flat_map(|phases| &phases.each)
                .map(|(phase, energy)| (*phase, ToldPart::of(energy)))
                .collect(),
            window: phases.and_then(|phases| phases.window.as_ref()).map(ToldPart::of),
            missed_samples: self.missed,
            notes: &self.notes,
        }
    }
}

/// What `--json` prints of a run.
#[derive(Serialize)]
pub(super) struct ToldRun<'a> {
    file: &'a Path,
    exit_status: i32,
    energy_j: Option<f64>,
    time_s: f64,
    power_w: Option<f64>,
    domains_j: BTreeMap<String, f64>,
    phases: BTreeMap<Phase, ToldPart>,
    window: Option<ToldPart>,
    missed_samples: u64,
    notes: &'a [String],
}

/// What `--json` prints of a part of a run. JSON has no NaN: what is unknown is null.
#[derive(Serialize)]
struct ToldPart {
    energy_j: Option<f64>,
    time_s: f64,
    power_w: Option<f64>,
}

impl ToldPart {
    fn of(energy: &Energy) -> ToldPart {
        let known = |value: f64| Some(value).filter(|value| value.is_finite());
        let (energy_j, power_w) = (known(energy.total_j), known(energy.watts()));
        ToldPart { energy_j, time_s: energy.seconds, power_w }
    }
}

/// `12.5 J in 0.500 s, 25.0 W`.
fn of_part(energy: &Energy) -> String {
    let known = |value: f64| if value.is_finite() { digits(value) } else { "–".to_owned() };
    format!("{} J in {:.3} s, {} W", known(energy.total_j), energy.seconds, known(energy.watts()))
}

pub(super) fn by(meter: &MeterDescription) -> String {
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

pub(super) fn missed(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => ", 1 sample missed".to_owned(),
        count => format!(", {count} samples missed"),
    }
}
