//! What has to stay equal from the first trial of an experiment to its last.
//!
//! These are the conditions of this code and of `experiment.json`. `summary.json` has a part of that name too,
//! and keeps it: what the machine did around the trials, from what this code calls settling and interference.

use crate::clean;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What has to be equal from the first trial to the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// joulerace's version.
    pub joulerace: String,
    /// Python's version.
    pub python: String,
    /// Hash of the locked packages.
    pub lock: String,
    /// Installed packages that the lock does not ask for in that version.
    pub unlocked: Vec<String>,
    /// The environments of treatments that do not run in the experiment's own, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, Locked>,
    /// The data set's files by their checksums.
    pub data: Vec<String>,
    /// The training scripts by their checksums.
    pub scripts: Vec<String>,
    /// Where commands run, and the programs and files that they name by their checksums.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// The meter and what it counts.
    pub meter: String,
    /// Processor, its number of threads, memory and kernel.
    pub machine: Vec<String>,
    /// Variables of the environment that change the work, such as `OMP_NUM_THREADS` or `LD_PRELOAD`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// One environment, as it may not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// Python's version.
    pub python: String,
    /// Hash of the locked packages.
    pub lock: String,
}

impl Conditions {
    /// What differs, each in a line of its own.
    pub fn differences(&self, now: &Conditions) -> Vec<String> {
        self.differences_but(now, &[])
    }

    /// What differs in the work. Where blocks are dealt to several machines, another machine or meter is no
    /// difference.
    pub(crate) fn differences_of_work(&self, now: &Conditions) -> Vec<String> {
        self.differences_but(now, &["machine", "meter"])
    }

    fn differences_but(&self, now: &Conditions, but: &[&str]) -> Vec<String> {
        let apart = ["variables", "commands", "environments"];
        let but: Vec<&str> = but.iter().copied().chain(apart).collect();
        let mut differences = fields_changed(self, now, &but);
        // Many lines, of which few differ.
        let private = |lines: &[String]| -> Vec<String> {
            lines.iter().map(|line| clean::private(line)).collect()
        };
        let (were, are) = (private(&self.commands), private(&now.commands));
        differences.extend(were.iter().filter(|l| !are.contains(l)).map(|l| format!("was: {l}")));
        differences.extend(are.iter().filter(|l| !were.contains(l)).map(|l| format!("is: {l}")));
        let word = |locked: Option<&Locked>| match locked {
            Some(Locked { python, lock }) => format!("Python {python}, lock {lock}"),
            None => "none".to_owned(),
        };
        for name in self.environments.keys().chain(now.environments.keys()).collect::<BTreeSet<_>>()
        {
            let (then, now) = (self.environments.get(name), now.environments.get(name));
            if then != now {
                differences.push(format!(
                    "environment {name}: was {}, is {}",
                    word(then),
                    word(now)
                ));
            }
        }
        let names: BTreeSet<&String> = self.variables.keys().chain(now.variables.keys()).collect();
        let word = |value: Option<&String>| value.map_or("unset".to_owned(), |v| format!("{v:?}"));
        for name in names {
            let (then, now) = (self.variables.get(name), now.variables.get(name));
            if then != now {
                differences.push(format!("{name}: was {}, is {}", word(then), word(now)));
            }
        }
        differences
    }
}

/// The fields of two values that differ, each in a line of its own: as they are written, so that a home
/// folder is no difference. `but` names those that are left out.
pub(crate) fn fields_changed<T: Serialize>(then: &T, now: &T, but: &[&str]) -> Vec<String> {
    let value = |s: &T| clean::private_json(serde_json::to_value(s).unwrap_or_default());
    let (then, now) = (value(then), value(now));
    let fields = then.as_object().into_iter().flatten();
    fields
        .filter(|(name, old)| !but.contains(&name.as_str()) && now.get(*name) != Some(old))
        .map(|(name, old)| {
            let (was, is) = apart(old, &now[name]);
            format!("{name}: was {was}, is {is}")
        })
        .collect()
}

/// Of two lists, what only one of them has: of many files, few differ. Other values stay whole.
fn apart(then: &Value, now: &Value) -> (Value, Value) {
    let (Some(were), Some(are)) = (then.as_array(), now.as_array()) else {
        return (then.clone(), now.clone());
    };
    let less = |of: &[Value], other: &[Value]| -> Vec<Value> {
        of.iter().filter(|item| !other.contains(item)).cloned().collect()
    };
    match (less(were, are), less(are, were)) {
        (was, is) if was.is_empty() && is.is_empty() => (then.clone(), now.clone()),
        (was, is) => (was.into(), is.into()),
    }
}
