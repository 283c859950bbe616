//! The named parts of a trial, and the marks that a worker sends when it passes from one to the next.

use serde::{Deserialize, Serialize};

/// A named part of a trial, in the order in which a workload passes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Importing the framework.
    Import,
    /// Reading the data set and bringing it into the framework's layout.
    Data,
    /// Making the model and the optimiser; whatever traces or compiles.
    Build,
    /// Training steps, and nothing else.
    Train,
    /// One pass over the test set.
    Evaluate,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 5] =
        [Phase::Import, Phase::Data, Phase::Build, Phase::Train, Phase::Evaluate];

    /// The phases whose sum is the headline: what is reported unless something else is named.
    pub const WINDOW: [Phase; 3] = [Phase::Build, Phase::Train, Phase::Evaluate];

    /// The phase's name in files, tables and marks.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Import => "import",
            Phase::Data => "data",
            Phase::Build => "build",
            Phase::Train => "train",
            Phase::Evaluate => "evaluate",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which end of a phase a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// The phase starts here.
    Begin,
    /// The phase ends here.
    End,
}

/// One end of one phase, as the worker saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseMark {
    /// The phase that begins or ends.
    pub phase: Phase,
    /// Which of the two.
    pub edge: Edge,
    /// Wall clock in nanoseconds since the Unix epoch: the clock of the samples' `Time` column.
    pub unix_ns: i64,
}
