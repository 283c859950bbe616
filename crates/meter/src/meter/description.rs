//! What a meter is, for the record of an experiment.

use serde::{Deserialize, Serialize};

use super::card::Card;
use super::settings::{Kind, Sensors};
use crate::samples::Domain;

/// One counter that a meter reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    /// What it covers.
    pub domain: Domain,
    /// Whether its joules are part of the total.
    pub counted: bool,
    /// Its name, as the kernel gives it, such as `package-1`.
    pub name: String,
    /// Where it is read.
    pub path: String,
    /// Joules after which it starts again at 0; `None` where it does not.
    pub range_j: Option<f64>,
    /// Which sensor reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<Kind>,
    /// Its column in the file of samples, where it has one; several sockets share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How often it moves, in milliseconds, where that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_ms: Option<f64>,
}

/// What a meter is, for the record of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeterDescription {
    /// Its sensors.
    pub kind: Sensors,
    /// Whether joules of its total are worked out instead of measured.
    pub estimated: bool,
    /// Versions of the programs that measure.
    pub version: String,
    /// What it reads.
    pub counters: Vec<Counter>,
    /// What its total adds up.
    #[serde(default)]
    pub total: Vec<Domain>,
    /// The way in to RAPL's counters, where they are read: powercap or perf events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// Counters that are shown and never move: registers that this machine lacks. They are not read, or
    /// not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// The graphics cards that it reads, and how they are set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<Card>,
    /// What a reader of the results should know.
    pub notes: Vec<String>,
}
