//! The experiment: settings, plan, run, report. What is run is in the room [`crate::run`], whose head shows the way
//! of a trial.

use super::doctor;
use super::dry_run::dry_run;
use super::list::list;
use super::resolve::{
    changed_settings, check_samples, here, known_to, own_or_named, resolve, workload,
};
use super::shard::{self, Place};
use crate::Remedy as _;
use crate::analysis::AnalysisError;
use crate::clean;
use crate::cli::{DesignArgs, ResumeArgs, RunArgs, Talk};
use crate::error::{Error, Status};
use crate::files::{self, Scratch};
use crate::paths::{self, Project};
use crate::plan::Plan;
use crate::prepare::environments::{self, Wanted};
use crate::prepare::known::known;
use crate::prepare::{self, block_on};
use crate::process;
use crate::run::{Ending, Outcome, Session};
use crate::screen::{Terminal, compared, out, report, say, shown, width};
use crate::settings::{Commands, Settings};
use crate::stop::Stopper;
use crate::store::ExperimentError;
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use crate::store::journal::Again;
use crate::store::{lock, record};
use crate::workload::uses_images;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `joulerace`.
pub(super) fn run(args: RunArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    if args.list_treatments {
        let workload = workload(&args.work.workload, args.work.workloads.as_deref(), &project)?;
        say(&list(&known_to(&args, &workload, &project)?)?);
        return Ok(ExitCode::SUCCESS);
    }
    let settings = resolve(&args, &project)?;
    let images = uses_images(&settings.workload_in(&project), &project)?;
    for job in settings.jobs().filter(|_| images) {
        let data_dir = settings.data_dir.as_deref();
        check_samples(settings.dataset, data_dir, job.train_samples, job.test_samples)?;
    }
    begin(settings, &args.design, project, talk)
}

/// Plans, begins or goes on with an experiment of these settings, of frameworks or commands.
pub(super) fn begin(
    settings: Settings,
    design: &DesignArgs,
    project: Project,
    talk: Talk,
) -> Result<ExitCode, Error> {
    let place = Place::of(design, &settings);
    let folder = place.folder.clone();
    let analyse = !design.after.no_analysis && place.study.is_none();
    if design.dry_run {
        if settings.commands.is_none() {
            can_be_had(&settings, &project, talk)?;
        }
        return dry_run(&settings, &Plan::of(&settings), &folder, || {
            doctor::worst(&settings, &project, folder.root(), analyse)
        });
    }
    let mut session = if place.goes_on(design) {
        same_again(design, project, folder, settings)?
    } else {
        Experiment::may_begin_in(&folder)?;
        if design.strict && place.study.is_none() {
            doctor::strict(&settings, &project, folder.root(), analyse)?;
        }
        anew(project, folder, settings)
    };
    place.look(&mut session, design, talk)?;
    conduct(session, analyse, talk)
}

/// Locks what is asked for at versions and is not locked yet, and weighs what that would install: what
/// cannot be had is told by a dry run too.
fn can_be_had(settings: &Settings, project: &Project, talk: Talk) -> Result<(), Error> {
    let named: Vec<(String, PathBuf)> = settings.environments.clone().into_iter().collect();
    let scripts = settings.scripts(project);
    let known = known(std::slice::from_ref(&scripts), &settings.workload, project, &named)?;
    let terminal = Terminal::new(talk);
    let wanted = Wanted::of(settings, &known, None);
    let found = block_on(environments::versions(project, &wanted, &terminal))?;
    terminal.finish();
    found
}

/// `joulerace resume`.
pub(crate) fn resume(args: ResumeArgs, talk: Talk) -> Result<ExitCode, Error> {
    let folder = Folder::at(prepare::followed(&args.dir));
    let then = stored(&folder)?;
    let project = Project::find()?;
    if !then.shards.is_empty() {
        let shown = shown(folder.root());
        return Err(Error::advised(
            Status::Usage,
            format!("{shown} was merged from shards, and they are what runs"),
            format!(
                "resume those that it misses (joulerace status {shown} names them), and merge again"
            ),
        ));
    }
    let settings = here(own_or_named(&then.settings, &args, &project, &folder)?)?;
    let of_study = settings.shard.is_some();
    let mut session = Session {
        again: if args.failed { Again::Failed } else { Again::Unmeasured },
        then: Some(then),
        accept_changes: args.accept_changes,
        ..anew(project, folder, settings)
    };
    if of_study && let Some(root) = session.folder.root().ancestors().nth(2).map(Path::to_owned) {
        session.findings = shard::fit(&session, &root, false, &Terminal::new(talk))?;
    }
    conduct(session, !args.after.no_analysis && !of_study, talk)
}

fn anew(project: Project, folder: Folder, settings: Settings) -> Session {
    Session {
        project,
        folder,
        settings,
        again: Again::default(),
        then: None,
        accepted: Vec::new(),
        accept_changes: false,
        study: None,
        findings: Vec::new(),
        analysed: false,
    }
}

/// `--resume`: goes on where this command line asks for what was begun.
fn same_again(
    design: &DesignArgs,
    project: Project,
    folder: Folder,
    settings: Settings,
) -> Result<Session, ExperimentError> {
    let then = stored(&folder)?;
    let differences = changed_settings(&then.settings, &settings, design.order_seed.is_some());
    if !differences.is_empty() && !design.accept_changes {
        let folder = folder.root().display().to_string();
        return Err(ExperimentError::Changed { folder, differences });
    }
    // What is run and read outside the folder comes from this command line, whatever changes were accepted.
    let settings = Settings {
        failures: settings.failures,
        python_env: settings.python_env,
        environments: settings.environments,
        data_dir: settings.data_dir,
        energibridge: settings.energibridge,
        powercap: settings.powercap,
        workloads: settings.workloads,
        job: match settings.shard {
            Some(_) => settings.job,
            None => then.settings.job.clone(),
        },
        // Its lines are those of this command line, or it would have been refused.
        commands: settings.commands.map(|now| Commands {
            repetitions: then.settings.commands.as_ref().and_then(|then| then.repetitions),
            ..now
        }),
        ..then.settings.clone()
    };
    Ok(Session {
        then: Some(then),
        accepted: differences,
        accept_changes: design.accept_changes,
        ..anew(project, folder, settings)
    })
}

/// Reads an experiment that anyone may have written, in a folder of plain files.
fn stored(folder: &Folder) -> Result<Experiment, ExperimentError> {
    if folder.root().is_dir() {
        files::only_plain(folder.root()).map_err(ExperimentError::NotPlain)?;
    }
    Experiment::read(folder)
}

/// Runs the session as the only one on this machine, and says what came of it.
fn conduct(mut session: Session, analyse: bool, talk: Talk) -> Result<ExitCode, Error> {
    let holder = format!("process {}, {}", std::process::id(), clean::path(session.folder.root()));
    session.analysed = analyse;
    let _machine = lock::take(paths::lock_file().as_deref(), &holder)?;
    process::adopt_orphans();
    Scratch::sweep();
    let terminal = Terminal::new(talk);
    block_on(async {
        let stopper = Stopper::listen(terminal.teller()).map_err(|e| Error::Other(e.into()))?;
        let outcome = session.measure(&stopper, &terminal).await;
        drop(stopper);
        terminal.finish();
        let (outcome, session) = (outcome?, &session);
        tell(session, &outcome);
        stopped(session, &outcome)?;
        say(&format!("Results: {}\n", shown(session.folder.root())));
        let analysed = if analyse { analysis(session, &terminal).await } else { Ok(()) };
        terminal.finish();
        let analysed = unwritten(session, &outcome, analysed)?;
        failed(session, &outcome, analysed)
    })?
}

fn tell(session: &Session, outcome: &Outcome) {
    let Outcome { records, verdict, settling, dataset, .. } = outcome;
    if records.is_empty() {
        return;
    }
    let treatments: Vec<String> =
        session.settings.treatments.iter().map(|t| t.name.clone()).collect();
    let work = verdict.as_ref();
    if session.settings.commands.is_some() {
        say(&compared::result(records, &session.settings, work, settling, width()));
        return;
    }
    say(&report::result(
        records,
        &treatments,
        work,
        settling,
        dataset.as_ref().and_then(report::caution),
        width(),
    ));
}

/// How the experiment is gone on with.
fn resumed(session: &Session) -> String {
    let commands = if session.settings.commands.is_some() { " --run-commands" } else { "" };
    format!("joulerace resume {}{commands}", shown(session.folder.root()))
}

/// # Errors
///
/// That it stopped before its end, and how it goes on.
fn stopped(session: &Session, outcome: &Outcome) -> Result<(), Error> {
    let Ending::Stopped { reason, .. } = &outcome.ending else { return Ok(()) };
    let (done, all) = (outcome.records.len(), session.settings.trials());
    let most = if session.settings.until_precise.is_some() { "at most " } else { "" };
    let message = format!("stopped after {done} of {most}{all} trials: {reason}\nnothing is lost");
    Err(Error::advised(Status::Stopped, message, format!("go on with: {}", resumed(session))))
}

/// # Errors
///
/// What could not be written at the end, after what was wrong with the analysis.
fn unwritten<T>(
    session: &Session,
    outcome: &Outcome,
    analysed: Result<T, Error>,
) -> Result<Result<T, Error>, Error> {
    if outcome.unwritten.is_empty() {
        return Ok(analysed);
    }
    let told = analysed.err().map_or(String::new(), |error| error.in_full() + "\n");
    let message = format!(
        "{told}the trials are safe, but could not be written at the end: {}",
        outcome.unwritten.join("; "),
    );
    let remedy = format!("Free space, and have them written with: {}", resumed(session));
    Err(Error::advised(Status::Output, message, remedy))
}

/// # Errors
///
/// How many trials failed or are invalid; else what was wrong with the analysis.
fn failed(
    session: &Session,
    outcome: &Outcome,
    analysed: Result<(), Error>,
) -> Result<ExitCode, Error> {
    let records = &outcome.records;
    let bad = records.iter().filter(|r| r.status != record::Status::Ok).count();
    if bad == 0 {
        return analysed.map(|()| ExitCode::SUCCESS);
    }
    let (done, shown) = (records.len(), shown(session.folder.root()));
    let message = format!("{bad} of {done} trials failed or are invalid");
    let mut remedy = format!("see {shown}/trials.csv");
    let unmeasured = records.iter().filter(|r| r.unmeasured).count();
    if unmeasured > 0 {
        remedy += &format!(
            "\n{unmeasured} of them could not be measured and are not done; when what was \
             missing is back, run them with: {}",
            resumed(session)
        );
    }
    if let Err(error) = analysed {
        out::line(&format!("error: {}", error.in_full()));
    }
    Err(Error::advised(Status::Trials, message, remedy))
}

/// # Errors
///
/// Why there is no analysis, and how to make it: the experiment is done and safe.
async fn analysis(session: &Session, terminal: &Terminal) -> Result<(), Error> {
    let folder = session.folder.root();
    let begin = super::analyze::analyse_experiment(&session.project, folder, terminal);
    let told = begin.await.map_err(|error| {
        let remedy = match &error {
            Error::Analysis(AnalysisError::Interrupted { .. }) => None,
            _ => Some(format!("Make it with: joulerace analyze {}", shown(folder))),
        };
        let why = error.in_full();
        let message = format!("the trials are measured and safe, but not analysed: {why}");
        Error::Told { message, remedy, status: error.status() }
    });
    say(&told?);
    Ok(())
}
