//! What is wrong with each column, to be reported for the domains that make up a total.

use super::integrity::{
    CONSTANT_S, ConstantPower, DESCRIBED, ImplausiblePower, Integrity, STILL_INTERVALS,
    STILL_SECONDS, StuckCounter,
};
use super::known::Known;
use super::series::Series;
use super::wrap::{Reset, Wrap, Wrapping};
use crate::samples::{Domain, Quantity};

/// What is wrong with one column.
#[derive(Debug, Clone, PartialEq)]
struct Faulty {
    domain: Domain,
    wraps: Vec<Wrap>,
    wrap_count: u64,
    resets: Vec<Reset>,
    reset_count: u64,
    stuck: Option<StuckCounter>,
    implausible: Option<ImplausiblePower>,
    constant: Option<ConstantPower>,
}

/// What is wrong with the columns that are not absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Faults(Vec<Faulty>);

/// Gathers what the columns' samples say.
pub(super) fn gather(series: &[Series], known: &[Known], wrapping: &Wrapping) -> Faults {
    let inferred = *wrapping == Wrapping::Infer;
    let there = series.iter().zip(known).filter(|(_, known)| !known.absent);
    Faults(there.map(|(series, known)| faulty(series, known, inferred)).collect())
}

fn faulty(series: &Series, known: &Known, inferred: bool) -> Faulty {
    let column = || series.column.name.clone();
    let (mut wraps, mut resets) = (Vec::new(), Vec::new());
    let mut wrap_count = 0;
    for (fall, range) in &known.falls {
        let (row, from_j, to_j) = (fall.line, fall.from, fall.to);
        match range {
            Some(range_j) => {
                wrap_count += 1;
                if wraps.len() < DESCRIBED {
                    let (column, range_j) = (column(), *range_j);
                    wraps.push(Wrap { column, row, from_j, to_j, range_j, inferred });
                }
            }
            None if resets.len() < DESCRIBED => {
                resets.push(Reset { column: column(), row, from_j, to_j });
            }
            None => {}
        }
    }
    let still = series.longest_still;
    let long = |seconds| still.seconds >= seconds && still.intervals >= STILL_INTERVALS;
    let counter = series.column.quantity == Quantity::Counter;
    // One that moved in another part of the file stood still in all of this one.
    let stuck = counter && (long(STILL_SECONDS) || !series.moved);
    let (seconds, from_s, row) = (still.seconds, still.from_s, still.line);
    let implausible = series.implausible.map(|found| ImplausiblePower {
        column: column(),
        count: found.count,
        worst_w: found.worst_w,
        row: found.line,
        reason: known.impossible.clone(),
    });
    Faulty {
        domain: series.column.domain,
        wraps,
        wrap_count,
        resets,
        reset_count: known.resets(series),
        stuck: stuck.then(|| StuckCounter { column: column(), seconds, from_s, row }),
        implausible: implausible.or_else(|| {
            // The mean is off where no single reading is.
            let reason = Some(known.impossible.clone()?);
            let worst_w = f64::NAN;
            Some(ImplausiblePower { column: column(), count: 0, worst_w, row: 0, reason })
        }),
        constant: (!counter && long(CONSTANT_S)).then(|| ConstantPower {
            column: column(),
            watts: still.value,
            seconds,
            from_s,
        }),
    }
}

impl Faults {
    /// Reports what concerns a total of these domains, in place of what was reported before.
    pub(crate) fn tell(&self, total: &[Domain], integrity: &mut Integrity) {
        (integrity.wrap_count, integrity.reset_count) = (0, 0);
        integrity.wraps.clear();
        integrity.resets.clear();
        integrity.stuck.clear();
        integrity.implausible.clear();
        integrity.constant.clear();
        for faulty in &self.0 {
            let in_total = total.contains(&faulty.domain);
            // Where a column beside the total is no counter, what looks like wraps is no wrap.
            if in_total || faulty.reset_count == 0 {
                integrity.wrap_count += faulty.wrap_count;
                integrity.wraps.extend_from_slice(&faulty.wraps);
                integrity.wraps.truncate(DESCRIBED);
            }
            if in_total {
                integrity.reset_count += faulty.reset_count;
                integrity.resets.extend_from_slice(&faulty.resets);
                integrity.resets.truncate(DESCRIBED);
                integrity.stuck.extend(faulty.stuck.clone());
                integrity.implausible.extend(faulty.implausible.clone());
                integrity.constant.extend(faulty.constant.clone());
            }
        }
    }
}
