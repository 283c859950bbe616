//! A command that is compared instead of a script.

use serde::{Deserialize, Serialize};

/// A command that is compared instead of a script, with what stands around it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// As it was typed, with the levels of its factors filled in.
    pub line: String,
    /// What is run once before its first trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// What is run before each run of it, unmeasured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepare: Option<String>,
    /// What is run once after its last trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<String>,
    /// What is run after each trial to see that its work was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

impl CommandLine {
    /// All that is run of it, itself first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        let around = [&self.setup, &self.prepare, &self.check, &self.cleanup];
        std::iter::once(&self.line).chain(around.into_iter().flatten())
    }
}
