//! What has to stay equal from the first trial of an experiment to its last.

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
    /// The data set's files by their checksums.
    pub data: Vec<String>,
    /// The training scripts by their checksums.
    pub scripts: Vec<String>,
    /// The meter and what it counts.
    pub meter: String,
    /// Processor, its number of threads, memory and kernel.
    pub machine: Vec<String>,
    /// Variables of the environment that change the work, such as `OMP_NUM_THREADS` or `LD_PRELOAD`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

impl Conditions {
    /// What differs, each in a line of its own.
    pub fn differences(&self, now: &Conditions) -> Vec<String> {
        let (Ok(Value::Object(then)), Ok(Value::Object(mut fields))) =
            (serde_json::to_value(self), serde_json::to_value(now))
        else {
            return Vec::new();
        };
        // As they are written, so that a home folder is no difference.
        fields = match clean::private_json(Value::Object(fields)) {
            Value::Object(fields) => fields,
            _ => return Vec::new(),
        };
        let then = match clean::private_json(Value::Object(then)) {
            Value::Object(then) => then,
            _ => return Vec::new(),
        };
        let mut differences: Vec<String> = then
            .iter()
            .filter(|(name, value)| *name != "variables" && fields.get(*name) != Some(value))
            .map(|(name, value)| format!("{name}: was {value}, is {}", fields[name]))
            .collect();
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
