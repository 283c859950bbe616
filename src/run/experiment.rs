//! `experiment.json`: everything that was known before the first trial, written before it.

use super::folder::Folder;
use super::protocol::Protocol;
use super::record::replace_json;
use super::settling::Settling;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::snapshot::without_home;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// What `experiment.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Version of this layout.
    pub schema: u32,
    /// joulerace's own.
    pub version: String,
    /// When it was planned, in UTC.
    pub created: jiff::Timestamp,
    /// The command line.
    pub command: Vec<String>,
    /// What was asked for.
    pub settings: Settings,
    /// What may not change in the middle: see [`Conditions`].
    pub conditions: Conditions,
    /// The machine and its state at the start, for the reader.
    #[serde(default)]
    pub machine: Value,
    /// Variables of the environment that change the work.
    #[serde(default)]
    pub variables: Value,
    /// The source's revision, where it is under git.
    #[serde(default)]
    pub git: Value,
    /// The meter that was chosen, what it reads, and why others were not.
    #[serde(default)]
    pub meter: Value,
    /// The Python environment.
    #[serde(default)]
    pub environment: Value,
    /// The data set and its files' checksums.
    #[serde(default)]
    pub dataset: Value,
    /// What is judged and how, fixed before the first trial.
    pub protocol: Protocol,
    /// The order.
    pub plan: Plan,
    /// Warm-ups, idle power and what measuring costs, as far as they are known.
    #[serde(default)]
    pub settling: Settling,
    /// What was found when whole blocks were looked at, where the protocol says so.
    #[serde(default)]
    pub looks: Vec<super::look::Look>,
    /// Whether the work was identical; written when trials have finished.
    #[serde(default)]
    pub work: Option<super::gate::Verdict>,
}

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
}

impl Conditions {
    /// What differs, each in a line of its own.
    pub fn differences(&self, now: &Conditions) -> Vec<String> {
        let (Ok(Value::Object(then)), Ok(Value::Object(now))) =
            (serde_json::to_value(self), serde_json::to_value(now))
        else {
            return Vec::new();
        };
        then.iter()
            .filter(|(name, value)| now.get(*name) != Some(value))
            .map(|(name, value)| format!("{name}: was {value}, is {}", now[name]))
            .collect()
    }
}

/// The plan of 100,000 blocks takes a tenth of this; what is larger is not read into memory.
const LARGEST: u64 = 1 << 30;

/// An experiment's file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// There is none.
    #[error("{0} holds no experiment: there is no experiment.json in it")]
    Missing(PathBuf),
    /// It cannot be read or is not ours.
    #[error("{path} cannot be read ({why}); it was not written by this version of joulerace or has been damaged",
        path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// `--output` names a folder that is in use.
    #[error(
        "--output: {0} already holds an experiment; name another folder, or go on with it: joulerace resume {0}"
    )]
    Occupied(String),
    /// `--output` names a folder with other things in it.
    #[error("--output: {0} is not empty; name a new folder, so that nothing is mixed up")]
    NotEmpty(String),
    /// What must be equal is not.
    #[error("the experiment in {folder} was begun under other conditions:\n  {}\nmend that, or go on and have it recorded with --accept-changes", differences.join("\n  "))]
    Changed {
        /// The folder.
        folder: String,
        /// Line by line.
        differences: Vec<String>,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {source}; free space or name another folder with --output",
        path = path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
}

fn home() -> Option<String> {
    std::env::var("HOME").ok()
}

/// A path below `~` as it is on this machine.
fn with_home(text: String, home: Option<&str>) -> String {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => format!("{}/{rest}", home.trim_end_matches('/')),
        _ => text,
    }
}

/// Applies `change` to every string in a JSON value.
fn in_strings(value: Value, change: &dyn Fn(String) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.into_iter().map(|item| in_strings(item, change)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, field)| (name, in_strings(field, change))).collect()
        }
        other => other,
    }
}

impl Experiment {
    /// The version written by this program.
    pub const SCHEMA: u32 = 1;

    /// Reads the experiment in a folder.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Missing`] or [`ExperimentError::Unreadable`].
    pub fn read(folder: &Folder) -> Result<Experiment, ExperimentError> {
        let path = folder.experiment();
        let text = File::open(&path).and_then(|file| {
            let mut text = Vec::new();
            file.take(LARGEST).read_to_end(&mut text)?;
            Ok(text)
        });
        match text {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(ExperimentError::Missing(folder.root().to_owned()))
            }
            Err(e) => Err(ExperimentError::Unreadable { path, why: e.to_string() }),
            Ok(text) => {
                Experiment::parse(&text).map_err(|why| ExperimentError::Unreadable { path, why })
            }
        }
    }

    /// Reads an experiment that anyone may have written: its names stay within its folder, and its
    /// settings within the ranges of the command line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &[u8]) -> Result<Experiment, String> {
        let mut value: Value = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        // Paths in settings are used again; the rest is for the reader. Not by index: that panics
        // where a file holds something else than an object.
        if let Some(settings) = value.get_mut("settings") {
            let home = home();
            *settings = in_strings(settings.take(), &|text| with_home(text, home.as_deref()));
        }
        let experiment: Experiment = serde_json::from_value(value).map_err(|e| e.to_string())?;
        experiment.plan.check()?;
        experiment.settings.check()?;
        Ok(experiment)
    }

    /// Writes it, as a whole or not at all. The home folder, which holds the user's name, is
    /// written `~`.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Write`].
    pub fn write(&self, folder: &Folder) -> Result<(), ExperimentError> {
        let path = folder.experiment();
        let home = home();
        let written = serde_json::to_value(self)
            .map(|value| in_strings(value, &|text| without_home(&text, home.as_deref())))
            .map_err(std::io::Error::from);
        written
            .and_then(|value| replace_json(&path, &value))
            .map_err(|source| ExperimentError::Write { path, source })
    }

    /// Checks that a new experiment may lie in `folder`.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Occupied`] or [`ExperimentError::NotEmpty`].
    pub fn may_begin_in(folder: &Folder) -> Result<(), ExperimentError> {
        let shown = folder.root().display().to_string();
        if folder.experiment().exists() {
            return Err(ExperimentError::Occupied(shown));
        }
        match std::fs::read_dir(folder.root()).map(|mut entries| entries.next().is_some()) {
            Ok(true) => Err(ExperimentError::NotEmpty(shown)),
            _ => Ok(()),
        }
    }
}
