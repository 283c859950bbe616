//! The experiment: settings, plan, run, report.

use super::dry_run::dry_run;
use super::resolve::{changed_settings, check_samples, own_or_named, resolve};
use crate::analysis::AnalysisError;
use crate::clean;
use crate::cli::{ResumeArgs, RunArgs, Talk};
use crate::dataset::{self, Dataset, Found};
use crate::env::{Environment, Profile};
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::files::{self, Scratch};
use crate::meter::{self, Meter};
use crate::paths::{self, Project};
use crate::plan::{Plan, duration};
use crate::prepare::{self, block_on, conditions};
use crate::process;
use crate::run::gate::{self, Expected};
use crate::run::look;
use crate::run::trial::Bench;
use crate::run::{Ending, execute, table};
use crate::screen::Terminal;
use crate::screen::{now_as_name, say, shown, width};
use crate::screen::{out, report};
use crate::settings::Settings;
use crate::snapshot::{self, Roots};
use crate::stop::Stopper;
use crate::store::ExperimentError;
use crate::store::audit::{Damage, audit};
use crate::store::conditions::Conditions;
use crate::store::experiment::{Experiment, Verdict};
use crate::store::folder::Folder;
use crate::store::journal::{self, Again, Journal};
use crate::store::lock;
use crate::store::protocol::Protocol;
use crate::store::record::{self, TrialRecord};
use crate::store::settling::{Overhead, Settling};
use serde_json::json;
use std::process::ExitCode;

/// `joulerace`.
pub fn run(args: RunArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let settings = resolve(&args, &project)?;
    check_samples(&settings)?;
    let folder = Folder::at(match &args.output {
        Some(folder) => prepare::followed(folder),
        None => project.root.join("results").join(now_as_name()),
    });
    if args.dry_run {
        return dry_run(&settings, &Plan::of(&settings), &folder, || {
            super::doctor::worst(&settings, &project, folder.root(), !args.no_analysis)
        });
    }
    if args.resume {
        let then = recorded(&folder)?;
        let differences = changed_settings(&then.settings, &settings, args.order_seed.is_some());
        if !differences.is_empty() && !args.accept_changes {
            let folder = folder.root().display().to_string();
            return Err(ExperimentError::Changed { folder, differences }.into());
        }
        // What is run and read outside the folder is what this command line says, whatever was accepted.
        let settings = Settings {
            failures: settings.failures,
            python_env: settings.python_env,
            data_dir: settings.data_dir,
            energibridge: settings.energibridge,
            powercap: settings.powercap,
            workloads: settings.workloads,
            ..then.settings.clone()
        };
        return conduct(Session {
            project,
            folder,
            settings,
            again: Again::default(),
            then: Some(then),
            accepted: differences,
            accept_changes: args.accept_changes,
            analyse: !args.no_analysis,
            talk,
        });
    }
    Experiment::may_begin_in(&folder)?;
    if args.strict {
        super::doctor::strict(&settings, &project, folder.root(), !args.no_analysis)?;
    }
    conduct(Session {
        project,
        folder,
        settings,
        again: Again::default(),
        then: None,
        accepted: Vec::new(),
        accept_changes: false,
        analyse: !args.no_analysis,
        talk,
    })
}

/// `joulerace resume`.
pub fn resume(args: ResumeArgs, talk: Talk) -> Result<ExitCode, Error> {
    let folder = Folder::at(prepare::followed(&args.dir));
    let then = recorded(&folder)?;
    let project = Project::find()?;
    let settings = own_or_named(&then.settings, &args, &project, &folder)?;
    conduct(Session {
        project,
        folder,
        settings,
        again: if args.failed { Again::Failed } else { Again::Unmeasured },
        then: Some(then),
        accepted: Vec::new(),
        accept_changes: args.accept_changes,
        analyse: !args.no_analysis,
        talk,
    })
}

/// An experiment that anyone may have recorded, in a folder of plain files.
fn recorded(folder: &Folder) -> Result<Experiment, ExperimentError> {
    if folder.root().is_dir() {
        files::only_plain(folder.root()).map_err(ExperimentError::NotPlain)?;
    }
    Experiment::read(folder)
}

/// An experiment that begins or goes on.
struct Session {
    project: Project,
    folder: Folder,
    settings: Settings,
    again: Again,
    then: Option<Experiment>,
    accepted: Vec<String>,
    accept_changes: bool,
    analyse: bool,
    talk: Talk,
}

/// What a run came to.
struct Outcome {
    ending: Ending,
    records: Vec<TrialRecord>,
    verdict: Option<Verdict>,
    settling: Settling,
    /// What a reader must know of the data.
    data: Option<String>,
    /// Files that could not be written at the end.
    unwritten: Vec<String>,
}

fn conduct(session: Session) -> Result<ExitCode, Error> {
    let holder = format!("process {}, {}", std::process::id(), clean::path(session.folder.root()));
    let _machine = lock::take(paths::lock_file().as_deref(), &holder)?;
    process::adopt_orphans();
    Scratch::sweep();
    block_on(session.run())?
}

impl Session {
    async fn run(self) -> Result<ExitCode, Error> {
        let terminal = Terminal::new(self.talk);
        let outcome = self.measure(&terminal).await;
        terminal.finish();
        let Outcome { ending, records, verdict, settling, data, unwritten } = outcome?;
        let treatments: Vec<String> =
            self.settings.treatments.iter().map(|t| t.name.clone()).collect();
        if !records.is_empty() {
            let (verdict, data) = (verdict.as_ref(), data.as_deref());
            say(&report::result(&records, &treatments, verdict, &settling, data, width()));
        }
        let shown = shown(self.folder.root());
        let done = records.len();
        let all = self.settings.trials();
        let most = if self.settings.until_precise.is_some() { "at most " } else { "" };
        match ending {
            Ending::Stopped { reason, .. } => {
                return Err(Error::Told {
                    message: format!(
                        "stopped after {done} of {most}{all} trials: {reason}\n\
                         nothing is lost; go on with: joulerace resume {shown}"
                    ),
                    status: Status::Stopped,
                });
            }
            Ending::Finished => say(&format!("Results: {shown}\n")),
        }
        let analysed = if self.analyse { self.analyse(&terminal).await } else { Ok(()) };
        terminal.finish();
        if !unwritten.is_empty() {
            let told = analysed.err().map_or(String::new(), |error| format!("{error}\n"));
            let message = format!(
                "{told}the trials are safe, but could not be written at the end: {}\n\
                 free space, and have them written with: joulerace resume {shown}",
                unwritten.join("; ")
            );
            return Err(Error::Told { message, status: Status::Output });
        }
        let bad = records.iter().filter(|r| r.status != record::Status::Ok).count();
        if bad > 0 {
            let mut message =
                format!("{bad} of {done} trials failed or are invalid; see {shown}/trials.csv");
            let unmeasured = records.iter().filter(|r| r.unmeasured).count();
            if unmeasured > 0 {
                message += &format!(
                    "\n{unmeasured} of them could not be measured and are not settled; when what was \
                     missing is back, run them with: joulerace resume {shown}"
                );
            }
            if let Err(error) = analysed {
                out::line(&format!("error: {error}"));
            }
            return Err(Error::Told { message, status: Status::Trials });
        }
        analysed.map(|()| ExitCode::SUCCESS)
    }

    async fn measure(&self, terminal: &Terminal) -> Result<Outcome, Error> {
        let settings = &self.settings;
        let stopper = Stopper::listen(terminal.teller()).map_err(|e| Error::Other(e.into()))?;
        let unwritten =
            |source| ExperimentError::Write { path: self.folder.root().to_owned(), source };
        let environment = prepare::environment(
            &self.project,
            Profile::Training,
            settings.python_env.clone(),
            settings.allow_unlocked,
            terminal,
        )
        .await?;
        let workloads = self.project.workloads();
        let scripts = settings.workloads.clone().unwrap_or_else(|| workloads.clone());
        let mut now = conditions::conditions(&environment, &scripts);
        let (name, folder) = (settings.dataset, settings.data_dir.as_deref());
        if let Some(then) = &self.then {
            // Before anything is run: data that is there already is compared as well.
            let found = dataset::find(&prepare::dataset_settings(name, folder));
            let data = match &found {
                Ok(Found::Ready(dataset)) => conditions::data(dataset),
                _ => then.conditions.data.clone(),
            };
            let so_far = Conditions { data, meter: then.conditions.meter.clone(), ..now.clone() };
            self.compare(then, &so_far)?;
        }
        let python = environment.interpreter()?;
        let dataset = prepare::data(name, folder, &python, &workloads, terminal).await?;
        now.data = conditions::data(&dataset);
        let selected = meter::select(&settings.meter_settings())?;
        let (meter, rejected) = (selected.meter, selected.rejected);
        for (kind, why) in &rejected {
            tracing::info!("{kind} is not used: {why}");
        }
        now.meter = conditions::meter(settings, &meter);
        // Held until the end: one writer, on whichever machine.
        let (_lock, mut experiment) = match &self.then {
            None => {
                let experiment = self.begin(&environment, &dataset, &meter, &rejected, now)?;
                std::fs::create_dir_all(self.folder.root()).map_err(unwritten)?;
                let lock = lock::folder(&self.folder)?;
                // Another may have begun in it meanwhile.
                Experiment::may_begin_in(&self.folder)?;
                // First of all, so that whatever ends this program leaves what can be resumed.
                experiment.write(&self.folder)?;
                (lock, experiment)
            }
            Some(then) => {
                self.compare(then, &now)?;
                let conditions = now;
                let settings = self.settings.clone();
                let lock = lock::folder(&self.folder)?;
                (lock, Experiment { conditions, settings, ..then.clone() })
            }
        };
        let so_far = journal::read(&self.folder.journal())?;
        let damaged = match &self.then {
            Some(_) => self.agreed(audit(&experiment.plan, &so_far, &self.folder))?,
            None => Vec::new(),
        };
        let names = settings.treatments.iter().map(|t| t.name.as_str());
        self.folder.create(names).map_err(unwritten)?;
        let (mut journal, so_far) = Journal::open(&self.folder.journal())?;
        if let Some(torn) = &so_far.torn {
            terminal.on(&Event::Warning(&format!(
                "the journal's last line was cut off ({} bytes) and is set aside",
                torn.len()
            )));
        }
        let names = settings.treatments.iter().map(|t| t.name.as_str());
        if let Err(error) = self.folder.sweep(names) {
            terminal
                .on(&Event::Warning(&format!("half-written files stay where they are: {error}")));
        }
        let mut accepted = self.accepted.clone();
        if let Some(then) = &self.then {
            accepted.extend(then.conditions.differences(&experiment.conditions));
        }
        journal.write(journal::Event::Started {
            schema: journal::SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            accepted,
        })?;
        self.keep_damaged_aside(&damaged, &mut journal, terminal)?;
        self.keep_unfinished_aside(&experiment.plan, &so_far, &mut journal, terminal)?;
        let (mut journal, so_far) = {
            drop(journal);
            Journal::open(&self.folder.journal())?
        };

        let plan = experiment.plan.clone();
        let bench = Bench {
            settings,
            plan: &plan,
            folder: &self.folder,
            meter: &meter,
            python: &python,
            sys_path: vec![scripts],
            dataset: dataset.name.to_string(),
            data_dir: dataset.dir.clone(),
            program: std::env::current_exe().map_err(|e| Error::Other(e.into()))?,
            roots: Roots::default(),
            limits: experiment.protocol.interference.clone(),
            again: self.again,
            stopper: &stopper,
            observer: terminal,
        };
        let left = look::needed(&plan, &so_far, self.again).len();
        terminal.on(&Event::Planned {
            remaining: left,
            trials: plan.trials.len(),
            folder: self.folder.root(),
            meter: &describe(&meter),
            data: &data_words(&dataset),
            expected_s: expected_s(settings, left),
            may_stop: experiment.protocol.sequential.is_some(),
            closing_s: settings.baseline.as_secs_f64(),
        });
        let expected = Expected {
            job: &settings.job,
            train_images: dataset.train_images.min(settings.job.train_samples.unwrap_or(u32::MAX)),
            test_images: dataset.test_images.min(settings.job.test_samples.unwrap_or(u32::MAX)),
        };
        let ending = execute(&bench, &mut journal, &so_far, &expected, &mut experiment).await?;
        let mut unwritten = Vec::new();
        let (records, verdict) = self.judge(&mut experiment, &expected, &mut unwritten)?;
        if let Err(error) = table::rewrite(&bench) {
            unwritten.push(format!("{}: {error}", shown(&self.folder.trials())));
        }
        let data = data_note(&dataset);
        Ok(Outcome { ending, records, verdict, settling: experiment.settling, data, unwritten })
    }

    fn begin(
        &self,
        environment: &Environment,
        dataset: &Dataset,
        meter: &Meter,
        rejected: &[(meter::Kind, String)],
        conditions: Conditions,
    ) -> Result<Experiment, Error> {
        let settings = &self.settings;
        Ok(Experiment {
            schema: Experiment::SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created: jiff::Timestamp::now(),
            command: command_line(),
            settings: settings.clone(),
            conditions,
            machine: to_value(&snapshot::machine(&Roots::default()))?,
            variables: to_value(&snapshot::environment())?,
            git: to_value(&snapshot::git(&self.project.root))?,
            meter: json!({ "chosen": meter.describe(), "rejected": rejected }),
            environment: to_value(environment)?,
            dataset: to_value(dataset)?,
            protocol: Protocol::of(settings),
            plan: Plan::of(settings),
            settling: Settling::default(),
            looks: Vec::new(),
            work: None,
        })
    }

    /// Refuses what differs from the first start, unless that is accepted.
    fn compare(&self, then: &Experiment, now: &Conditions) -> Result<(), ExperimentError> {
        let differences = then.conditions.differences(now);
        if differences.is_empty() || self.accept_changes {
            return Ok(());
        }
        let folder = shown(self.folder.root());
        Err(ExperimentError::Changed { folder, differences })
    }

    /// Refuses what does not agree, unless that is accepted.
    fn agreed(&self, damaged: Vec<Damage>) -> Result<Vec<Damage>, ExperimentError> {
        if damaged.is_empty() || self.accept_changes {
            return Ok(damaged);
        }
        let what = damaged.iter().map(|d| format!("{}: {}", d.trial.name, d.why)).collect();
        Err(ExperimentError::Damaged { folder: shown(self.folder.root()), what })
    }

    fn keep_damaged_aside(
        &self,
        damaged: &[Damage],
        journal: &mut Journal,
        terminal: &Terminal,
    ) -> Result<(), Error> {
        for Damage { trial, attempt, why } in damaged {
            self.folder.set_aside(trial, *attempt, "damaged").map_err(|source| {
                ExperimentError::Write { path: self.folder.root().to_owned(), source }
            })?;
            let told = format!(
                "{}: {why}; it is run again, and what there is of it is in {}/damaged",
                trial.name, trial.treatment
            );
            terminal.on(&Event::Warning(&told));
            let (trial, why) = (trial.name.clone(), why.clone());
            journal.write(journal::Event::TrialDamaged { trial, why })?;
        }
        Ok(())
    }

    fn keep_unfinished_aside(
        &self,
        plan: &Plan,
        so_far: &journal::Read,
        journal: &mut Journal,
        terminal: &Terminal,
    ) -> Result<(), Error> {
        for (name, attempt) in so_far.unfinished() {
            let Some(trial) = plan.trials.iter().find(|t| t.name == name) else { continue };
            let kept = self.folder.set_aside(trial, attempt, "interrupted").map_err(|source| {
                ExperimentError::Write { path: self.folder.root().to_owned(), source }
            })?;
            terminal.on(&Event::Warning(&format!(
                "{name} was running when the experiment ended; it is run again, and what it left is in {}",
                kept.display()
            )));
            let kept = format!("{}/interrupted", trial.treatment);
            journal.write(journal::Event::TrialInterrupted { trial: name, kept })?;
        }
        Ok(())
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
        let (changed, verdict) = gate::compare(&mut records, expected.test_images);
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
        experiment.work = Some(verdict.clone());
        experiment.settling.overhead =
            Overhead::of(&records, experiment.settling.overhead.as_ref());
        if let Err(error) = experiment.write(&self.folder) {
            tell(error);
        }
        Ok((records, Some(verdict)))
    }

    /// # Errors
    ///
    /// Why there is no analysis, and how to make it: the experiment is done and safe.
    async fn analyse(&self, terminal: &Terminal) -> Result<(), Error> {
        let begin = super::analyze::analyse_experiment(&self.project, self.folder.root(), terminal);
        let told = begin.await.map_err(|error| {
            let again = match &error {
                Error::Analysis(AnalysisError::Interrupted { .. }) => String::new(),
                _ => format!("\nmake it with: joulerace analyze {}", shown(self.folder.root())),
            };
            let message =
                format!("the trials are measured and safe, but not analysed: {error}{again}");
            Error::Told { message, status: error.status() }
        });
        say(&told?);
        Ok(())
    }
}

/// The command line, whatever bytes are in it.
fn command_line() -> Vec<String> {
    std::env::args_os().map(|word| clean::line(&word.to_string_lossy())).collect()
}

fn to_value(value: &impl serde::Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|e| Error::Other(e.into()))
}

/// Seconds that so many trials of an experiment take with its pauses, before the first has told.
fn expected_s(settings: &Settings, left: usize) -> f64 {
    let all = duration::Expected::of(settings);
    let trials = all.trials.max(1) as f64;
    // Warm-up and both baselines are made again by every session.
    let once = settings.warmup.as_secs_f64() + 2.0 * settings.baseline.as_secs_f64();
    if left == 0 { 0.0 } else { once + (all.total_s() - once) * left as f64 / trials }
}

fn data_note(dataset: &Dataset) -> Option<String> {
    match (dataset.name, &dataset.warning) {
        (dataset::Name::Digits, _) => Some(
            "Trained on the digits data set, NOT on MNIST: accuracies, losses and joules are not \
             comparable with MNIST's."
                .to_owned(),
        ),
        (_, Some(_)) => Some("Trained on files of your own, not on MNIST as published.".to_owned()),
        _ => None,
    }
}

fn data_words(dataset: &Dataset) -> String {
    let what = match (dataset.name, &dataset.warning) {
        (dataset::Name::Digits, _) => ", NOT MNIST",
        (_, Some(_)) => ", files of your own",
        _ => "",
    };
    format!("data: {}{what}", dataset.name)
}

fn describe(meter: &Meter) -> String {
    let about = meter.describe();
    let names: Vec<&str> =
        about.counters.iter().filter(|c| c.counted).map(|c| c.name.as_str()).collect();
    if about.estimated {
        format!("meter: {} of {}, NOT a measurement", about.kind, names.join(", "))
    } else {
        format!("meter: {} {} ({})", about.kind, about.version, names.join(", "))
    }
}
