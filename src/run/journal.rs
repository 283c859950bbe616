//! The experiment's memory: append-only JSON lines, each on disk before the next step is taken.

use crate::plan::Outcome;
use crate::run::look::Look;
use crate::run::record::Status;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The experiment begins, or goes on.
    Started {
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
    },
    /// A trial that was running when the host ended is set aside.
    TrialInterrupted {
        /// The trial.
        trial: String,
        /// Where its files were put.
        kept: String,
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
        self.entries
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::TrialStarted { trial, .. } => Some((trial.as_str(), Outcome::Unfinished)),
                Event::TrialEnded { trial, retry: true, .. } => {
                    Some((trial.as_str(), Outcome::FailedMayRetry))
                }
                Event::TrialEnded { trial, .. } => Some((trial.as_str(), Outcome::Settled)),
                _ => None,
            })
            .collect()
    }

    /// How many attempts at a trial began.
    pub fn attempts(&self, name: &str) -> u32 {
        self.entries
            .iter()
            .filter(|e| matches!(&e.event, Event::TrialStarted { trial, .. } if trial == name))
            .count() as u32
    }

    /// How many attempts at a trial ended badly. Those that an ending host cut short do not count.
    pub fn failed_attempts(&self, name: &str) -> u32 {
        self.entries
            .iter()
            .filter(|e| {
                matches!(&e.event, Event::TrialEnded { trial, status: Status::Failed, .. } if trial == name)
            })
            .count() as u32
    }

    /// The idle power that was measured before the first trial, in watts.
    pub fn baseline_before(&self) -> Option<f64> {
        self.entries.iter().find_map(|e| match &e.event {
            Event::Baseline { when, watts, .. } if when == "before" => Some(*watts),
            _ => None,
        })
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
                Event::TrialEnded { trial, .. } | Event::TrialInterrupted { trial, .. } => {
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
    let io = |source| JournalError::Io { path: path.to_owned(), doing: "read", source };
    match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Read::default()),
        Err(e) => Err(io(e)),
        Ok(file) => read_from(BufReader::new(file))
            .map_err(|(line, why)| JournalError::Malformed { path: path.to_owned(), line, why }),
    }
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
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
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(false).open(path).map_err(io)?;
        if let Some(torn) = &found.torn {
            let aside = path.with_extension("jsonl.torn");
            let mut kept = OpenOptions::new().create(true).append(true).open(aside).map_err(io)?;
            writeln!(kept, "{torn}").and_then(|()| kept.sync_data()).map_err(io)?;
            file.set_len(found.whole_bytes).map_err(io)?;
        }
        file.seek(SeekFrom::End(0)).map_err(io)?;
        // A new file is on the disk only once its folder says so.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|f| f.sync_all()).map_err(io)?;
        Ok((Journal { path: path.to_owned(), file }, found))
    }

    /// Writes one event and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] where the disk is full or gone; what a failed write left is taken back,
    /// so that the journal still ends with a whole line.
    pub fn write(&mut self, event: Event) -> Result<(), JournalError> {
        let mut line =
            serde_json::to_vec(&Entry { at: jiff::Timestamp::now(), event }).unwrap_or_default();
        line.push(b'\n');
        let io = |source| JournalError::Io { path: self.path.clone(), doing: "written", source };
        self.still_there().map_err(io)?;
        let before = self.file.stream_position().map_err(io)?;
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(|source| {
            // If this fails too, the torn line is recognised when the journal is next opened.
            let _ = self.file.set_len(before);
            let _ = self.file.seek(SeekFrom::Start(before));
            io(source)
        })
    }

    /// A file that was removed, or replaced by another, still takes what is written and keeps it
    /// from everyone.
    fn still_there(&self) -> io::Result<()> {
        let there = std::fs::metadata(&self.path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let mine = self.file.metadata()?;
            if (there.dev(), there.ino()) != (mine.dev(), mine.ino()) {
                return Err(io::Error::other("another file has taken its place"));
            }
        }
        #[cfg(not(unix))]
        let _ = there;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
