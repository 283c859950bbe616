//! What a worker and its host say to each other: one JSON object per line over a local socket.
//!
//! Standard output stays free for whatever the script prints.

use crate::account::Account;
use crate::phase::PhaseMark;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use joulerace_protocol::{Arrays, Interpreter, Message, Request};

/// What a workload emits, as far as the host understands it; the rest is kept as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadMessage {
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

impl WorkloadMessage {
    /// Reads what came from `emit`.
    pub(crate) fn read(value: Value) -> WorkloadMessage {
        match Written::deserialize(&value) {
            Ok(Written::Phase(mark)) => WorkloadMessage::Phase(mark),
            Ok(Written::Epoch { epoch, epochs, loss }) => {
                WorkloadMessage::Epoch { epoch, epochs, loss: loss.unwrap_or(f64::NAN) }
            }
            Ok(Written::Result {}) => WorkloadMessage::Result(Account::new(value)),
            Err(_) => WorkloadMessage::Other(value),
        }
    }
}

/// A message as it is written; its tag is `event`.
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

/// The message of a mark.
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
        assert_eq!(WorkloadMessage::read(event), WorkloadMessage::Phase(mark));
    }

    #[test]
    fn a_loss_that_is_no_number_stays_none() {
        let event = json!({"event": "epoch", "epoch": 1, "epochs": 3, "loss": null});
        let WorkloadMessage::Epoch { loss, .. } = WorkloadMessage::read(event) else {
            panic!("not an epoch")
        };
        assert!(loss.is_nan());
    }

    #[test]
    fn a_malformed_mark_is_kept_and_not_believed() {
        let event =
            json!({"event": "phase", "phase": "lunch break", "edge": "begin", "unix_ns": 1});
        assert!(matches!(WorkloadMessage::read(event), WorkloadMessage::Other(_)));
    }
}
