//! A part of a file that another version may have written differently.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A part of the file that only informs its readers. Where another version wrote it differently, it is kept as it
/// is, and the experiment can still go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part<T> {
    /// As this version writes it.
    Known(T),
    /// As it stands.
    Other(Value),
}

impl<T> Default for Part<T> {
    fn default() -> Part<T> {
        Part::Other(Value::Null)
    }
}
