//! The named parts of a trial, and the marks that a worker or a command sends when it passes from one to
//! the next.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

/// A named part of a trial: first those of a workload, in the order in which it passes through them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, SerializeDisplay, DeserializeFromStr,
)]
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
    /// A command's process, from just before its start to just after its end. Marked by the program that runs it,
    /// never by the command.
    Run,
    /// A part that a command has a name of its own for.
    Named(PhaseName),
}

impl Phase {
    /// A workload's phases, in order.
    pub const ALL: [Phase; 5] =
        [Phase::Import, Phase::Data, Phase::Build, Phase::Train, Phase::Evaluate];

    /// The phases of a workload whose sum is the headline: what is reported unless something else is named.
    pub const WINDOW: [Phase; 3] = [Phase::Build, Phase::Train, Phase::Evaluate];

    /// The phase's name in files, tables and marks.
    pub fn name(&self) -> &str {
        match self {
            Phase::Import => "import",
            Phase::Data => "data",
            Phase::Build => "build",
            Phase::Train => "train",
            Phase::Evaluate => "evaluate",
            Phase::Run => "run",
            Phase::Named(name) => name.as_str(),
        }
    }

    /// The phases that are reported of a trial with these marks. Of a workload these are
    /// [`Phase::WINDOW`], or those that it has names of its own for. Of a command they are those that it marked, without `import` and `data`, which
    /// prepare as a workload's do; and its whole process where it marked no others.
    pub fn window(marks: &[PhaseMark]) -> Vec<Phase> {
        if marks.iter().all(|mark| mark.phase != Phase::Run) {
            let mut own: Vec<Phase> = Vec::new();
            for phase in marks.iter().map(|mark| mark.phase) {
                if matches!(phase, Phase::Named(_)) && !own.contains(&phase) {
                    own.push(phase);
                }
            }
            return if own.is_empty() { Phase::WINDOW.to_vec() } else { own };
        }
        let beside = [Phase::Run, Phase::Import, Phase::Data];
        let mut marked: Vec<Phase> = Vec::new();
        for phase in marks.iter().map(|mark| mark.phase) {
            if !beside.contains(&phase) && !marked.contains(&phase) {
                marked.push(phase);
            }
        }
        if marked.is_empty() { vec![Phase::Run] } else { marked }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = NoPhase;

    fn from_str(text: &str) -> Result<Phase, NoPhase> {
        let known = Phase::ALL.into_iter().chain([Phase::Run]).find(|phase| phase.name() == text);
        known.map_or_else(|| PhaseName::new(text).map(Phase::Named), Ok)
    }
}

/// The name of a phase: up to [`PhaseName::LONGEST`] ASCII letters, digits, `_`, `-` and `.`, as it names
/// columns and keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhaseName {
    /// Filled up with zeros.
    bytes: [u8; PhaseName::LONGEST],
}

impl PhaseName {
    /// In bytes.
    pub(crate) const LONGEST: usize = 32;

    fn new(text: &str) -> Result<PhaseName, NoPhase> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !(1..=PhaseName::LONGEST).contains(&text.len()) || !text.chars().all(plain) {
            return Err(NoPhase(text.chars().take(PhaseName::LONGEST + 1).collect()));
        }
        let mut bytes = [0; PhaseName::LONGEST];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(PhaseName { bytes })
    }

    fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(PhaseName::LONGEST);
        // All ASCII: see `new`.
        std::str::from_utf8(&self.bytes[..end]).unwrap_or_default()
    }
}

impl fmt::Debug for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// What cannot name a phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot name a phase; use up to {longest} letters, digits, '_', '-' and '.'",
    longest = PhaseName::LONGEST
)]
pub struct NoPhase(String);

/// Which end of a phase a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// The phase starts here.
    Begin,
    /// The phase ends here.
    End,
}

impl Edge {
    /// The word in files and marks.
    pub fn word(self) -> &'static str {
        match self {
            Edge::Begin => "begin",
            Edge::End => "end",
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(names: &[&str]) -> Vec<PhaseMark> {
        let mark =
            |edge| move |name: &&str| PhaseMark { phase: name.parse().unwrap(), edge, unix_ns: 0 };
        names.iter().map(mark(Edge::Begin)).chain(names.iter().map(mark(Edge::End))).collect()
    }

    #[test]
    fn a_command_declares_its_window_by_what_it_marks() {
        let told = |names: &[&str]| -> Vec<String> {
            Phase::window(&marks(names)).iter().map(Phase::to_string).collect()
        };
        assert_eq!(
            told(&["import", "data", "build", "train", "evaluate"]),
            ["build", "train", "evaluate"]
        );
        assert_eq!(told(&["import", "data", "build", "predict"]), ["predict"]);
        assert_eq!(told(&["run"]), ["run"]);
        assert_eq!(told(&["run", "data"]), ["run"]);
        assert_eq!(told(&["run", "data", "sort", "train"]), ["sort", "train"]);
    }

    #[test]
    fn a_name_is_read_as_it_is_written_and_what_could_name_no_column_is_refused() {
        for name in ["train", "run", "warm-up.2", &"x".repeat(32)] {
            let phase: Phase = name.parse().unwrap();
            let text = serde_json::to_string(&phase).unwrap();
            assert_eq!(text, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Phase>(&text).unwrap(), phase);
        }
        for name in ["", "two words", "ä", "a\n", &"x".repeat(33)] {
            assert!(name.parse::<Phase>().is_err(), "{name:?}");
        }
    }
}
