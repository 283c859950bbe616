//! What the samples add up to, once all of them were read.

use super::{Accountant, share};
use crate::energy::faults;
use crate::energy::integrity::{CoreAbovePackage, GAP_FACTOR, HOLE_S, Integrity, Unusable};
use crate::energy::known::{self, Judge, Known};
use crate::energy::power::{ByDomain, Resampler};
use crate::energy::series::Series;
use crate::energy::spans::Span;
use crate::energy::{Accounts, Energy, FirstLast};
use crate::phase::Phase;
use crate::samples::{Domain, Quantity};
use std::collections::{BTreeMap, BTreeSet};

/// The cores may exceed the package by this much before it is a fault: both counters are updated on
/// their own, and a short file catches one of them before and the other after an update.
const CORE_MARGIN: f64 = 1.02;
const CORE_MARGIN_J: f64 = 1.0;

/// Marks are in nanoseconds and samples in milliseconds; less than this is rounding.
const LEAST_MISSING_S: f64 = 1e-6;

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

/// What was found of a file's columns.
struct Found<'a> {
    known: &'a [Known],
    /// Domains that are of no use.
    unusable: &'a BTreeSet<Domain>,
    /// What the total adds up.
    total: &'a [Domain],
}

impl Accountant {
    /// What the samples come to.
    pub fn finish(self) -> Accounts {
        let moved = self.moved();
        self.finish_knowing(&moved)
    }

    /// Which columns moved.
    pub(in crate::energy) fn moved(&self) -> Vec<bool> {
        self.series.iter().map(|series| series.moved).collect()
    }

    /// As [`finish`](Accountant::finish), where it is known which registers the machine has: those that
    /// moved in this part of a file or in another.
    pub(in crate::energy) fn finish_knowing(mut self, moved: &[bool]) -> Accounts {
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

        let found = Found { known: &known, unusable: &unusable, total: &total };
        let whole = self.energy_between(&found, None, self.now);
        let phases = self.phases(&found);
        let window = self.window(&found);
        integrity.uncovered_s =
            self.spans.iter().fold(0.0, |sum, span| sum + (span.seconds() - self.covered_s(span)));
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

    /// Each phase, all its spans together.
    fn phases(&self, found: &Found<'_>) -> BTreeMap<Phase, Energy> {
        let mut phases: BTreeMap<Phase, Energy> = BTreeMap::new();
        for span in &self.spans {
            let energy = self.energy_between(found, Some(span), span.seconds());
            match phases.get_mut(&span.phase) {
                Some(sum) => add(sum, &energy),
                None => drop(phases.insert(span.phase, energy)),
            }
        }
        phases
    }

    /// The spans of the window together; none where it never ended.
    fn window(&self, found: &Found<'_>) -> Option<Energy> {
        let mut window: Option<Energy> = None;
        for span in self.window.iter().flatten() {
            let energy = self.energy_between(found, Some(span), span.seconds());
            match &mut window {
                Some(sum) => add(sum, &energy),
                None => window = Some(energy),
            }
        }
        window
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
    fn energy_between(&self, found: &Found<'_>, span: Option<&Span>, seconds: f64) -> Energy {
        let edges = span.map(|s| (self.edge(s.begin_ns), self.edge(s.end_ns)));
        let outside_s = span.map_or(0.0, |span| seconds - self.covered_s(span));
        let mut sums: BTreeMap<Domain, Option<f64>> = BTreeMap::new();
        let mut missing_s: BTreeMap<Domain, f64> = BTreeMap::new();
        for (column, (series, known)) in self.series.iter().zip(found.known).enumerate() {
            let domain = series.column.domain;
            if known.absent || found.unusable.contains(&domain) {
                continue;
            }
            let (joules, unread_s) = self.column_between(column, series, known, edges);
            let missing = missing_s.entry(domain).or_insert(0.0);
            *missing = (outside_s + unread_s).max(*missing);
            let sum = sums.entry(domain).or_insert(Some(0.0));
            *sum = sum.zip(joules).map(|(a, b)| a + b);
        }
        missing_s.retain(|_, missing| *missing > LEAST_MISSING_S);
        let joules = sums.into_iter().filter_map(|(d, j)| Some((d, j?))).collect();
        let mut energy = Energy { seconds, joules, missing_s, ..Energy::default() };
        energy.add_up(found.total);
        energy
    }

    /// A column's joules between two edges, or of the whole file; `None` where they are unknown. And the seconds
    /// in which it was not read.
    fn column_between(
        &self,
        column: usize,
        series: &Series,
        known: &Known,
        edges: Option<(usize, usize)>,
    ) -> (Option<f64>, f64) {
        let (a, b) = edges.map_or((f64::NEG_INFINITY, f64::INFINITY), |(a, b)| {
            (self.edges.at_s[a], self.edges.at_s[b])
        });
        let within = |t0: f64, t1: f64| share(b, t0, t1) - share(a, t0, t1);
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
        (joules, unread_s)
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
