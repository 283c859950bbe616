//! What is known about each column at the end of a file, and which domains make up the total.

use super::holes::Unread;
use super::plausible::{cannot_be, looks_like, short};
use super::series::Series;
use super::wrap::{Fall, SHORTEST_S, Wrapping, resolve};
use crate::samples::{Domain, Quantity};

/// What is known about one column at the end of the file.
pub(super) struct Known {
    /// It never moved: the machine has no such register.
    pub absent: bool,
    /// The falls, each with the range at which it wrapped, J, or `None` for a reset.
    pub falls: Vec<(Fall, Option<f64>)>,
    /// Holes and readings that cannot be, in order.
    pub unread: Vec<Unread>,
    /// Why nothing of it can be, if so.
    pub impossible: Option<String>,
    /// Nobody kept where energy is missing.
    pub lost: bool,
}

impl Known {
    /// How often it was reset.
    pub(crate) fn resets(&self, series: &Series) -> u64 {
        series.more_falls + self.falls.iter().filter(|f| f.1.is_none()).count() as u64
    }
}

/// What columns are judged by.
pub(super) struct Judge<'a> {
    pub wrapping: &'a Wrapping,
    /// The holes per column; `Some(None)` where there were too many to be kept, `None` where no column
    /// is a power.
    pub holes: Option<Option<Vec<Vec<Unread>>>>,
    /// From the first sample to the last.
    pub seconds: f64,
}

impl Judge<'_> {
    /// What column `index` is. `moved` says whether it ever did, in this part of a file or in another.
    pub(crate) fn column(&self, index: usize, series: &Series, moved: Option<bool>) -> Known {
        let column = &series.column;
        let mut unread = series.bad.clone();
        let mut lost = series.more_falls > 0;
        if column.quantity == Quantity::Power {
            match &self.holes {
                Some(Some(holes)) if !lost => unread.extend_from_slice(&holes[index]),
                _ => {
                    lost = true;
                    unread.push(Unread { t0: 0.0, t1: self.seconds, joules: 0.0 });
                }
            }
            unread.sort_by(|a, b| a.t0.total_cmp(&b.t0));
        }
        let range = |fall: &Fall| resolve(fall, &series.readings, column.domain, self.wrapping);
        let falls = series.falls.iter().map(|fall| (*fall, range(fall))).collect();
        let absent = !moved.unwrap_or(series.moved);
        let mut known = Known { absent, falls, unread, impossible: None, lost };
        if !absent {
            known.impossible = self.impossible(series, &known);
        }
        known
    }

    /// Why a whole column is impossible: its mean power, or a step that no machine makes.
    fn impossible(&self, series: &Series, known: &Known) -> Option<String> {
        let column = &series.column;
        let whole = column.quantity == Quantity::Counter && series.readings.whole();
        let (mut joules, mut seconds) = (series.joules, self.seconds);
        for (fall, range) in &known.falls {
            joules += range.map_or(0.0, |range| fall.joules(range));
        }
        for unread in known.unread.iter().filter(|_| column.quantity == Quantity::Power) {
            joules -= unread.joules;
            seconds -= unread.t1 - unread.t0;
        }
        let mean = (joules / seconds.max(SHORTEST_S)).min(f64::MAX);
        let of_mean = || cannot_be(column, mean, seconds, whole);
        let Some(found) = series.implausible else { return of_mean() };
        let guess = looks_like(column, found.worst_w, whole);
        let watts = short(found.worst_w);
        if column.quantity == Quantity::Counter {
            let step =
                || format!("{watts} W up to row {}, more than can be drawn{guess}", found.line);
            return Some(of_mean().unwrap_or_else(step));
        }
        // Single readings are passed over; where hardly any other is left, the column is no such power.
        if seconds >= 0.5 * self.seconds {
            return of_mean();
        }
        let what = if found.worst_w < 0.0 { "below zero" } else { "more than can be drawn" };
        Some(format!(
            "{} readings such as {watts} W in row {}, {what}{guess}",
            found.count, found.line
        ))
    }
}

/// The domains of the total, and why nothing was measured where that is so.
pub(super) fn total(
    series: &[Series],
    known: &[Known],
    samples: u64,
) -> (Vec<Domain>, Option<String>) {
    let domains = |absent: bool| -> Vec<Domain> {
        let all = series.iter().zip(known).filter(|(_, k)| absent || !k.absent);
        all.map(|(series, _)| series.column.domain).collect()
    };
    let total = Domain::in_total(&domains(false));
    if !total.is_empty() {
        return (total, None);
    }
    let total = Domain::in_total(&domains(true));
    let still = series.iter().filter(|series| total.contains(&series.column.domain));
    let shown: Vec<String> = still
        .take(3)
        .map(|s| {
            let unit = if s.column.quantity == Quantity::Power { "W" } else { "J" };
            format!("'{}' is {} {unit}", s.column.name, s.first)
        })
        .collect();
    let looks = format!(
        "{} in all {samples} rows, as where a meter cannot read the registers or the machine has none (a \
         virtual machine)",
        shown.join(" and ")
    );
    (total, Some(looks))
}
