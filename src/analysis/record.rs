//! What an experiment knows about a trial beyond its samples.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::energy::Wrapping;
use crate::phase::PhaseMark;

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
}

impl TrialFacts {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, in words.
    pub fn read(path: &Path) -> Result<TrialFacts, String> {
        let text =
            fs::read_to_string(path).map_err(|e| format!("the record cannot be read ({e})"))?;
        serde_json::from_str(&text).map_err(|e| format!("the record is no trial's record ({e})"))
    }

    /// What is known about the counters' ranges: our own meters undo wraps before they write.
    pub fn wrapping(&self) -> Wrapping {
        match self.meter.as_deref() {
            Some("rapl" | "estimate") => Wrapping::Never,
            _ => Wrapping::Infer,
        }
    }
}
