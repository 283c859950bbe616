//! What was found out about the machine between the trials, as `experiment.json` keeps it.

use super::pauses::{Baseline, WarmUpReport};
use super::record::{Status, TrialRecord};
use serde::{Deserialize, Serialize};

/// Warm-ups, idle power and what measuring itself costs. An experiment that was resumed has more than
/// one warm-up and baseline; the trials after each of them are held against it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settling {
    /// How the warm-ups went.
    pub warmups: Vec<WarmUpReport>,
    /// Idle power, in the order in which it was measured.
    pub baselines: Vec<IdlePower>,
    /// What measuring costs; none until a trial has finished.
    pub overhead: Option<Overhead>,
}

/// Idle power and when it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdlePower {
    /// Before the first or after the last trial of a run.
    pub when: When,
    /// What was measured.
    #[serde(flatten)]
    pub baseline: Baseline,
}

/// Before the first or after the last trial of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// After the warm-up and its cool-down.
    Before,
    /// After the last trial and its cool-down.
    After,
}

impl When {
    /// The word in files.
    pub(crate) fn word(self) -> &'static str {
        match self {
            When::Before => "before",
            When::After => "after",
        }
    }
}

/// What measuring costs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overhead {
    /// Seconds of trials that this was found in.
    pub seconds: f64,
    /// Processor seconds of the meter in them: the sampling thread, or EnergiBridge's process.
    pub cpu_seconds: Option<f64>,
    /// The same as a share of the trials' own processor time.
    pub cpu_share: Option<f64>,
    /// Power of sampling in watts: the idle machine's power with samples at the set interval less that
    /// with a reading at either end only. None where there is no sensor.
    pub watts: Option<f64>,
    /// Standard error of that difference in watts: √2 times that of the sampled baseline's mean.
    pub watts_se: Option<f64>,
}

impl Overhead {
    /// Takes the meter's processor time from the trials that finished.
    pub(crate) fn of(records: &[TrialRecord], power: Option<&Overhead>) -> Option<Overhead> {
        let measured: Vec<(f64, Option<f64>, f64)> = records
            .iter()
            .filter(|record| record.status == Status::Ok)
            .filter_map(|record| {
                let report = record.sampler.as_ref()?;
                Some((report.seconds, report.cpu_seconds, record.cpu_seconds))
            })
            .collect();
        if measured.is_empty() {
            return power.cloned();
        }
        let cpu_seconds: Option<f64> = measured.iter().map(|(_, cpu, _)| *cpu).sum();
        let trials: f64 = measured.iter().map(|(.., trial)| trial).sum();
        Some(Overhead {
            seconds: measured.iter().map(|(seconds, ..)| seconds).sum(),
            cpu_seconds,
            cpu_share: cpu_seconds.filter(|_| trials > 0.0).map(|cpu| cpu / trials),
            watts: power.and_then(|p| p.watts),
            watts_se: power.and_then(|p| p.watts_se),
        })
    }
}

impl Settling {
    /// Idle power that the coming trials are held against, in watts.
    pub(crate) fn idle_w(&self) -> Option<f64> {
        let before = self.baselines.iter().rev().find(|idle| idle.when == When::Before)?;
        before.baseline.watts
    }

    /// How much more the idle machine drew at the end than at the beginning, in watts.
    pub(crate) fn drift_w(&self) -> Option<f64> {
        let first = self.baselines.iter().find(|idle| idle.when == When::Before)?;
        let last = self.baselines.iter().rev().find(|idle| idle.when == When::After)?;
        last.baseline.drift_w(&first.baseline)
    }
}
