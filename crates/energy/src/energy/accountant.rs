//! The single pass over the samples.

use std::collections::{BTreeMap, BTreeSet};

use super::faults;
use super::holes::Holes;
use super::integrity::{CoreAbovePackage, GAP_FACTOR, HOLE_S, Integrity, Intervals, Unusable};
use super::known::{self, Judge, Known};
use super::power::{ByDomain, Resampler};
use super::series::Series;
use super::spans::{Span, spans, together};
use super::wrap::Wrapping;
use super::{Accounts, Energy, FirstLast};
use crate::phase::{Phase, PhaseMark};
use crate::samples::{Column, Domain, Quantity};

/// The cores may exceed the package by this much before it is a fault: both counters are updated on
/// their own, and a short file catches one of them before and the other after an update.
const CORE_MARGIN: f64 = 1.02;
const CORE_MARGIN_J: f64 = 1.0;

/// Marks are in nanoseconds and samples in milliseconds; less than this is rounding.
const LEAST_MISSING_S: f64 = 1e-6;

/// Adds up samples as they come by.
///
/// Push every row in order, then [finish](Accountant::finish). Wraps, holes and what is absent are
/// resolved at the end, when all that the file says about a counter's unit, range and power and about the
/// samples' rhythm is known.
pub struct Accountant {
    series: Vec<Series>,
    wrapping: Wrapping,
    spans: Vec<Span>,
    /// The stretches that are reported; none where one of their phases is missing.
    window: Option<Vec<Span>>,
    unfinished: Vec<Phase>,
    edges: Edges,
    intervals: Intervals,
    /// Only where there is a power: counters cover holes.
    holes: Option<Holes>,
    power: Resampler,
    /// Where each column's domain stands in `power`, if it can be part of a total.
    places: Vec<Option<usize>>,
    /// What each column, and each domain in `power`, rose by in the interval at hand, J.
    risen: Vec<f64>,
    sums: Vec<f64>,
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

impl Accountant {
    /// For samples with these columns, in a trial with these marks.
    pub fn new(columns: &[Column], marks: &[PhaseMark], wrapping: Wrapping) -> Accountant {
        let (spans, unfinished) = spans(marks);
        let at_ns: BTreeSet<i64> = spans.iter().flat_map(|s| [s.begin_ns, s.end_ns]).collect();
        let countable = |domain: &Domain| !Domain::in_total(&[*domain]).is_empty();
        let domains: BTreeSet<Domain> =
            columns.iter().map(|c| c.domain).filter(countable).collect();
        let power = Resampler::new(domains.into_iter().collect());
        let has_power = columns.iter().any(|c| c.quantity == Quantity::Power);
        Accountant {
            series: columns.iter().map(Series::new).collect(),
            wrapping,
            window: together(&spans, &Phase::window(marks)),
            spans,
            unfinished,
            edges: Edges {
                at_ns: at_ns.into_iter().collect(),
                at_s: Vec::new(),
                joules: Vec::new(),
            },
            intervals: Intervals::default(),
            holes: has_power.then(Holes::default),
            places: columns.iter().map(|c| power.place(c.domain)).collect(),
            risen: vec![0.0; columns.len()],
            sums: vec![0.0; columns.len()],
            power,
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
        self.sums.fill(0.0);
        for (column, series) in self.series.iter_mut().enumerate() {
            let risen = series.push(line, t0, t1, values[column]);
            self.risen[column] = risen;
            if let Some(place) = self.places[column] {
                self.sums[place] += risen;
            }
            for edge in passed..passed + reached {
                let share = share(self.edges.at_s[edge], t0, t1);
                self.edges.joules[edge][column] += share * risen;
            }
        }
        // From the times themselves: a difference of differences is off in its last digits.
        self.intervals.note((time_ms - self.last_ms) / 1000.0, reached > 0);
        if let Some(holes) = &mut self.holes {
            holes.note(t0, t1, &self.risen);
        }
        self.last_ms = time_ms;
        self.power.push(t0, t1, &self.sums);
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
    pub fn finish(self) -> Accounts {
        let moved = self.moved();
        self.finish_knowing(&moved)
    }

    /// Which columns moved.
    pub(super) fn moved(&self) -> Vec<bool> {
        self.series.iter().map(|series| series.moved).collect()
    }

    /// As [`finish`](Accountant::finish), where it is known which registers the machine has: those that
    /// moved in this part of a file or in another.
    pub(super) fn finish_knowing(mut self, moved: &[bool]) -> Accounts {
        let mut integrity = Integrity { samples: self.samples, ..Integrity::default() };
        self.intervals.describe(&mut integrity);
        self.edges.at_s.resize(self.edges.at_ns.len(), 0.0);
        let last: Vec<f64> = self.series.iter().map(|s| s.joules).collect();
        self.edges.joules.resize(self.edges.at_ns.len(), last);

        let than = (GAP_FACTOR * integrity.median_interval_s).max(HOLE_S);
        let holes = self.holes.take().map(|holes| holes.longer(than, self.series.len()));
        let judge = Judge { wrapping: &self.wrapping, holes, seconds: self.now };
        let known: Vec<Known> = self
            .series
            .iter()
            .enumerate()
            .map(|(index, series)| judge.column(index, series, moved.get(index).copied()))
            .collect();
        let (total, nothing) = known::total(&self.series, &known, self.samples);
        integrity.nothing = nothing;
        let faults = faults::gather(&self.series, &known, &self.wrapping);
        let unusable = self.unusable(&known, &total, &mut integrity);
        self.correct_power(&known);

        let whole = self.energy_between(&known, &unusable, &total, None, self.now);
        let within = |span: &Span| {
            self.energy_between(&known, &unusable, &total, Some(span), span.seconds())
        };
        let mut phases: BTreeMap<Phase, Energy> = BTreeMap::new();
        for span in &self.spans {
            let (seconds, energy) = (span.seconds(), within(span));
            integrity.uncovered_s += seconds - self.covered_s(span);
            match phases.get_mut(&span.phase) {
                Some(sum) => add(sum, &energy),
                None => drop(phases.insert(span.phase, energy)),
            }
        }
        let mut window: Option<Energy> = None;
        for span in self.window.iter().flatten() {
            let energy = within(span);
            match &mut window {
                Some(sum) => add(sum, &energy),
                None => window = Some(energy),
            }
        }
        integrity.unfinished = std::mem::take(&mut self.unfinished);
        integrity.core_above_package = core_above_package(&whole);
        let by_domain = self.power_by_domain();
        let names = |absent: bool| {
            let all = self.series.iter().zip(&known).filter(move |(_, k)| !absent || k.absent);
            all.map(|(s, _)| s.column.name.clone()).collect()
        };
        let mut accounts = Accounts {
            start_unix_ms: self.start_ms,
            columns: names(false),
            absent: names(true),
            window,
            first_last: self.first_last(),
            whole,
            phases,
            integrity,
            notes: Vec::new(),
            power: by_domain.total(&total),
            by_domain,
            faults,
            total,
        };
        accounts.judge_total();
        accounts.notes = accounts.integrity.notes();
        accounts
    }

    fn power_by_domain(&mut self) -> ByDomain {
        std::mem::replace(&mut self.power, Resampler::new(Vec::new())).finish()
    }

    /// Takes from the power over time what falls, holes and impossible columns say about it.
    fn correct_power(&mut self, known: &[Known]) {
        for (series, known) in self.series.iter().zip(known) {
            let domain = series.column.domain;
            for (fall, range) in &known.falls {
                let joules = range.map_or(f64::NAN, |range| fall.joules(range));
                self.power.correct(fall.t1, domain, joules);
            }
            for unread in &known.unread {
                self.power.correct(unread.t1, domain, f64::NAN);
            }
        }
    }

    /// The domains beside the total that have resets, and so are of no use.
    fn unusable(
        &self,
        known: &[Known],
        total: &[Domain],
        integrity: &mut Integrity,
    ) -> BTreeSet<Domain> {
        let mut falls: BTreeMap<Domain, u64> = BTreeMap::new();
        for (series, known) in self.series.iter().zip(known) {
            let resets = known.resets(series);
            if !total.contains(&series.column.domain) && resets > 0 {
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
        known: &[Known],
        unusable: &BTreeSet<Domain>,
        total: &[Domain],
        span: Option<&Span>,
        seconds: f64,
    ) -> Energy {
        let edges = span.map(|s| (self.edge(s.begin_ns), self.edge(s.end_ns)));
        let (a, b) = edges.map_or((f64::NEG_INFINITY, f64::INFINITY), |(a, b)| {
            (self.edges.at_s[a], self.edges.at_s[b])
        });
        let within = |t0: f64, t1: f64| share(b, t0, t1) - share(a, t0, t1);
        let outside_s = span.map_or(0.0, |span| seconds - self.covered_s(span));
        let mut sums: BTreeMap<Domain, Option<f64>> = BTreeMap::new();
        let mut missing_s: BTreeMap<Domain, f64> = BTreeMap::new();
        for (column, (series, known)) in self.series.iter().zip(known).enumerate() {
            let domain = series.column.domain;
            if known.absent || unusable.contains(&domain) {
                continue;
            }
            let mut joules = Some(match edges {
                Some((a, b)) => self.edges.joules[b][column] - self.edges.joules[a][column],
                None => series.joules,
            });
            for (fall, range) in &known.falls {
                let part = within(fall.t0, fall.t1);
                if part > 0.0 {
                    let risen = range.map(|range| part * fall.joules(range));
                    joules = joules.zip(risen).map(|(sum, risen)| sum + risen);
                }
            }
            let (mut unread_s, mut until) = (0.0, f64::NEG_INFINITY);
            for unread in &known.unread {
                let part = within(unread.t0, unread.t1);
                joules = joules.map(|sum| sum - part * unread.joules);
                // Holes and bad readings may overlap; time is missing once.
                let from = unread.t0.max(until);
                // Where a counter jumped its energy is unknown altogether.
                if unread.t1 > from && series.column.quantity == Quantity::Power {
                    unread_s += within(from, unread.t1) * (unread.t1 - from);
                    until = unread.t1;
                }
                if part > 0.0 && series.column.quantity == Quantity::Counter {
                    joules = None;
                }
            }
            if known.lost || known.impossible.is_some() {
                joules = None;
            }
            let missing = missing_s.entry(domain).or_insert(0.0);
            *missing = (outside_s + unread_s).max(*missing);
            let sum = sums.entry(domain).or_insert(Some(0.0));
            *sum = sum.zip(joules).map(|(a, b)| a + b);
        }
        missing_s.retain(|_, missing| *missing > LEAST_MISSING_S);
        let joules = sums.into_iter().filter_map(|(d, j)| Some((d, j?))).collect();
        let mut energy = Energy { seconds, joules, missing_s, ..Energy::default() };
        energy.add_up(total);
        energy
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

fn core_above_package(whole: &Energy) -> Option<CoreAbovePackage> {
    let core_j = *whole.joules.get(&Domain::Core)?;
    let package_j = *whole.joules.get(&Domain::Package)?;
    (core_j > CORE_MARGIN * package_j + CORE_MARGIN_J)
        .then_some(CoreAbovePackage { core_j, package_j })
}

/// Adds stretches; a domain that is unknown in one of them is unknown in the sum.
fn add(sum: &mut Energy, part: &Energy) {
    let read_s = sum.coverage * sum.seconds + part.coverage * part.seconds;
    sum.seconds += part.seconds;
    if sum.seconds > 0.0 {
        sum.coverage = read_s / sum.seconds;
    }
    for (domain, missing) in &part.missing_s {
        *sum.missing_s.entry(*domain).or_insert(0.0) += missing;
    }
    sum.total_j += part.total_j;
    sum.joules.retain(|domain, _| part.joules.contains_key(domain));
    for (domain, joules) in &mut sum.joules {
        *joules += part.joules[domain];
    }
}
