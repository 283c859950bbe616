//! What else the machine did during a trial.

use serde::{Deserialize, Serialize};

/// What was seen of the machine beside the trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interference {
    /// Processor seconds of processes outside the trial.
    pub other_cpu_s: Option<f64>,
}
