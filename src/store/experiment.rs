//! `experiment.json`: everything that was known before the first trial, written before it.

use super::ExperimentError;
use super::conditions::Conditions;
use super::folder::Folder;
use super::machines::{MachineSeen, ShardSeen};
pub(crate) use super::part::Part;
use super::protocol::Protocol;
use super::record::replace_json;
use super::settling::Settling;
use crate::clean::in_strings;
use crate::dataset::Dataset;
use crate::env::Environment;
use crate::files;
use crate::meter::{Kind, MeterDescription};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::snapshot::{Git, Machine};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What `experiment.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// What must not change between trials.
    pub conditions: Conditions,
    /// The machine and its state at the start, for the reader.
    #[serde(default)]
    pub machine: Part<Machine>,
    /// Variables of the environment that change the work.
    #[serde(default)]
    pub variables: Part<BTreeMap<String, String>>,
    /// The source's revision, where it is under git.
    #[serde(default)]
    pub git: Part<Option<Git>>,
    /// The meter that was chosen, what it reads, and why others were not.
    #[serde(default)]
    pub meter: Part<MeterFound>,
    /// The Python environment.
    #[serde(default)]
    pub environment: Part<Environment>,
    /// Environments of treatments that do not run in that one, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, Part<Environment>>,
    /// What each treatment is: its variant, its versions and its lock.
    #[serde(default)]
    pub contestants: Vec<Contestant>,
    /// The data set and its files' checksums.
    #[serde(default)]
    pub dataset: Part<Dataset>,
    /// What is judged and how, fixed before the first trial.
    pub protocol: Protocol,
    /// The order.
    pub plan: Plan,
    /// The machines that ran it, where its blocks are dealt to several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<MachineSeen>,
    /// The shards that it was merged from, where it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardSeen>,
    /// Warm-ups, idle power and what measuring costs, as far as they are known.
    #[serde(default)]
    pub settling: Settling,
    /// What was found when whole blocks were looked at, where the protocol says so.
    #[serde(default)]
    pub looks: Vec<crate::store::look::Look>,
    /// Whether the work was identical; written when trials have finished.
    #[serde(default)]
    pub work: Option<crate::store::experiment::Verdict>,
}

/// What every layout of the file begins with.
#[derive(Debug, Deserialize)]
pub(crate) struct Head {
    /// The layout's version.
    pub schema: u64,
    /// joulerace's own.
    pub version: Option<String>,
}

/// What a treatment is, for the reader: everything here follows from the rest, from the scripts and from the
/// environments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contestant {
    /// The treatment's name.
    pub treatment: String,
    /// By the script's name.
    pub framework: String,
    /// As the script declares it; none for the script as it is.
    #[serde(default)]
    pub variant: Option<String>,
    /// What the script says of that variant.
    #[serde(default)]
    pub sentence: Option<String>,
    /// Its environment, or its version; none for the experiment's own environment.
    #[serde(default)]
    pub environment: Option<String>,
    /// Python's version.
    #[serde(default)]
    pub python: Option<String>,
    /// The framework's packages and their versions.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// The hash of its environment's lock.
    #[serde(default)]
    pub lock: Option<String>,
    /// Where in the experiment's folder the lock of a version is.
    #[serde(default)]
    pub lock_file: Option<String>,
    /// The hash of the lock of a program that its script starts.
    #[serde(default)]
    pub program_lock: Option<String>,
}

/// The meter that was chosen, what it reads, and why others were not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeterFound {
    /// What reads the energy.
    pub chosen: MeterDescription,
    /// Which were tried before it, and why they do not work there.
    pub rejected: Vec<(Kind, String)>,
}

/// Whether all trials did the same work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether nothing speaks against it.
    pub identical: bool,
    /// What speaks against it.
    pub reasons: Vec<String>,
}

/// The plan of 100,000 blocks takes a tenth of this; what is larger is not read into memory.
const LARGEST: u64 = 1 << 30;

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

/// A command line with every `~/` that begins a path as it is on this machine.
fn within(text: &str, home: Option<&str>) -> String {
    let Some(home) = home.map(|home| home.trim_end_matches('/')) else { return text.to_owned() };
    let mut written = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let begins = before.is_none_or(|b: char| b.is_whitespace() || "='\":(,".contains(b));
        let ends = rest.peek().is_none_or(|next| *next == '/' || next.is_whitespace());
        if c == '~' && begins && ends {
            written.push_str(home)
        } else {
            written.push(c)
        }
        before = Some(c);
    }
    written
}

impl Experiment {
    /// The version written by this program.
    pub(crate) const SCHEMA: u32 = 1;

    /// Reads the experiment in a folder.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Missing`] or [`ExperimentError::Unreadable`].
    pub(crate) fn read(folder: &Folder) -> Result<Experiment, ExperimentError> {
        let path = folder.experiment();
        match files::read(&path, LARGEST) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(ExperimentError::Missing(folder.root().to_owned()))
            }
            Err(e) => Err(ExperimentError::Unreadable { path, why: e.to_string() }),
            Ok(text) => {
                Experiment::parse(&text).map_err(|why| ExperimentError::Unreadable { path, why })
            }
        }
    }

    /// The file's head and all of it as JSON, where it is whole and of a layout that this program knows.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn look(text: &[u8]) -> Result<(Head, Value), String> {
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        let value: Value = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        match Head::deserialize(&value) {
            Ok(Head { schema, .. }) if schema > u64::from(Experiment::SCHEMA) => Err(format!(
                "a newer joulerace wrote it, in layout {schema}; this one knows up to {}",
                Experiment::SCHEMA
            )),
            Ok(head) => Ok((head, value)),
            Err(_) => Err("it does not say which layout it has".to_owned()),
        }
    }

    /// Reads an experiment that anyone may have written: its names stay within its folder, and its
    /// settings within the ranges of the command line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &[u8]) -> Result<Experiment, String> {
        let (_, mut value) = Experiment::look(text)?;
        // Paths in settings are used again; the rest is for the reader. Not by index: that panics
        // where a file holds something else than an object.
        if let Some(settings) = value.get_mut("settings") {
            let home = home();
            for (name, field) in settings.as_object_mut().into_iter().flatten() {
                // Labels name folders, and stay as they stand.
                let labels = ["treatments", "control", "compare_to"].contains(&name.as_str());
                if !labels {
                    *field = in_strings(field.take(), &|text| with_home(text, home.as_deref()));
                }
            }
            let commands = settings.get_mut("treatments").and_then(Value::as_array_mut);
            for command in commands.into_iter().flatten().filter_map(|t| t.get_mut("command")) {
                *command = in_strings(command.take(), &|text| within(&text, home.as_deref()));
            }
            if let Some(command) = settings.get_mut("control").and_then(|c| c.get_mut("command")) {
                *command = in_strings(command.take(), &|text| within(&text, home.as_deref()));
            }
        }
        let experiment: Experiment = serde_json::from_value(value).map_err(|e| e.to_string())?;
        experiment.plan.check()?;
        experiment.settings.check()?;
        experiment.protocol.check(&experiment.settings)?;
        // The order follows from the settings: one that was edited is no longer the one that was drawn.
        let same = experiment.plan.trials.len() == experiment.settings.trials()
            && experiment.plan == Plan::of(&experiment.settings);
        if !same {
            return Err("its plan is not the one that its settings and its seed give".to_owned());
        }
        Ok(experiment)
    }

    /// Writes it, as a whole or not at all. The home folder, which holds the user's name, is
    /// written `~`.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Write`].
    pub(crate) fn write(&self, folder: &Folder) -> Result<(), ExperimentError> {
        let path = folder.experiment();
        replace_json(&path, self).map_err(|source| ExperimentError::Write { path, source })
    }

    /// Checks that a new experiment may lie in `folder`.
    ///
    /// # Errors
    ///
    /// [`ExperimentError::Occupied`] or [`ExperimentError::NotEmpty`].
    pub(crate) fn may_begin_in(folder: &Folder) -> Result<(), ExperimentError> {
        let shown = folder.root().display().to_string();
        if folder.experiment().exists() {
            return Err(ExperimentError::Occupied(shown));
        }
        // A host that was killed as it began leaves its lock and a draft.
        let ours = |name: &std::ffi::OsStr| {
            name == ".lock" || name.as_encoded_bytes().starts_with(files::HALF_WRITTEN.as_bytes())
        };
        match folder.open().and_then(|folder| folder.names()) {
            Ok(names) if names.iter().any(|name| !ours(name)) => {
                Err(ExperimentError::NotEmpty(shown))
            }
            _ => Ok(()),
        }
    }
}
