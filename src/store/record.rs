//! A trial's record: everything known about it, beside its samples and its log.

use crate::account::Account;
use crate::energy::{Energy, Integrity};
use crate::meter::{Sensors, SessionReport};
use crate::phase::{Phase, PhaseMark};
use crate::plan::Trial;
use crate::process::Exit;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It did its work and was measured.
    Ok,
    /// It did not finish, or was not measured.
    Failed,
    /// It finished, and its work was not the work that was asked for.
    Invalid,
}

impl Status {
    /// The word in files and tables. (`strum` would derive it, here and for the few enums like this one; what is
    /// typed is clap's `ValueEnum` already, and a match of three words is less than one more macro.)
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Invalid => "invalid",
        }
    }
}

/// A file of samples: its length and hash, to see whether it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

impl Samples {
    /// Of what a file holds.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn of(mut file: std::fs::File) -> std::io::Result<Samples> {
        let mut digest = Sha256::new();
        let mut chunk = vec![0; 64 << 10];
        let mut bytes = 0;
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                read => {
                    digest.update(&chunk[..read]);
                    bytes += read as u64;
                }
            }
        }
        let sha256 = crate::clean::hex(&digest.finalize());
        Ok(Samples { bytes, sha256 })
    }
}

/// What `torch_3.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Version of this layout.
    pub schema: u32,
    /// `torch_3`.
    pub trial: String,
    /// `torch`.
    pub treatment: String,
    /// The script's framework.
    pub framework: String,
    /// The script's variant, where it ran in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The environment that it ran in, where it was another than the experiment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The levels of the factors that are varied.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub levels: crate::plan::Levels,
    /// From 0.
    pub block: u32,
    /// Within the block, from 0.
    pub position: u32,
    /// Within the experiment, from 0.
    pub run_order: u32,
    /// The machine that ran it, where the experiment's blocks are dealt to several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The treatment that was planned just before.
    pub predecessor: Option<String>,
    /// What it was to train from: the job's seed, or its block's.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How often it did its work: joules and seconds of window and phases are told for one of these, their
    /// mean. Marks and samples are of all.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub repetitions: u32,
    /// From 1.
    pub attempt: u32,
    /// How it ended.
    pub status: Status,
    /// Why it is not ok.
    pub reason: Option<String>,
    /// Whether something that measuring needs was missing: the environment, the disk, the meter. That says
    /// nothing about the trial, and `joulerace resume` runs it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmeasured: bool,
    /// Words for what happened, such as `wrap`, `missed-samples`, `retried`.
    pub flags: Vec<String>,
    /// When it began, in UTC.
    pub started: jiff::Timestamp,
    /// Seconds from before the worker's start to after its end, on the monotonic clock.
    pub wall_seconds: f64,
    /// Processor seconds of the worker and all that it started, the wrapping meter included.
    pub cpu_seconds: f64,
    /// What read the energy.
    pub meter: Sensors,
    /// Whether the joules are an estimate.
    pub estimated: bool,
    /// The headline: build, train and evaluate together.
    pub window: Option<Energy>,
    /// Each phase by itself.
    #[serde(default)]
    pub phases: BTreeMap<Phase, Energy>,
    /// First to last sample.
    pub whole: Option<Energy>,
    /// What the samples look like.
    pub integrity: Option<Integrity>,
    /// What the built-in sampler says of itself.
    pub sampler: Option<SessionReport>,
    /// The file of samples as it was when the trial ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
    /// Beginnings and ends of phases.
    #[serde(default)]
    pub marks: Vec<PhaseMark>,
    /// On the test set, 0 to 1.
    pub accuracy: Option<f64>,
    /// Of the last epoch.
    pub loss: Option<f64>,
    /// The workload's account of itself.
    pub result: Option<Account>,
    /// How the outermost process ended.
    pub exit: Exit,
    /// Python's traceback, where there was one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub traceback: String,
    /// Idle power before the first trial, in watts, where it was measured.
    pub idle_w: Option<f64>,
    /// What else the machine did meanwhile.
    #[serde(default)]
    pub interference: Option<crate::store::interference::Interference>,
    /// How the cool-down after it went.
    #[serde(default)]
    pub cooldown: Option<crate::store::pauses::Cooldown>,
}

fn once() -> u32 {
    1
}

fn is_once(repetitions: &u32) -> bool {
    *repetitions == 1
}

impl TrialRecord {
    /// The version written by this program.
    pub(crate) const SCHEMA: u32 = 1;

    /// Larger than any record that is written; what is larger is not read.
    pub(crate) const LARGEST: u64 = 32 << 20;

    /// Whether the record is that of `trial`.
    pub(crate) fn is_of(&self, trial: &Trial) -> bool {
        self.trial == trial.name
    }

    /// Its window in words: `the process`, or the phases that make it up.
    pub(crate) fn window_name(&self) -> String {
        let phases: BTreeSet<Phase> = Phase::window(&self.marks).into_iter().collect();
        if phases.contains(&Phase::Run) {
            return "the process".to_owned();
        }
        phases.iter().map(Phase::to_string).collect::<Vec<_>>().join(" + ")
    }

    /// Adds a word to the flags, once.
    pub(crate) fn flag(&mut self, word: &str) {
        if !self.flags.iter().any(|f| f == word) {
            self.flags.push(word.to_owned());
        }
    }

    /// Mean power over the window, in watts.
    pub fn power_w(&self) -> Option<f64> {
        self.window.as_ref().map(|w| w.total_j / w.seconds)
    }
}

pub(crate) use crate::files::replace;
pub(crate) use crate::files::{HALF_WRITTEN, replace_json};
