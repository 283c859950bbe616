//! The shards of a study: where they are, and each read and held against itself.

use crate::cluster::error::MergeError;
use crate::cluster::study::{self, SHARDS, Study};
use crate::files::{self, FolderLock};
use crate::plan::Outcome;
use crate::settings::Shard;
use crate::store::audit::{Damage, audit};
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use crate::store::journal;
use crate::store::record::TrialRecord;
use std::collections::HashMap;
use std::path::Path;

/// A shard that was read and agrees with itself.
pub(super) struct Part {
    pub(super) shard: Shard,
    pub(super) experiment: Experiment,
    /// Of its done trials.
    pub(super) records: Vec<TrialRecord>,
    pub(super) missing: Option<String>,
}

/// A shard's folder: read, or why it cannot be read now.
pub(super) enum Found {
    Read(Box<Part>),
    Running(u32, String),
    Damaged(u32, Vec<Damage>),
}

/// Why there are none: they were not copied here, or none of those that were submitted has begun.
fn none(root: &Path) -> MergeError {
    let folder = root.display().to_string();
    let Ok(Some(study)) = Study::read(root) else { return MergeError::None(folder) };
    let why = |number| {
        let why = unfit(root, number).unwrap_or_else(|| "nothing of it is there".to_owned());
        format!("shard {number}: {why}")
    };
    MergeError::NotBegun { folder, why: (1..=study.shards).map(why).collect() }
}

/// The shards' folders by their numbers.
pub(super) fn folders(root: &Path) -> Result<Vec<(u32, Folder)>, MergeError> {
    let none = || none(root);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(SHARDS)).map_err(|_| none())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let number = name.parse::<u32>().ok().filter(|n| *n > 0 && n.to_string() == name);
        let Some(number) = number.filter(|_| entry.path().is_dir()) else {
            let why = "the folders of shards are called by their numbers, and what else lies among \
                       them would be in the study or not by accident; move it elsewhere";
            return Err(MergeError::NoShard { path: entry.path(), why: why.to_owned() });
        };
        // A task that found its machine unfit has left an empty folder at most.
        let folder = study::folder(root, number);
        if folder.experiment().exists() {
            found.push((number, folder));
        }
    }
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// Reads a shard, and holds its journal, records and samples against each other.
pub(super) fn read(number: u32, folder: &Folder) -> Result<Found, MergeError> {
    let no_shard = |why: String| MergeError::NoShard { path: folder.root().to_owned(), why };
    files::only_plain(folder.root()).map_err(|error| no_shard(error.to_string()))?;
    if let Some(why) = runs(folder) {
        return Ok(Found::Running(number, why));
    }
    let mut experiment = Experiment::read(folder)?;
    let Some(shard) = experiment.settings.shard else {
        return Err(no_shard("it holds a whole experiment, not a shard of one".to_owned()));
    };
    if shard.number != number {
        let beside = folder.root().with_file_name(shard.number.to_string());
        return Err(no_shard(match beside.exists() {
            true => format!(
                "it holds shard {shard}, and so does {}; keep the one that is to count and move the \
                 other elsewhere",
                beside.display()
            ),
            false => format!("it holds shard {shard}; call it by that number"),
        }));
    }
    let so_far = journal::read(&folder.journal())?;
    let damaged = audit(&experiment.plan, &so_far, folder);
    if !damaged.is_empty() {
        return Ok(Found::Damaged(number, damaged));
    }
    let done: HashMap<&str, Outcome> = so_far.outcomes().into_iter().collect();
    let is_done = |name: &str| done.get(name) == Some(&Outcome::Done);
    let done = experiment.plan.trials.iter().filter(|trial| is_done(&trial.name));
    let records: Vec<TrialRecord> = done.filter_map(|trial| folder.record(trial)).collect();
    let open = experiment.plan.trials.len() - records.len();
    let missing = (open > 0).then(|| {
        let (all, shown) = (experiment.plan.trials.len(), folder.shown());
        format!("{open} of its {all} trials are not run; go on with: joulerace resume {shown}")
    });
    // The machine that ran last has its pauses in the experiment itself.
    if let Some(last) = experiment.machines.last_mut() {
        last.settling = std::mem::take(&mut experiment.settling);
    }
    Ok(Found::Read(Box::new(Part { shard, experiment, records, missing })))
}

/// Who runs a shard just now.
fn runs(folder: &Folder) -> Option<String> {
    // The lock is only looked at: a task that begins just now must find it free.
    let holder = FolderLock::look(&folder.open().ok()?)?;
    Some(format!("it is being run ({holder}); merge again when it is done"))
}

/// What doctor found on the machines that a shard was not run on.
pub(crate) fn unfit(root: &Path, number: u32) -> Option<String> {
    let begins = format!("{number}-");
    let mut names: Vec<String> = std::fs::read_dir(root.join("doctor"))
        .ok()?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter_map(|name| Some(name.strip_prefix(&begins)?.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort();
    (!names.is_empty()).then(|| {
        format!(
            "it did not begin on {}; its log and {root}/doctor say why",
            names.join(", "),
            root = root.display()
        )
    })
}
