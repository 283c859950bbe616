//! What is compared, by which names, and in which order.

use serde::{Deserialize, Serialize};

/// What is compared: a framework's script under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treatment {
    /// Names the folder, the files and the rows: `torch`, or `torch-control` for an A/A twin.
    pub name: String,
    /// The workload that runs: `<framework>_cnn.py`.
    pub framework: String,
}

/// How the order within blocks is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Each block in an order of its own, all orders equally likely.
    #[default]
    Random,
    /// Randomised Williams squares (E. J. Williams, Australian Journal of Scientific Research A 2,
    /// 1949, 149–168): over a whole square every treatment ran equally often at every position, and
    /// equally often just after every other treatment of its block.
    Balanced,
}

/// Whether `name` can name a treatment: folders and files are called by it, so it is a word of
/// ASCII letters, digits, `_`, `-`, `@` and `.` that does not begin with a dot, and not the name of
/// something else in an experiment's folder.
pub fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '.');
    (1..=100).contains(&name.len())
        && name.chars().all(letter)
        && !name.starts_with('.')
        && !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Names in an experiment's folder that are taken, and those that a treatment's own folder uses. Without
/// regard to case: some file systems have none.
const RESERVED: [&str; 12] = [
    "analysis",
    "pauses",
    "experiment.json",
    "journal.jsonl",
    "journal.jsonl.torn",
    "trials.csv",
    "failed",
    "interrupted",
    "damaged",
    "moved",
    "shards",
    "study.json",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_leave_the_folder_is_no_name() {
        for name in ["torch", "torch-control", "torch@current", "a.b"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", ".", "..", "../x", "a/b", "/etc", ".git", "a b", "a\0", "ä", "analysis", "Pauses",
            "failed",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
