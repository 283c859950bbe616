//! `trials.csv` of a running experiment: a row for each trial, written from its record.

use super::trial::Bench;
use crate::analysis::gather::{self, Outcome};
use crate::analysis::record::TrialFacts;
use crate::analysis::scan::{Input, Source, scan};
use crate::analysis::{Method, Table};
use crate::energy::Accounts;
use crate::files;
use crate::plan::folder_of;
use crate::samples::Domain;
use crate::store::record::TrialRecord;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Rewrites `trials.csv` from all records and samples in the experiment's folder, for its end. It can
/// be made again at any time, so a failure stops nothing.
///
/// # Errors
///
/// It cannot be written.
pub(crate) fn rewrite(bench: &Bench<'_>) -> io::Result<()> {
    let root = bench.folder.root();
    scan(root, &root.join("analysis")).map_err(io::Error::other).and_then(|found| {
        let trials = gather::gather(&found.inputs, found.source);
        Table::of(trials, found.source, Method::Joulerace, root).write_csv(&bench.folder.trials())
    })
}

/// The rows that are in `trials.csv`. Adding one costs the same whether ten trials were run or ten
/// thousand: no samples are read, and no row is written twice.
pub(crate) struct Rows {
    columns: Vec<String>,
    trials: BTreeSet<String>,
    /// Whether the file is as these say.
    whole: bool,
}

impl Rows {
    /// Writes the rows of all trials that have a record, once.
    pub(crate) fn begin(bench: &Bench<'_>) -> Rows {
        let mut rows = Rows { columns: Vec::new(), trials: BTreeSet::new(), whole: false };
        rows.write_all(bench);
        rows
    }

    /// Adds a trial's row, at the end of the file where that is possible. A failure is told and made good
    /// with the next row.
    pub(crate) fn add(&mut self, bench: &Bench<'_>, record: &TrialRecord) {
        let table = rows_of(bench, std::iter::once(record));
        let fits = table.columns().iter().all(|column| self.columns.contains(column));
        if !self.whole || !fits || self.trials.contains(&record.trial) {
            return self.write_all(bench);
        }
        let append = || -> io::Result<()> {
            let row = table.row(0, &self.columns)?;
            let (folder, name) = files::at(&bench.folder.trials())?;
            if !folder.has(&name) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let mut file = folder.append(&name)?;
            // In one write, so that a reader finds whole rows only.
            file.write_all(&row)
        };
        match append() {
            Ok(()) => drop(self.trials.insert(record.trial.clone())),
            Err(error) => self.failed(&error),
        }
    }

    fn write_all(&mut self, bench: &Bench<'_>) {
        let records: Vec<TrialRecord> =
            bench.plan.trials.iter().filter_map(|trial| bench.folder.record(trial)).collect();
        let table = rows_of(bench, &records);
        self.columns = table.columns();
        self.trials = records.into_iter().map(|record| record.trial).collect();
        self.whole = true;
        if let Err(error) = table.write_csv(&bench.folder.trials()) {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.whole = false;
        tracing::warn!(%error, "trials.csv could not be written; it is tried again after the next trial");
    }
}

fn rows_of<'r>(bench: &Bench<'_>, records: impl IntoIterator<Item = &'r TrialRecord>) -> Table {
    let trials = records.into_iter().map(|record| trial(bench, record)).collect();
    Table::of(trials, Source::Experiment, Method::Joulerace, bench.folder.root())
}

/// A trial as its record tells it.
fn trial(bench: &Bench<'_>, record: &TrialRecord) -> gather::Trial {
    let facts = serde_json::to_value(record).and_then(serde_json::from_value::<TrialFacts>);
    let file = |ending: &str| {
        bench
            .folder
            .root()
            .join(folder_of(&record.treatment))
            .join(format!("{}.{ending}", record.trial))
    };
    let input = Input {
        trial: record.trial.clone(),
        group: record.treatment.clone(),
        session: None,
        block: Some(record.block.into()),
        stamp: false,
        csv: record.whole.as_ref().map(|_| file("csv")),
        record: Some(file("json")),
        row: None,
    };
    let outcome = match (accounts(record), &facts) {
        (_, Err(error)) => Outcome::Missing(error.to_string()),
        (Some(accounts), _) => Outcome::Read(Box::new(accounts)),
        (None, _) => Outcome::Missing("there are no samples".to_owned()),
    };
    gather::Trial { input, facts: facts.unwrap_or_default(), outcome }
}

fn accounts(record: &TrialRecord) -> Option<Accounts> {
    let whole = record.whole.clone()?;
    let domains: Vec<Domain> = whole.joules.keys().copied().collect();
    let mut accounts = Accounts::default();
    accounts.start_unix_ms = record.started.as_millisecond() as f64;
    accounts.total = Domain::in_total(&domains);
    accounts.whole = whole;
    accounts.phases = record.phases.clone();
    accounts.window = record.window.clone();
    accounts.integrity = record.integrity.clone().unwrap_or_default();
    Some(accounts)
}
