//! From samples to joules: per domain, per phase, with what is doubtful about them. Pure.
//!
//! - A **counter** is subtracted sample by sample; where it falls it either wrapped, and the
//!   [range](wrap) is added, or it was reset, and the energy of that interval is unknown.
//! - A **power** is integrated over `Time` by the trapezoidal rule: an interval of `Δt` seconds between
//!   readings `p` and `q` holds `(p + q)/2 · Δt` joules.
//! - A power says nothing about a [hole](integrity::HOLE_S), in which nothing was sampled; a counter that   was
//!   read on both sides of it does. Nothing is made up for what was not read: every [`Energy`] tells its
//!   [coverage](Energy::coverage).
//! - An edge between two samples takes its share of their interval: the cumulative energy is
//!   interpolated linearly.
//! - Nothing is made up for the time outside the samples either: the spans' seconds that no sample covers are
//!   reported in [`Integrity::uncovered_s`].
//! - A column that is constant from the first row to the last is a register that the machine lacks, and
//!   no part of the total. One that moved and then stopped is a fault.
//! - What [cannot be](plausible) is not counted.
//!
//! Accounting is a single pass over the rows and keeps neither rows nor file.

mod accountant;
mod faults;
mod holes;
pub(crate) mod integrity;
mod known;
pub(crate) mod plausible;
mod power;
mod restrict;
mod series;
mod spans;
mod split;
pub(crate) mod wrap;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use accountant::Accountant;
pub use integrity::{COVERAGE_LEAST, Flag, Integrity};
pub use power::PowerTrace;
pub use split::account_file_split;
pub use wrap::Wrapping;

use crate::phase::{Phase, PhaseMark};
use crate::samples::{Domain, ReadError, Reader, Row, Trace};

/// Energy and duration of a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// How long it lasted, s, whether it was sampled or not.
    pub seconds: f64,
    /// Joules per domain, where it was read. A domain that was reset within the stretch is absent: its
    /// energy is unknown.
    pub joules: BTreeMap<Domain, f64>,
    /// Joules of the domains that make up the total; NaN (null in JSON) where one of them is unknown.
    #[serde(with = "nan_as_null")]
    pub total_j: f64,
    /// The share of its time, 0 to 1, in which every domain of the total was read; NaN (null) where it is not
    /// known. A counter that was read on both sides of a hole covers it, a power does not.
    #[serde(with = "nan_as_null", default = "unknown")]
    pub coverage: f64,
    /// Per domain the seconds in which it was not read; a domain that is not named was read all along.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing_s: BTreeMap<Domain, f64>,
}

impl Energy {
    /// Mean power of the total in watts over the time in which each domain was read; NaN where the
    /// energy is unknown or no time was sampled.
    pub fn watts(&self) -> f64 {
        let read_s = self.seconds * if self.coverage.is_nan() { 1.0 } else { self.coverage };
        if read_s > 0.0 { self.total_j / read_s } else { f64::NAN }
    }
}

fn unknown() -> f64 {
    f64::NAN
}

/// What the study's own scripts worked out: last minus first value of the package's counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirstLast {
    /// The counter's column.
    pub column: String,
    /// Last minus first reading, J; negative or short where the counter wrapped between.
    pub energy_j: f64,
    /// Last minus first `Time`, s.
    pub time_s: f64,
}

/// Everything that one file of samples says about energy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounts {
    /// Unix time of the first sample, ms.
    pub start_unix_ms: f64,
    /// The energy columns that were read.
    pub columns: Vec<String>,
    /// The energy columns that are constant from the first row to the last: registers that the machine
    /// lacks. No part of any total.
    #[serde(default)]
    pub absent: Vec<String>,
    /// The domains that `total_j` adds up.
    pub total: Vec<Domain>,
    /// First to last sample.
    pub whole: Energy,
    /// Each phase that began and ended; a phase that was passed several times is added up.
    pub phases: BTreeMap<Phase, Energy>,
    /// The reported part: the phases of [`Phase::window`] together, where all of these ended.
    pub window: Option<Energy>,
    /// What to know before trusting it.
    pub integrity: Integrity,
    /// What was recognised or passed over, one short sentence each, without a full stop.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The published recipe's energy and time, where there is a package counter.
    pub first_last: Option<FirstLast>,
    /// Power over time of the total, at most [`PowerTrace::POINTS`] points. Not serialised.
    #[serde(skip)]
    pub power: PowerTrace,
    /// The same by domain, for [`Accounts::restricted`].
    #[serde(skip)]
    pub(crate) by_domain: power::ByDomain,
    #[serde(skip)]
    pub(crate) faults: faults::Faults,
}

impl Accounts {
    /// Window and phases as one of so many repetitions of the same work has them: the mean of each.
    pub fn of_one(&mut self, repetitions: u32) {
        let n = f64::from(repetitions.max(1));
        for energy in self.phases.values_mut().chain(self.window.as_mut()) {
            energy.seconds /= n;
            energy.total_j /= n;
            energy.joules.values_mut().for_each(|joules| *joules /= n);
            energy.missing_s.values_mut().for_each(|seconds| *seconds /= n);
        }
    }
}

/// Accounts for the samples of a file that was [read](crate::samples::read()) as a whole, inferring
/// the ranges of counters that wrap.
pub fn account(trace: &Trace, marks: &[PhaseMark]) -> Accounts {
    account_with(trace, marks, &Wrapping::Infer)
}

/// As [`account`], with what is known about the counters' ranges.
pub(crate) fn account_with(trace: &Trace, marks: &[PhaseMark], wrapping: &Wrapping) -> Accounts {
    let mut accountant = Accountant::new(&trace.columns, marks, wrapping.clone());
    let mut values = vec![0.0; trace.columns.len()];
    for (i, (time_ms, line)) in trace.time_ms.iter().zip(&trace.lines).enumerate() {
        for (value, series) in values.iter_mut().zip(&trace.series) {
            *value = series[i];
        }
        accountant.push(*line, *time_ms, &values);
    }
    accountant.finish()
}

/// Reads and accounts for a file in one pass; memory does not grow with its length.
///
/// # Errors
///
/// The first thing that is wrong with the file, with its row.
pub fn account_file(
    path: &Path,
    marks: &[PhaseMark],
    wrapping: &Wrapping,
) -> Result<Accounts, ReadError> {
    let mut reader = Reader::open(path)?;
    let mut accountant = Accountant::new(reader.columns(), marks, wrapping.clone());
    let mut row = Row::default();
    while reader.next_row(&mut row)? {
        accountant.push(row.line, row.time_ms, &row.values);
    }
    let mut accounts = accountant.finish();
    accounts.notes.splice(0..0, reader.notes());
    Ok(accounts)
}

/// JSON has no NaN; an unknown number is null there.
mod nan_as_null {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() { to.serialize_some(value) } else { to.serialize_none() }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests;
