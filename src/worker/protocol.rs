//! What a worker and its host say to each other: one JSON object per line over a local socket.
//!
//! Standard output stays free for whatever the script prints.

use crate::account::Account;
use crate::phase::PhaseMark;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use joulerace_protocol::{Arrays, Interpreter, Message, Request};

/// The events of a workload that the host understands; others are kept as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadEvent {
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
    Result(Account),
    /// Anything else.
    Other(Value),
}

impl WorkloadEvent {
    /// Reads an event as it came from `emit`.
    pub(crate) fn read(value: Value) -> WorkloadEvent {
        match Written::deserialize(&value) {
            Ok(Written::Phase(mark)) => WorkloadEvent::Phase(mark),
            Ok(Written::Epoch { epoch, epochs, loss }) => {
                WorkloadEvent::Epoch { epoch, epochs, loss: loss.unwrap_or(f64::NAN) }
            }
            Ok(Written::Result {}) => WorkloadEvent::Result(Account::new(value)),
            Err(_) => WorkloadEvent::Other(value),
        }
    }
}

/// An event as it is written.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Written {
    Phase(PhaseMark),
    Epoch {
        #[serde(default)]
        epoch: u32,
        #[serde(default)]
        epochs: u32,
        loss: Option<f64>,
    },
    /// What is in it is read by those who judge it.
    Result {},
}

/// The event of a mark.
pub(super) fn marked(mark: PhaseMark) -> Value {
    serde_json::to_value(Written::Phase(mark)).unwrap_or_default()
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
        assert_eq!(WorkloadEvent::read(event), WorkloadEvent::Phase(mark));
    }

    #[test]
    fn a_loss_that_is_no_number_stays_none() {
        let event = json!({"event": "epoch", "epoch": 1, "epochs": 3, "loss": null});
        let WorkloadEvent::Epoch { loss, .. } = WorkloadEvent::read(event) else {
            panic!("not an epoch")
        };
        assert!(loss.is_nan());
    }

    #[test]
    fn a_malformed_mark_is_kept_and_not_believed() {
        let event =
            json!({"event": "phase", "phase": "lunch break", "edge": "begin", "unix_ns": 1});
        assert!(matches!(WorkloadEvent::read(event), WorkloadEvent::Other(_)));
    }
}
