//! Checks before anything is run that an experiment's journal, records and samples agree.

use super::folder::Folder;
use super::journal::{EntryKind, Read};
use super::record::{Status, TrialRecord};
use crate::plan::{Plan, Trial};
use std::collections::HashMap;

/// A trial of which something is missing or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    pub trial: Trial,
    /// From 1, as far as it is known.
    pub attempt: u32,
    /// What is wrong, in words.
    pub why: String,
}

/// What the journal said last of a trial.
#[derive(Debug, Clone, Copy)]
enum Last {
    /// An attempt began, or ended and is tried again.
    Open,
    /// It is done.
    Done(u32, Status),
}

/// Holds the journal's word on each planned trial against the files that lie in the folder.
///
/// An attempt that was cut off may leave any files; everything else must be as the journal says.
pub(crate) fn audit(plan: &Plan, journal: &Read, folder: &Folder) -> Vec<Damage> {
    let mut last: HashMap<&str, Last> = HashMap::new();
    for entry in &journal.entries {
        match &entry.event {
            EntryKind::TrialStarted { trial, .. } => {
                last.insert(trial, Last::Open);
            }
            EntryKind::TrialEnded { trial, attempt, status, retry, unmeasured, .. } => {
                let word =
                    if *retry || *unmeasured { Last::Open } else { Last::Done(*attempt, *status) };
                last.insert(trial, word);
            }
            EntryKind::TrialInterrupted { trial, .. }
            | EntryKind::TrialDamaged { trial, .. }
            | EntryKind::TrialMoved { trial, .. } => {
                // Its files were put elsewhere.
                last.remove(trial.as_str());
            }
            _ => {}
        }
    }
    let damage = |trial: &Trial| -> Option<Damage> {
        let (attempt, why) = match last.get(trial.name.as_str()) {
            Some(Last::Open) => return None,
            Some(Last::Done(attempt, status)) => {
                (*attempt, done(folder, trial, *attempt, *status).err()?)
            }
            None => (1, unknown(folder, trial).err()?),
        };
        Some(Damage { trial: trial.clone(), attempt, why })
    };
    plan.trials.iter().filter_map(damage).collect()
}

/// A trial that the journal does not know of has left nothing in its place.
fn unknown(folder: &Folder, trial: &Trial) -> Result<(), String> {
    let there = ["json", "csv"].into_iter().find(|e| folder.has(trial, e));
    match there {
        None => Ok(()),
        Some("json") => Err("there is a record of it, and the journal knows nothing of it".into()),
        Some(_) => Err("there are samples of it, and the journal knows nothing of it".into()),
    }
}

fn done(folder: &Folder, trial: &Trial, attempt: u32, status: Status) -> Result<(), String> {
    let record = match folder.read_record(trial) {
        Ok(Some(record)) => record,
        Ok(None) => return Err("the journal says that it ended, and its record is missing".into()),
        Err(why) => return Err(format!("its record cannot be read: {why}")),
    };
    agrees(&record, trial, attempt, status)?;
    if status == Status::Failed {
        return Ok(());
    }
    let samples = match folder.samples(trial) {
        Ok(samples) => samples,
        Err(error) => return Err(format!("its samples cannot be read: {error}")),
    };
    match &record.samples {
        Some(then) if *then != samples => Err(format!(
            "its samples are not those that were recorded: {} bytes, then {}",
            samples.bytes, then.bytes
        )),
        None if samples.bytes == 0 => Err("its samples are empty".into()),
        _ => Ok(()),
    }
}

fn agrees(record: &TrialRecord, trial: &Trial, attempt: u32, status: Status) -> Result<(), String> {
    if !record.is_of(trial) {
        return Err(format!("its record is that of {:?}", record.trial));
    }
    if record.attempt != attempt {
        let of = record.attempt;
        return Err(format!("its record is of attempt {of}, and the journal's of {attempt}"));
    }
    // Trials are held against each other after the journal's word, and found invalid then.
    let found_invalid = (status, record.status) == (Status::Ok, Status::Invalid);
    if record.status != status && !found_invalid {
        let (theirs, ours) = (record.status.word(), status.word());
        return Err(format!("its record says {theirs}, and the journal {ours}"));
    }
    Ok(())
}
