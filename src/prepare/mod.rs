//! What has to be there before the first trial: environment, data, meter.

pub(crate) mod argument;
pub(crate) mod conditions;
pub(crate) mod environments;
pub(crate) mod known;
pub(crate) mod limits;
pub(crate) mod ready;

use crate::Remedy as _;
use crate::dataset::{self, DataProgress, Dataset, DatasetSettings};
use crate::env::{self, EnvProgress, EnvSettings, Environment, Packages, Profile};
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::paths::{self, Project};
use crate::stop;
use crate::worker;
use crate::worker::protocol::{Interpreter, Request};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Finds or makes the environment of a profile, telling `observer` what happens. Ctrl-C stops it.
pub(crate) async fn environment(
    project: &Project,
    profile: Profile,
    python_env: Option<PathBuf>,
    allow_unlocked: bool,
    observer: &dyn Observer,
) -> Result<Environment, Error> {
    resolve(env_settings(project, profile, python_env, allow_unlocked), env::resolve, observer)
        .await
}

/// Makes one of joulerace's own environments, whatever else is active.
pub(crate) async fn own_environment(
    settings: EnvSettings,
    observer: &dyn Observer,
) -> Result<Environment, Error> {
    resolve(settings, env::sync, observer).await
}

/// How to get an environment: [`env::resolve`] or [`env::sync`].
type Way = fn(&EnvSettings, &mut dyn FnMut(EnvProgress)) -> Result<Environment, env::EnvError>;

async fn resolve(
    settings: EnvSettings,
    way: Way,
    observer: &dyn Observer,
) -> Result<Environment, Error> {
    let settings = EnvSettings { cancel: token()?, ..settings };
    in_background(move |progress| way(&settings, progress), observer).await
}

/// Runs slow work on another thread, telling `observer` what happens.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce(&mut dyn FnMut(EnvProgress)) -> Result<T, env::EnvError> + Send + 'static,
    observer: &dyn Observer,
) -> Result<T, Error> {
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let mut work = tokio::task::spawn_blocking(move || {
        // A listener that has gone makes no difference to the environment.
        work(&mut |report| drop(sender.send(report)))
    });
    loop {
        tokio::select! {
            Some(report) = reports.recv() => tell(&report, observer),
            result = &mut work => {
                return Ok(result.map_err(|e| Error::Other(e.into()))??);
            }
        }
    }
}

/// Where environments are looked for.
pub(crate) fn env_settings(
    project: &Project,
    profile: Profile,
    python_env: Option<PathBuf>,
    allow_unlocked: bool,
) -> EnvSettings {
    EnvSettings {
        python_env,
        active: env::active_environment(),
        profile,
        allow_unlocked,
        project: project.root.clone(),
        cache: paths::cache(),
        pythons: env::pythons(),
        cancel: CancellationToken::new(),
        packages: Packages::Study,
        study: project.root.clone(),
    }
}

fn tell(report: &EnvProgress, observer: &dyn Observer) {
    match report {
        EnvProgress::Rejected { prefix, why } => observer.on(&Event::Preparing(&format!(
            "the active environment {} is passed over: {why}",
            prefix.display()
        ))),
        EnvProgress::Making { prefix, packages } => observer.on(&Event::Preparing(&format!(
            "making a Python environment of {packages} packages in {} (once)",
            prefix.display()
        ))),
        EnvProgress::Locking { name, python } => observer.on(&Event::Preparing(&format!(
            "locking {name} for Python {python} (once, with hashes)"
        ))),
        EnvProgress::Step { step } => observer.on(&Event::Preparing(&step.to_string())),
        EnvProgress::Waiting { .. } => {
            observer
                .on(&Event::Preparing("waiting for another joulerace that makes the environment"));
        }
        EnvProgress::Output { line, .. } => tracing::info!("{line}"),
        other => tracing::info!("{other:?}"),
    }
}

/// Where the data set is looked for.
pub(crate) fn dataset_settings(name: dataset::Choice, data_dir: Option<&Path>) -> DatasetSettings {
    DatasetSettings::new(name, data_dir.map(absolute), paths::cache())
}

/// The Python that makes the digits, which come with the study's packages.
#[derive(Debug, Clone)]
pub(crate) enum Digits {
    /// It is there.
    Ready(Interpreter),
    /// Its environment is found or made when the digits are.
    Study(Box<EnvSettings>),
}

impl Digits {
    fn python(&self) -> Result<Interpreter, String> {
        match self {
            Digits::Ready(python) => Ok(python.clone()),
            Digits::Study(settings) => env::resolve(settings, &mut |_| ())
                .and_then(|environment| environment.interpreter())
                .map_err(|error| error.in_line()),
        }
    }
}

/// Finds, fetches or makes the data set; digits are made by the script in `workloads`, by
/// `python`. A request to stop ends it.
pub(crate) async fn data(
    name: dataset::Choice,
    data_dir: Option<&Path>,
    python: &Digits,
    workloads: &Path,
    observer: &dyn Observer,
) -> Result<Dataset, Error> {
    let cancel = token()?;
    let stop = cancel.clone();
    let settings = DatasetSettings { cancel: cancel.clone(), ..dataset_settings(name, data_dir) };
    let (python, workloads) = (python.clone(), workloads.to_owned());
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let mut work = tokio::task::spawn_blocking(move || {
        let mut make_digits = |into: &Path| {
            // An event loop of its own, as this thread does not belong to the other one.
            let python = python.python()?;
            block_on(make_digits(&python, &workloads, into, &stop)).map_err(|e| e.in_line())?
        };
        dataset::prepare(&settings, &mut make_digits, &mut |report| drop(sender.send(report)))
    });
    let dataset = loop {
        tokio::select! {
            Some(report) = reports.recv() => tell_of_data(&report, observer),
            result = &mut work => break result.map_err(|e| Error::Other(e.into()))??,
            () = cancel.cancelled() => {
                // A download ends by itself; a read that hangs is left to hang.
                if let Ok(result) = tokio::time::timeout(ENOUGH, &mut work).await {
                    break result.map_err(|e| Error::Other(e.into()))??;
                }
                let file = "the data set".to_owned();
                return Err(dataset::DatasetError::Cancelled { file }.into());
            }
        }
    };
    if let Some(warning) = &dataset.warning {
        observer.on(&Event::Warning(warning));
    }
    Ok(dataset)
}

/// How long the preparation of data may take to end once it is asked to.
const ENOUGH: Duration = Duration::from_secs(2);

fn tell_of_data(report: &DataProgress, observer: &dyn Observer) {
    match report {
        DataProgress::Downloading { url, .. } => {
            observer.on(&Event::Preparing(&format!("downloading {url}")));
        }
        DataProgress::MirrorFailed { url, reason } => {
            tracing::info!("{url} is of no use: {reason}")
        }
        other => tracing::info!("{other:?}"),
    }
}

/// A path that stays right when another process reads it from another folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A folder that the user named, without the links on the way to it: those are the user's own and are
/// followed once, here; below it none is.
pub(crate) fn followed(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| absolute(path))
}

/// Calls a function of a Python module in a fresh worker that nobody measures, and hands on what it emits, as far
/// as that is a `T`.
///
/// # Errors
///
/// In words, with the end of what it printed.
pub(crate) async fn call<T: DeserializeOwned>(
    python: &Interpreter,
    sys_path: Vec<PathBuf>,
    (module, function): (&str, &str),
    argument: &impl Serialize,
    stop: &CancellationToken,
    mut hear: impl FnMut(T),
) -> Result<(), String> {
    let request = Request {
        python: python.clone(),
        sys_path,
        module: module.to_owned(),
        function: function.to_owned(),
        argument: serde_json::to_value(argument).map_err(|e| e.to_string())?,
        arrays: None,
    };
    let called = worker::call(request, stop, |emitted| {
        if let Ok(told) = T::deserialize(emitted) {
            hear(told);
        }
        Ok(())
    });
    let called = called.await.map_err(|e| e.to_string())?;
    match called.failure {
        None => Ok(()),
        Some(_) if stop.is_cancelled() => Err("interrupted".to_owned()),
        Some(failure) => {
            let lines: Vec<&str> = called.printed.lines().collect();
            Err(format!(
                "{}\n{}",
                failure.in_line(),
                lines[lines.len().saturating_sub(12)..].join("\n")
            ))
        }
    }
}

/// Is cancelled as soon as somebody asks this program to end.
pub(crate) fn token() -> Result<CancellationToken, Error> {
    stop::token().map_err(|e| Error::Other(e.into()))
}

/// What `data.make_digits` is given.
#[derive(Serialize)]
struct DigitsArgument<'a> {
    /// The folder to write to.
    output: &'a Path,
    seed: u64,
}

/// What makes the digits data set, in the training environment.
async fn make_digits(
    python: &Interpreter,
    workloads: &Path,
    into: &Path,
    stop: &CancellationToken,
) -> Result<(), String> {
    let argument = DigitsArgument { output: into, seed: dataset::DIGITS_SEED };
    let path = vec![workloads.to_owned()];
    call(python, path, ("data", "make_digits"), &argument, stop, |_: IgnoredAny| ()).await
}

/// Runs `future` on this thread. A current-thread runtime, so that no idle worker threads wake up
/// while a trial is measured and children are started by the thread that lives longest.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
            Error::Other(anyhow::Error::new(e).context("the event loop cannot be made"))
        })?;
    let outcome = runtime.block_on(future);
    // What was given up is not waited for: a read that hangs would keep the program from ending.
    runtime.shutdown_background();
    Ok(outcome)
}
