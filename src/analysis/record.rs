//! What an experiment knows about a trial beyond its samples.

use crate::account::Account;
use crate::meter::{Kind, Sensors};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::energy::Wrapping;
use crate::phase::PhaseMark;
use crate::store::interference::Interference;
use crate::store::pauses::Cooldown;

/// Columns for what was watched beside a trial, in the order of [`TrialFacts::watched`]. A
/// table has those that any of its trials knows.
pub(crate) const WATCHED: [&str; 15] = [
    "attempt",
    "idle_w",
    "trial_cpu_s",
    "meter_cpu_s",
    "missed_samples",
    "other_cores",
    "mhz_mean",
    "celsius_begin",
    "celsius_max",
    "throttle_events",
    "swapped_pages",
    "steal_s",
    "cooldown_s",
    "cooldown_w",
    "cooldown_reached_idle",
];

/// A trial's record as far as the analysis needs it; whatever else the record holds is passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrialFacts {
    /// `ok`, `failed`, `invalid` or `excluded`.
    pub status: Option<String>,
    /// Why it is not ok.
    pub reason: Option<String>,
    /// Words for what happened: `interference`, `clock-step`, `missed-samples`, `retried`, …
    pub flags: Vec<String>,
    /// The block it ran in.
    pub block: Option<u64>,
    /// Its place in the block.
    pub position: Option<u64>,
    /// Its place in the experiment.
    pub run_order: Option<u64>,
    /// The treatment that ran just before it.
    pub predecessor: Option<String>,
    /// The machine that ran it, where it is on record.
    pub machine: Option<String>,
    /// `energibridge`, `rapl` or `estimate`.
    pub meter: Option<String>,
    /// Whether its joules are an estimate.
    pub estimated: Option<bool>,
    /// Beginnings and ends of its phases.
    pub marks: Vec<PhaseMark>,
    /// Accuracy on the test set, 0 to 1.
    pub accuracy: Option<f64>,
    /// Loss of the last epoch.
    pub loss: Option<f64>,
    /// Idle power of the machine, W, where the experiment measured it.
    pub idle_w: Option<f64>,
    /// How often it did its work; its joules are told for one.
    pub repetitions: Option<u32>,
    /// What its script says of itself.
    pub result: Told,
    /// From 1; more where a trial was tried again.
    pub attempt: Option<u64>,
    /// Processor seconds of the worker and all that it started.
    pub cpu_seconds: Option<f64>,
    /// What the sampler says of itself.
    pub sampler: Option<SamplerFacts>,
    /// What else the machine did meanwhile.
    pub interference: Option<Interference>,
    /// How the cool-down after it went.
    pub cooldown: Option<Cooldown>,
}

/// A script's account of its trial as far as the analysis needs it. Other people's scripts write it: what cannot
/// be read as an account counts as an empty one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Value")]
pub struct Told {
    /// The seed that it trained from, which is not taken from the plan.
    pub seed: Option<u64>,
}

impl From<Value> for Told {
    fn from(result: Value) -> Told {
        Told { seed: Account::new(result).seed() }
    }
}

/// A sampler's account of itself as far as the analysis needs it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplerFacts {
    /// Rows that are missing.
    pub missed: Option<u64>,
    /// Processor seconds that the sampling itself took.
    pub cpu_seconds: Option<f64>,
}

impl TrialFacts {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, in words.
    pub(crate) fn read(path: &Path) -> Result<TrialFacts, String> {
        let text = crate::files::read(path, crate::store::record::TrialRecord::LARGEST)
            .map_err(|e| format!("the record cannot be read ({e})"))?;
        serde_json::from_slice(&text).map_err(|e| format!("the record is not a trial's ({e})"))
    }

    /// The numbers about the machine during and after the trial, by their columns' names: those of
    /// [`WATCHED`] that are known. Powers are in W, times in s, frequencies in MHz.
    pub(crate) fn watched(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let watch = self.interference.as_ref();
        let sampler = self.sampler.as_ref();
        let cooldown = self.cooldown.as_ref();
        let count = |n: u64| n as f64;
        let values = [
            self.attempt.map(count),
            self.idle_w,
            self.cpu_seconds,
            sampler.and_then(|s| s.cpu_seconds),
            sampler.and_then(|s| s.missed).map(count),
            watch.and_then(|w| w.other_cores),
            watch.and_then(|w| w.mhz_mean),
            watch.and_then(|w| w.celsius_begin),
            watch.and_then(|w| w.celsius_max),
            watch.and_then(|w| w.throttle_events).map(count),
            watch.and_then(|w| w.swapped_pages).map(count),
            watch.and_then(|w| w.steal_s),
            cooldown.map(|c| c.seconds),
            cooldown.and_then(|c| c.watts),
            cooldown.and_then(|c| c.reached_idle).map(f64::from),
        ];
        WATCHED.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?)))
    }

    /// What is known about the counters' ranges: our own meters undo wraps before they write.
    pub(crate) fn wrapping(&self) -> Wrapping {
        let sensors = self.meter.as_deref().and_then(|text| text.parse::<Sensors>().ok());
        match sensors {
            Some(sensors) if !sensors.has(Kind::Energibridge) => Wrapping::Never,
            _ => Wrapping::Infer,
        }
    }
}
