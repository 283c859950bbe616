//! The run loop: what remains of the plan, trial by trial, each on disk before the next.

use super::gate::{self, Expected};
use super::look;
use super::pauses::Pauses;
use super::table::Rows;
use super::trial::{Bench, Interrupted, pause};
use crate::events::Event;
use crate::plan::Trial;
use crate::stop::Stop;
use crate::store::experiment::Experiment;
use crate::store::journal::{self, Again, Journal, JournalError};
use crate::store::pauses::Cooldown;
use crate::store::record::{Status, TrialRecord, replace_json};
use std::io;
use std::time::Duration;

/// How an experiment's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
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
pub async fn execute(
    bench: &Bench<'_>,
    journal: &mut Journal,
    so_far: &journal::Read,
    expected: &Expected<'_>,
    experiment: &mut Experiment,
) -> Result<Ending, JournalError> {
    experiment.looks = so_far.looks().cloned().collect();
    let whole = look::whole_blocks(bench.plan, so_far);
    // A host that died after a block's last trial has not looked at it.
    if look_at(bench, journal, whole, expected, experiment).await?.is_none() {
        return Ok(unwritten());
    }
    let left = look::needed(bench.plan, &journal::read(&bench.folder.journal())?, bench.again);
    let attempts = so_far.attempts();
    let mut rows = Rows::begin(bench);
    let mut pauses = Pauses::new(bench);
    if !left.is_empty() {
        pauses.before(experiment, journal).await;
    }
    let mut failures = 0;
    let mut unmeasured = 0;
    let mut enough = false;
    for (n, trial) in left.iter().enumerate() {
        if enough {
            break;
        }
        if bench.stopper.level() > Stop::No {
            return stopped(bench, journal, "the user asked to stop", true).await;
        }
        let earlier = attempts.get(trial.name.as_str()).copied().unwrap_or_default();
        let mut attempt = earlier.begun;
        // Asked for again, a trial has all its attempts again.
        let mut failed_before = match bench.again {
            Again::Unmeasured => earlier.failed,
            Again::Failed => 0,
        };
        loop {
            attempt += 1;
            if let Err(gone) = still_there(bench) {
                return Ok(Ending::Stopped { reason: gone, by_user: false });
            }
            let started = journal::Event::TrialStarted { trial: trial.name.clone(), attempt };
            if !persist(bench, || journal.write(started.clone()).map_err(to_io)).await {
                return Ok(unwritten());
            }
            bench.observer.on(&Event::TrialStarted { trial, attempt });
            let mut record = match bench.run(trial, attempt, pauses.idle_w()).await {
                Ok(record) => record,
                Err(Interrupted) => {
                    set_interrupted_aside(bench, journal, trial, attempt).await;
                    return stopped(bench, journal, "the user stopped it in a trial", true).await;
                }
            };
            if record.status == Status::Ok
                && let Err(reason) = gate::check(&record, expected)
            {
                record.status = Status::Invalid;
                record.reason = Some(reason);
            }
            let failed = record.status == Status::Failed;
            let retry = failed && failed_before < bench.settings.failures.retries;
            if attempt > 1 {
                record.flag("retried");
            }
            if !settle(bench, journal, trial, &record, retry).await {
                return Ok(unwritten());
            }
            if !retry {
                rows.add(bench, &record);
            }
            bench.observer.on(&Event::TrialEnded { record: &record, retry });
            failures += u32::from(failed);
            failed_before += u32::from(failed);
            if failed && failures >= bench.settings.failures.max_failures {
                let reason = format!(
                    "{failures} attempts failed (--max-failures), the last with: {}",
                    record.reason.as_deref().unwrap_or("no reason")
                );
                return stopped(bench, journal, &reason, false).await;
            }
            unmeasured += u32::from(record.unmeasured && !retry);
            let whole = left.get(n + 1).is_none_or(|next| next.block != trial.block);
            if whole && !retry {
                let blocks = trial.block + 1;
                match look_at(bench, journal, blocks, expected, experiment).await? {
                    Some(stop) => enough = stop,
                    None => return Ok(unwritten()),
                }
            }
            let last = (enough || n + 1 == left.len()) && !retry;
            // Idle power at the end is measured in the state in which it was measured before.
            let measured_after = !bench.settings.baseline.is_zero();
            if (!last || measured_after) && bench.stopper.level() == Stop::No {
                let cooldown = pauses.cool_down(&trial.name).await;
                if !retry {
                    note_cool_down(bench, trial, record, cooldown);
                }
            }
            if !retry || bench.stopper.level() > Stop::No {
                break;
            }
        }
    }
    if !left.is_empty() && bench.stopper.level() == Stop::No {
        pauses.after(experiment, journal).await;
    }
    if bench.stopper.level() > Stop::No
        && !look::needed(bench.plan, &journal::read(&bench.folder.journal())?, bench.again)
            .is_empty()
    {
        return stopped(bench, journal, "the user asked to stop", true).await;
    }
    if unmeasured > 0 {
        let reason = format!("{unmeasured} of the trials could not be measured");
        let event = journal::Event::Stopped { reason };
        if !persist(bench, || journal.write(event.clone()).map_err(to_io)).await {
            return Ok(unwritten());
        }
        return Ok(Ending::Finished);
    }
    if !persist(bench, || journal.write(journal::Event::Finished).map_err(to_io)).await {
        return Ok(unwritten());
    }
    Ok(Ending::Finished)
}

/// Looks at the experiment where its protocol says so after so many whole blocks, and keeps what was
/// found. Gives whether that was enough; none where the journal could not be written.
async fn look_at(
    bench: &Bench<'_>,
    journal: &mut Journal,
    blocks: u32,
    expected: &Expected<'_>,
    experiment: &mut Experiment,
) -> Result<Option<bool>, JournalError> {
    // A trial that is run again belongs to blocks that were looked at; the next look knows of it.
    if experiment.looks.iter().any(|look| look.blocks >= blocks) {
        return Ok(Some(false));
    }
    let protocol = &experiment.protocol;
    let Some(design) = protocol.sequential.as_ref().filter(|design| design.looks_at(blocks)) else {
        return Ok(Some(false));
    };
    let so_far = journal::read(&bench.folder.journal())?;
    let look = look::look(bench, &so_far, blocks, expected.test_images, protocol, design);
    let most = design.most;
    let event = journal::Event::Looked(look.clone());
    if !persist(bench, || journal.write(event.clone()).map_err(to_io)).await {
        return Ok(None);
    }
    let treatments = bench.settings.treatments.len();
    bench.observer.on(&Event::Looked { look: &look, most, treatments });
    let stop = look.stop;
    experiment.looks.push(look);
    if let Err(error) = experiment.write(bench.folder) {
        tracing::warn!(%error, "what a look found is in the journal only, until the next step");
    }
    Ok(Some(stop))
}

fn to_io(error: JournalError) -> io::Error {
    io::Error::other(error)
}

fn unwritten() -> Ending {
    Ending::Stopped {
        reason: "the experiment's folder could not be written".to_owned(),
        by_user: true,
    }
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

/// Writes a settled or failed attempt: record first, then the journal's word that it is there.
async fn settle(
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
    let ended = journal::Event::TrialEnded {
        trial: trial.name.clone(),
        attempt: record.attempt,
        status: record.status,
        reason: record.reason.clone(),
        retry,
        unmeasured: record.unmeasured,
    };
    if !persist(bench, || journal.write(ended.clone()).map_err(to_io)).await {
        return false;
    }
    true
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
        Ok(_) => format!("{}/interrupted", trial.treatment),
        Err(error) => format!("nowhere ({error})"),
    };
    let event = journal::Event::TrialInterrupted { trial: trial.name.clone(), kept };
    if let Err(error) = journal.write(event) {
        tracing::warn!(%error, "the journal does not know that the trial was interrupted");
    }
}

async fn stopped(
    bench: &Bench<'_>,
    journal: &mut Journal,
    reason: &str,
    by_user: bool,
) -> Result<Ending, JournalError> {
    let event = journal::Event::Stopped { reason: reason.to_owned() };
    persist(bench, || journal.write(event.clone()).map_err(to_io)).await;
    Ok(Ending::Stopped { reason: reason.to_owned(), by_user })
}

/// Writes, and where the disk is full or the folder read-only, says so and tries again until it
/// works. `false` when the user stops instead.
pub async fn persist(bench: &Bench<'_>, mut write: impl FnMut() -> io::Result<()>) -> bool {
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
