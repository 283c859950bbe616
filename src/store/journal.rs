//! The experiment's memory: append-only JSON lines, each on disk before the next step is taken.

use crate::clean;
use crate::files::{self, Dir};
use crate::plan::Outcome;
use crate::store::look::Look;
use crate::store::record::Status;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

/// Version of the layout that this program writes.
pub const SCHEMA: u32 = 1;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The experiment begins, or goes on.
    Started {
        /// Version of the journal's layout; 0 in those that did not say.
        #[serde(default)]
        schema: u32,
        /// The program's version.
        version: String,
        /// What differs from the first start and was accepted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<String>,
    },
    /// The load before the first trial is over.
    WarmedUp {
        /// How long it lasted.
        seconds: f64,
        /// Whether power or temperature settled; none where neither could be read.
        settled: Option<bool>,
    },
    /// Idle power was measured.
    Baseline {
        /// `before` or `after`.
        when: String,
        /// Mean power in watts.
        watts: f64,
        /// How long it was watched.
        seconds: f64,
    },
    /// A trial's worker is about to start.
    TrialStarted {
        /// The trial.
        trial: String,
        /// From 1.
        attempt: u32,
    },
    /// A trial's attempt is over and its files are written.
    TrialEnded {
        /// The trial.
        trial: String,
        /// From 1.
        attempt: u32,
        /// How it ended.
        status: Status,
        /// Why, where it is not ok.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether it is run again.
        retry: bool,
        /// Whether it failed for want of what measuring takes (the environment, the disk, the meter),
        /// which says nothing about the trial: it is not settled.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unmeasured: bool,
    },
    /// A trial that was running when the host ended is set aside.
    TrialInterrupted {
        /// The trial.
        trial: String,
        /// Where its files were put.
        kept: String,
    },
    /// What was kept of a trial is damaged and is set aside; the trial is run again.
    TrialDamaged {
        /// The trial.
        trial: String,
        /// What is wrong, and where its files were put.
        why: String,
    },
    /// A trial ran on another machine than the rest of its block now will; it is set aside and run again.
    TrialMoved {
        /// The trial.
        trial: String,
        /// Which machine it ran on, and where its files were put.
        why: String,
    },
    /// Whole blocks were looked at.
    Looked(Look),
    /// The experiment stops before its end and can go on.
    Stopped {
        /// Why.
        reason: String,
    },
    /// Every trial that is needed is settled.
    Finished,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in UTC.
    pub at: jiff::Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// A journal that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error("the journal {path} cannot be {doing}: {source}; nothing that was finished is lost: mend it and run `joulerace resume`",
        path = path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// A line in its middle is not one of ours.
    #[error("line {line} of the journal {path} cannot be understood ({why}); it was not written by this program or has been edited",
        path = path.display())]
    Malformed {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The parser's word.
        why: String,
    },
}

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

/// No trial is tried as often; a journal that says so is not believed.
const MOST_ATTEMPTS: u32 = 1 << 20;

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Read {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// A last line that was cut off while it was written; it says nothing.
    pub torn: Option<String>,
    /// Bytes that the whole lines take.
    whole_bytes: u64,
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
                Event::TrialStarted { trial, .. } => Some((trial.as_str(), Outcome::Unfinished)),
                Event::TrialEnded { trial, retry: true, .. }
                | Event::TrialEnded { trial, unmeasured: true, .. } => {
                    Some((trial.as_str(), Outcome::FailedMayRetry))
                }
                Event::TrialEnded { trial, status: Status::Failed, .. }
                    if again == Again::Failed =>
                {
                    Some((trial.as_str(), Outcome::FailedMayRetry))
                }
                Event::TrialEnded { trial, .. } => Some((trial.as_str(), Outcome::Settled)),
                Event::TrialDamaged { trial, .. } | Event::TrialMoved { trial, .. } => {
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
                Event::TrialEnded { trial, retry: false, .. } => {
                    ended.insert(trial.as_str());
                }
                Event::TrialStarted { trial, .. }
                | Event::TrialDamaged { trial, .. }
                | Event::TrialMoved { trial, .. } => {
                    ended.remove(trial.as_str());
                }
                _ => {}
            }
        }
        ended
    }

    /// Of each trial, how many attempts began and how many of them failed by the trial's own fault. Those
    /// that an ending host cut short, and those that could not be measured, are no failures.
    pub fn attempts(&self) -> HashMap<&str, Attempts> {
        let mut attempts: HashMap<&str, Attempts> = HashMap::new();
        for entry in &self.entries {
            match &entry.event {
                Event::TrialStarted { trial, attempt } => {
                    let so_far = attempts.entry(trial).or_default();
                    so_far.begun =
                        so_far.begun.saturating_add(1).max((*attempt).min(MOST_ATTEMPTS));
                }
                Event::TrialEnded { trial, status: Status::Failed, unmeasured: false, .. } => {
                    let so_far = attempts.entry(trial).or_default();
                    so_far.failed = so_far.failed.saturating_add(1);
                }
                _ => {}
            }
        }
        attempts
    }

    /// What was found when whole blocks were looked at, oldest first.
    pub fn looks(&self) -> impl Iterator<Item = &Look> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Looked(look) => Some(look),
            _ => None,
        })
    }

    /// Attempts that began and of whose end nothing is known, oldest first.
    pub fn unfinished(&self) -> Vec<(String, u32)> {
        let mut open: Vec<(String, u32)> = Vec::new();
        for entry in &self.entries {
            match &entry.event {
                Event::TrialStarted { trial, attempt } => open.push((trial.clone(), *attempt)),
                Event::TrialEnded { trial, .. }
                | Event::TrialInterrupted { trial, .. }
                | Event::TrialDamaged { trial, .. }
                | Event::TrialMoved { trial, .. } => {
                    open.retain(|(name, _)| name != trial);
                }
                _ => {}
            }
        }
        open
    }
}

/// Reads an experiment's journal; a missing one is empty.
///
/// # Errors
///
/// [`JournalError`] where the file cannot be read or a whole line is not one of ours.
pub fn read(path: &Path) -> Result<Read, JournalError> {
    let opened = files::at(path).and_then(|(folder, name)| folder.open_file(&name));
    match opened {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Read::default()),
        Err(source) => Err(JournalError::Io { path: path.to_owned(), doing: "read", source }),
        Ok(file) => read_from(BufReader::new(file))
            .map_err(|(line, why)| JournalError::Malformed { path: path.to_owned(), line, why }),
    }
}

/// A journal that is being written. Lines are appended, each with a single write.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    name: OsString,
    file: File,
    /// Where it ends, as far as this writer knows.
    end: u64,
}

impl Journal {
    /// Opens a journal to go on with. A torn last line is moved to `<path>.torn`, so that the next
    /// entry begins on a line of its own.
    ///
    /// # Errors
    ///
    /// [`JournalError`] where it cannot be read or written.
    pub fn open(path: &Path) -> Result<(Journal, Read), JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), doing: "written", source };
        let found = read(path)?;
        let (folder, name) = files::at(path).map_err(io)?;
        let file = folder.append(&name).map_err(io)?;
        if let Some(torn) = &found.torn {
            let mut aside = name.clone();
            aside.push(".torn");
            let mut kept = folder.append(&aside).map_err(io)?;
            writeln!(kept, "{torn}").and_then(|()| kept.sync_data()).map_err(io)?;
            folder.cut(&name, found.whole_bytes).map_err(io)?;
        }
        let end = file.metadata().map_err(io)?.len();
        // A new file is on the disk only once its folder says so.
        folder.sync().map_err(io)?;
        Ok((Journal { path: path.to_owned(), name, file, end }, found))
    }

    /// Writes one event and waits until it is on the disk. Long words in it are cut, so that what is
    /// written can be read again.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] where the disk is full or gone, or another program writes to the journal;
    /// what a failed write left is taken back, so that the journal still ends with a whole line.
    pub fn write(&mut self, event: Event) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), doing: "written", source };
        let entry = Entry { at: jiff::Timestamp::now(), event: event.bounded() };
        let mut line = serde_json::to_vec(&entry).map_err(|e| io(e.into()))?;
        line.push(b'\n');
        self.still_mine().map_err(io)?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.end += line.len() as u64,
            Err(source) => {
                // If this fails too, the torn line is recognised when the journal is next opened.
                let _ =
                    files::at(&self.path).and_then(|(folder, name)| folder.cut(&name, self.end));
                return Err(io(source));
            }
        }
        Ok(())
    }

    /// A file that was removed, or replaced by another, still takes what is written and keeps it
    /// from everyone; one that another program appends to tells of two experiments at once.
    fn still_mine(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = Dir::open(folder.unwrap_or(Path::new(".")))?;
        folder.still_names(&self.name, &self.file)?;
        match self.file.metadata()?.len() {
            end if end == self.end => Ok(()),
            _ => Err(io::Error::other("another program has written to it meanwhile")),
        }
    }
}

impl Event {
    /// The event with words of bounded length and without the user's home folder.
    pub fn bounded(self) -> Event {
        match self {
            Event::Started { schema, version, accepted } => {
                let more = accepted.len().saturating_sub(MOST_ACCEPTED);
                let mut accepted: Vec<String> =
                    accepted.iter().take(MOST_ACCEPTED).map(|text| clean::reason(text)).collect();
                accepted.extend((more > 0).then(|| format!("and {more} more")));
                Event::Started { schema, version, accepted }
            }
            Event::TrialEnded { trial, attempt, status, reason, retry, unmeasured } => {
                let reason = reason.as_deref().map(clean::reason);
                Event::TrialEnded { trial, attempt, status, reason, retry, unmeasured }
            }
            Event::TrialInterrupted { trial, kept } => {
                Event::TrialInterrupted { trial, kept: clean::reason(&kept) }
            }
            Event::TrialDamaged { trial, why } => {
                Event::TrialDamaged { trial, why: clean::reason(&why) }
            }
            Event::TrialMoved { trial, why } => {
                Event::TrialMoved { trial, why: clean::reason(&why) }
            }
            Event::Stopped { reason } => Event::Stopped { reason: clean::reason(&reason) },
            other => other,
        }
    }
}

/// As many accepted differences are listed.
const MOST_ACCEPTED: usize = 30;

#[cfg(test)]
mod tests;
