//! Which machines ran what, where an experiment's blocks are dealt to several.

use super::part::Part;
use super::settling::Settling;
use crate::snapshot::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A machine that ran trials of an experiment, as it was while it ran them: another kernel, processor or
/// meter is another machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MachineSeen {
    /// How its trials name it, unique within the experiment.
    pub name: String,
    /// Distinguishes machines of the same name: the beginning of a hash of the system's own number.
    #[serde(default)]
    pub id: Option<String>,
    /// The shards of which it ran trials.
    #[serde(default)]
    pub shards: Vec<u32>,
    /// The blocks that it ran; filled in when shards are merged.
    #[serde(default)]
    pub blocks: Vec<u32>,
    /// Its done trials; filled in when shards are merged.
    #[serde(default)]
    pub trials: u32,
    /// Whether its joules are an estimate.
    pub estimated: bool,
    /// The meter and what it counts, as in the conditions.
    pub meter: String,
    /// Processor, threads, memory and kernel, as in the conditions.
    pub conditions: Vec<String>,
    /// Processors that a script may use there.
    pub threads: u32,
    /// All that is known of it, for the reader.
    #[serde(default)]
    pub machine: Part<Machine>,
    /// Warm-ups and idle power there. Of the machine that runs now, these stand in the experiment's own
    /// `settling` until the shards are merged.
    #[serde(default)]
    pub settling: Settling,
    /// What the doctor found there before the first trial: warnings and worse.
    #[serde(default)]
    pub findings: Vec<Remark>,
}

/// A finding of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// `warning` or `failure`.
    pub level: String,
    /// What was looked at.
    pub title: String,
    /// What was found.
    pub found: String,
}

/// A shard, as a study that was merged knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSeen {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// Its folder, from the study's: `shards/2`.
    pub folder: String,
    /// Its first and its last block.
    pub blocks: [u32; 2],
    /// Trials that are planned.
    pub trials: u32,
    /// Trials that are done.
    pub done: u32,
    /// Why trials are missing, where they are.
    pub missing: Option<String>,
    /// How the study calls machines that the shard's own files call otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renamed: BTreeMap<String, String>,
}

impl MachineSeen {
    /// Whether two entries are the same machine in the same state.
    pub(crate) fn is(&self, other: &MachineSeen) -> bool {
        let of = |m: &MachineSeen| {
            (base(&m.name).to_owned(), m.id.clone(), m.meter.clone(), m.conditions.clone())
        };
        of(self) == of(other)
    }

    /// A name that none of `taken` has: its own, or with a number behind it.
    pub(crate) fn free_name<'n>(&self, taken: impl Iterator<Item = &'n str> + Clone) -> String {
        let own = base(&self.name);
        let numbered = (2..).map(|n| format!("{own}#{n}"));
        let mut names = std::iter::once(own.to_owned()).chain(numbered);
        names.find(|name| !taken.clone().any(|t| t == name)).unwrap_or_default()
    }
}

/// A name without the number that tells it from others of the same name.
fn base(name: &str) -> &str {
    name.split_once('#').map_or(name, |(own, _)| own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(name: &str, kernel: &str) -> MachineSeen {
        serde_json::from_value(serde_json::json!({
            "name": name, "estimated": false, "meter": "rapl", "threads": 8,
            "conditions": ["processor: X", format!("kernel: {kernel}")],
        }))
        .unwrap()
    }

    #[test]
    fn a_machine_with_another_kernel_is_another_and_gets_a_name_of_its_own() {
        let (old, new) = (machine("n1", "6.1"), machine("n1", "6.2"));
        assert!(old.is(&machine("n1#2", "6.1")) && !old.is(&new));
        assert_eq!(new.free_name(["n1", "n1#2"].into_iter()), "n1#3");
        assert_eq!(new.free_name(["n2"].into_iter()), "n1");
    }
}
