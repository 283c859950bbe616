//! One session of an experiment, from its beginning or from where an earlier one left it.

mod opening;

use super::execute::{Ending, execute};
use super::trial::Bench;
use super::{commands, look, table};
use crate::Remedy as _;
use crate::dataset::Dataset;
use crate::error::{Error, Status};
use crate::events::{Event, Observer, Planned};
use crate::gate::Expected;
use crate::here;
use crate::meter::{Choice, Kind};
use crate::paths::{self, Project};
use crate::plan::duration;
use crate::prepare::environments::Environments;
use crate::prepare::ready::{Ready, ready};
use crate::prepare::{self, conditions};
use crate::settings::{Settings, Treatment};
use crate::snapshot::{self, Roots};
use crate::stop::Stopper;
use crate::store::ExperimentError;
use crate::store::audit::Damage;
use crate::store::conditions::Conditions;
use crate::store::experiment::{Experiment, Part, Verdict};
use crate::store::folder::Folder;
use crate::store::journal::{self, Again};
use crate::store::machines::{MachineSeen, Remark};
use crate::store::record::{self, TrialRecord};
use crate::store::settling::{Overhead, Settling};
use opening::{Opened, open};

/// An experiment that begins or goes on.
pub(crate) struct Session {
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
    /// What all shards of its study have to have, where that is known.
    pub study: Option<Conditions>,
    /// What the doctor found here that is worth a warning.
    pub findings: Vec<Remark>,
    /// Whether an analysis follows.
    pub analysed: bool,
}

/// What a session came to.
pub(crate) struct Outcome {
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
    pub(crate) async fn measure(
        &mut self,
        stopper: &Stopper,
        observer: &dyn Observer,
    ) -> Result<Outcome, Error> {
        let then = self.then.as_ref().map(|then| &then.conditions).or(self.study.as_ref());
        // A study's versions were locked once, for all shards.
        let study = || Some(Folder::at(self.folder.root().ancestors().nth(2)?));
        let kept = match (&self.then, self.settings.shard) {
            (Some(_), _) => Some(self.folder.clone()),
            (None, Some(_)) => study(),
            (None, None) => None,
        };
        let agree = |now: &Conditions| self.agree_to_changes(now);
        let mut ready = ready(
            &self.project,
            &self.settings,
            kept.as_ref(),
            then,
            agree,
            self.analysed,
            observer,
        )
        .await?;
        if ready.meter.capabilities().estimates {
            self.may_estimate(&ready.rejected)?;
        }
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

    /// Sets the commands up, checks that they are unchanged, and tries them out where the experiment begins.
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
        let dataset = training.and_then(|training| training.dataset.as_ref());
        let bench = Bench {
            settings: &self.settings,
            plan: &plan,
            folder: &self.folder,
            meter: &ready.meter,
            environments: training.map_or(&none, |training| &training.environments),
            sys_path: training.map_or_else(Vec::new, |training| {
                vec![training.scripts.clone(), self.project.workloads()]
            }),
            dataset: dataset.map(|dataset| dataset.name.to_string()),
            data_dir: dataset.map(|dataset| dataset.dir.clone()),
            program: std::env::current_exe().map_err(|e| Error::Other(e.into()))?,
            roots: Roots::default(),
            limits: experiment.protocol.interference.clone(),
            machine: experiment.machines.last().map(|machine| machine.name.clone()),
            again: self.again,
            stopper,
            observer,
        };
        self.tell_of_plan(&experiment, &so_far, &ready, observer);
        let expected = Expected::of(&self.settings, dataset);
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
            dataset: ready.training.as_ref().and_then(|training| training.dataset.as_ref()),
            expected_s: duration::left_s(&self.settings, remaining),
            may_stop: experiment.protocol.sequential.is_some(),
            closing_s: self.settings.baseline.as_secs_f64(),
        }));
    }

    /// Whether equal work is checked: always for scripts, for commands where that was asked for.
    fn looked_at_work(&self) -> bool {
        let checked = |t: &Treatment| t.command.as_ref().is_some_and(|c| c.check.is_some());
        self.settings
            .commands
            .as_ref()
            .is_none_or(|c| c.same_output || self.settings.treatments.iter().all(checked))
    }

    /// Refuses what differs from the first start, unless that is accepted.
    fn agree_to_changes(&self, now: &Conditions) -> Result<(), ExperimentError> {
        let mut differences = self.study.as_ref().map_or(Vec::new(), |study| {
            // What was prepared before any machine was known has no meter, and perhaps no data yet.
            let data = if study.data.is_empty() { now.data.clone() } else { study.data.clone() };
            Conditions { data, ..study.clone() }.differences_of_work(now)
        });
        if let Some(then) = &self.then {
            differences.extend(self.changes(&then.conditions, now));
            differences.dedup();
        }
        if differences.is_empty() || self.accept_changes {
            return Ok(());
        }
        Err(ExperimentError::Changed { folder: self.folder.shown(), differences })
    }

    /// What differs from the first start. A shard may go on at another machine.
    pub(super) fn changes(&self, then: &Conditions, now: &Conditions) -> Vec<String> {
        match self.settings.shard {
            Some(_) => then.differences_of_work(now),
            None => then.differences(now),
        }
    }

    /// The machine as it is now, where the experiment's blocks are dealt to several.
    pub(super) fn machine(&self, ready: &Ready) -> Option<MachineSeen> {
        let shard = self.settings.shard?;
        Some(MachineSeen {
            name: here::name(),
            id: here::id(),
            shards: vec![shard.number],
            blocks: Vec::new(),
            trials: 0,
            estimated: ready.meter.capabilities().estimates,
            meter: ready.conditions.meter.clone(),
            conditions: ready.conditions.machine.clone(),
            threads: self.settings.job.threads,
            machine: Part::Known(snapshot::machine(&Roots::default())),
            settling: Settling::default(),
            findings: self.findings.clone(),
        })
    }

    /// A study's machines are held against each other: one without a sensor has to be left out before it
    /// runs, not found out afterwards.
    ///
    /// # Errors
    ///
    /// This machine's joules would be an estimate beside other machines' measured ones.
    pub(crate) fn may_estimate(&self, rejected: &[(Kind, String)]) -> Result<(), Error> {
        let Some(shard) = self.settings.shard else { return Ok(()) };
        let before = self.then.as_ref().and_then(|then| then.machines.last());
        let measured = before.is_some_and(|machine| !machine.estimated);
        if self.settings.meter != Choice::Auto && !measured {
            return Ok(());
        }
        let why: String = rejected.iter().map(|(kind, why)| format!("\n  {kind}: {why}")).collect();
        let message = format!(
            "shard {shard} is not run on {}: no energy sensor works here, and an estimate would stand \
             beside other machines' measurements.{why}",
            here::name(),
        );
        let remedy =
            "Run it on another machine, or have every shard estimated with --meter estimate";
        Err(Error::advised(Status::Meter, message, remedy))
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
        let mut tell = |error: ExperimentError| unwritten.push(error.in_line());
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
