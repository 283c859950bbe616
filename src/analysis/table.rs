//! One row per trial, as columns: what `trials.csv` holds and Python gets as arrays.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::domains::Domains;
use super::gather::{Outcome, Trial};
use super::record::CONDITIONS;
use super::scan::Source;
use super::settings::Method;
use super::tables::TableRow;
use crate::energy::{Accounts, Energy, PowerTrace};
use crate::phase::Phase;
use crate::samples::Domain;

/// Columns of text, in the order of `trials.csv`.
pub const TEXTS: [&str; 10] = [
    "trial",
    "group",
    "file",
    "meter",
    "estimated",
    "status",
    "reason",
    "flags",
    "predecessor",
    "domains",
];

/// What only rows of published tables have, and trials of an experiment on several machines.
const OF_ROWS: [&str; 5] = ["tool", "tool_version", "machine", "tracking", "table_block"];

/// Where the trials that come out of sessions have them.
const SESSION: &str = "session";

/// A file that cannot be used, or a trial without samples.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Broken {
    /// The file, or the trial where there is none.
    pub file: String,
    /// The line of the file; the header is line 1.
    pub row: Option<u64>,
    /// What is wrong with it.
    pub reason: String,
}

/// The trials as columns of equal length.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Columns of text by name, `None` where unknown.
    pub texts: Vec<(&'static str, Vec<Option<String>>)>,
    /// Columns of numbers by name, NaN where unknown.
    pub numbers: Vec<(String, Vec<f64>)>,
    /// Power over time per trial that has samples.
    pub traces: Vec<(String, PowerTrace)>,
    /// What could not be read.
    pub broken: Vec<Broken>,
    /// Every trial that is no part of the numbers, with its file where it has one, and the reason.
    pub unused: Vec<(String, String)>,
}

/// One trial's cells.
#[derive(Default)]
pub(crate) struct Cells {
    pub texts: BTreeMap<&'static str, String>,
    pub numbers: BTreeMap<String, f64>,
}

/// How trials become rows.
pub struct Frame<'a> {
    /// Where they come from.
    pub source: Source,
    /// The recipe.
    pub method: Method,
    /// File names are given relative to this.
    pub dir: &'a Path,
    /// What the totals hold; each file's own total where `None`.
    pub domains: Option<&'a Domains>,
}

impl Table {
    /// Puts the trials into columns, each with its own total. File names are given relative to `dir`.
    pub fn of(trials: Vec<Trial>, source: Source, method: Method, dir: &Path) -> Table {
        Table::made(trials, &Frame { source, method, dir, domains: None })
    }

    /// Puts the trials into columns.
    pub fn made(trials: Vec<Trial>, frame: &Frame<'_>) -> Table {
        let mut table = Table::default();
        let mut rows = Vec::with_capacity(trials.len());
        for mut trial in trials {
            let present = match &trial.outcome {
                // Accounts that come from a record name no columns.
                Outcome::Read(accounts) if accounts.columns.is_empty() => accounts.total.clone(),
                Outcome::Read(accounts) => accounts.present(),
                _ => Vec::new(),
            };
            let mut own = None;
            if let (Outcome::Read(accounts), Some(domains)) = (&mut trial.outcome, frame.domains) {
                own = accounts.integrity.unknown_energy();
                **accounts = accounts.restricted(domains.of(&trial.input.group));
            }
            rows.push(cells(&trial, frame, (&present, own), &mut table));
            if let Outcome::Read(accounts) = trial.outcome
                && !accounts.power.t_s.is_empty()
            {
                table.traces.push((trial.input.trial, accounts.power));
            }
        }
        let text = |name: &&'static str| {
            (*name, rows.iter().map(|row| row.texts.get(name).cloned()).collect())
        };
        table.texts = TEXTS.iter().map(text).collect();
        if rows.iter().any(|row| row.texts.contains_key(SESSION)) {
            table.texts.push(text(&SESSION));
        }
        for name in &OF_ROWS {
            if rows.iter().any(|row| row.texts.contains_key(name)) {
                table.texts.push(text(name));
            }
        }
        let number = |name: String| {
            let cell = |row: &Cells| row.numbers.get(&name).copied().unwrap_or(f64::NAN);
            let column = rows.iter().map(cell).collect();
            (name, column)
        };
        table.numbers = names(&rows).into_iter().map(number).collect();
        table
    }

    /// Number of trials.
    pub fn len(&self) -> usize {
        self.texts.first().map_or(0, |(_, column)| column.len())
    }

    /// Whether there are no trials.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A column of text.
    pub fn text(&self, name: &str) -> Option<&[Option<String>]> {
        self.texts.iter().find(|(n, _)| *n == name).map(|(_, column)| column.as_slice())
    }

    /// A column of numbers.
    pub fn number(&self, name: &str) -> Option<&[f64]> {
        self.numbers.iter().find(|(n, _)| n == name).map(|(_, column)| column.as_slice())
    }

    /// The columns' names, the texts first.
    pub fn columns(&self) -> Vec<String> {
        let texts = self.texts.iter().map(|(name, _)| (*name).to_owned());
        texts.chain(self.numbers.iter().map(|(name, _)| name.clone())).collect()
    }

    /// One row as a line of CSV with these columns, empty where it has none of that name.
    ///
    /// # Errors
    ///
    /// None that is known: memory takes all that is written.
    pub fn row(&self, row: usize, columns: &[String]) -> io::Result<Vec<u8>> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(columns.iter().map(|name| self.cell(row, name)))?;
        csv.into_inner().map_err(|e| io::Error::other(e.to_string()))
    }

    fn cell(&self, row: usize, column: &str) -> String {
        if let Some(texts) = self.text(column) {
            return crate::clean::cell(texts[row].as_deref().unwrap_or_default());
        }
        let value = self.number(column).map(|numbers| numbers[row]).filter(|v| v.is_finite());
        value.map(|v| v.to_string()).unwrap_or_default()
    }

    /// Writes the table as CSV: one row per trial, the texts first, unknown cells empty. The file is
    /// replaced as a whole or not at all.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub fn write_csv(&self, path: &Path) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(self.columns())?;
        for row in 0..self.len() {
            for (_, column) in &self.texts {
                csv.write_field(crate::clean::cell(column[row].as_deref().unwrap_or_default()))?;
            }
            for (_, column) in &self.numbers {
                let value = column[row];
                csv.write_field(if value.is_finite() { value.to_string() } else { String::new() })?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
        let text = csv.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        crate::store::record::replace(path, &text)
    }
}

/// The number columns in order: those that every table has, and beside them whatever domains, GPUs
/// and conditions there are.
pub(crate) fn names<'a>(rows: impl IntoIterator<Item = &'a Cells>) -> Vec<String> {
    let present: BTreeSet<&str> =
        rows.into_iter().flat_map(|r| r.numbers.keys().map(String::as_str)).collect();
    let mut names: Vec<String> = [
        "block",
        "position",
        "run_order",
        "start_unix_s",
        "time_s",
        "energy_j",
        "power_w",
        "edp_js",
        "ed2p_js2",
        "coverage",
        "energy_package_j",
        "energy_core_j",
        "energy_dram_j",
        "energy_gpu_j",
    ]
    .map(String::from)
    .into();
    let mut gpus: Vec<&str> = present
        .iter()
        .filter(|n| n.starts_with("energy_gpu") && **n != "energy_gpu_j")
        .copied()
        .collect();
    gpus.sort_by_key(|n| (n.len(), *n));
    names.extend(gpus.into_iter().map(String::from));
    names.push("energy_system_j".into());
    let rare = ["energy_uncore_j", "energy_platform_j", "energy_estimated_j"];
    names.extend(rare.iter().filter(|n| present.contains(**n)).map(|n| (*n).to_owned()));
    names.extend(["trial_energy_j", "trial_time_s"].map(String::from));
    let phases = Phase::ALL.iter().flat_map(|p| [format!("phase_{p}_j"), format!("phase_{p}_s")]);
    let phases: Vec<String> = phases.collect();
    let own = |n: &&&str| n.starts_with("phase_") && !phases.iter().any(|known| known == **n);
    names.extend(phases.iter().cloned());
    names.extend(present.iter().filter(own).map(|n| (*n).to_owned()));
    names.extend(
        [
            "accuracy",
            "loss",
            "samples",
            "wraps",
            "wrap_range_j",
            "resets",
            "gaps",
            "max_gap_s",
            "published_energy_j",
            "published_time_s",
            "above_idle_j",
        ]
        .map(String::from),
    );
    let of_rows = |n: &&&str| {
        ["table_", "stated_", "other_"].iter().any(|p| n.starts_with(p)) && !CONDITIONS.contains(*n)
    };
    names.extend(present.iter().filter(of_rows).map(|n| (*n).to_owned()));
    names.extend(CONDITIONS.iter().filter(|n| present.contains(**n)).map(|n| (*n).to_owned()));
    names
}

/// `present` are the domains in its file; `own` is why its own total, before any restriction, is unknown.
fn cells(
    trial: &Trial,
    frame: &Frame<'_>,
    (present, own): (&[Domain], Option<String>),
    table: &mut Table,
) -> Cells {
    let Frame { source, method, dir, .. } = *frame;
    let (input, facts) = (&trial.input, &trial.facts);
    let mut cells = Cells::default();
    let path = input.csv.as_ref().or(input.record.as_ref());
    let file = path.map(|p| p.strip_prefix(dir).unwrap_or(p).display().to_string());
    cells.text("trial", Some(input.trial.clone()));
    cells.text("group", Some(input.group.clone()));
    cells.text(SESSION, input.session.clone());
    cells.text("file", file.clone());
    cells.text("predecessor", facts.predecessor.clone());
    cells.text("machine", facts.machine.clone());
    cells.number("block", facts.block.or(input.block).map(|n| n as f64));
    cells.number("position", facts.position.map(|n| n as f64));
    cells.number("run_order", facts.run_order.map(|n| n as f64));
    cells.number("accuracy", facts.accuracy);
    cells.number("loss", facts.loss);
    for (name, value) in facts.conditions() {
        cells.number(name, Some(value));
    }

    if let Some(row) = &input.row {
        cells.row(row);
    }

    let mut flags = facts.flags.clone();
    let mut status = (facts.status.clone().unwrap_or_else(|| "ok".into()), facts.reason.clone());
    let broken = &mut table.broken;
    let mut fail = |row: Option<u64>, reason: String, status: &mut (String, Option<String>)| {
        let place = row.map(|row| format!("row {row}: ")).unwrap_or_default();
        if status.0 == "ok" {
            *status = ("excluded".into(), Some(format!("{place}{reason}")));
        }
        let file = file.clone().unwrap_or_else(|| input.trial.clone());
        broken.push(Broken { file, row, reason });
    };
    match &trial.outcome {
        Outcome::Broken(error) => fail(error.row, error.fault.to_string(), &mut status),
        Outcome::Missing(reason) => fail(None, reason.clone(), &mut status),
        Outcome::Read(accounts) => {
            cells.accounts(accounts, source, facts.idle_w);
            for flag in accounts.integrity.flags() {
                if !flags.iter().any(|f| f == flag.name()) {
                    flags.push(flag.name().into());
                }
            }
            // Whatever its total came to be over, this is what the file holds.
            let of_total = Domain::in_total(present);
            let held = if of_total.is_empty() { present } else { &of_total };
            let held: Vec<String> = held.iter().map(Domain::to_string).collect();
            cells.text("domains", Some(held.join(";")));
            // The published recipe knew no such check, and repeating it means not to have it either.
            if status.0 == "ok" && method == Method::Joulerace {
                if let Some(reason) = accounts.integrity.unknown_energy() {
                    // What is wrong with the file says more than that it lacks what the others have.
                    let lacks = !accounts.integrity.unmeasured.is_empty();
                    let reason = own.filter(|_| lacks).unwrap_or(reason);
                    status = ("invalid".into(), Some(reason));
                } else if source == Source::Experiment && accounts.window.is_none() {
                    let reason = "the phases of the trial's window did not all end";
                    status = ("invalid".into(), Some(reason.into()));
                }
            }
        }
    }
    let positive = |name: &str| cells.numbers.get(name).is_some_and(|v| *v > 0.0);
    // A table may tell no times, and its energies can be compared all the same.
    let timeless = input.row.as_ref().is_some_and(|row| row.seconds.is_none());
    let counts = positive("energy_j") && (positive("time_s") || timeless);
    if status.0 == "ok" && !counts && method == Method::Joulerace {
        status = ("invalid".into(), Some("there is no positive energy or time".into()));
    }
    if status.0 != "ok" || !counts {
        let reason = status.1.clone().unwrap_or_else(|| "no reason is recorded".into());
        table.unused.push((file.clone().unwrap_or_else(|| input.trial.clone()), reason));
    }
    // The domains asked for need not have what was estimated.
    let estimated = estimated(&trial.outcome).or(facts.estimated);
    cells.text("meter", Some(facts.meter.clone().unwrap_or_else(|| meter(&trial.outcome).into())));
    cells.text("estimated", estimated.map(|e| e.to_string()));
    cells.text("status", Some(status.0));
    cells.text("reason", status.1);
    cells.text("flags", Some(flags.join(";")));
    cells
}

impl Cells {
    fn text(&mut self, name: &'static str, value: Option<String>) {
        if let Some(value) = value {
            self.texts.insert(name, value);
        }
    }

    fn number(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            self.numbers.insert(name.into(), value);
        }
    }

    fn row(&mut self, row: &TableRow) {
        self.text("tool", row.tool.clone());
        self.text("tool_version", row.version.clone());
        self.text("machine", row.machine.clone());
        self.text("tracking", row.tracking.clone());
        self.text("table_block", row.block.clone());
        self.number("table_row", Some(row.line as f64));
        self.number("table_content", Some(row.content as f64));
        self.number("table_energy_j", row.total_j);
        for (domain, watts) in &row.watts {
            self.number(&format!("stated_{domain}_w"), Some(*watts));
        }
        for (column, joules) in &row.others {
            self.number(&format!("other_{column}"), Some(*joules));
        }
    }

    fn accounts(&mut self, accounts: &Accounts, source: Source, idle_w: Option<f64>) {
        let window = match source {
            Source::Csv => Some(&accounts.whole),
            Source::Experiment => accounts.window.as_ref(),
        };
        if let Some(window) = window {
            self.window(window, idle_w);
        }
        self.number("coverage", window.map(|w| w.coverage));
        self.number("start_unix_s", Some(accounts.start_unix_ms / 1000.0));
        self.number("trial_energy_j", Some(accounts.whole.total_j));
        self.number("trial_time_s", Some(accounts.whole.seconds));
        for (phase, energy) in &accounts.phases {
            self.number(&format!("phase_{phase}_j"), Some(energy.total_j));
            self.number(&format!("phase_{phase}_s"), Some(energy.seconds));
        }
        let integrity = &accounts.integrity;
        self.number("samples", Some(integrity.samples as f64));
        self.number("wraps", Some(integrity.wrap_count as f64));
        self.number("wrap_range_j", integrity.wrap_range_j());
        self.number("resets", Some(integrity.reset_count as f64));
        self.number("gaps", Some(integrity.gaps as f64));
        self.number("max_gap_s", Some(integrity.max_gap_s));
        if let Some(published) = &accounts.first_last {
            self.number("published_energy_j", Some(published.energy_j));
            self.number("published_time_s", Some(published.time_s));
        }
    }

    fn window(&mut self, window: &Energy, idle_w: Option<f64>) {
        let (joules, seconds) = (window.total_j, window.seconds);
        self.number("time_s", Some(seconds));
        self.number("energy_j", Some(joules));
        self.number("power_w", Some(window.watts()));
        self.number("edp_js", Some(joules * seconds));
        self.number("ed2p_js2", Some(joules * seconds * seconds));
        self.number("above_idle_j", idle_w.map(|idle| joules - idle * seconds));
        let mut gpus = None;
        for (domain, joules) in &window.joules {
            self.number(&format!("energy_{domain}_j"), Some(*joules));
            if let Domain::Gpu(_) = domain {
                *gpus.get_or_insert(0.0) += joules;
            }
        }
        self.number("energy_gpu_j", gpus);
    }
}

/// The meter that a file of unknown origin gives away: some columns only EnergiBridge writes, and
/// one only our estimate. On Intel's processors EnergiBridge writes all four registers of RAPL, whether the
/// machine has them or not; our own reader never writes the uncore (PP1).
fn meter(outcome: &Outcome) -> &'static str {
    let Outcome::Read(accounts) = outcome else { return "unknown" };
    let has = |test: fn(&str) -> bool| accounts.columns.iter().any(|c| test(c));
    if accounts.total.contains(&Domain::Estimated) {
        if has(|c| c.starts_with("GPU")) { "estimate+nvml" } else { "estimate" }
    } else if has(|c| {
        c.starts_with("CPU_")
            || c.starts_with("CORE")
            || c.starts_with("PP1_")
            || c.ends_with("_POWER (Watts)")
    }) {
        "energibridge"
    } else {
        "unknown"
    }
}

fn estimated(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Read(accounts) => Some(accounts.total.contains(&Domain::Estimated)),
        _ => None,
    }
}
