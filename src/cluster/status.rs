//! How far a study has come: read from its folder and, where Slurm runs it, from the queue. Nothing is
//! written and nothing is taken.

use super::merge::unfit;
use super::slurm::{self, Queued, SlurmError};
use super::study::{self, SHARDS, Study, StudyError};
use crate::files::FolderLock;
use crate::plan::Outcome;
use crate::settings::{Settings, Shard};
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use crate::store::journal::{self, EntryKind};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// How far a shard has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: u32,
    /// Its first and its last block.
    pub blocks: [u32; 2],
    /// The machine that ran it last; none where it has not begun.
    pub machine: Option<String>,
    /// Trials that are planned.
    pub trials: u32,
    /// Trials that are done.
    pub done: u32,
    /// What it does now, in words.
    pub state: String,
    /// Whether nothing works or waits to work on it although trials are left.
    pub idle: bool,
}

/// How far a study has come.
#[derive(Debug)]
pub struct Status {
    /// Every shard.
    pub lines: Vec<Line>,
    /// The study, where it was planned with `submit`.
    pub study: Option<Study>,
    /// Why the queue could not be asked, where it should have been.
    pub unasked: Option<SlurmError>,
    /// What the queue says of the job that merges, while that is there.
    pub merging: Option<Queued>,
}

impl Status {
    /// Whether a job of the study is in the queue.
    pub fn queued(&self) -> bool {
        self.merging.is_some() || self.lines.iter().any(|line| line.in_queue())
    }

    /// Done and planned trials.
    pub fn done(&self) -> (u32, u32) {
        let sum = |of: fn(&Line) -> u32| self.lines.iter().map(of).sum();
        (sum(|line| line.done), sum(|line| line.trials))
    }
}

impl Line {
    fn in_queue(&self) -> bool {
        self.state.starts_with("runs") || self.state.starts_with("waits")
    }
}

/// Looks at a study.
///
/// # Errors
///
/// [`StudyError`]; none where the folder holds neither a study nor a shard.
pub fn status(root: &Path) -> Result<Option<Status>, StudyError> {
    let study = Study::read(root)?;
    let Some((settings, of)) = planned(root, study.as_ref()) else { return Ok(None) };
    let jobs = study.as_ref().and_then(|study| study.jobs);
    let mut unasked = None;
    let mut ask = |job: u64| {
        slurm::queue(job).unwrap_or_else(|error| {
            unasked = Some(error);
            BTreeMap::new()
        })
    };
    let queue = jobs.map(|jobs| ask(jobs.shards));
    let merging = jobs.and_then(|jobs| ask(jobs.merge?).into_values().next());
    let look = |number: u32| {
        let queued = queue.as_ref().map(|queue| queue.get(&number));
        line(root, &settings, Shard { number, of }, queued)
    };
    let lines = (1..=of).into_par_iter().map(look).collect();
    Ok(Some(Status { lines, study, unasked, merging }))
}

/// What the shards are parts of, by the study or by any of them.
fn planned(root: &Path, study: Option<&Study>) -> Option<(Settings, u32)> {
    if let Some(study) = study {
        return Some((study.settings.clone(), study.shards));
    }
    let entries = std::fs::read_dir(root.join(SHARDS)).ok()?.flatten();
    entries.map(|entry| Folder::at(entry.path())).find_map(|folder| {
        let settings = Experiment::read(&folder).ok()?.settings;
        let of = settings.shard?.of;
        Some((settings, of))
    })
}

/// `queued` is none where there is no queue to ask, and holds none where the task is not in it.
fn line(root: &Path, settings: &Settings, shard: Shard, queued: Option<Option<&Queued>>) -> Line {
    let settings = Settings { shard: Some(shard), ..settings.clone() };
    let blocks = settings.blocks();
    let folder = study::folder(root, shard.number);
    let so_far = journal::read(&folder.journal()).unwrap_or_default();
    let last: HashMap<&str, Outcome> = so_far.outcomes().into_iter().collect();
    let done = last.values().filter(|outcome| **outcome == Outcome::Done).count() as u32;
    let trials = settings.trials() as u32;
    let present = so_far.entries.iter().rev().find_map(|entry| match &entry.event {
        EntryKind::TrialStarted { trial, .. } => Some(trial.clone()),
        _ => None,
    });
    let stopped = so_far.entries.iter().rev().find_map(|entry| match &entry.event {
        EntryKind::Stopped { reason } => Some(reason.clone()),
        _ => None,
    });
    let running = || folder.open().ok().and_then(|dir| FolderLock::look(&dir)).is_some();
    let at = present.map_or(String::new(), |trial| format!(", at {trial}"));
    let machine = machine(&folder);
    let left_off = || match (&stopped, unfit(root, shard.number)) {
        (Some(reason), _) => format!("stopped: {reason}"),
        (None, Some(unfit)) if machine.is_none() => unfit,
        _ if machine.is_some() => "ended in a trial".to_owned(),
        _ => "not begun".to_owned(),
    };
    let (state, idle) = match queued {
        _ if done == trials => ("done".to_owned(), false),
        Some(Some(task)) if task.state == "PENDING" => (format!("waits ({})", task.reason), false),
        Some(Some(task)) => (format!("runs on {}{at}", task.node), false),
        _ if running() => (format!("runs{at}"), false),
        _ => (left_off(), true),
    };
    let blocks = [blocks.start, blocks.end.saturating_sub(1)];
    Line { number: shard.number, blocks, machine, trials, done, state, idle }
}

/// The machine that ran a shard last, out of its file without the plan's checks.
fn machine(folder: &Folder) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Machines {
        #[serde(default)]
        machines: Vec<Named>,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    let text = crate::files::read(&folder.experiment(), 1 << 30).ok()?;
    let found: Machines = serde_json::from_slice(&text).ok()?;
    found.machines.into_iter().next_back().map(|machine| crate::clean::line(&machine.name))
}
