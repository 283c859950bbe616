//! What a sampler reads: counters and powers under names, and what can be wrong with them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Kind;
use super::error::MeterError;
use super::error::{GpuError, PerfError};
use super::machine::Machine;
use crate::samples::{Domain, Quantity};

/// A reading that failed.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Of a file, and what it gave.
    File { file: PathBuf, source: Arc<io::Error> },
    /// Of performance events.
    Perf(PerfError),
    /// Of a graphics card.
    Gpu(GpuError),
}

impl Fault {
    /// Where this one reading was needed.
    pub(crate) fn now(self) -> MeterError {
        match self {
            Fault::File { file, source } => MeterError::Counter { file, source },
            Fault::Perf(error) => error.into(),
            Fault::Gpu(error) => error.into(),
        }
    }

    /// Where so many failed in a row.
    pub(crate) fn at_last(self, misses: u64) -> MeterError {
        match self {
            Fault::File { file, source } => MeterError::Lost { file, misses, source },
            Fault::Perf(error) => error.into(),
            Fault::Gpu(error) => error.into(),
        }
    }
}

/// A column of a source.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub name: String,
    pub domain: Domain,
    pub quantity: Quantity,
}

impl Named {
    pub(crate) fn counter(name: &str, domain: Domain) -> Named {
        Named { name: name.to_owned(), domain, quantity: Quantity::Counter }
    }
}

/// A counter and the power beside it that tell different joules, by more than their delays explain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disagreement {
    /// What they cover.
    pub domain: Domain,
    /// What the counter counted, J.
    pub counter_j: f64,
    /// The power, integrated over the same time, J.
    pub power_j: f64,
    /// By how much they may differ, J.
    pub limit_j: f64,
}

/// A sensor that failed while others went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LostSensor {
    /// Which kind.
    pub sensor: Kind,
    /// What is unknown without it.
    pub domains: Vec<Domain>,
    /// What happened, in words.
    pub why: String,
}

/// What a source noticed since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Counters that passed their range and started again.
    pub wraps: u64,
    /// Counters that fell without having reached their range.
    pub resets: u64,
    /// Single readings that failed, retried ones included.
    pub read_errors: u64,
}

/// Something with cumulative joules to be read.
pub(crate) trait Source: Send {
    /// Column names and what they cover, in the order of `joules`.
    fn columns(&self) -> Vec<Named>;

    /// Reads every column that is part of the total, and with `all` the others too: joules since the
    /// first successful reading. The first call is with `all`.
    ///
    /// # Errors
    ///
    /// The reading that failed; nothing of it may be used, and the next one makes up for it.
    fn read(&mut self, at: Instant, all: bool, joules: &mut [f64]) -> Result<(), Fault>;

    /// What was noticed so far.
    fn tally(&self) -> Tally;

    /// Domains in which a counter was set back: what they drew in all is unknown.
    fn reset(&self) -> &[Domain] {
        &[]
    }

    /// Says whether a counter has stopped although the processors worked. Called after each reading at
    /// an interval and after the last one (`ending`).
    fn frozen(
        &mut self,
        _at: Instant,
        _machine: &mut Machine,
        _ending: bool,
    ) -> Option<MeterError> {
        None
    }

    /// Called at the end: says whether a counter never moved although it must have.
    fn never_moved(&self, _seconds: f64) -> Option<MeterError> {
        None
    }

    /// Called at the end: why so short a time was not measured at all.
    fn unmeasured(&self, _seconds: f64) -> Option<MeterError> {
        None
    }

    /// Called at the end: a counter and its power that tell different joules.
    fn disagreement(&self) -> Option<Disagreement> {
        None
    }

    /// How often its counter moves, where that is a time worth telling.
    fn update_period(&self) -> Option<Duration> {
        None
    }
}
