//! A trial's record: what is in it before the trial is run, and how the trial fared.

use super::Bench;
use crate::Remedy as _;
use crate::clean;
use crate::meter::MeterError;
use crate::plan::Trial;
use crate::process::Exit;
use crate::settings::Commands;
use crate::store::interference::Interference;
use crate::store::record::{Status, TrialRecord};
use crate::worker::Failure;
use joulerace_meter::clock;

impl Bench<'_> {
    /// How often a trial does its work.
    pub(super) fn repetitions(&self) -> u32 {
        self.settings.commands.as_ref().map_or(1, Commands::repetitions)
    }

    /// What a trial trains from.
    pub(super) fn seed(&self, trial: &Trial) -> u64 {
        trial.seed.unwrap_or(self.settings.job.seed)
    }

    /// The record of a trial of which nothing but the plan is known.
    pub(super) fn blank(&self, trial: &Trial, attempt: u32) -> TrialRecord {
        TrialRecord {
            schema: TrialRecord::SCHEMA,
            trial: trial.name.clone(),
            treatment: trial.treatment.clone(),
            framework: trial.framework.clone(),
            variant: trial.variant.clone(),
            environment: trial.environment.clone(),
            levels: trial.levels.clone(),
            block: trial.block,
            position: trial.position,
            run_order: trial.run_order,
            machine: self.machine.clone(),
            predecessor: self.plan.predecessor(trial).map(|p| p.treatment.clone()),
            seed: self.settings.commands.is_none().then(|| self.seed(trial)),
            repetitions: self.repetitions(),
            attempt,
            status: Status::Ok,
            reason: None,
            unmeasured: false,
            flags: Vec::new(),
            started: jiff::Timestamp::now(),
            wall_seconds: 0.0,
            cpu_seconds: 0.0,
            meter: self.meter.sensors(),
            estimated: self.meter.capabilities().estimates,
            window: None,
            phases: Default::default(),
            whole: None,
            integrity: None,
            sampler: None,
            samples: None,
            marks: Vec::new(),
            accuracy: None,
            loss: None,
            result: None,
            exit: Exit::Unknown,
            traceback: String::new(),
            idle_w: None,
            interference: None::<Interference>,
            cooldown: None,
        }
    }
}

/// Says whose failure it was: a meter that wraps the worker may have ended first.
pub(super) fn blame(failure: &Failure, meter: Option<MeterError>) -> String {
    let by_itself = matches!(
        failure,
        Failure::WrapperEnded { .. } | Failure::Vanished { .. } | Failure::Silent { .. }
    );
    match meter.filter(|_| by_itself) {
        Some(meter) => format!("{failure}: {}", meter.in_line()),
        None => failure.in_line(),
    }
}

/// The trial went wrong for this reason; `unmeasured` where something that measuring needs was missing.
pub(super) fn fail(record: &mut TrialRecord, reason: &str, unmeasured: bool) {
    record.status = Status::Failed;
    record.unmeasured = unmeasured;
    record.reason = Some(clean::reason(reason));
}

/// Whether a failure is the disk's: a script says it in Python's words or in the system's.
pub(super) fn speaks_of_full_disk(reason: &str) -> bool {
    ["No space left on device", "[Errno 28]", "os error 28", "Disk quota exceeded", "[Errno 122]"]
        .iter()
        .any(|sign| reason.contains(sign))
}

/// A trial in which the machine slept has neither a time nor an energy of its own.
pub(super) fn fail_if_suspended(record: &mut TrialRecord) {
    let slept = record.sampler.as_ref().map_or(0.0, |sampler| sampler.suspended_s);
    if slept <= 0.0 {
        return;
    }
    record.flag("suspended");
    if record.status == Status::Ok {
        record.status = Status::Failed;
        record.unmeasured = true;
        record.reason = Some(format!(
            "the machine was suspended for {slept:.1} s in the middle of it, so what it drew and how long it \
             took cannot be told apart from sleeping"
        ));
    }
}

/// Flags a trial in which the wall clock was set, and fails it where nothing else did. `step` is what it
/// moved by over the whole trial, in seconds.
pub(super) fn fail_if_the_clock_moved(record: &mut TrialRecord, step: Option<f64>) {
    // A clock that was set forth and back shows no step at the end, but was wrong in between.
    let sampler = record.sampler.as_ref();
    let between = sampler.and_then(|s| clock::step(s.seconds + s.clock_step_s, s.seconds));
    let Some(step) = step.or(between) else { return };
    record.flag("clock-step");
    if record.status == Status::Ok {
        record.status = Status::Failed;
        record.reason = Some(format!(
            "the wall clock moved {step:+.3} s against the steady clock (a time server, or a \
             suspend), so its times cannot be trusted"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_trial_in_which_the_machine_slept_fails_with_how_long() {
        let record = |suspended_s: f64| -> TrialRecord {
            serde_json::from_value(json!({
                "schema": 1, "trial": "a_0", "treatment": "a", "framework": "a", "block": 0,
                "position": 0, "run_order": 0, "attempt": 1, "status": "ok", "flags": [],
                "started": "2026-01-02T03:04:05Z", "wall_seconds": 3.0, "cpu_seconds": 1.0,
                "meter": "rapl", "estimated": false, "exit": { "code": 0 },
                "sampler": {
                    "meter": "rapl", "estimated": false, "samples": 9, "missed": 0, "wraps": 0,
                    "resets": 0, "read_errors": 0, "clock_step_s": 0.0, "slowest_mark_ms": 0.0,
                    "slowest_read_ms": 0.0, "seconds": 3.0, "joules": {}, "total_j": 60.0,
                    "cpu_seconds": null, "suspended_s": suspended_s,
                },
            }))
            .unwrap()
        };
        let mut awake = record(0.0);
        fail_if_suspended(&mut awake);
        assert_eq!((awake.status, awake.flags.len()), (Status::Ok, 0));
        let mut slept = record(90.0);
        fail_if_suspended(&mut slept);
        assert_eq!(
            (slept.status, slept.flags.as_slice()),
            (Status::Failed, &["suspended".to_owned()][..])
        );
        assert!(slept.reason.unwrap().contains("suspended for 90.0 s"));
    }
}
