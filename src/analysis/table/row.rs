//! How a trial becomes a row, and whether it counts.

use super::cells::Cells;
use super::columns::SESSION;
use super::{Broken, Frame, Table};
use crate::Remedy as _;
use crate::analysis::gather::{Outcome, Trial};
use crate::analysis::scan::Source;
use crate::analysis::settings::Method;
use crate::energy::Accounts;
use crate::samples::Domain;

/// The cells of one trial. What cannot be read or does not count is noted in `table`. `present` are the domains
/// in its file; `own` is why its own total, before any restriction, is unknown.
pub(super) fn cells(
    trial: &Trial,
    frame: &Frame<'_>,
    (present, own): (&[Domain], Option<String>),
    table: &mut Table,
) -> Cells {
    let mut row = Row::of(trial, frame);
    match &trial.outcome {
        Outcome::Broken(error) => table.broken.push(row.fail(error.row, error.fault.in_line())),
        Outcome::Missing(reason) => table.broken.push(row.fail(None, reason.clone())),
        Outcome::Read(accounts) => row.read(accounts, present, own),
    }
    let counts = row.counts();
    if row.is_ok() && !counts && frame.method == Method::Joulerace {
        row.is_invalid("there is no positive energy or time".into());
    }
    if !row.is_ok() || !counts {
        let reason = row.reason.clone().unwrap_or_else(|| "no reason is recorded".into());
        table.unused.push((row.place(), reason));
    }
    row.finish()
}

/// A row on its way.
struct Row<'a> {
    trial: &'a Trial,
    frame: &'a Frame<'a>,
    cells: Cells,
    /// The trial's file as it is shown.
    file: Option<String>,
    status: String,
    /// Why it is not `ok`.
    reason: Option<String>,
    flags: Vec<String>,
}

impl<'a> Row<'a> {
    /// With what is known before any samples are looked at.
    fn of(trial: &'a Trial, frame: &'a Frame<'a>) -> Row<'a> {
        let (input, facts) = (&trial.input, &trial.facts);
        let path = input.csv.as_ref().or(input.record.as_ref());
        let file = path.map(|p| p.strip_prefix(frame.dir).unwrap_or(p).display().to_string());
        let mut cells = Cells::default();
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
        cells.number("seed", facts.result.seed.map(|seed| seed as f64));
        for (name, value) in facts.watched() {
            cells.number(name, Some(value));
        }
        if let Some(row) = &input.row {
            cells.row(row);
        }
        let (flags, reason) = (facts.flags.clone(), facts.reason.clone());
        let status = facts.status.clone().unwrap_or_else(|| OK.into());
        Row { trial, frame, cells, file, status, reason, flags }
    }

    fn is_ok(&self) -> bool {
        self.status == OK
    }

    fn is_invalid(&mut self, reason: String) {
        self.status = "invalid".into();
        self.reason = Some(reason);
    }

    /// The file, or the trial where there is none.
    fn place(&self) -> String {
        // Of a table the row's name, which has the file in it where there are several.
        let of_file = self.file.clone().filter(|_| self.trial.input.row.is_none());
        of_file.unwrap_or_else(|| self.trial.input.trial.clone())
    }

    /// A trial that cannot be read; `line` is the line of its file.
    fn fail(&mut self, line: Option<u64>, reason: String) -> Broken {
        if self.is_ok() {
            let place = line.map(|line| format!("row {line}: ")).unwrap_or_default();
            self.status = "excluded".into();
            self.reason = Some(format!("{place}{reason}"));
        }
        Broken { file: self.place(), row: line, reason }
    }

    fn read(&mut self, accounts: &Accounts, present: &[Domain], own: Option<String>) {
        let Frame { source, method, .. } = *self.frame;
        self.cells.accounts(accounts, source, self.trial.facts.idle_w);
        for flag in accounts.integrity.flags() {
            if !self.flags.iter().any(|f| f == flag.name()) {
                self.flags.push(flag.name().into());
            }
        }
        // Whatever its total came to be over, this is what the file holds.
        let of_total = Domain::in_total(present);
        let held = if of_total.is_empty() { present } else { &of_total };
        let held: Vec<String> = held.iter().map(Domain::to_string).collect();
        self.cells.text("domains", Some(held.join(";")));
        // The published recipe has no such check, so repeating it has none either.
        if !self.is_ok() || method != Method::Joulerace {
            return;
        }
        if let Some(reason) = accounts.integrity.unknown_energy() {
            // A fault of the file says more than a domain that it lacks.
            let lacks = !accounts.integrity.unmeasured.is_empty();
            self.is_invalid(own.filter(|_| lacks).unwrap_or(reason));
        } else if source == Source::Experiment && accounts.window.is_none() {
            self.is_invalid("the phases of the trial's window did not all end".into());
        }
    }

    /// Whether there is something to compare.
    fn counts(&self) -> bool {
        let positive = |name: &str| self.cells.numbers.get(name).is_some_and(|v| *v > 0.0);
        // A table may tell no times, and its energies can be compared all the same.
        let timeless = self.trial.input.row.as_ref().is_some_and(|row| row.seconds.is_none());
        positive("energy_j") && (positive("time_s") || timeless)
    }

    fn finish(self) -> Cells {
        let Row { trial: Trial { facts, outcome, .. }, mut cells, status, reason, flags, .. } =
            self;
        // The domains asked for need not have what was estimated.
        let estimated = estimated(outcome).or(facts.estimated);
        let meter = facts.meter.clone().unwrap_or_else(|| meter(outcome).into());
        cells.text("meter", Some(meter));
        cells.text("estimated", estimated.map(|e| e.to_string()));
        cells.text("status", Some(status));
        cells.text("reason", reason);
        cells.text("flags", Some(flags.join(";")));
        cells
    }
}

const OK: &str = "ok";

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
