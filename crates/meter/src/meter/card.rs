//! What a graphics card is and how it is set, as an experiment keeps it.

use serde::{Deserialize, Serialize};

/// A graphics card as its driver describes it. What the driver does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The driver's number.
    pub gpu: u32,
    /// What it is called.
    pub name: String,
    /// By which it is known on any machine.
    pub uuid: Option<String>,
    /// The driver's version.
    pub driver: Option<String>,
    /// The power beyond which it slows down, W.
    pub power_limit_w: Option<f64>,
    /// The limit that it comes with, W.
    pub power_limit_default_w: Option<f64>,
    /// Whether the driver stays awake while nobody uses it.
    pub persistence: Option<bool>,
    /// Present clock of its processors, MHz.
    pub clock_mhz: Option<u32>,
    /// The highest clock of its processors, MHz.
    pub clock_most_mhz: Option<u32>,
    /// Present clock of its memory, MHz.
    pub memory_clock_mhz: Option<u32>,
    /// Whether it is split into several (MIG). Its counter covers all of them.
    pub mig: Option<bool>,
    /// How many processes compute on it.
    pub processes: Option<u32>,
}
