//! `joulerace submit`: a study planned once, prepared, and given to Slurm as a job array.

use super::resolve::{self, check_samples, resolve};
use super::status;
use crate::Remedy as _;
use crate::cli::{Cli, Command, CompareArgs, DesignArgs, RunArgs, SubmitArgs, Talk, joined};
use crate::cluster::script::{self, Job, Options};
use crate::cluster::study::SHARDS;
use crate::cluster::{Jobs, Prepare, Study, StudyError, slurm};
use crate::env::Profile;
use crate::error::{Error, Status};
use crate::paths::{self, Project};
use crate::plan::duration::Expected;
use crate::prepare::environments::{Wanted, environments, keep, locks};
use crate::prepare::known::known;
use crate::prepare::{self, block_on, conditions};
use crate::race;
use crate::screen::{Terminal, now_as_name, say, shown};
use crate::settings::{Job as Work, Known, Settings, Shard};
use crate::store::ExperimentError;
use crate::store::conditions::Conditions;
use crate::store::folder::Folder;
use crate::workload::uses_images;
use clap::Parser as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The least time between Slurm's warning and a task's end, in seconds. Slurm sends it up to a minute early.
const LEAST_WARNING_S: f64 = 120.0;

/// `joulerace submit`.
pub(crate) fn submit(args: SubmitArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let typed = experiment(&args.experiment)?;
    let settings = typed.settings(&project)?;
    Shard { number: 1, of: args.shards }
        .check(settings.iterations)
        .map_err(|why| told(format!("--shards: {why}")))?;
    let root = match &typed.design().output {
        Some(folder) => prepare::followed(folder),
        None => prepare::absolute(Path::new("results")).join(format!("study-{}", now_as_name())),
    };
    let job = job(&args, &settings, &root)?;
    if args.dry_run {
        say(&job.shards_script());
        return Ok(ExitCode::SUCCESS);
    }
    free(&root)?;
    let terminal = Terminal::new(talk);
    let mut study = planned(&args, settings);
    match (study.prepare, &args.cache) {
        (Prepare::Node, _) => locked(&project, &study.settings, &root, &terminal)?,
        (Prepare::Shared, cache) => {
            if let Some(cache) = cache {
                paths::use_cache(prepare::absolute(cache));
            }
            study.conditions = prepared(&project, &study.settings, &root, &terminal)?;
        }
    }
    terminal.finish();
    write(&root, &job, &study)?;
    let shards = slurm::submit(&root.join("job.sh"), None)?;
    let merge = slurm::submit(&root.join("merge.sh"), Some(shards));
    study.jobs = Some(Jobs { shards, merge: merge.as_ref().ok().copied() });
    study.write(&root)?;
    let merge = merge.map_err(|error| {
        let message = format!("{}\nThe shards run as job {shards} all the same", error.in_full());
        let remedy = format!("when they are done: joulerace merge {}", shown(&root));
        Error::advised(Status::Environment, message, remedy)
    })?;
    say(&submitted(&study, &root, shards, merge));
    if args.wait { status::follow(&root, &terminal) } else { Ok(ExitCode::SUCCESS) }
}

fn told(message: String) -> Error {
    Error::told(Status::Usage, message)
}

/// What is to be run: frameworks, or commands.
enum Typed {
    Frameworks(Box<RunArgs>),
    Commands(Box<CompareArgs>),
}

impl Typed {
    fn design(&self) -> &DesignArgs {
        match self {
            Typed::Frameworks(run) => &run.design,
            Typed::Commands(compare) => &compare.design,
        }
    }

    /// The settings that all shards have; how many processors a machine has is its own.
    fn settings(&self, project: &Project) -> Result<Settings, Error> {
        let run = match self {
            Typed::Commands(args) => return resolve::commands::resolve(args),
            Typed::Frameworks(run) => run,
        };
        // This machine may have fewer processors than those that run it.
        let mut here = (**run).clone();
        here.job.threads = None;
        let settings = resolve(&here, project)?;
        let (data_dir, job) = (settings.data_dir.as_deref(), &settings.job);
        if uses_images(&settings.workload_in(project), project)? {
            check_samples(settings.dataset, data_dir, job.train_samples, job.test_samples)?;
        }
        let threads = run.job.threads.unwrap_or(settings.job.threads);
        Ok(Settings { job: Work { threads, ..settings.job.clone() }, ..settings })
    }
}

/// The experiment's own command line.
fn experiment(words: &[OsString]) -> Result<Typed, Error> {
    let words = std::iter::once(OsString::from("joulerace")).chain(words.iter().cloned());
    let read = |words: Vec<OsString>| {
        Cli::try_parse_from(joined(words.into_iter()))
            .map_err(|error| told(format!("after --: {}", error.render().to_string().trim())))
    };
    let mut cli = read(words.collect())?;
    if let Some(Command::Run(file)) = &cli.command {
        cli = read(race::command_line(file)?)?;
    }
    let typed = match cli.command {
        None => Typed::Frameworks(Box::new(cli.run)),
        Some(Command::Compare(args)) => Typed::Commands(args),
        Some(_) => {
            return Err(told(
                "after --: an experiment's flags, compare or run FILE are expected".to_owned(),
            ));
        }
    };
    let design = typed.design();
    let precise = match &typed {
        Typed::Frameworks(run) => run.pairs.until_precise,
        Typed::Commands(compare) => compare.pairs.until_precise,
    };
    let not_here = [
        ("--dry-run", design.dry_run, "put it before --"),
        ("--shard", design.shard.is_some(), "the tasks are the shards; --shards says how many"),
        (
            "--resume",
            design.resume,
            "tasks go on by themselves; for a study that stopped: sbatch DIR/job.sh",
        ),
        (
            "--until-precise",
            precise.is_some(),
            "shards run at the same time, and none can look at the others' blocks",
        ),
    ];
    match not_here.into_iter().find(|(_, given, _)| *given) {
        Some((flag, _, why)) => Err(told(format!("{flag} after --: {why}"))),
        None => Ok(typed),
    }
}

fn planned(args: &SubmitArgs, settings: Settings) -> Study {
    let command = std::env::args_os().map(|word| crate::clean::line(&word.to_string_lossy()));
    Study {
        schema: Study::SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: jiff::Timestamp::now(),
        command: command.collect(),
        shards: args.shards,
        settings,
        conditions: None,
        prepare: args.prepare,
        jobs: None,
    }
}

fn job(args: &SubmitArgs, settings: &Settings, root: &Path) -> Result<Job, Error> {
    let options = Options::parse(&args.slurm).map_err(told)?;
    let flags = script::flags(&args.experiment, root, settings.order_seed);
    let trial_s = settings
        .failures
        .trial_timeout
        .map_or_else(|| 3.0 * Expected::of(settings).trial_s, |limit| limit.as_secs_f64());
    let warning_s = (trial_s + 60.0).max(LEAST_WARNING_S);
    Ok(Job {
        root: root.to_owned(),
        here: std::env::current_dir().map_err(|e| Error::Other(e.into()))?,
        program: std::env::current_exe().map_err(|e| Error::Other(e.into()))?,
        shards: args.shards,
        blocks: settings.iterations,
        flags,
        variables: variables(args),
        options,
        warning_s: (warning_s / 60.0).ceil() as u64 * 60,
    })
}

/// What this shell has set that tasks need too, so that a script that is kept works from any other.
fn variables(args: &SubmitArgs) -> Vec<(String, String)> {
    let own = |name: &str| name.starts_with("JOULERACE_") || name == "VIRTUAL_ENV";
    let cache = match (args.prepare, &args.cache) {
        (_, Some(cache)) => prepare::absolute(cache),
        (Prepare::Shared, None) => paths::cache(),
        (Prepare::Node, None) => node_cache(),
    };
    let mut variables: Vec<(String, String)> = std::env::vars()
        .filter(|(name, _)| own(name) && name != "JOULERACE_MACHINE" && name != CACHE)
        .collect();
    variables.push((CACHE.to_owned(), cache.to_string_lossy().into_owned()));
    variables.sort();
    variables
}

const CACHE: &str = "JOULERACE_CACHE_DIR";

/// A node's own disk; not `TMPDIR`, which many clusters empty after each job.
fn node_cache() -> PathBuf {
    // Slurm runs on Unix; elsewhere only the script's text is made.
    #[cfg(unix)]
    let user = nix::unistd::geteuid().to_string();
    #[cfg(not(unix))]
    let user = "user";
    format!("/tmp/joulerace-{user}").into()
}

/// The study's folder has to be new or empty, or hold one that Slurm refused, of which nothing has begun.
fn free(root: &Path) -> Result<(), Error> {
    let shown = root.display().to_string();
    let empty =
        |folder: &Path| std::fs::read_dir(folder).map_or(true, |mut all| all.next().is_none());
    if empty(root) {
        return Ok(());
    }
    match Study::read(root)? {
        None => Err(ExperimentError::NotEmpty(shown).into()),
        Some(study) if study.jobs.is_none() && empty(&root.join(SHARDS)) => Ok(()),
        Some(_) => Err(Error::advised(
            Status::Output,
            format!("--output: {shown} already holds a study"),
            format!("name another folder, or have what is left of it run: sbatch {shown}/job.sh"),
        )),
    }
}

/// Environments and data, made once where all machines see them; gives what every shard has to have.
/// Commands are what they are on each machine, and are held against each other when shards are merged.
fn prepared(
    project: &Project,
    settings: &Settings,
    root: &Path,
    terminal: &Terminal,
) -> Result<Option<Conditions>, Error> {
    let work = async {
        prepare::environment(project, Profile::Analysis, None, false, terminal).await?;
        if settings.commands.is_some() {
            return Ok(None);
        }
        let (workloads, scripts) = (project.workloads(), settings.scripts(project));
        let known = scripts_of(project, settings)?;
        let made = environments(project, &Wanted::of(settings, &known, None), terminal).await?;
        if !made.locks.is_empty() {
            keep(&made.locks, &Folder::at(root))?;
        }
        let mut conditions = conditions::conditions(&made, &[&scripts, &workloads]);
        if uses_images(&settings.workload_in(project), project)? {
            let (digits, folder) = (made.digits(project)?, settings.data_dir.as_deref());
            let data =
                prepare::data(settings.dataset, folder, &digits, &workloads, terminal).await?;
            conditions.data = conditions::data(&data);
        }
        Ok(Some(conditions))
    };
    block_on(work)?
}

/// Versions are locked once for all nodes, which would else lock them on different days.
fn locked(
    project: &Project,
    settings: &Settings,
    root: &Path,
    terminal: &Terminal,
) -> Result<(), Error> {
    if settings.commands.is_some() {
        return Ok(());
    }
    let known = scripts_of(project, settings)?;
    let wanted = Wanted::of(settings, &known, None);
    let locks = block_on(locks(project, &wanted, terminal))??;
    Ok(keep(&locks, &Folder::at(root))?)
}

/// The scripts that the treatments run.
fn scripts_of(project: &Project, settings: &Settings) -> Result<Known, Error> {
    let named: Vec<(String, PathBuf)> = settings.environments.clone().into_iter().collect();
    let scripts = settings.scripts(project);
    Ok(known(std::slice::from_ref(&scripts), &settings.workload, project, &named)?)
}

/// The study's folder with its scripts, which is all that Slurm needs.
fn write(root: &Path, job: &Job, study: &Study) -> Result<(), Error> {
    let at = |path: PathBuf| move |source| StudyError::Write { path, source };
    let logs = job.logs();
    std::fs::create_dir_all(&logs).map_err(at(logs.clone()))?;
    let folder = root.join(SHARDS);
    std::fs::create_dir_all(&folder).map_err(at(folder.clone()))?;
    for (name, text) in [("job.sh", job.shards_script()), ("merge.sh", job.merge_script())] {
        let path = root.join(name);
        crate::files::replace(&path, text.as_bytes()).map_err(at(path.clone()))?;
    }
    Ok(study.write(root)?)
}

fn submitted(study: &Study, root: &Path, shards: u64, merge: u64) -> String {
    let Settings { iterations, treatments, .. } = &study.settings;
    format!(
        "{iterations} blocks of {} in {} shards, seed {}: job {shards}, merged and analysed by job {merge}\n\
         How far it is: joulerace status {}\n",
        treatments.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", "),
        study.shards,
        study.settings.order_seed,
        shown(root),
    )
}
