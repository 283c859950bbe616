//! The single pass over the samples.

use std::collections::{BTreeMap, BTreeSet};

use super::integrity::{
    CoreAbovePackage, DESCRIBED, ImplausiblePower, Integrity, Intervals, STILL_INTERVALS,
    STILL_SECONDS, StuckCounter, Unusable,
};
use super::power::Resampler;
use super::series::Series;
use super::spans::{Span, spans};
use super::wrap::{Fall, Reset, Wrap, Wrapping, resolve};
use super::{Accounts, Energy, FirstLast};
use crate::phase::{Phase, PhaseMark};
use crate::samples::{Column, Domain, Quantity};

/// The cores may exceed the package by this much before it is a fault: both counters are updated on
/// their own, and a short file catches one of them before and the other after an update.
const CORE_MARGIN: f64 = 1.02;
const CORE_MARGIN_J: f64 = 1.0;

/// Adds up samples as they come by.
///
/// Push every row in order, then [finish](Accountant::finish). Wraps are resolved at the end, when all
/// that the file says about a counter's unit, range and power is known.
pub struct Accountant {
    series: Vec<Series>,
    in_total: Vec<bool>,
    total: Vec<Domain>,
    wrapping: Wrapping,
    spans: Vec<Span>,
    unfinished: Vec<Phase>,
    edges: Edges,
    intervals: Intervals,
    power: Resampler,
    start_ms: f64,
    last_ms: f64,
    samples: u64,
    /// Seconds since the first sample.
    now: f64,
}

/// The instants at which energy must be known, and what it was.
struct Edges {
    /// Unix nanoseconds, ascending.
    at_ns: Vec<i64>,
    /// Seconds since the first sample; known once that came.
    at_s: Vec<f64>,
    /// Per edge that was passed: the joules of every series.
    joules: Vec<Vec<f64>>,
}

/// How a series' falls were resolved: the range at which it wrapped, J, or `None` for a reset.
type Resolved = Vec<(Fall, Option<f64>)>;

impl Accountant {
    /// For samples with these columns, in a trial with these marks.
    pub fn new(columns: &[Column], marks: &[PhaseMark], wrapping: Wrapping) -> Accountant {
        let domains: Vec<Domain> = columns.iter().map(|c| c.domain).collect();
        let total = Domain::in_total(&domains);
        let (spans, unfinished) = spans(marks);
        let at_ns: BTreeSet<i64> = spans.iter().flat_map(|s| [s.begin_ns, s.end_ns]).collect();
        Accountant {
            series: columns.iter().map(Series::new).collect(),
            in_total: domains.iter().map(|d| total.contains(d)).collect(),
            total,
            wrapping,
            spans,
            unfinished,
            edges: Edges {
                at_ns: at_ns.into_iter().collect(),
                at_s: Vec::new(),
                joules: Vec::new(),
            },
            intervals: Intervals::default(),
            power: Resampler::new(),
            start_ms: 0.0,
            last_ms: 0.0,
            samples: 0,
            now: 0.0,
        }
    }

    /// Takes the next sample: the line it stands on, Unix time in milliseconds (not before the last
    /// one's), and one value per column in joules or watts.
    pub fn push(&mut self, line: u64, time_ms: f64, values: &[f64]) {
        debug_assert_eq!(values.len(), self.series.len());
        self.samples += 1;
        if self.samples == 1 {
            self.start(line, time_ms, values);
            return;
        }
        let (t0, t1) = (self.now, (time_ms - self.start_ms) / 1000.0);
        let passed = self.edges.joules.len();
        let reached = self.edges.at_s[passed..].partition_point(|edge| *edge <= t1);
        for _ in 0..reached {
            self.edges.joules.push(self.series.iter().map(|s| s.joules).collect());
        }
        let mut joules = 0.0;
        for (column, series) in self.series.iter_mut().enumerate() {
            let risen = series.push(line, t0, t1, values[column]);
            if self.in_total[column] {
                joules += risen;
            }
            for edge in passed..passed + reached {
                let share = share(self.edges.at_s[edge], t0, t1);
                self.edges.joules[edge][column] += share * risen;
            }
        }
        // From the times themselves: a difference of differences is off in its last digits.
        self.intervals.note((time_ms - self.last_ms) / 1000.0);
        self.last_ms = time_ms;
        self.power.push(t0, t1, joules);
        self.now = t1;
    }

    fn start(&mut self, line: u64, time_ms: f64, values: &[f64]) {
        (self.start_ms, self.last_ms) = (time_ms, time_ms);
        for (series, value) in self.series.iter_mut().zip(values) {
            series.start(line, *value);
        }
        // Whole nanoseconds first: a float holds today's Unix time to a quarter of a microsecond.
        let start_ns = (time_ms * 1e6) as i128;
        let since = |ns: &i64| (i128::from(*ns) - start_ns) as f64 / 1e9;
        self.edges.at_s = self.edges.at_ns.iter().map(since).collect();
        let before = self.edges.at_s.partition_point(|edge| *edge < 0.0);
        self.edges.joules = vec![vec![0.0; self.series.len()]; before];
    }

    /// What the samples come to.
    pub fn finish(mut self) -> Accounts {
        let mut integrity = Integrity { samples: self.samples, ..Integrity::default() };
        self.intervals.describe(&mut integrity);
        self.edges.at_s.resize(self.edges.at_ns.len(), 0.0);
        let last: Vec<f64> = self.series.iter().map(|s| s.joules).collect();
        self.edges.joules.resize(self.edges.at_ns.len(), last);

        let resolved = self.resolve_falls(&mut integrity);
        self.judge(&mut integrity);
        let unusable = self.unusable(&resolved, &mut integrity);

        let whole = self.energy_between(&resolved, &unusable, None, self.now);
        let mut phases: BTreeMap<Phase, Energy> = BTreeMap::new();
        for span in &self.spans {
            let seconds = span.end_ns.saturating_sub(span.begin_ns) as f64 / 1e9;
            let energy = self.energy_between(&resolved, &unusable, Some(span), seconds);
            integrity.uncovered_s += seconds - self.covered_s(span);
            match phases.get_mut(&span.phase) {
                Some(sum) => add(sum, &energy),
                None => drop(phases.insert(span.phase, energy)),
            }
        }
        integrity.unfinished = std::mem::take(&mut self.unfinished);
        integrity.core_above_package = core_above_package(&whole);
        Accounts {
            start_unix_ms: self.start_ms,
            columns: self.series.iter().map(|s| s.column.name.clone()).collect(),
            window: window(&phases),
            first_last: self.first_last(),
            whole,
            phases,
            integrity,
            total: self.total,
            power: self.power.finish(),
        }
    }

    /// Decides on every fall, corrects the power over time, and notes wraps and the total's resets.
    fn resolve_falls(&mut self, integrity: &mut Integrity) -> Vec<Resolved> {
        let inferred = self.wrapping == Wrapping::Infer;
        let mut all = Vec::with_capacity(self.series.len());
        for (series, in_total) in self.series.iter().zip(&self.in_total) {
            let column = &series.column;
            let mut resolved = Resolved::with_capacity(series.falls.len());
            for fall in &series.falls {
                let range = resolve(fall, &series.readings, column.domain, &self.wrapping);
                resolved.push((*fall, range));
                if *in_total {
                    self.power.correct(fall.t1, range.map_or(f64::NAN, |r| fall.joules(r)));
                }
            }
            let resets =
                series.more_falls + resolved.iter().filter(|r| r.1.is_none()).count() as u64;
            // Where a counter beside the total is no counter, its accidental wraps are none either.
            if *in_total || resets == 0 {
                for (fall, range) in &resolved {
                    note_fall(integrity, &column.name, fall, *range, inferred);
                }
                integrity.reset_count += series.more_falls;
            }
            all.push(resolved);
        }
        all
    }

    fn judge(&self, integrity: &mut Integrity) {
        for (series, in_total) in self.series.iter().zip(&self.in_total) {
            if !in_total {
                continue;
            }
            let column = || series.column.name.clone();
            if let Some(found) = series.implausible {
                integrity.implausible.push(ImplausiblePower {
                    column: column(),
                    count: found.count,
                    worst_w: found.worst_w,
                    row: found.line,
                });
            }
            let still = series.longest_still;
            if still.seconds >= STILL_SECONDS && still.intervals >= STILL_INTERVALS {
                let (seconds, row) = (still.seconds, still.line);
                integrity.stuck.push(StuckCounter { column: column(), seconds, row });
            }
        }
    }

    /// The domains beside the total that have resets, and so are of no use.
    fn unusable(&self, resolved: &[Resolved], integrity: &mut Integrity) -> BTreeSet<Domain> {
        let mut falls: BTreeMap<Domain, u64> = BTreeMap::new();
        for ((series, resolved), in_total) in self.series.iter().zip(resolved).zip(&self.in_total) {
            let resets =
                resolved.iter().filter(|r| r.1.is_none()).count() as u64 + series.more_falls;
            if !in_total && resets > 0 {
                *falls.entry(series.column.domain).or_insert(0) += resets;
            }
        }
        integrity.unusable = falls
            .iter()
            .map(|(domain, falls)| Unusable { domain: *domain, falls: *falls })
            .collect();
        falls.into_keys().collect()
    }

    /// Energy within a span, or of the whole file. A domain with a reset in it is left out.
    fn energy_between(
        &self,
        resolved: &[Resolved],
        unusable: &BTreeSet<Domain>,
        span: Option<&Span>,
        seconds: f64,
    ) -> Energy {
        let edges = span.map(|s| (self.edge(s.begin_ns), self.edge(s.end_ns)));
        let (a, b) = edges.map_or((f64::NEG_INFINITY, f64::INFINITY), |(a, b)| {
            (self.edges.at_s[a], self.edges.at_s[b])
        });
        let mut sums: BTreeMap<Domain, Option<f64>> = BTreeMap::new();
        for (column, (series, falls)) in self.series.iter().zip(resolved).enumerate() {
            let domain = series.column.domain;
            if unusable.contains(&domain) {
                continue;
            }
            let mut joules = Some(match edges {
                Some((a, b)) => self.edges.joules[b][column] - self.edges.joules[a][column],
                None => series.joules,
            });
            for (fall, range) in falls {
                let part = share(b, fall.t0, fall.t1) - share(a, fall.t0, fall.t1);
                if part > 0.0 {
                    let risen = range.map(|range| part * fall.joules(range));
                    joules = joules.zip(risen).map(|(sum, risen)| sum + risen);
                }
            }
            // Nobody kept where these were.
            if series.more_falls > 0 {
                joules = None;
            }
            let sum = sums.entry(domain).or_insert(Some(0.0));
            *sum = sum.zip(joules).map(|(a, b)| a + b);
        }
        let total = self.total.iter().map(|d| sums.get(d).copied().flatten().unwrap_or(f64::NAN));
        let total_j = total.sum();
        let joules = sums.into_iter().filter_map(|(d, j)| Some((d, j?))).collect();
        Energy { seconds, joules, total_j }
    }

    fn edge(&self, at_ns: i64) -> usize {
        self.edges.at_ns.partition_point(|ns| *ns < at_ns)
    }

    fn covered_s(&self, span: &Span) -> f64 {
        let within = |edge: usize| self.edges.at_s[edge].clamp(0.0, self.now);
        within(self.edge(span.end_ns)) - within(self.edge(span.begin_ns))
    }

    fn first_last(&self) -> Option<FirstLast> {
        let counter = self.series.iter().find(|s| {
            s.column.domain == Domain::Package && s.column.quantity == Quantity::Counter
        })?;
        Some(FirstLast {
            column: counter.column.name.clone(),
            energy_j: counter.last - counter.first,
            time_s: self.now,
        })
    }
}

/// How much of the interval `t0..t1` lies before `edge`, 0 to 1. An interval without length is over
/// once its instant is reached.
fn share(edge: f64, t0: f64, t1: f64) -> f64 {
    if edge >= t1 {
        1.0
    } else if edge <= t0 {
        0.0
    } else {
        (edge - t0) / (t1 - t0)
    }
}

fn note_fall(
    integrity: &mut Integrity,
    column: &str,
    fall: &Fall,
    range: Option<f64>,
    inferred: bool,
) {
    let (column, row, from_j, to_j) = (column.to_owned(), fall.line, fall.from, fall.to);
    match range {
        Some(range_j) => {
            integrity.wrap_count += 1;
            if integrity.wraps.len() < DESCRIBED {
                integrity.wraps.push(Wrap { column, row, from_j, to_j, range_j, inferred });
            }
        }
        None => {
            integrity.reset_count += 1;
            if integrity.resets.len() < DESCRIBED {
                integrity.resets.push(Reset { column, row, from_j, to_j });
            }
        }
    }
}

fn core_above_package(whole: &Energy) -> Option<CoreAbovePackage> {
    let core_j = *whole.joules.get(&Domain::Core)?;
    let package_j = *whole.joules.get(&Domain::Package)?;
    (core_j > CORE_MARGIN * package_j + CORE_MARGIN_J)
        .then_some(CoreAbovePackage { core_j, package_j })
}

/// The reported part: only where every phase of it ended, or two trials would not compare.
fn window(phases: &BTreeMap<Phase, Energy>) -> Option<Energy> {
    let mut parts = Phase::WINDOW.iter().map(|phase| phases.get(phase));
    let mut sum = parts.next()??.clone();
    for part in parts {
        add(&mut sum, part?);
    }
    Some(sum)
}

/// Adds stretches; a domain that is unknown in one of them is unknown in the sum.
fn add(sum: &mut Energy, part: &Energy) {
    sum.seconds += part.seconds;
    sum.total_j += part.total_j;
    sum.joules.retain(|domain, _| part.joules.contains_key(domain));
    for (domain, joules) in &mut sum.joules {
        *joules += part.joules[domain];
    }
}
