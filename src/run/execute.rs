//! The run loop: what remains of the plan, trial by trial, each on disk before the next.

use super::look;
use super::pauses::Pauses;
use super::table::Rows;
use super::trial::{Bench, pause};
use crate::Remedy as _;
use crate::events::Event;
use crate::gate::Expected;
use crate::plan::Trial;
use crate::stop::Stop;
use crate::store::experiment::Experiment;
use crate::store::journal::{self, Again, Attempts, Journal, JournalError};
use crate::store::pauses::Cooldown;
use crate::store::record::{Status, TrialRecord, replace_json};
use std::io;
use std::time::Duration;

/// How an experiment's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every trial was run; those that could not be measured are run again by `joulerace resume`.
    Finished,
    /// It can go on with `joulerace resume`.
    Stopped {
        /// Why.
        reason: String,
        /// Whether the user wanted it.
        by_user: bool,
    },
}

/// How long to wait before a refused write is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

/// Runs what the journal leaves of the plan.
///
/// # Errors
///
/// [`JournalError`] where the journal cannot be read; what cannot be written is waited for.
pub(super) async fn execute(
    bench: &Bench<'_>,
    journal: &mut Journal,
    so_far: &journal::Read,
    expected: &Expected<'_>,
    experiment: &mut Experiment,
) -> Result<Ending, JournalError> {
    experiment.looks = so_far.looks().cloned().collect();
    let mut run = Run { bench, journal, expected, experiment, failures: 0, unmeasured: 0 };
    match run.all(so_far).await {
        Ok(()) => Ok(Ending::Finished),
        Err(Halt::Ended(ending)) => Ok(ending),
        Err(Halt::Journal(error)) => Err(error),
    }
}

/// Why the loop ends before its end.
enum Halt {
    Ended(Ending),
    Journal(JournalError),
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Halt {
        Halt::Journal(error)
    }
}

/// The loop over what is left of the plan.
struct Run<'a, 'b> {
    bench: &'a Bench<'b>,
    journal: &'a mut Journal,
    expected: &'a Expected<'a>,
    experiment: &'a mut Experiment,
    /// Attempts that failed, and trials that could not be measured, in this session.
    failures: u32,
    unmeasured: u32,
}

impl<'a, 'b> Run<'a, 'b> {
    async fn all(&mut self, so_far: &journal::Read) -> Result<(), Halt> {
        let bench = self.bench;
        // A host that died after a block's last trial has not looked at it.
        self.look_after(look::whole_blocks(bench.plan, so_far)).await?;
        let left = self.left()?;
        let attempts = so_far.attempts();
        let mut rows = Rows::begin(bench);
        let mut pauses = Pauses::new(bench);
        if !left.is_empty() {
            pauses.before(self.experiment, self.journal).await;
        }
        for (n, trial) in left.iter().enumerate() {
            if self.asked_to_stop() {
                return Err(self.stopped("the user asked to stop", true).await);
            }
            let earlier = attempts.get(trial.name.as_str()).copied().unwrap_or_default();
            let next = left.get(n + 1).copied();
            if self.trial(trial, next, earlier, &mut rows, &mut pauses).await? {
                break;
            }
        }
        if !left.is_empty() && !self.asked_to_stop() {
            pauses.after(self.experiment, self.journal).await;
        }
        if self.asked_to_stop() && !self.left()?.is_empty() {
            return Err(self.stopped("the user asked to stop", true).await);
        }
        self.write(match self.unmeasured {
            0 => journal::EntryKind::Finished,
            n => journal::EntryKind::Stopped {
                reason: format!("{n} of the trials could not be measured"),
            },
        })
        .await
    }

    /// What of the plan is still to run, by the journal as it stands.
    fn left(&self) -> Result<Vec<&'b Trial>, JournalError> {
        let Bench { plan, folder, again, .. } = self.bench;
        Ok(look::needed(plan, &journal::read(&folder.journal())?, *again))
    }

    /// Runs a trial, as often as it takes or may, with the pause after it. Gives whether what is known
    /// then is enough, so that no other is run.
    async fn trial(
        &mut self,
        trial: &Trial,
        next: Option<&Trial>,
        earlier: Attempts,
        rows: &mut Rows,
        pauses: &mut Pauses<'_, '_>,
    ) -> Result<bool, Halt> {
        let bench = self.bench;
        let mut attempt = earlier.begun;
        // A trial that is asked for again has all its attempts again.
        let mut failed_before = match bench.again {
            Again::Unmeasured => earlier.failed,
            Again::Failed => 0,
        };
        loop {
            attempt += 1;
            let record = self.attempt(trial, attempt, pauses.idle_w()).await?;
            let failed = record.status == Status::Failed;
            let retry = failed && failed_before < bench.settings.failures.retries;
            failed_before += u32::from(failed);
            if !write_attempt(bench, self.journal, trial, &record, retry).await {
                return Err(unwritten());
            }
            if !retry {
                rows.add(bench, &record);
            }
            bench.observer.on(&Event::TrialEnded { record: &record, retry });
            self.count(&record, retry).await?;
            let whole = next.is_none_or(|next| next.block != trial.block);
            let enough = whole && !retry && self.look_after(trial.block + 1).await?;
            let last = (enough || next.is_none()) && !retry;
            // Idle power at the end is measured in the state in which it was measured before.
            let measured_after = !bench.settings.baseline.is_zero();
            if (!last || measured_after) && !self.asked_to_stop() {
                let cooldown = pauses.cool_down(&trial.name).await;
                if !retry {
                    note_cool_down(bench, trial, record, cooldown);
                }
            }
            if !retry || self.asked_to_stop() {
                return Ok(enough);
            }
        }
    }

    /// One attempt at a trial, held against what was asked for.
    async fn attempt(
        &mut self,
        trial: &Trial,
        attempt: u32,
        idle_w: Option<f64>,
    ) -> Result<TrialRecord, Halt> {
        let bench = self.bench;
        if let Err(reason) = still_there(bench) {
            return Err(Halt::Ended(Ending::Stopped { reason, by_user: false }));
        }
        self.write(journal::EntryKind::TrialStarted { trial: trial.name.clone(), attempt }).await?;
        bench.observer.on(&Event::TrialStarted { trial, attempt });
        let Ok(mut record) = bench.run(trial, attempt, idle_w).await else {
            set_interrupted_aside(bench, self.journal, trial, attempt).await;
            return Err(self.stopped("the user stopped it in a trial", true).await);
        };
        if record.status == Status::Ok
            && let Err(reason) = self.expected.check(&record)
        {
            record.status = Status::Invalid;
            record.reason = Some(reason);
        }
        if attempt > 1 {
            record.flag("retried");
        }
        Ok(record)
    }

    /// Counts what went wrong; too many failures end the run.
    async fn count(&mut self, record: &TrialRecord, retry: bool) -> Result<(), Halt> {
        self.unmeasured += u32::from(record.unmeasured && !retry);
        if record.status != Status::Failed {
            return Ok(());
        }
        self.failures += 1;
        if self.failures < self.bench.settings.failures.max_failures {
            return Ok(());
        }
        let last = record.reason.as_deref().unwrap_or("no reason");
        let reason =
            format!("{} attempts failed (--max-failures), the last with: {last}", self.failures);
        Err(self.stopped(&reason, false).await)
    }

    /// Looks at the experiment where its protocol says so after so many whole blocks, and keeps what was
    /// found. Gives whether that was enough.
    async fn look_after(&mut self, blocks: u32) -> Result<bool, Halt> {
        let bench = self.bench;
        // A trial that is run again belongs to blocks that were looked at; the next look knows of it.
        if self.experiment.looks.iter().any(|look| look.blocks >= blocks) {
            return Ok(false);
        }
        let protocol = &self.experiment.protocol;
        let Some(design) = protocol.sequential.as_ref().filter(|d| d.looks_at(blocks)) else {
            return Ok(false);
        };
        let so_far = journal::read(&bench.folder.journal())?;
        let look = look::look(bench, &so_far, blocks, self.expected, protocol, design);
        let (most, stop) = (design.most, look.stop);
        self.write(journal::EntryKind::Looked(look.clone())).await?;
        let treatments = bench.settings.treatments.len();
        bench.observer.on(&Event::Looked { look: &look, most, treatments });
        self.experiment.looks.push(look);
        if let Err(error) = self.experiment.write(bench.folder) {
            tracing::warn!(
                error = error.in_line(),
                "what a look found is in the journal only, until the next step"
            );
        }
        Ok(stop)
    }

    fn asked_to_stop(&self) -> bool {
        self.bench.stopper.level() > Stop::No
    }

    /// Writes to the journal, however long that takes.
    async fn write(&mut self, kind: journal::EntryKind) -> Result<(), Halt> {
        let journal = &mut *self.journal;
        let written = persist(self.bench, || journal.write(kind.clone()).map_err(to_io)).await;
        if written { Ok(()) } else { Err(unwritten()) }
    }

    async fn stopped(&mut self, reason: &str, by_user: bool) -> Halt {
        // If this cannot be written, the trials show it when the experiment goes on.
        let _ = self.write(journal::EntryKind::Stopped { reason: reason.to_owned() }).await;
        Halt::Ended(Ending::Stopped { reason: reason.to_owned(), by_user })
    }
}

fn to_io(error: JournalError) -> io::Error {
    io::Error::other(error)
}

fn unwritten() -> Halt {
    Halt::Ended(Ending::Stopped {
        reason: "the experiment's folder could not be written".to_owned(),
        by_user: true,
    })
}

/// An output folder that was moved or unmounted must not be written to as if it were there.
fn still_there(bench: &Bench<'_>) -> Result<(), String> {
    if bench.folder.journal().exists() && bench.folder.experiment().exists() {
        return Ok(());
    }
    Err(format!(
        "the experiment's folder {} has gone; bring it back and run: joulerace resume {}",
        bench.folder.root().display(),
        bench.folder.root().display()
    ))
}

/// Writes an attempt that is done or failed: record first, then the journal's word that it is there.
async fn write_attempt(
    bench: &Bench<'_>,
    journal: &mut Journal,
    trial: &Trial,
    record: &TrialRecord,
    retry: bool,
) -> bool {
    let path = bench.folder.file(trial, "json");
    if !persist(bench, || bench.folder.sync(trial)).await
        || !persist(bench, || replace_json(&path, record)).await
    {
        return false;
    }
    if record.status == Status::Failed {
        let aside =
            persist(bench, || bench.folder.set_aside(trial, record.attempt, "failed").map(drop))
                .await;
        // The trial keeps a record in its own place, so that every planned trial has its row.
        if !aside || (!retry && !persist(bench, || replace_json(&path, record)).await) {
            return false;
        }
    }
    let ended = journal::EntryKind::TrialEnded {
        trial: trial.name.clone(),
        attempt: record.attempt,
        status: record.status,
        reason: record.reason.clone(),
        retry,
        unmeasured: record.unmeasured,
    };
    persist(bench, || journal.write(ended.clone()).map_err(to_io)).await
}

/// Adds how the cool-down after a trial went to its record, which is on the disk by then.
fn note_cool_down(bench: &Bench<'_>, trial: &Trial, record: TrialRecord, cooldown: Cooldown) {
    let record = TrialRecord { cooldown: Some(cooldown), ..record };
    if let Err(error) = replace_json(&bench.folder.file(trial, "json"), &record) {
        tracing::warn!(%error, trial = trial.name, "its cool-down is not in its record");
    }
}

async fn set_interrupted_aside(
    bench: &Bench<'_>,
    journal: &mut Journal,
    trial: &Trial,
    attempt: u32,
) {
    let kept = match bench.folder.set_aside(trial, attempt, "interrupted") {
        Ok(_) => format!("{}/interrupted", trial.folder()),
        Err(error) => format!("nowhere ({error})"),
    };
    let kind = journal::EntryKind::TrialInterrupted { trial: trial.name.clone(), kept };
    if let Err(error) = journal.write(kind) {
        tracing::warn!(
            error = error.in_line(),
            "the journal does not know that the trial was interrupted"
        );
    }
}

/// Writes, and where the disk is full or the folder read-only, says so and tries again until it
/// works. `false` when the user stops instead.
async fn persist(bench: &Bench<'_>, mut write: impl FnMut() -> io::Result<()>) -> bool {
    let mut told = false;
    loop {
        let error = match write() {
            Ok(()) => return true,
            Err(error) => error,
        };
        if !told {
            told = true;
            bench.observer.on(&Event::Warning(&format!(
                "{} cannot be written: {error}. Paused: nothing that was finished is lost; free \
                 space or make it writable and it goes on by itself, or stop with Ctrl-C and resume later",
                bench.folder.root().display()
            )));
        }
        if pause(WRITE_AGAIN, bench.stopper).await {
            return write().is_ok();
        }
    }
}
