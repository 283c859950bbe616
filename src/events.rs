//! What the run loop reports to its listeners: the terminal and the log.
//!
//! These are the events of this code. Files say `event` too, and keep that key: a journal's line is an
//! [`EntryKind`](crate::store::journal::EntryKind) here, what a script emits a
//! [`WorkloadMessage`](crate::worker::protocol::WorkloadMessage). RAPL's events are the kernel's.

use crate::dataset::Dataset;
use crate::meter::MeterDescription;
use crate::phase::Phase;
use crate::plan::Trial;
use crate::store::look::Look;
use crate::store::record::TrialRecord;
use std::path::Path;

/// What the pause is called in which idle power is measured.
pub(crate) const IDLE_POWER: &str = "idle power";

/// What is about to run.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    /// Trials still to run.
    pub remaining: usize,
    /// Trials in all.
    pub trials: usize,
    /// The experiment's folder.
    pub folder: &'a Path,
    /// What reads the energy.
    pub meter: &'a MeterDescription,
    /// What is trained on; none where commands are compared.
    pub dataset: Option<&'a Dataset>,
    /// Seconds that what remains is expected to take, idle power at the end included; a guess.
    pub expected_s: f64,
    /// Whether it may stop before the last of them.
    pub may_stop: bool,
    /// Seconds that idle power takes after the last trial.
    pub closing_s: f64,
}

/// Something that an onlooker may want to know.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A step of the preparation, in words.
    Preparing(&'a str),
    /// Something to know that does not stop the experiment.
    Warning(&'a str),
    /// The plan stands.
    Planned(Planned<'a>),
    /// A pause between trials goes on.
    Pause {
        /// `warm-up`, `cool-down`, [`IDLE_POWER`].
        what: &'a str,
        /// Seconds so far.
        elapsed_s: f64,
        /// Seconds in all, as planned.
        total_s: f64,
        /// Present power, where it is known.
        watts: Option<f64>,
    },
    /// A trial starts.
    TrialStarted {
        /// Which.
        trial: &'a Trial,
        /// From 1.
        attempt: u32,
    },
    /// A trial's worker entered a phase.
    Phase(Phase),
    /// A trial's worker ended an epoch.
    Epoch {
        /// From 1.
        epoch: u32,
        /// How many there are.
        epochs: u32,
        /// Mean training loss.
        loss: f64,
    },
    /// Present power.
    Watts(f64),
    /// A trial's attempt is over.
    TrialEnded {
        /// All about it.
        record: &'a TrialRecord,
        /// Whether it is run again.
        retry: bool,
    },
    /// Whole blocks were looked at.
    Looked {
        /// What was found.
        look: &'a Look,
        /// The most blocks.
        most: u32,
        /// Trials in a block.
        treatments: usize,
    },
    /// The user asked to stop.
    Stopping {
        /// In the middle of the trial.
        now: bool,
    },
}

/// Listens to the run loop.
pub(crate) trait Observer {
    /// Hears of one event.
    fn on(&self, event: &Event<'_>);
}
