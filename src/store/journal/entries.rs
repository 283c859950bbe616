//! What a journal holds, and what that says of each trial.

use super::entry::{Entry, EntryKind};
use crate::plan::Outcome;
use crate::store::look::Look;
use crate::store::record::Status;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Read as _};

/// Which trials are run again that ended without a measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Again {
    /// Those that could not be measured.
    #[default]
    Unmeasured,
    /// And those that failed by themselves.
    Failed,
}

/// Attempts at one trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// That began.
    pub begun: u32,
    /// That failed by the trial's own fault.
    pub failed: u32,
}

/// More attempts than any trial has; a journal that claims more is not believed.
const MOST_ATTEMPTS: u32 = 1 << 20;

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Read {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// A last line that was cut off while it was written; it is ignored.
    pub torn: Option<String>,
    /// Bytes that the whole lines take.
    pub(super) whole_bytes: u64,
}

/// No line of ours comes near this; a longer one is not read into memory.
const LONGEST_LINE: u64 = 1 << 20;

/// Reads entries out of any source. A last line without its newline is torn, and set aside.
///
/// # Errors
///
/// The line, from 1, and what is wrong with it.
pub fn read_from(mut source: impl BufRead) -> Result<Read, (usize, String)> {
    let mut read = Read::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let taken = (&mut source)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|e| (number, e.to_string()))?;
        if taken == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            if taken as u64 == LONGEST_LINE {
                return Err((number, "it is longer than any entry".to_owned()));
            }
            read.torn = Some(String::from_utf8_lossy(&line).into_owned());
            break;
        }
        let entry = serde_json::from_slice(&line).map_err(|e| (number, e.to_string()))?;
        read.entries.push(entry);
        read.whole_bytes += taken as u64;
    }
    Ok(read)
}

impl Read {
    /// What the journal says of each trial, in the order in which it says it.
    pub fn outcomes(&self) -> Vec<(&str, Outcome)> {
        self.outcomes_with(Again::Unmeasured)
    }

    /// As [`outcomes`](Read::outcomes), where trials that failed may be asked for again too.
    pub fn outcomes_with(&self, again: Again) -> Vec<(&str, Outcome)> {
        self.entries
            .iter()
            .filter_map(|entry| match &entry.event {
                EntryKind::TrialStarted { trial, .. } => {
                    Some((trial.as_str(), Outcome::Unfinished))
                }
                EntryKind::TrialEnded { trial, retry: true, .. }
                | EntryKind::TrialEnded { trial, unmeasured: true, .. } => {
                    Some((trial.as_str(), Outcome::FailedMayRetry))
                }
                EntryKind::TrialEnded { trial, status: Status::Failed, .. }
                    if again == Again::Failed =>
                {
                    Some((trial.as_str(), Outcome::FailedMayRetry))
                }
                EntryKind::TrialEnded { trial, .. } => Some((trial.as_str(), Outcome::Done)),
                EntryKind::TrialDamaged { trial, .. } | EntryKind::TrialMoved { trial, .. } => {
                    Some((trial.as_str(), Outcome::Unfinished))
                }
                _ => None,
            })
            .collect()
    }

    /// The trials whose last attempt ended and is not tried again in the same run.
    pub fn ended(&self) -> HashSet<&str> {
        let mut ended = HashSet::new();
        for entry in &self.entries {
            match &entry.event {
                EntryKind::TrialEnded { trial, retry: false, .. } => {
                    ended.insert(trial.as_str());
                }
                EntryKind::TrialStarted { trial, .. }
                | EntryKind::TrialDamaged { trial, .. }
                | EntryKind::TrialMoved { trial, .. } => {
                    ended.remove(trial.as_str());
                }
                _ => {}
            }
        }
        ended
    }

    /// Of each trial, how many attempts began and how many of them failed by the trial's own fault. Attempts that
    /// the host's end cut short, and those that could not be measured, do not count as failures.
    pub fn attempts(&self) -> HashMap<&str, Attempts> {
        let mut attempts: HashMap<&str, Attempts> = HashMap::new();
        for entry in &self.entries {
            match &entry.event {
                EntryKind::TrialStarted { trial, attempt } => {
                    let so_far = attempts.entry(trial).or_default();
                    so_far.begun =
                        so_far.begun.saturating_add(1).max((*attempt).min(MOST_ATTEMPTS));
                }
                EntryKind::TrialEnded {
                    trial, status: Status::Failed, unmeasured: false, ..
                } => {
                    let so_far = attempts.entry(trial).or_default();
                    so_far.failed = so_far.failed.saturating_add(1);
                }
                _ => {}
            }
        }
        attempts
    }

    /// What was found when whole blocks were looked at, oldest first.
    pub(crate) fn looks(&self) -> impl Iterator<Item = &Look> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            EntryKind::Looked(look) => Some(look),
            _ => None,
        })
    }

    /// Attempts that began and have no end in the journal, oldest first.
    pub fn unfinished(&self) -> Vec<(String, u32)> {
        let mut open: Vec<(String, u32)> = Vec::new();
        for entry in &self.entries {
            match &entry.event {
                EntryKind::TrialStarted { trial, attempt } => open.push((trial.clone(), *attempt)),
                EntryKind::TrialEnded { trial, .. }
                | EntryKind::TrialInterrupted { trial, .. }
                | EntryKind::TrialDamaged { trial, .. }
                | EntryKind::TrialMoved { trial, .. } => {
                    open.retain(|(name, _)| name != trial);
                }
                _ => {}
            }
        }
        open
    }
}
