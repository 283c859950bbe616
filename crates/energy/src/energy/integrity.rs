//! What to know about a file of samples before trusting its energy.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::wrap::{Reset, Wrap};
use crate::phase::Phase;
use crate::samples::Domain;

/// An interval this many times the median one is a gap: samples are missing.
pub(crate) const GAP_FACTOR: f64 = 3.0;

/// An interval longer than this, s, and than [`GAP_FACTOR`] times the median one, is a hole: a reading of
/// power does not stand for it. Sensors of power (NVML's, Apple's firmware) themselves give means of about
/// a second, so that shorter ones are bridged.
pub(crate) const HOLE_S: f64 = 1.0;

/// The least share of a trial's time that has to be read for its energy to count as known. What is
/// missing may have been drawn at any power, so that the error is about the missing share: 1% is what good
/// trials scatter by, and below the smallest differences that such studies report.
pub const COVERAGE_LEAST: f64 = 0.99;

/// A power that shows one number to the last digit for this long, s, is reported: sensors give another one about
/// every second.
pub(crate) const CONSTANT_S: f64 = 20.0;

/// A counter that does not move for this long, over at least [`STILL_INTERVALS`] intervals, is stuck;
/// RAPL's are updated about every millisecond, also at idle.
pub(crate) const STILL_SECONDS: f64 = 2.0;

/// See [`STILL_SECONDS`].
pub(crate) const STILL_INTERVALS: u64 = 5;

/// Intervals below this length come from samples at phase marks and say nothing of the rhythm.
const RHYTHM_FROM_MS: u64 = 5;

/// With fewer intervals that no mark cut short, the rhythm is not known where others were cut.
const FEWEST_OWN: u64 = 5;

/// How many wraps, and how many resets, are described one by one.
pub(super) const DESCRIBED: usize = 20;

/// A word for one thing that is doubtful about a trial's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// A counter wrapped, and the wrap was corrected.
    Wrap,
    /// A counter was reset; the energy of that interval is unknown.
    Reset,
    /// Samples are missing: an interval is more than [`GAP_FACTOR`] times the median one.
    Gap,
    /// A power is negative or beyond what such a machine can draw.
    ImplausiblePower,
    /// The cores drew more than the package that they are part of.
    CoreAbovePackage,
    /// A counter stood still for seconds.
    StuckCounter,
    /// The core (or uncore, or platform) counter falls again and again: readings of several cores are
    /// mixed in one column, as EnergiBridge does on Windows. The domain is left out.
    CoreUnusable,
    /// A phase reaches beyond the sampled time, so a part of its energy is missing.
    Uncovered,
    /// A phase began and never ended.
    UnfinishedPhase,
    /// Too small a share of the time was sampled for the total to be known, see [`COVERAGE_LEAST`].
    LowCoverage,
    /// No column of the total ever moved.
    NothingMeasured,
    /// A power showed one number to the last digit for long, see [`CONSTANT_S`].
    ConstantPower,
}

impl Flag {
    /// The word, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Flag::Wrap => "wrap",
            Flag::Reset => "reset",
            Flag::Gap => "gap",
            Flag::ImplausiblePower => "implausible-power",
            Flag::CoreAbovePackage => "core-above-package",
            Flag::StuckCounter => "stuck-counter",
            Flag::CoreUnusable => "core-unusable",
            Flag::Uncovered => "uncovered",
            Flag::UnfinishedPhase => "unfinished-phase",
            Flag::LowCoverage => "low-coverage",
            Flag::NothingMeasured => "nothing-measured",
            Flag::ConstantPower => "constant-power",
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Power that cannot be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImplausiblePower {
    pub column: String,
    /// How often.
    pub count: u64,
    /// The power furthest from zero, W.
    pub worst_w: f64,
    /// The line of the file it was found on; the header is line 1.
    pub row: u64,
    /// What cannot be, and what it looks like, as a clause; none where single readings of a power were
    /// passed over and the rest stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A power that showed one number for long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConstantPower {
    pub column: String,
    /// What it showed, W.
    pub watts: f64,
    /// For how long, s.
    pub seconds: f64,
    /// Since when, in seconds from the first sample.
    pub from_s: f64,
}

/// A counter that did not move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StuckCounter {
    pub column: String,
    /// For how long, s.
    pub seconds: f64,
    /// Since when, in seconds from the first sample.
    #[serde(default)]
    pub from_s: f64,
    /// The line of the file on which that ended; the header is line 1.
    pub row: u64,
}

/// A domain that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unusable {
    pub domain: Domain,
    /// How often its counter fell without a plausible wrap.
    pub falls: u64,
}

/// The cores' joules where they exceed the package's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoreAbovePackage {
    /// The cores, J.
    pub core_j: f64,
    /// The package, J.
    pub package_j: f64,
}

/// What to know about a file of samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Integrity {
    /// Number of samples.
    pub samples: u64,
    /// Median interval between samples, s; samples within 5 ms of each other apart.
    pub median_interval_s: f64,
    /// Longest interval between two samples, s.
    pub max_gap_s: f64,
    /// Intervals longer than [`GAP_FACTOR`] times the median.
    pub gaps: u64,
    /// Number of wraps that were corrected.
    pub wrap_count: u64,
    /// The first of them.
    pub wraps: Vec<Wrap>,
    /// Number of resets of counters that are part of the total.
    pub reset_count: u64,
    /// The first of them.
    pub resets: Vec<Reset>,
    /// Columns of the total with power that cannot be.
    pub implausible: Vec<ImplausiblePower>,
    /// Powers of the total that showed one number for long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constant: Vec<ConstantPower>,
    /// Why nothing was measured at all, if so: what the file looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
    /// Domains of the total that the file does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmeasured: Vec<Domain>,
    /// The share of the reported time (the window, or where there is none the whole) in which every
    /// domain of the total was read, see [`super::Energy::coverage`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// The seconds that lacks.
    #[serde(default)]
    pub missing_s: f64,
    /// Intervals in which nothing was sampled, see [`HOLE_S`].
    #[serde(default)]
    pub holes: u64,
    /// Counters of the total that stood still.
    pub stuck: Vec<StuckCounter>,
    /// Domains beside the total whose columns do not behave like counters.
    pub unusable: Vec<Unusable>,
    /// The cores above the package, if so.
    pub core_above_package: Option<CoreAbovePackage>,
    /// Seconds of the phases that no sample covers.
    pub uncovered_s: f64,
    /// Phases that began and never ended.
    pub unfinished: Vec<Phase>,
}

impl Integrity {
    /// The words for what is doubtful, in a fixed order.
    pub fn flags(&self) -> Vec<Flag> {
        let all = [
            (Flag::Wrap, self.wrap_count > 0),
            (Flag::Reset, self.reset_count > 0),
            (Flag::Gap, self.gaps > 0),
            (Flag::ImplausiblePower, !self.implausible.is_empty()),
            (Flag::CoreAbovePackage, self.core_above_package.is_some()),
            (Flag::StuckCounter, !self.stuck.is_empty()),
            (Flag::CoreUnusable, !self.unusable.is_empty()),
            (Flag::Uncovered, self.uncovered_s > 2.0 * self.median_interval_s),
            (Flag::UnfinishedPhase, !self.unfinished.is_empty()),
            (Flag::LowCoverage, self.low_coverage()),
            (Flag::NothingMeasured, self.nothing.is_some()),
            (Flag::ConstantPower, !self.constant.is_empty()),
        ];
        all.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect()
    }

    /// The range that wraps were corrected by, J; the first one where counters differ.
    pub fn wrap_range_j(&self) -> Option<f64> {
        self.wraps.first().map(|w| w.range_j)
    }

    /// Whether too much of the time was not read. What two intervals at the ends lack is the meter's
    /// grain, not a hole.
    fn low_coverage(&self) -> bool {
        let grain_s = 2.0 * self.median_interval_s;
        self.coverage.is_some_and(|coverage| coverage < COVERAGE_LEAST) && self.missing_s > grain_s
    }

    /// What to say about a file even if its energy is known, one short sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for constant in &self.constant {
            let shown = if constant.watts == 0.0 {
                "is 0 W".to_owned()
            } else {
                format!("shows {} W to the last digit", crate::units::digits(constant.watts))
            };
            notes.push(format!(
                "'{}' {shown} for {} from {:.1} s on",
                constant.column,
                crate::units::duration(constant.seconds),
                constant.from_s
            ));
        }
        if self.holes > 0 {
            notes.push(format!(
                "nothing was sampled in {} hole(s), the longest of {}",
                self.holes,
                crate::units::duration(self.max_gap_s)
            ));
        }
        for found in self.implausible.iter().filter(|found| found.reason.is_none()) {
            notes.push(format!(
                "{} readings of '{}' cannot be (such as {} W in row {}) and are passed over",
                found.count,
                found.column,
                super::plausible::short(found.worst_w),
                found.row
            ));
        }
        notes
    }

    /// Why the energy of this file is not known, if it is not: nothing was measured, a power cannot be,
    /// a counter of the total was reset or stood still, or too little of the time was sampled.
    pub fn unknown_energy(&self) -> Option<String> {
        if let Some(why) = &self.nothing {
            return Some(format!("nothing was measured: {why}"));
        }
        if let Some(domain) = self.unmeasured.first() {
            return Some(format!("the {domain} was not measured in this file"));
        }
        let impossible = self.implausible.iter().find_map(|i| i.reason.as_ref().map(|r| (i, r)));
        if let Some((found, reason)) = impossible {
            return Some(format!("'{}' cannot be what it says: {reason}", found.column));
        }
        if let Some(reset) = self.resets.first() {
            return Some(reset.to_string());
        }
        if self.reset_count > 0 {
            let count = self.reset_count;
            return Some(format!("a counter fell {count} times more than a counter can"));
        }
        if let Some(stuck) = self.stuck.first() {
            return Some(format!(
                "'{}' stood still for {:.1} s from {:.1} s on (up to row {}): the counter was frozen, and \
                 what was drawn meanwhile is unknown",
                stuck.column, stuck.seconds, stuck.from_s, stuck.row
            ));
        }
        if !self.low_coverage() {
            return None;
        }
        let coverage = self.coverage.unwrap_or_default();
        let why = match self.implausible.first() {
            Some(found) => format!(
                ", as readings of '{}' cannot be (such as {} W in row {})",
                found.column,
                super::plausible::short(found.worst_w),
                found.row
            ),
            None if self.holes > 0 => format!(
                " (longest hole {:.1} s; --split-gaps DURATION makes trials of the parts between)",
                self.max_gap_s
            ),
            None => String::new(),
        };
        Some(format!(
            "only {:.1}% of its time was sampled, {:.1} s are missing{why}: what was drawn meanwhile is \
             unknown, and a total needs at least {:.0}%",
            100.0 * coverage,
            self.missing_s,
            100.0 * COVERAGE_LEAST
        ))
    }
}

/// How long intervals are, in bounded memory: to the millisecond up to about a second and to 0.2%
/// beyond.
#[derive(Default)]
pub(super) struct Intervals {
    counts: BTreeMap<u64, u64>,
    /// Those that no mark cut short: the sampling's own rhythm.
    own: BTreeMap<u64, u64>,
    longest_s: f64,
    /// Whether a mark lay in the interval before: its sample began this one.
    marked: bool,
}

impl Intervals {
    /// Takes the next interval, and whether a mark lies in it.
    pub(crate) fn note(&mut self, seconds: f64, marked: bool) {
        self.longest_s = self.longest_s.max(seconds);
        let ms = (seconds * 1000.0).round() as u64;
        let coarse = (54 - i64::from(ms.leading_zeros())).max(0) as u32;
        let ms = ms >> coarse << coarse;
        *self.counts.entry(ms).or_insert(0) += 1;
        if !marked && !self.marked {
            *self.own.entry(ms).or_insert(0) += 1;
        }
        self.marked = marked;
    }

    /// Fills in what intervals say.
    pub(crate) fn describe(&self, integrity: &mut Integrity) {
        let regular = |ms: u64| ms >= RHYTHM_FROM_MS;
        let number = |of: &BTreeMap<u64, u64>| of.values().sum::<u64>();
        // Where marks cut nearly every interval short, the sampling's own rhythm does not show.
        let cut = number(&self.own) < number(&self.counts).min(FEWEST_OWN);
        let counts = if cut { &self.counts } else { &self.own };
        let from = if counts.keys().any(|ms| regular(*ms)) { RHYTHM_FROM_MS } else { 0 };
        let all: u64 = counts.range(from..).map(|(_, n)| n).sum();
        let mut seen = 0;
        let median = counts.range(from..).find_map(|(ms, n)| {
            seen += n;
            (2 * seen >= all).then_some(*ms as f64)
        });
        let median = median.unwrap_or(0.0);
        integrity.median_interval_s = median / 1000.0;
        integrity.max_gap_s = self.longest_s;
        let count = |than: f64| {
            let long = |ms: &u64| median > 0.0 && *ms as f64 > than;
            self.counts.iter().filter(|(ms, _)| long(ms)).map(|(_, n)| n).sum()
        };
        let rhythm = if cut { 1000.0 * HOLE_S } else { 0.0 };
        integrity.gaps = count((GAP_FACTOR * median).max(rhythm));
        integrity.holes = count((GAP_FACTOR * median).max(1000.0 * HOLE_S));
    }
}
