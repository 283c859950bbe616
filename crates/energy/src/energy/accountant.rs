//! The single pass over the samples.

mod finish;

use std::collections::BTreeSet;

use super::holes::Holes;
use super::integrity::Intervals;
use super::power::Resampler;
use super::series::Series;
use super::spans::{Span, spans, together};
use super::wrap::Wrapping;
use crate::phase::{Phase, PhaseMark};
use crate::samples::{Column, Domain, Quantity};

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
