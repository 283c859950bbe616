//! A row of a table, and what it is as a trial.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Kind;

use crate::energy::{Accounts, Energy};
use crate::samples::Domain;

/// What a row says. What its table does not say is `None` or absent, never 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// Its line in the file; the header is line 1.
    pub line: u64,
    /// Its place among all rows that were read, from 0.
    pub place: u64,
    /// When the run began, Unix seconds.
    pub start_unix_s: Option<f64>,
    /// How long it took, s.
    pub seconds: Option<f64>,
    /// The energy that the table calls its total, J.
    pub total_j: Option<f64>,
    /// The energy of parts, J.
    pub joules: BTreeMap<Domain, f64>,
    /// Their power as the table states it, W.
    pub watts: BTreeMap<Domain, f64>,
    /// What other columns call energy, J.
    pub others: BTreeMap<String, f64>,
    /// What wrote the table.
    pub tool: Option<String>,
    pub version: Option<String>,
    pub machine: Option<String>,
    /// What was tracked: a whole machine or a process.
    pub tracking: Option<String>,
    /// The block's name.
    pub block: Option<String>,
    /// Why it is no finished run.
    pub unfinished: Option<String>,
    /// Why its energy is impossible.
    pub impossible: Option<String>,
    /// The row as it was written, for finding copies.
    pub content: u64,
}

impl TableRow {
    /// Its place among the runs: experiment-runner runs its rows from first to last. Elsewhere only times
    /// tell an order, for rows may have been sorted.
    pub(crate) fn run_order(&self) -> Option<u64> {
        let in_order = self.tool.as_deref() == Kind::ExperimentRunner.tool();
        (in_order && self.start_unix_s.is_none()).then_some(self.place)
    }

    /// Its energy as that of a file of samples. A total whose parts are not in the table stands for the
    /// whole system.
    pub(crate) fn accounts(&self) -> Accounts {
        let mut joules = self.joules.clone();
        let parts: Vec<Domain> = joules.keys().copied().collect();
        let mut total = Domain::in_total(&parts);
        if total.is_empty() {
            joules.extend(self.total_j.map(|j| (Domain::System, j)));
            total = joules.keys().copied().collect();
        }
        let sum = || total.iter().filter_map(|d| joules.get(d)).sum();
        let total_j = match self.total_j {
            Some(total) => total,
            None if total.is_empty() => f64::NAN,
            None => sum(),
        };
        let name = |domain: &Domain| format!("{}_ENERGY (J)", domain.to_string().to_uppercase());
        let mut accounts = Accounts::default();
        accounts.start_unix_ms = self.start_unix_s.map_or(f64::NAN, |s| 1000.0 * s);
        accounts.columns = joules.keys().map(name).collect();
        accounts.total = total;
        accounts.whole = Energy {
            seconds: self.seconds.unwrap_or(f64::NAN),
            joules,
            total_j,
            coverage: f64::NAN,
            missing_s: BTreeMap::new(),
        };
        accounts
    }
}

/// A row as a trial.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tabled {
    /// A name that no other trial has.
    pub trial: String,
    /// What it is a trial of.
    pub group: String,
    /// Its block, by number.
    pub block: Option<u64>,
    /// The table's file.
    pub file: PathBuf,
    /// What the row says.
    pub row: TableRow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_parts_is_a_total_and_one_without_anything_stays_unknown() {
        let row = TableRow { total_j: Some(12.0), seconds: Some(3.0), ..TableRow::default() };
        let accounts = row.accounts();
        assert_eq!((accounts.whole.total_j, accounts.whole.watts()), (12.0, 4.0));
        assert_eq!(accounts.present(), [Domain::System]);
        let nothing = TableRow::default().accounts();
        assert!(nothing.whole.total_j.is_nan() && nothing.present().is_empty());
    }

    #[test]
    fn parts_make_the_total_where_the_table_has_none() {
        let joules = BTreeMap::from([(Domain::Package, 5.0), (Domain::Dram, 2.0)]);
        let accounts = TableRow { joules, ..TableRow::default() }.accounts();
        assert_eq!(accounts.whole.total_j, 7.0);
        assert_eq!(accounts.present(), [Domain::Package, Domain::Dram]);
        assert_eq!(accounts.restricted(&[Domain::Package]).whole.total_j, 5.0);
    }
}
