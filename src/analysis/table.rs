//! One row per trial, as columns: what `trials.csv` holds and Python gets as arrays.

mod cells;
mod columns;
mod row;

use std::io;
use std::path::Path;

use super::domains::Domains;
use super::gather::{Outcome, Trial};
use super::scan::Source;
use super::settings::Method;
use crate::energy::PowerTrace;
pub(crate) use cells::Cells;
use columns::{OF_ROWS, SESSION};
pub(crate) use columns::{TEXTS, names};
use row::cells;

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

/// How trials become rows.
pub(crate) struct Frame<'a> {
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
    pub(crate) fn made(trials: Vec<Trial>, frame: &Frame<'_>) -> Table {
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

    /// How many trials there are, usable or not.
    pub fn trials(&self) -> usize {
        self.texts.first().map_or(0, |(_, column)| column.len())
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
    /// None in practice: it writes to memory.
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
        for row in 0..self.trials() {
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
