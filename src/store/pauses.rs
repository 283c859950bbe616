//! How the pauses between trials went: warm-up, cool-down, idling.

use serde::{Deserialize, Serialize};

/// How a warm-up went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WarmUpReport {
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// Whether it was cut short.
    pub stopped: bool,
    /// How many threads loaded the processors.
    pub threads: usize,
    /// Whether power and temperature, whichever could be measured, settled by its end; none where
    /// neither could, or for too short a time.
    pub settled: Option<bool>,
    /// How that was found, or why not, in words.
    pub why: String,
    /// Whether the power is an estimate, which cannot show settling.
    pub estimated: bool,
    /// Power in watts, where it could be read.
    pub watts: Option<Trend>,
    /// Temperature in °C, where it could be read.
    pub celsius: Option<Trend>,
}

/// How a cool-down went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cooldown {
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// Mean power in its last part (5 s, or a third of a shorter one), in watts, where a meter could
    /// be read.
    pub watts: Option<f64>,
    /// Whether power came back to idle, where that was asked for and could be told.
    pub reached_idle: Option<bool>,
    /// The power that counted as idle, in watts.
    pub idle_w: Option<f64>,
    /// Temperature at its end, in °C.
    pub celsius: Option<f64>,
    /// Whether it was cut short.
    pub stopped: bool,
}

/// Idle power.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Baseline {
    /// Mean power in watts, where a meter could be read.
    pub watts: Option<f64>,
    /// Standard deviation of the readings around it, in watts.
    pub sd_w: Option<f64>,
    /// How long it was measured, in seconds.
    pub seconds: f64,
    /// Readings.
    pub samples: usize,
    /// Temperature at its end, in °C.
    pub celsius: Option<f64>,
    /// Whether the power is an estimate.
    pub estimated: bool,
    /// Whether it was cut short.
    pub stopped: bool,
    /// Processors that other processes kept busy meanwhile, on average: beyond a trial's limit for that,
    /// the machine was not idle.
    pub other_cores: Option<f64>,
}

impl Baseline {
    /// Takes the mean from the meter's own account of the same time, which misses no interval:
    /// joules over seconds.
    pub(crate) fn measured(mut self, joules: f64, seconds: f64) -> Baseline {
        let watts = joules / seconds;
        if watts.is_finite() {
            self.watts = Some(watts);
        }
        self
    }

    /// How much more power the idle machine draws than it did at `before`, in watts.
    pub(crate) fn drift_w(&self, before: &Baseline) -> Option<f64> {
        Some(self.watts? - before.watts?)
    }
}

/// What a series of readings came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trend {
    /// The first reading.
    pub first: f64,
    /// Mean of the last 5 s, or of the last third of a shorter series.
    pub last: f64,
    /// Mean of all readings.
    pub mean: f64,
    /// Standard deviation (n − 1) of all readings.
    pub sd: Option<f64>,
    /// The highest reading.
    pub highest: f64,
    /// How much it changed over the window that is judged.
    pub drift: Option<f64>,
    /// That window's length in seconds.
    pub window_s: Option<f64>,
}
