//! Bringing the machine to a known state and knowing when it is there: warm-up, cool-down, baseline.

use serde::{Deserialize, Serialize};

/// How a cool-down went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cooldown {
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// Mean power in its last part, in watts, where a meter could be read.
    pub watts: Option<f64>,
    /// Whether power came back to idle, where that was asked for.
    pub reached_idle: Option<bool>,
}
