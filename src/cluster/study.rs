//! `study.json`: what all shards of a study have in common, written once before any of them begins.

use crate::files;
use crate::settings::{Settings, Shard};
use crate::store::conditions::Conditions;
use crate::store::folder::Folder;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Where environment and data are prepared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Prepare {
    /// Once, before the jobs are submitted, in a cache that all machines see.
    #[default]
    Shared,
    /// By each task on its own machine's disk.
    Node,
}

/// Slurm's numbers of a study's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    /// The array whose tasks are the shards.
    pub shards: u64,
    /// The one that merges them; none where Slurm would not take it.
    pub merge: Option<u64>,
}

/// What all shards of a study have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Study {
    /// Version of this layout.
    pub schema: u32,
    /// joulerace's own.
    pub version: String,
    /// When it was planned, in UTC.
    pub created: jiff::Timestamp,
    /// The command line.
    pub command: Vec<String>,
    /// How many shards its blocks are dealt to.
    pub shards: u32,
    /// What was asked for.
    pub settings: Settings,
    /// What every shard's work has to have, where it was prepared before.
    pub conditions: Option<Conditions>,
    /// Where environment and data are prepared.
    pub prepare: Prepare,
    /// Slurm's numbers of its jobs, once they are submitted.
    pub jobs: Option<Jobs>,
}

/// A study that cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum StudyError {
    /// It cannot be read or is not ours.
    #[error("{path} cannot be read ({why})", path = path.display())]
    #[diagnostic(help("bring it back from a copy"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {source}", path = path.display())]
    #[diagnostic(help("free space or name another folder with --output"))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

/// Larger than any study's file.
const LARGEST: u64 = 16 << 20;

impl Study {
    /// The version written by this program.
    pub const SCHEMA: u32 = 1;

    /// Its file's name, in the study's folder.
    pub const FILE: &str = "study.json";

    /// Reads a study; `None` where the folder has no `study.json`, as when shards were started by hand.
    ///
    /// # Errors
    ///
    /// [`StudyError::Unreadable`].
    pub fn read(root: &Path) -> Result<Option<Study>, StudyError> {
        let path = root.join(Study::FILE);
        let unreadable = |why: String| StudyError::Unreadable { path: path.clone(), why };
        let text = match files::read(&path, LARGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let study: Study =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if study.schema > Study::SCHEMA {
            return Err(unreadable(format!(
                "a newer joulerace wrote it, in layout {}",
                study.schema
            )));
        }
        study.settings.check().map_err(unreadable)?;
        Ok(Some(study))
    }

    /// Writes it, as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StudyError::Write`].
    pub fn write(&self, root: &Path) -> Result<(), StudyError> {
        let path = root.join(Study::FILE);
        files::replace_json(&path, self).map_err(|source| StudyError::Write { path, source })
    }
}

/// Where a shard's own experiment lies in its study's folder.
pub fn folder(root: &Path, number: u32) -> Folder {
    Folder::at(root.join(SHARDS).join(number.to_string()))
}

/// The folder of all shards.
pub const SHARDS: &str = "shards";

/// The settings of one of a study's shards.
pub fn of_shard(settings: &Settings, number: u32, of: u32) -> Settings {
    Settings { shard: Some(Shard { number, of }), ..settings.clone() }
}

/// Settings that shards of one study may differ in: where things lie on a machine, how many processors it
/// has, how failures are met.
pub fn alike(settings: &Settings) -> Settings {
    let mut alike = Settings {
        shard: None,
        data_dir: None,
        python_env: None,
        energibridge: None,
        powercap: PathBuf::new(),
        workloads: None,
        ..settings.clone()
    };
    for folder in alike.environments.values_mut() {
        *folder = PathBuf::new();
    }
    if let Some(commands) = &mut alike.commands {
        // Found out on each machine, in the folder where it was begun there.
        (commands.repetitions, commands.trial_s) = (None, None);
        commands.folder = PathBuf::new();
    }
    alike.job.threads = 1;
    alike.failures.retries = 0;
    alike.failures.max_failures = 1;
    alike.failures.trial_timeout = None;
    alike
}
