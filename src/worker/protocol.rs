//! What a worker and its host say to each other: one JSON object per line over a local socket.
//!
//! Standard output stays free for whatever the script prints.

use crate::phase::PhaseMark;
use serde_json::Value;

pub use joulerace_protocol::{Arrays, Interpreter, Message, Request};

/// The events of a workload that the host understands; others are kept as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A phase begins or ends.
    Phase(PhaseMark),
    /// An epoch ended.
    Epoch {
        /// From 1.
        epoch: u32,
        /// How many there will be.
        epochs: u32,
        /// Mean training loss; NaN where the script's was.
        loss: f64,
    },
    /// The workload's account of itself.
    Result(Value),
    /// Anything else.
    Other(Value),
}

impl Event {
    /// Reads an event as it came from `emit`.
    pub fn read(value: Value) -> Event {
        match value.get("event").and_then(Value::as_str) {
            Some("phase") => match serde_json::from_value(value.clone()) {
                Ok(mark) => Event::Phase(mark),
                Err(_) => Event::Other(value),
            },
            Some("epoch") => Event::Epoch {
                epoch: value["epoch"].as_u64().unwrap_or(0) as u32,
                epochs: value["epochs"].as_u64().unwrap_or(0) as u32,
                loss: value["loss"].as_f64().unwrap_or(f64::NAN),
            },
            Some("result") => Event::Result(value),
            _ => Event::Other(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase::{Edge, Phase};
    use serde_json::json;

    #[test]
    fn a_phase_mark_is_read_with_its_clock() {
        let event = json!({"event": "phase", "phase": "train", "edge": "begin", "unix_ns": 17});
        let mark = PhaseMark { phase: Phase::Train, edge: Edge::Begin, unix_ns: 17 };
        assert_eq!(Event::read(event), Event::Phase(mark));
    }

    #[test]
    fn a_loss_that_is_no_number_stays_none() {
        let event = json!({"event": "epoch", "epoch": 1, "epochs": 3, "loss": null});
        let Event::Epoch { loss, .. } = Event::read(event) else { panic!("not an epoch") };
        assert!(loss.is_nan());
    }

    #[test]
    fn a_malformed_mark_is_kept_and_not_believed() {
        let event =
            json!({"event": "phase", "phase": "lunch break", "edge": "begin", "unix_ns": 1});
        assert!(matches!(Event::read(event), Event::Other(_)));
    }
}
