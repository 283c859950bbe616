//! A part of a file that another version may have written otherwise.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A part of the file that nothing but its readers' curiosity depends on: where another version wrote it
/// otherwise, it is kept as it stands, and the experiment goes on all the same.
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
