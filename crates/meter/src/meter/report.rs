//! What a measurement came to, and how well it went.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::source::{Disagreement, LostSensor};
use super::{Kind, Sensors};
use crate::samples::Domain;

/// A stretch of fewer updates than this is known coarsely only.
const UPDATES_LEAST: f64 = 10.0;

/// What a measurement came to, and how well it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionReport {
    /// The sensors of the meter.
    pub meter: Sensors,
    /// Whether its joules are worked out instead of measured.
    pub estimated: bool,
    /// Rows in the file.
    pub samples: u64,
    /// Rows that are missing: the reading failed, or the thread got no processor in time. Of
    /// EnergiBridge only the gaps are known, and each counts once.
    pub missed: u64,
    /// How often a counter passed its range and started again; already corrected in the file.
    pub wraps: u64,
    /// How often a counter fell without having reached its range. What it had counted since the row
    /// before is lost.
    pub resets: u64,
    /// Single readings that failed, those that worked at the second attempt included.
    pub read_errors: u64,
    /// The most seconds by which the wall clock ran ahead of the steady clock (negative: behind). A
    /// few milliseconds are ordinary; more means that somebody set the clock, or a suspend.
    pub clock_step_s: f64,
    /// Seconds for which the machine was suspended meanwhile. They are not in `seconds`, and what was drawn
    /// in them is not known.
    #[serde(default)]
    pub suspended_s: f64,
    /// Energy columns that never moved: counters that the machine lacks. No part of the total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// Sensors that failed while others went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostSensor>,
    /// Why so short a time was not measured by some sensors, whose joules are unknown and not 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmeasured: Vec<LostSensor>,
    /// Counters and powers of one thing that tell different joules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disagreements: Vec<Disagreement>,
    /// The most milliseconds between two moves of a counter, where that is long enough to be found: what is
    /// not many times longer is known coarsely only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_ms: Option<f64>,
    /// Why the total is not known, where that is told beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// The most milliseconds from a mark's request to its reading.
    pub slowest_mark_ms: f64,
    /// The most milliseconds that one reading of all counters took.
    pub slowest_read_ms: f64,
    /// Seconds from the first to the last row, by the steady clock.
    pub seconds: f64,
    /// Joules from the first to the last row; a domain with a reset is absent, its energy is unknown.
    pub joules: BTreeMap<Domain, f64>,
    /// Joules of the domains that make up the machine, see [`Domain::in_total`]; `None` where one of
    /// them is unknown.
    pub total_j: Option<f64>,
    /// Processor seconds that the sampling itself took, where they are known.
    pub cpu_seconds: Option<f64>,
}

impl SessionReport {
    /// What is unknown of this measurement, and not 0: the domains of sensors that were lost or measured
    /// nothing.
    pub fn unknown_domains(&self) -> impl Iterator<Item = Domain> + '_ {
        self.lost.iter().chain(&self.unmeasured).flat_map(|sensor| sensor.domains.iter().copied())
    }

    /// Whether a stretch of so many seconds is short beside the time between two moves of a counter.
    pub fn is_short(&self, seconds: f64) -> bool {
        self.update_ms.is_some_and(|ms| seconds * 1e3 < UPDATES_LEAST * ms)
    }

    /// A report of nothing yet.
    pub(crate) fn new(meter: Sensors) -> SessionReport {
        SessionReport {
            meter,
            estimated: meter.has(Kind::Estimate),
            samples: 0,
            missed: 0,
            wraps: 0,
            resets: 0,
            read_errors: 0,
            clock_step_s: 0.0,
            suspended_s: 0.0,
            absent: Vec::new(),
            lost: Vec::new(),
            disagreements: Vec::new(),
            unmeasured: Vec::new(),
            update_ms: None,
            unknown: None,
            slowest_mark_ms: 0.0,
            slowest_read_ms: 0.0,
            seconds: 0.0,
            joules: BTreeMap::new(),
            total_j: None,
            cpu_seconds: None,
        }
    }
}
