//! One trial: a fresh worker under a meter, and what came of it.

use super::{commands, interference};
use crate::clean;
use crate::energy::{self, Accounts};
use crate::events::{Event, Observer};
use crate::meter::{Meter, MeterError, SessionReport};
use crate::phase::{Edge, PhaseMark};
use crate::plan::{Plan, Trial};
use crate::prepare::environments::Environments;
use crate::process::Exit;
use crate::settings::{Commands, Settings};
use crate::snapshot::Roots;
use crate::stop::{Stop, Stopper};
use crate::store::folder::Folder;
use crate::store::interference::Interference;
use crate::store::journal::Again;
use crate::store::record::{Status, TrialRecord};
use crate::worker::protocol::{self, Interpreter, Message, Request};
use crate::worker::{self, Failure, Launch, Limits, Listener, Seen, Task};
use joulerace_meter::clock;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that a trial needs and that stays the same from trial to trial.
pub struct Bench<'a> {
    /// The experiment's settings.
    pub settings: &'a Settings,
    /// Its plan.
    pub plan: &'a Plan,
    /// Its files.
    pub folder: &'a Folder,
    /// What reads the energy.
    pub meter: &'a Meter,
    /// What the scripts run in.
    pub environments: &'a Environments,
    /// Folders that the scripts are imported from.
    pub sys_path: Vec<PathBuf>,
    /// The data set's name, as the script is told.
    pub dataset: String,
    /// Where its files are.
    pub data_dir: Option<PathBuf>,
    /// This program.
    pub program: PathBuf,
    /// Where the kernel's files are.
    pub roots: Roots,
    /// What this machine is called, where the experiment's blocks are dealt to several.
    pub machine: Option<String>,
    /// Beyond what a trial is flagged for what else the machine did.
    pub limits: crate::store::interference::Limits,
    /// Which trials are run again that ended without a measurement.
    pub again: Again,
    /// What the user last said.
    pub stopper: &'a Stopper,
    /// Who listens.
    pub observer: &'a dyn Observer,
}

/// What was heard of a worker.
#[derive(Default)]
struct Heard {
    marks: Vec<PhaseMark>,
    result: Option<Value>,
    last_loss: Option<f64>,
    /// Whether the meter stopped measuring.
    meter_lost: bool,
    /// Whether the user was told that the experiment ends after this trial.
    told_of_stop: bool,
}

impl Bench<'_> {
    /// Runs one attempt at a trial. Whatever goes wrong with it is in the record; an `Err` says that
    /// the user ended it.
    ///
    /// `idle_w` is the power of the idle machine before it, in watts.
    pub async fn run(
        &self,
        trial: &Trial,
        attempt: u32,
        idle_w: Option<f64>,
    ) -> Result<TrialRecord, Interrupted> {
        let mut record = TrialRecord { idle_w, ..self.blank(trial, attempt) };
        let mut watch = interference::Watch::start(&self.roots);
        let began = clock::together();
        let outcome = self.measure(trial, &mut record, &mut watch).await;
        // Before anything else is looked at: what that takes grows with the machine's processes.
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
                record.status = Status::Failed;
                record.unmeasured = gone.is_some() || speaks_of_full_disk(&reason);
                record.reason = Some(match gone {
                    Some(gone) => clean::reason(&format!("{gone}: {reason}")),
                    None => clean::reason(&reason),
                });
            }
            Err(Trouble::Unmeasured(reason)) => {
                record.status = Status::Failed;
                record.unmeasured = true;
                record.reason = Some(clean::reason(&reason));
            }
        }
        fail_if_suspended(&mut record);
        let steps = [
            clock::step(wall_s, steady_s),
            // Forth and back again is none of it in the end, but was in between.
            record
                .sampler
                .as_ref()
                .and_then(|s| clock::step(s.seconds + s.clock_step_s, s.seconds)),
        ];
        if let Some(step) = steps.into_iter().flatten().next() {
            record.flag("clock-step");
            if record.status == Status::Ok {
                record.status = Status::Failed;
                record.reason = Some(format!(
                    "the wall clock moved {step:+.3} s against the steady clock (a time server, or a \
                     suspend), so its times cannot be trusted"
                ));
            }
        }
        Ok(record)
    }

    async fn measure(
        &self,
        trial: &Trial,
        record: &mut TrialRecord,
        watch: &mut interference::Watch,
    ) -> Result<(), Trouble> {
        let lost = |e: &dyn std::fmt::Display| Trouble::Unmeasured(e.to_string());
        let csv = self.folder.file(trial, "csv");
        let log = self.folder.file(trial, "log");
        let listener = Listener::bind().map_err(|e| {
            lost(&format_args!("there is no place for the worker's socket: {e}; set TMPDIR to a folder that can be written"))
        })?;
        let mut run = self.meter.run(&csv, self.worker(&listener)).map_err(|e| lost(&e))?;
        let argv = run.line().to_vec();
        let launch = self.launch(trial, argv, &log).map_err(Trouble::Unmeasured)?;
        let mut heard = Heard::default();
        let work = worker::run(launch, &listener, |seen| match seen {
            Seen::Message(Message::Event { event }) => {
                self.hear(protocol::Event::read(event.clone()), run.session(), &mut heard);
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
        record.cpu_seconds = ended.cpu_seconds;
        record.exit = ended.exit;
        record.traceback = clean::cut(&clean::private(&ended.traceback), LONGEST_TRACEBACK);
        record.marks = heard.marks;
        record.loss = heard.last_loss;
        record.accuracy = heard.result.as_ref().and_then(|r| r["accuracy"].as_f64());
        record.result = heard.result;
        record.samples = self.folder.samples(trial).ok();
        // A batch system that ends a task may tell all its processes at once, the worker as well.
        let told = self.stopper.level() > Stop::No || crate::stop::requests() > 0;
        if self.stopper.level() == Stop::Now || (told && ended.exit.is_by_order()) {
            return Err(Trouble::Interrupted);
        }
        self.account(&csv, report, record, ended.failure.is_none()).or_else(|trouble| {
            // What the worker did wrong comes before what its samples lack in consequence.
            if ended.failure.is_some() { Ok(()) } else { Err(trouble) }
        })?;
        match ended.failure {
            Some(failure) => {
                let reason = reason.unwrap_or_default();
                let unmeasured = heard.meter_lost || failure.is_of_the_machine();
                Err(if unmeasured { Trouble::Unmeasured(reason) } else { Trouble::Failed(reason) })
            }
            None => Ok(()),
        }
    }

    /// Looks at the meter and at what the user wants, several times a second.
    ///
    /// # Errors
    ///
    /// Why the worker has to be stopped.
    fn look_around(
        &self,
        session: &crate::meter::Session,
        heard: &mut Heard,
    ) -> Result<(), String> {
        session.health().map_err(|e| {
            heard.meter_lost = true;
            e.to_string()
        })?;
        if let Some(watts) = session.watts() {
            self.observer.on(&Event::Watts(watts));
        }
        match self.stopper.level() {
            Stop::No => {}
            Stop::AfterTrial if heard.told_of_stop => {}
            Stop::AfterTrial => {
                heard.told_of_stop = true;
                self.observer.on(&Event::Stopping { now: false });
            }
            Stop::Now => {
                self.observer.on(&Event::Stopping { now: true });
                return Err(STOPPED.to_owned());
            }
        }
        Ok(())
    }

    /// What a trial needs and is not there any more, in words.
    fn gone(&self, trial: &Trial) -> Option<String> {
        if let Some(commands) = &self.settings.commands {
            let folder = &commands.folder;
            return (!folder.is_dir()).then(|| format!("the folder {} has gone", folder.display()));
        }
        let python = self.python(trial).map(|python| python.executable.as_path());
        let packages = python.and_then(Path::parent).and_then(Path::parent);
        let packages = packages.map(crate::env::packages_folder);
        let mut needed: Vec<_> =
            self.data_dir.iter().map(|dir| ("the data", dir.as_path())).collect();
        needed.extend(python.map(|python| ("the interpreter", python)));
        needed.extend(packages.as_deref().map(|folder| ("the folder of packages", folder)));
        needed
            .extend(self.sys_path.iter().map(|folder| ("the folder of scripts", folder.as_path())));
        let gone = needed.into_iter().find(|(_, path)| !path.exists());
        gone.map(|(what, path)| format!("{what} {} has gone", path.display()))
    }

    fn hear(&self, event: protocol::Event, session: &crate::meter::Session, heard: &mut Heard) {
        match event {
            protocol::Event::Phase(mark) => {
                session.mark();
                if mark.edge == Edge::Begin {
                    self.observer.on(&Event::Phase(mark.phase));
                }
                if heard.marks.len() < MOST_MARKS {
                    heard.marks.push(mark);
                }
            }
            protocol::Event::Epoch { epoch, epochs, loss } => {
                heard.last_loss = Some(loss).filter(|l| l.is_finite());
                self.observer.on(&Event::Epoch { epoch, epochs, loss });
            }
            // What is larger is no account of a training; without one the trial is invalid.
            protocol::Event::Result(result) => {
                heard.result = Some(result).filter(|r| r.to_string().len() <= LARGEST_RESULT);
            }
            protocol::Event::Other(other) => {
                tracing::debug!(%other, "an event of the script's own")
            }
        }
    }

    /// Joules out of the samples, and whether the samples can be trusted.
    fn account(
        &self,
        csv: &Path,
        report: Result<SessionReport, crate::meter::MeterError>,
        record: &mut TrialRecord,
        worked: bool,
    ) -> Result<(), Trouble> {
        let failed = |e: &dyn std::fmt::Display| Trouble::Failed(e.to_string());
        let wrapping = self.meter.capabilities().wrapping();
        let mut accounts: Accounts =
            energy::account_file(csv, &record.marks, &wrapping).map_err(|e| failed(&e))?;
        let report = report.map_err(|e| Trouble::Unmeasured(e.to_string()))?;
        for domain in report.unknown_domains() {
            // Its column stands still at the end, which is not 0 J.
            let all = accounts.phases.values_mut().chain(accounts.window.as_mut());
            for energy in all.chain([&mut accounts.whole]) {
                energy.joules.remove(&domain);
                energy.total_j = f64::NAN;
            }
        }
        // Where nobody asked for more readings than at the edges, what lies between them is no gap.
        let edges = self.settings.interval >= crate::meter::EDGES;
        for flag in accounts.integrity.flags() {
            if !(edges && flag == energy::Flag::Gap) {
                record.flag(flag.name());
            }
        }
        if report.missed > 0 {
            record.flag("missed-samples");
        }
        if report.wraps > 0 {
            record.flag("wrap");
        }
        if !report.lost.is_empty() {
            record.flag("lost-sensor");
        }
        if !report.disagreements.is_empty() {
            record.flag("sensors-disagree");
        }
        if accounts.window.as_ref().is_some_and(|window| report.is_short(window.seconds)) {
            record.flag("short-window");
        }
        accounts.of_one(self.repetitions());
        let lost = report.lost.iter().chain(&report.unmeasured).next().map(|lost| lost.why.clone());
        let reset = report.resets > 0 || accounts.integrity.reset_count > 0;
        let unknown = accounts.integrity.unknown_energy();
        let uncovered = accounts.integrity.uncovered_s;
        record.window = accounts.window;
        record.phases = accounts.phases;
        record.whole = Some(accounts.whole);
        record.integrity = Some(accounts.integrity);
        record.sampler = Some(report);
        if let Some(why) = lost {
            return Err(Trouble::Unmeasured(why));
        }
        if reset {
            return Err(Trouble::Failed(
                "a counter was reset in the middle, so a part of its energy is unknown".to_owned(),
            ));
        }
        if let Some(why) = unknown {
            return Err(Trouble::Failed(why));
        }
        match &record.window {
            None if worked && self.settings.commands.is_some() => Err(Trouble::Failed(
                "a phase that it marked never ended (or never began)".to_owned(),
            )),
            None if worked => Err(Trouble::Failed("its phases were not marked".to_owned())),
            Some(window) if worked && !window.total_j.is_finite() => {
                Err(Trouble::Failed("its energy could not be worked out".to_owned()))
            }
            _ if worked && uncovered > 2.0 * self.settings.interval.as_secs_f64() => Err(
                Trouble::Failed(format!("the samples do not cover {uncovered:.2} s of its phases")),
            ),
            _ => Ok(()),
        }
    }

    /// The command line of a trial's worker.
    fn worker(&self, listener: &Listener) -> Vec<OsString> {
        let program = OsString::from(&self.program);
        vec![program, "worker".into(), "--socket".into(), listener.path().into()]
    }

    /// The worker of a trial, started as `argv`.
    ///
    /// # Errors
    ///
    /// There is no environment for it.
    fn launch(&self, trial: &Trial, argv: Vec<OsString>, log: &Path) -> Result<Launch, String> {
        let limits = Limits { trial: self.settings.failures.trial_timeout, ..Limits::default() };
        Ok(Launch { task: self.task(trial)?, argv, log: log.to_owned(), limits })
    }

    /// What the trial's worker does: it runs the treatment's command, or calls its script.
    fn task(&self, trial: &Trial) -> Result<Task, String> {
        let treatments = &self.settings.treatments;
        let command = self.settings.commands.as_ref().and_then(|commands| {
            let own = treatments.iter().find(|t| t.name == trial.treatment)?;
            Some(commands::request(commands, own.command.as_ref()?))
        });
        match command {
            Some(request) => Ok(Task::Command(request)),
            None => self.request(trial).map(Task::Python),
        }
    }

    /// What the trial's script runs in.
    fn python(&self, trial: &Trial) -> Option<&Interpreter> {
        self.environments.of(trial).map(|made| &made.python)
    }

    fn request(&self, trial: &Trial) -> Result<Request, String> {
        let python = self.python(trial).cloned();
        let python =
            python.ok_or_else(|| format!("there is no environment for {}", trial.treatment))?;
        let job = self.settings.job.at(&trial.levels).map_err(|error| error.to_string())?;
        let mut job = serde_json::to_value(&job).unwrap_or_default();
        job["seed"] = json!(self.seed(trial));
        job["dataset"] = json!(self.dataset);
        job["data_dir"] = json!(self.data_dir);
        if let Some(card) = self.settings.job.device.card(&self.settings.gpus) {
            job["card"] = json!(card);
        }
        let workload = &self.settings.workload;
        let mut argument =
            json!({ "framework": trial.framework, "workload": workload, "job": job });
        if let Some(variant) = &trial.variant {
            argument["variant"] = json!(variant);
        }
        Ok(Request {
            python,
            sys_path: self.sys_path.clone(),
            module: "harness".to_owned(),
            function: "run".to_owned(),
            argument,
            arrays: None,
        })
    }

    /// How often a trial does its work.
    fn repetitions(&self) -> u32 {
        self.settings.commands.as_ref().map_or(1, Commands::repetitions)
    }

    /// What a trial trains from.
    fn seed(&self, trial: &Trial) -> u64 {
        trial.seed.unwrap_or(self.settings.job.seed)
    }

    fn blank(&self, trial: &Trial, attempt: u32) -> TrialRecord {
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

/// Whose failure it was: a meter that wraps the worker may have ended first.
fn blame(failure: &Failure, meter: Option<MeterError>) -> String {
    let by_itself = matches!(
        failure,
        Failure::WrapperEnded { .. } | Failure::Vanished { .. } | Failure::Silent { .. }
    );
    match meter.filter(|_| by_itself) {
        Some(meter) => format!("{failure}: {meter}"),
        None => failure.to_string(),
    }
}

/// Longest traceback in a record; the log has all of it.
const LONGEST_TRACEBACK: usize = 64 << 10;

/// Larger than any workload's account of itself, as JSON.
const LARGEST_RESULT: usize = 1 << 20;

/// More marks than any workload makes, and than are heard of a command.
const MOST_MARKS: usize = 3 * joulerace_meter::marks::MOST;

/// Whether a failure is the disk's: a script says it in Python's words or in the system's.
fn speaks_of_full_disk(reason: &str) -> bool {
    ["No space left on device", "[Errno 28]", "os error 28", "Disk quota exceeded", "[Errno 122]"]
        .iter()
        .any(|sign| reason.contains(sign))
}

const STOPPED: &str = "the user stopped it";

/// The user ended the trial before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

enum Trouble {
    /// The trial went wrong.
    Failed(String),
    /// What measuring takes was not there: the trial was not tried, whatever it did.
    Unmeasured(String),
    Interrupted,
}

/// Waits, and returns early with `true` when the user wants to stop.
pub async fn pause(duration: Duration, stopper: &Stopper) -> bool {
    tokio::select! {
        () = tokio::time::sleep(duration) => false,
        () = stopper.reached(Stop::AfterTrial) => true,
    }
}

/// A trial in which the machine slept has neither a time nor an energy of its own.
fn fail_if_suspended(record: &mut TrialRecord) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
