//! What a journal's lines say.

#![allow(missing_docs, reason = "`trial` is a trial's name throughout")]

use crate::clean;
use crate::store::look::Look;
use crate::store::record::Status;
use serde::{Deserialize, Serialize};

/// Version of the layout that this program writes.
pub const SCHEMA: u32 = 1;

/// What an entry says. Its tag in the file is `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EntryKind {
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
        trial: String,
        /// From 1.
        attempt: u32,
    },
    /// A trial's attempt is over and its files are written.
    TrialEnded {
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
        /// Whether something that measuring needs was missing (the environment, the disk, the meter). That says
        /// nothing about the trial, so it is not done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unmeasured: bool,
    },
    /// A trial that was running when the host ended is set aside.
    TrialInterrupted {
        trial: String,
        /// Where its files were put.
        kept: String,
    },
    /// What was kept of a trial is damaged and is set aside; the trial is run again.
    TrialDamaged {
        trial: String,
        /// What is wrong, and where its files were put.
        why: String,
    },
    /// A trial ran on another machine than the rest of its block now will; it is set aside and run again.
    TrialMoved {
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
    /// Every trial that is needed is done.
    Finished,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in UTC.
    pub at: jiff::Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: EntryKind,
}

impl EntryKind {
    /// The same with words of bounded length and without the user's home folder.
    pub fn bounded(self) -> EntryKind {
        match self {
            EntryKind::Started { schema, version, accepted } => {
                let more = accepted.len().saturating_sub(MOST_ACCEPTED);
                let mut accepted: Vec<String> =
                    accepted.iter().take(MOST_ACCEPTED).map(|text| clean::reason(text)).collect();
                accepted.extend((more > 0).then(|| format!("and {more} more")));
                EntryKind::Started { schema, version, accepted }
            }
            EntryKind::TrialEnded { trial, attempt, status, reason, retry, unmeasured } => {
                let reason = reason.as_deref().map(clean::reason);
                EntryKind::TrialEnded { trial, attempt, status, reason, retry, unmeasured }
            }
            EntryKind::TrialInterrupted { trial, kept } => {
                EntryKind::TrialInterrupted { trial, kept: clean::reason(&kept) }
            }
            EntryKind::TrialDamaged { trial, why } => {
                EntryKind::TrialDamaged { trial, why: clean::reason(&why) }
            }
            EntryKind::TrialMoved { trial, why } => {
                EntryKind::TrialMoved { trial, why: clean::reason(&why) }
            }
            EntryKind::Stopped { reason } => EntryKind::Stopped { reason: clean::reason(&reason) },
            other => other,
        }
    }
}

/// At most this many accepted differences are listed.
const MOST_ACCEPTED: usize = 30;
