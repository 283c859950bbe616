//! One session of an experiment, from its beginning or from where an earlier one left it.

use super::execute::{Ending, execute};
use super::gate::Expected;
use super::opening::{Opened, open};
use super::trial::Bench;
use super::{commands, look, table};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::events::{Event, Observer, Planned};
use crate::paths::{self, Project};
use crate::plan::duration;
use crate::prepare::environments::Environments;
use crate::prepare::ready::{Ready, ready};
use crate::prepare::{self, conditions};
use crate::settings::{Settings, Treatment};
use crate::snapshot::Roots;
use crate::stop::Stopper;
use crate::store::ExperimentError;
use crate::store::audit::Damage;
use crate::store::conditions::Conditions;
use crate::store::experiment::{Experiment, Verdict};
use crate::store::folder::Folder;
use crate::store::journal::{self, Again};
use crate::store::record::{self, TrialRecord};
use crate::store::settling::{Overhead, Settling};

/// An experiment that begins or goes on.
pub struct Session {
    /// The project's own files.
    pub project: Project,
    /// The experiment's folder.
    pub folder: Folder,
    /// What is asked for.
    pub settings: Settings,
    /// Which trials are run again that ended without a measurement.
    pub again: Again,
    /// What was recorded when it began; none where it begins.
    pub then: Option<Experiment>,
    /// Settings that differ from then and were accepted, a line each.
    pub accepted: Vec<String>,
    /// Whether it goes on whatever differs or is damaged.
    pub accept_changes: bool,
}

/// What a session came to.
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Every trial that has ended, of all sessions.
    pub records: Vec<TrialRecord>,
    /// Whether the work was the same; none without records.
    pub verdict: Option<Verdict>,
    /// What was found out between the trials.
    pub settling: Settling,
    /// What was trained on; none where commands were compared.
    pub dataset: Option<Dataset>,
    /// Files that could not be written at the end, and why.
    pub unwritten: Vec<String>,
}

impl Session {
    /// Makes ready, runs what is left of the plan, and holds the trials against each other.
    ///
    /// # Errors
    ///
    /// Why it could not begin, or could not be kept.
    pub async fn measure(
        &mut self,
        stopper: &Stopper,
        observer: &dyn Observer,
    ) -> Result<Outcome, Error> {
        let then = self.then.as_ref().map(|then| &then.conditions);
        let agree = |now: &Conditions| self.agree_to_changes(now);
        let mut ready =
            ready(&self.project, &self.settings, &self.folder, then, agree, observer).await?;
        if self.settings.commands.is_none() {
            return self.run(ready, stopper, observer).await;
        }
        let outcome = match self.ready_commands(&mut ready, observer).await {
            Ok(()) => self.run(ready, stopper, observer).await,
            Err(error) => Err(error),
        };
        commands::clean_up(&self.settings, observer).await;
        outcome
    }

    /// Sets the commands up, sees that they are what they were, and tries them out where they begin.
    async fn ready_commands(
        &mut self,
        ready: &mut Ready,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let stop = prepare::token()?;
        commands::set_up(&self.settings, &stop, observer).await?;
        commands::check_found(&self.settings)?;
        ready.conditions.commands = conditions::commands(&self.settings);
        if self.then.is_some() {
            return Ok(self.agree_to_changes(&ready.conditions)?);
        }
        let tried = commands::try_out(&self.settings, &ready.meter, &stop, observer).await?;
        self.settings.commands = Some(tried);
        Ok(())
    }

    async fn run(
        &self,
        ready: Ready,
        stopper: &Stopper,
        observer: &dyn Observer,
    ) -> Result<Outcome, Error> {
        let Opened { mut experiment, mut journal, so_far, _lock } = open(self, &ready, observer)?;
        let _awake = crate::process::stay_awake();
        let plan = experiment.plan.clone();
        let none = Environments::default();
        let training = ready.training.as_ref();
        let dataset = training.map(|training| &training.dataset);
        let bench = Bench {
            settings: &self.settings,
            plan: &plan,
            folder: &self.folder,
            meter: &ready.meter,
            environments: training.map_or(&none, |training| &training.environments),
            sys_path: training.map_or_else(Vec::new, |training| {
                vec![training.scripts.clone(), self.project.workloads()]
            }),
            dataset: dataset.map(|dataset| dataset.name.to_string()).unwrap_or_default(),
            data_dir: dataset.map(|dataset| dataset.dir.clone()).unwrap_or_default(),
            program: std::env::current_exe().map_err(|e| Error::Other(e.into()))?,
            roots: Roots::default(),
            limits: experiment.protocol.interference.clone(),
            again: self.again,
            stopper,
            observer,
        };
        self.tell_of_plan(&experiment, &so_far, &ready, observer);
        let expected = Expected::of(&self.settings.job, dataset);
        let ending = execute(&bench, &mut journal, &so_far, &expected, &mut experiment).await?;
        let mut unwritten = Vec::new();
        let (records, verdict) = self.judge(&mut experiment, &expected, &mut unwritten)?;
        if let Err(error) = table::rewrite(&bench) {
            unwritten.push(format!("{}: {error}", paths::shown(&self.folder.trials())));
        }
        let (settling, dataset) = (experiment.settling, dataset.cloned());
        Ok(Outcome { ending, records, verdict, settling, dataset, unwritten })
    }

    fn tell_of_plan(
        &self,
        experiment: &Experiment,
        so_far: &journal::Read,
        ready: &Ready,
        observer: &dyn Observer,
    ) {
        let remaining = look::needed(&experiment.plan, so_far, self.again).len();
        observer.on(&Event::Planned(Planned {
            remaining,
            trials: experiment.plan.trials.len(),
            folder: self.folder.root(),
            meter: &ready.meter.describe(),
            dataset: ready.training.as_ref().map(|training| &training.dataset),
            expected_s: duration::left_s(&self.settings, remaining),
            may_stop: experiment.protocol.sequential.is_some(),
            closing_s: self.settings.baseline.as_secs_f64(),
        }));
    }

    /// Whether it is seen that all do the same: of scripts always, of commands where that was asked for.
    fn looked_at_work(&self) -> bool {
        let checked = |t: &Treatment| t.command.as_ref().is_some_and(|c| c.check.is_some());
        self.settings
            .commands
            .as_ref()
            .is_none_or(|c| c.same_output || self.settings.treatments.iter().all(checked))
    }

    /// Refuses what differs from the first start, unless that is accepted.
    fn agree_to_changes(&self, now: &Conditions) -> Result<(), ExperimentError> {
        let Some(then) = &self.then else { return Ok(()) };
        let differences = then.conditions.differences(now);
        if differences.is_empty() || self.accept_changes {
            return Ok(());
        }
        Err(ExperimentError::Changed { folder: self.folder.shown(), differences })
    }

    /// Refuses what does not agree, unless that is accepted.
    pub(super) fn agree_to_damage(
        &self,
        damaged: Vec<Damage>,
    ) -> Result<Vec<Damage>, ExperimentError> {
        if damaged.is_empty() || self.accept_changes {
            return Ok(damaged);
        }
        let what = damaged.iter().map(|d| format!("{}: {}", d.trial.name, d.why)).collect();
        Err(ExperimentError::Damaged { folder: self.folder.shown(), what })
    }

    /// Holds the finished trials against each other and writes down what that shows.
    fn judge(
        &self,
        experiment: &mut Experiment,
        expected: &Expected<'_>,
        unwritten: &mut Vec<String>,
    ) -> Result<(Vec<TrialRecord>, Option<Verdict>), Error> {
        let journal = journal::read(&self.folder.journal())?;
        let ended = journal.ended();
        let trials = experiment.plan.trials.iter().filter(|t| ended.contains(t.name.as_str()));
        let mut records: Vec<TrialRecord> = trials.filter_map(|t| self.folder.record(t)).collect();
        if records.is_empty() {
            return Ok((records, None));
        }
        let (changed, verdict) = expected.compare(&mut records);
        // The trials are safe. What is added here can be added again, and a disk that is still full
        // must not hide how the run ended.
        let mut tell = |error: ExperimentError| unwritten.push(error.to_string());
        for place in changed {
            let record = &records[place];
            let trial = experiment.plan.trials.iter().find(|t| record.is_of(t));
            if let Some(trial) = trial {
                let path = self.folder.file(trial, "json");
                if let Err(source) = record::replace_json(&path, record) {
                    tell(ExperimentError::Write { path, source });
                }
            }
        }
        // What nobody looked at is not on record.
        let verdict = Some(verdict).filter(|verdict| self.looked_at_work() || !verdict.identical);
        experiment.work = verdict.clone();
        experiment.settling.overhead =
            Overhead::of(&records, experiment.settling.overhead.as_ref());
        if let Err(error) = experiment.write(&self.folder) {
            tell(error);
        }
        Ok((records, verdict))
    }
}
