//! Versions on the spot: which packages they are, and their locks.

use super::{Wanted, settings_of};
use crate::env::{self, EnvProgress, EnvSettings, PinnedLock, Profile, Version};
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::paths::Project;
use crate::prepare::{env_settings, in_background, token};
use crate::settings::{
    Known, Place, Script, SettingsError, Treatment, environment_key, folder_of, place,
};
use crate::store::ExperimentError;
use crate::store::folder::Folder;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What every script needs beside its framework: the harness hands it arrays.
const HARNESS: &str = "numpy";

/// The locks of the versions among the treatments, by [`Treatment::environment_key`]; nothing is installed.
///
/// # Errors
///
/// A version that cannot be had.
pub(crate) async fn locks(
    project: &Project,
    wanted: &Wanted<'_>,
    observer: &dyn Observer,
) -> Result<BTreeMap<String, String>, Error> {
    let mut locks = BTreeMap::new();
    for treatment in wanted.treatments.iter().filter(|t| t.command.is_none()) {
        settings_of(project, wanted, treatment, &mut locks, observer).await?;
    }
    Ok(locks)
}

/// A version's lock: the experiment's own where it has one, else the user's, made now where there is none.
pub(super) async fn version_lock(
    plain: &EnvSettings,
    wanted: &Wanted<'_>,
    treatment: &Treatment,
    key: &str,
    observer: &dyn Observer,
) -> Result<(PathBuf, String), Error> {
    let kept = wanted.kept.map(|folder| folder.version_lock(key)).filter(|p| p.is_file());
    let (path, lock) = match kept {
        Some(path) => {
            let lock = PinnedLock::read(&path)?;
            (path, lock)
        }
        None => lock(plain, version_of(treatment, wanted.known)?, false, observer).await?,
    };
    if let Some(script) = wanted.known.script(&treatment.framework) {
        lock.is_recent_enough(&treatment.without_levels(), &script.oldest)?;
    }
    Ok((path, lock.text))
}

/// Finds or makes the lock of a version, telling `observer` what happens. Ctrl-C stops it.
///
/// # Errors
///
/// As [`env::lock`].
pub(crate) async fn lock(
    settings: &EnvSettings,
    version: Version,
    anew: bool,
    observer: &dyn Observer,
) -> Result<(PathBuf, PinnedLock), Error> {
    let settings = EnvSettings { cancel: token()?, ..settings.clone() };
    in_background(move |progress| env::lock(&settings, &version, anew, progress), observer).await
}

/// What has to be locked for a treatment at a version: that, what the framework consists of, and what its
/// script and the harness need.
///
/// # Errors
///
/// There is no such script, or it cannot be read.
pub(crate) fn version_of(treatment: &Treatment, known: &Known) -> Result<Version, SettingsError> {
    let Treatment { framework, environment, .. } = treatment;
    let script = known.script(framework).ok_or_else(|| SettingsError::UnknownFramework {
        name: framework.clone(),
        known: known.frameworks(),
    })?;
    if let Some(why) = &script.broken {
        return Err(SettingsError::Script(why.clone()));
    }
    let typed = environment.as_deref().unwrap_or_default();
    let Some(Place::Version { package, version }) = place(typed) else {
        return Err(SettingsError::UnknownEnvironment {
            typed: typed.to_owned(),
            framework: framework.clone(),
            known: known.environments.keys().cloned().collect::<Vec<_>>().join(", "),
        });
    };
    let package = package.unwrap_or(script.main_package()).to_owned();
    let name = environment_key(framework, environment.as_deref()).unwrap_or_default();
    Ok(Version {
        file: folder_of(&name),
        name,
        version: version.to_owned(),
        others: others(script, &package),
        package,
    })
}

/// What is installed beside a package. Where that is the build of another one for processors only
/// (`tensorflow-cpu`), it takes that one's place.
fn others(script: &Script, package: &str) -> Vec<String> {
    let replaced = package.strip_suffix("-cpu");
    let all = script.packages.iter().chain(&script.requires).map(String::as_str);
    let others = all.chain([HARNESS]).filter(|other| *other != package && Some(*other) != replaced);
    others.map(str::to_owned).collect()
}

/// The releases of a package that have wheels here: see [`env::releases`]. Ctrl-C stops it.
///
/// # Errors
///
/// The index cannot be reached, or knows no such package.
pub(crate) async fn releases(project: &Project, package: String) -> Result<Vec<String>, Error> {
    let settings = env_settings(project, Profile::Training, None, false);
    let settings = EnvSettings { cancel: token()?, ..settings };
    let ask =
        move |progress: &mut dyn FnMut(EnvProgress)| env::releases(&settings, &package, progress);
    in_background(ask, &Silent).await
}

/// Nobody is told.
pub(super) struct Silent;

impl Observer for Silent {
    fn on(&self, _: &Event<'_>) {}
}

/// Writes the locks of versions into an experiment's folder.
///
/// # Errors
///
/// [`ExperimentError::Write`].
pub(crate) fn keep(
    locks: &BTreeMap<String, String>,
    folder: &Folder,
) -> Result<(), ExperimentError> {
    for (key, text) in locks {
        let path = folder.version_lock(key);
        let parent = path.parent().unwrap_or(folder.root());
        std::fs::create_dir_all(parent)
            .and_then(|()| crate::files::replace(&path, text.as_bytes()))
            .map_err(|source| ExperimentError::Write { path: path.clone(), source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_brings_its_framework_and_what_the_harness_needs() {
        let text = "PACKAGES = ('tensorflow', 'keras')\nREQUIRES = ('h5py',)\n";
        let known =
            Known { scripts: vec![Script::parse("keras", text).unwrap()], ..Known::default() };
        let of = |environment: &str| {
            let treatment =
                Treatment { environment: Some(environment.to_owned()), ..Treatment::of("keras") };
            version_of(&treatment, &known).unwrap().requirements().join(" ")
        };
        assert_eq!(of("3.8.0"), "keras==3.8.0 h5py numpy tensorflow");
        assert_eq!(of("tensorflow-cpu==2.16.1"), "tensorflow-cpu==2.16.1 h5py keras numpy");
    }
}
