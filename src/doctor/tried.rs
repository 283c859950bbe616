//! The meters that are tried, and what each showed.

use crate::meter::{Choice, Gpus, Kind, Meter, MeterError, MeterSettings, select};
use std::time::Duration;

/// A meter that was tried.
pub(super) struct Tried {
    pub kind: Kind,
    pub outcome: Result<Meter, MeterError>,
    pub movement: Movement,
}

/// Tries every meter, whichever was asked for.
pub(super) fn try_all(settings: &MeterSettings) -> Vec<Tried> {
    let try_one = |kind: Kind| {
        // A second of watching needs more than one sample.
        let interval = settings.interval.min(Duration::from_millis(200));
        let gpus = if kind.reads_cards() { settings.gpus.clone() } else { Gpus::All };
        let choice = Choice::only(kind);
        let settings = MeterSettings { choice, gpus, interval, ..settings.clone() };
        let outcome = select(&settings).map(|selected| selected.meter);
        Tried { kind, outcome, movement: Movement::default() }
    };
    let looked_for = |kind: &Kind| !kind.reads_cards() || settings.gpus != Gpus::None;
    Kind::ALL.into_iter().filter(looked_for).map(try_one).collect()
}

/// What a meter showed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Movement {
    /// Mean power at rest, in watts.
    pub rest_w: Option<f64>,
    /// Mean power with all processors loaded, in watts.
    pub load_w: Option<f64>,
    /// What went wrong meanwhile.
    pub fault: Option<String>,
}
