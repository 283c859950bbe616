//! The environments of all treatments, made ready before anything runs: locked, weighed against the disk,
//! and made, several at a time.

mod make;
mod space;
mod versions;

use crate::env::{EnvSettings, Environment, Packages, Profile};
use crate::error::Error;
use crate::events::Observer;
use crate::paths::Project;
use crate::plan::Trial;
use crate::prepare::known::project_environments;
use crate::prepare::{Digits, env_settings, token};
use crate::settings::{
    Known, Place, Script, Settings, SettingsError, Treatment, environment_key, folder_of, place,
};
use crate::store::folder::Folder;
use crate::worker::protocol::Interpreter;
use make::make;
use space::{UNKNOWN, enough_space, missing, new_bytes, of_analysis};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use versions::version_lock;
pub(crate) use versions::{keep, locks, version_of};
pub(crate) use versions::{lock, releases};

/// An environment and the Python that runs in it.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub environment: Environment,
    /// Its interpreter.
    pub python: Interpreter,
}

/// The environments of an experiment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environments {
    /// The experiment's own; none where no treatment runs in it.
    pub own: Option<Made>,
    /// The others, by [`Treatment::environment_key`].
    pub others: BTreeMap<String, Made>,
    /// Locks of versions, by the same key: what the experiment's folder keeps.
    pub locks: BTreeMap<String, String>,
}

impl Environments {
    /// What a trial runs in; none where it is a command's.
    pub(crate) fn of(&self, trial: &Trial) -> Option<&Made> {
        match environment_key(&trial.framework, trial.environment.as_deref()) {
            None => self.own.as_ref(),
            Some(key) => self.others.get(&key),
        }
    }

    /// What a treatment's script runs in.
    pub(crate) fn of_treatment(&self, treatment: &Treatment) -> Option<&Made> {
        match treatment.environment_key() {
            None => self.own.as_ref(),
            Some(key) => self.others.get(&key),
        }
    }

    /// What makes the digits, should they be needed.
    ///
    /// # Errors
    ///
    /// Nobody would hear a request to stop.
    pub(crate) fn digits(&self, project: &Project) -> Result<Digits, Error> {
        if let Some(own) = &self.own {
            return Ok(Digits::Ready(own.python.clone()));
        }
        let settings = env_settings(project, Profile::Training, None, false);
        Ok(Digits::Study(Box::new(EnvSettings { cancel: token()?, ..settings })))
    }
}

/// What is asked for of environments.
pub(crate) struct Wanted<'a> {
    /// What runs in them.
    pub treatments: &'a [Treatment],
    /// The environment that was named.
    pub python_env: Option<PathBuf>,
    /// Whether its versions may differ from the lock.
    pub allow_unlocked: bool,
    /// Named folders of environments.
    pub folders: &'a BTreeMap<String, PathBuf>,
    /// The scripts, whose packages a version needs.
    pub known: &'a Known,
    /// The experiment's folder, whose locks are used again where it has them.
    pub kept: Option<&'a Folder>,
    /// Whether an analysis follows, whose environment is weighed as well.
    pub analysed: bool,
}

impl<'a> Wanted<'a> {
    /// Of an experiment with these settings.
    pub(crate) fn of(
        settings: &'a Settings,
        known: &'a Known,
        kept: Option<&'a Folder>,
    ) -> Wanted<'a> {
        Wanted {
            treatments: &settings.treatments,
            python_env: settings.python_env.clone(),
            allow_unlocked: settings.allow_unlocked,
            folders: &settings.environments,
            known,
            kept,
            analysed: false,
        }
    }
}

/// Makes ready what the treatments run in. Everything is locked and weighed before anything is installed.
///
/// # Errors
///
/// A version is not available, the disk is too small, or an installation fails.
pub(crate) async fn environments(
    project: &Project,
    wanted: &Wanted<'_>,
    observer: &dyn Observer,
) -> Result<Environments, Error> {
    are_built(wanted)?;
    let mut ready = Environments::default();
    let scripts = wanted.treatments.iter().filter(|t| t.command.is_none());
    let needed = needed(project, wanted, scripts, &mut ready.locks, observer).await?;
    let mut made = make(needed, observer).await?;
    ready.own = made.remove(&None);
    ready.others = made.into_iter().filter_map(|(key, made)| Some((key?, made))).collect();
    Ok(ready)
}

/// Locks the versions among the treatments and weighs what they would install; nothing is installed.
///
/// # Errors
///
/// A version is not available, or the disk is too small.
pub(crate) async fn versions(
    project: &Project,
    wanted: &Wanted<'_>,
    observer: &dyn Observer,
) -> Result<(), Error> {
    are_built(wanted)?;
    let version = |t: &&Treatment| {
        matches!(t.environment.as_deref().and_then(place), Some(Place::Version { .. }))
    };
    let versions = wanted.treatments.iter().filter(version);
    needed(project, wanted, versions, &mut BTreeMap::new(), observer).await.map(drop)
}

/// Refuses a disk that is too small for the environment of the analysis that follows commands.
///
/// # Errors
///
/// What is needed, and what is free.
pub(crate) async fn analysis_has_room(
    project: &Project,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let missing: Vec<_> = of_analysis(project, observer).await.into_iter().collect();
    enough_space(&missing, observer)
}

/// Refuses scripts whose own programs are not built.
fn are_built(wanted: &Wanted<'_>) -> Result<(), SettingsError> {
    let mut scripts = wanted.treatments.iter().filter_map(|t| wanted.known.script(&t.framework));
    scripts.try_for_each(Script::is_built)
}

/// An environment by its key, how it is found or made, and what its lock takes, in bytes.
type Needed = (Option<String>, EnvSettings, f64);

/// The environments that treatments run in, each once: locked, and weighed against the disk.
async fn needed<'t>(
    project: &Project,
    wanted: &Wanted<'_>,
    treatments: impl Iterator<Item = &'t Treatment>,
    locks: &mut BTreeMap<String, String>,
    observer: &dyn Observer,
) -> Result<Vec<Needed>, Error> {
    let mut needed: Vec<Needed> = Vec::new();
    let mut weighed = BTreeSet::new();
    for treatment in treatments {
        let key = treatment.environment_key();
        if needed.iter().any(|(other, ..)| *other == key) {
            continue;
        }
        let settings = settings_of(project, wanted, treatment, locks, observer).await?;
        let bytes = match settings.packages {
            Packages::Version { .. } => {
                let text = key.as_ref().and_then(|key| locks.get(key));
                new_bytes(text.map_or("", |text| text), &mut weighed)
            }
            _ => UNKNOWN,
        };
        needed.push((key, settings, bytes));
    }
    let mut missing = missing(&needed, observer).await?;
    if wanted.analysed {
        missing.extend(of_analysis(project, observer).await);
    }
    enough_space(&missing, observer)?;
    Ok(needed)
}

/// How the environment of a treatment is found or made; a version is locked for it.
async fn settings_of(
    project: &Project,
    wanted: &Wanted<'_>,
    treatment: &Treatment,
    locks: &mut BTreeMap<String, String>,
    observer: &dyn Observer,
) -> Result<EnvSettings, Error> {
    let own = || {
        env_settings(project, Profile::Training, wanted.python_env.clone(), wanted.allow_unlocked)
    };
    let Some(environment) = &treatment.environment else { return Ok(own()) };
    let plain =
        EnvSettings { active: None, ..env_settings(project, Profile::Training, None, false) };
    if let Some(Place::Folder(name)) = place(environment) {
        return folder_settings(project, name, wanted.folders).ok_or_else(|| {
            let known: Vec<String> = project_environments(project).into_keys().collect();
            let (typed, framework) = (name.to_owned(), treatment.framework.clone());
            SettingsError::UnknownEnvironment { typed, framework, known: known.join(", ") }.into()
        });
    }
    let key = treatment.environment_key().unwrap_or_default();
    let (lock, text) = version_lock(&plain, wanted, treatment, &key, observer).await?;
    locks.insert(key.clone(), text);
    Ok(EnvSettings { packages: Packages::Version { called: folder_of(&key), lock }, ..plain })
}

/// How the environment of a folder is found or made, one of the `named` or of the project's; none where
/// there is none of this name.
pub(crate) fn folder_settings(
    project: &Project,
    name: &str,
    named: &BTreeMap<String, PathBuf>,
) -> Option<EnvSettings> {
    let folder = named.get(name).cloned().or_else(|| project_environments(project).remove(name))?;
    let packages = match folder == project.root {
        true => Packages::Study,
        false => Packages::Folder(folder_of(name)),
    };
    let plain = env_settings(project, Profile::Training, None, false);
    Some(EnvSettings { active: None, project: folder, packages, ..plain })
}
