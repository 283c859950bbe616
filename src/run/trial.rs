//! One trial: a fresh worker under a meter, and what came of it.

mod fate;
mod heard;
mod joules;
mod task;

use super::interference;
use crate::Remedy as _;
use crate::account::Account;
use crate::clean;
use crate::events::Observer;
use crate::meter::Meter;
use crate::plan::{Plan, Trial};
use crate::prepare::environments::Environments;
use crate::settings::Settings;
use crate::snapshot::Roots;
use crate::stop::{Stop, Stopper};
use crate::store::folder::Folder;
use crate::store::journal::Again;
use crate::store::record::TrialRecord;
use crate::worker::protocol::{self, Message};
use crate::worker::{self, Ended, Listener, Seen};
use fate::{blame, fail, fail_if_suspended, fail_if_the_clock_moved, speaks_of_full_disk};
use heard::Heard;
use joulerace_meter::clock;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that a trial needs and that stays the same from trial to trial.
pub(crate) struct Bench<'a> {
    /// The experiment's settings.
    pub settings: &'a Settings,
    pub plan: &'a Plan,
    /// Its files.
    pub folder: &'a Folder,
    /// What reads the energy.
    pub meter: &'a Meter,
    /// What the scripts run in.
    pub environments: &'a Environments,
    /// Folders that the scripts are imported from.
    pub sys_path: Vec<PathBuf>,
    /// The data set's name, as the script is told, where there is one.
    pub dataset: Option<String>,
    /// Where its files are.
    pub data_dir: Option<PathBuf>,
    pub program: PathBuf,
    /// Where the kernel's files are.
    pub roots: Roots,
    /// What this machine is called, where the experiment's blocks are dealt to several.
    pub machine: Option<String>,
    /// Limits beyond which a trial is flagged for what else the machine did.
    pub limits: crate::store::interference::Limits,
    /// Which trials are run again that ended without a measurement.
    pub again: Again,
    /// What the user last said.
    pub stopper: &'a Stopper,
    /// Who listens.
    pub observer: &'a dyn Observer,
}

impl Bench<'_> {
    /// Runs one attempt at a trial. Whatever goes wrong with it is in the record; an `Err` says that
    /// the user ended it.
    ///
    /// `idle_w` is the power of the idle machine before it, in watts.
    pub(crate) async fn run(
        &self,
        trial: &Trial,
        attempt: u32,
        idle_w: Option<f64>,
    ) -> Result<TrialRecord, Interrupted> {
        let mut record = TrialRecord { idle_w, ..self.blank(trial, attempt) };
        let mut watch = interference::Watch::start(&self.roots);
        let began = clock::together();
        let outcome = self.measure(trial, &mut record, &mut watch).await;
        // First of all, because looking at the machine takes longer the more processes it has.
        let (wall_s, steady_s) = clock::since(began);
        record.wall_seconds = steady_s;
        let seen = watch.finish(record.cpu_seconds);
        for flag in seen.flags(&self.limits) {
            record.flag(flag);
        }
        record.interference = Some(seen);
        match outcome {
            Ok(()) => {}
            Err(Trouble::Interrupted) => return Err(Interrupted),
            Err(Trouble::Failed(reason)) => {
                let gone = self.gone(trial);
                let unmeasured = gone.is_some() || speaks_of_full_disk(&reason);
                let reason = gone.map_or(reason.clone(), |gone| format!("{gone}: {reason}"));
                fail(&mut record, &reason, unmeasured);
            }
            Err(Trouble::Unmeasured(reason)) => fail(&mut record, &reason, true),
        }
        fail_if_suspended(&mut record);
        fail_if_the_clock_moved(&mut record, clock::step(wall_s, steady_s));
        Ok(record)
    }

    /// Runs the worker under the meter, and keeps in the record what came of both.
    async fn measure(
        &self,
        trial: &Trial,
        record: &mut TrialRecord,
        watch: &mut interference::Watch,
    ) -> Result<(), Trouble> {
        let lost = Trouble::Unmeasured;
        let csv = self.folder.file(trial, "csv");
        let log = self.folder.file(trial, "log");
        let listener = Listener::bind().map_err(|e| {
            lost(format!("there is no place for the worker's socket: {e}; set TMPDIR to a folder that can be written"))
        })?;
        let mut run =
            self.meter.run(&csv, self.worker(&listener)).map_err(|e| lost(e.in_line()))?;
        let argv = run.line().to_vec();
        let launch = self.launch(trial, argv, &log).map_err(Trouble::Unmeasured)?;
        let mut heard = Heard::default();
        let work = worker::run(launch, &listener, |seen| match seen {
            Seen::Message(Message::Event { event }) => {
                self.hear(
                    protocol::WorkloadMessage::read(event.clone()),
                    run.session(),
                    &mut heard,
                );
                Ok(())
            }
            Seen::Message(_) => Ok(()),
            Seen::Started(pid) => {
                run.started(pid);
                Ok(())
            }
            Seen::Tick => {
                watch.tick();
                run.look();
                self.look_around(run.session(), &mut heard)
            }
        });
        let ended = work.await;
        let reason = ended.failure.as_ref().map(|why| blame(why, run.failure(ended.exit, &log)));
        let report = run.finish();
        let unmeasured = heard.meter_lost;
        take_in(record, heard, &ended);
        record.samples = self.folder.samples(trial).ok();
        // A batch system that ends a task may tell all its processes at once, the worker as well.
        let told = self.stopper.level() > Stop::No || crate::stop::requests() > 0;
        if self.stopper.level() == Stop::Now || (told && ended.exit.is_asked_for()) {
            return Err(Trouble::Interrupted);
        }
        self.account(&csv, report, record, ended.failure.is_none()).or_else(|trouble| {
            // The worker's own failure matters more than samples that it left incomplete.
            if ended.failure.is_some() { Ok(()) } else { Err(trouble) }
        })?;
        match ended.failure {
            Some(failure) => {
                let reason = reason.unwrap_or_default();
                let unmeasured = unmeasured || failure.is_of_the_machine();
                Err(if unmeasured { Trouble::Unmeasured(reason) } else { Trouble::Failed(reason) })
            }
            None => Ok(()),
        }
    }
}

/// Keeps what was heard of the worker, and how it ended.
fn take_in(record: &mut TrialRecord, heard: Heard, ended: &Ended) {
    record.cpu_seconds = ended.cpu_seconds;
    record.exit = ended.exit;
    record.traceback = clean::cut(&clean::private(&ended.traceback), LONGEST_TRACEBACK);
    record.marks = heard.marks;
    record.loss = heard.last_loss;
    record.accuracy = heard.account.as_ref().and_then(Account::accuracy);
    record.result = heard.account;
}

/// Longest traceback in a record; the log has all of it.
const LONGEST_TRACEBACK: usize = 64 << 10;

/// The user ended the trial before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupted;

enum Trouble {
    /// The trial went wrong.
    Failed(String),
    /// Something that measuring needs was missing, so the trial does not count as tried.
    Unmeasured(String),
    Interrupted,
}

/// Waits, and returns early with `true` when the user wants to stop.
pub(crate) async fn pause(duration: Duration, stopper: &Stopper) -> bool {
    tokio::select! {
        () = tokio::time::sleep(duration) => false,
        () = stopper.reached(Stop::AfterTrial) => true,
    }
}
