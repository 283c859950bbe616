//! The environments of all treatments, made ready before anything runs: locked, weighed against the disk,
//! and made, several at a time.

use super::known::project_environments;
use super::{Digits, env_settings, in_background, token};
use crate::env::{
    self, EnvError, EnvEvent, EnvSettings, Environment, Found, Packages, PinnedLock, Profile,
    Version,
};
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::paths::Project;
use crate::plan::Trial;
use crate::settings::{
    Known, Place, Script, Settings, SettingsError, Treatment, environment_key, folder_of, place,
};
use crate::store::ExperimentError;
use crate::store::folder::Folder;
use crate::worker::protocol::Interpreter;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};

/// What every script needs beside its framework: the harness hands it arrays.
const HARNESS: &str = "numpy";

/// Installed packages take about so many times the size of their wheels, compiled modules included; as
/// wheels of JAX and TensorFlow do.
const UNPACKED: f64 = 4.0;

/// Compiled modules alone, which every environment has for itself where it shares the rest.
const COMPILED: f64 = 0.6;

/// What an environment of the study's frameworks takes, in bytes; CUDA's libraries are most of it.
const WITH_CUDA: f64 = 8e9;

/// What one without CUDA takes, in bytes.
const WITHOUT_CUDA: f64 = 3e9;

/// So many installers run at a time: they wait for the network more than for anything else.
const AT_A_TIME: usize = 3;

/// An environment and the Python that runs in it.
#[derive(Debug, Clone)]
pub struct Made {
    /// The environment.
    pub environment: Environment,
    /// Its interpreter.
    pub python: Interpreter,
}

/// The environments of an experiment.
#[derive(Debug, Clone, Default)]
pub struct Environments {
    /// The experiment's own; none where no treatment runs in it.
    pub own: Option<Made>,
    /// The others, by [`Treatment::environment_key`].
    pub others: BTreeMap<String, Made>,
    /// Locks of versions, by the same key: what the experiment's folder keeps.
    pub locks: BTreeMap<String, String>,
}

impl Environments {
    /// What a trial runs in; none where it is a command's.
    pub fn of(&self, trial: &Trial) -> Option<&Made> {
        match environment_key(&trial.framework, trial.environment.as_deref()) {
            None => self.own.as_ref(),
            Some(key) => self.others.get(&key),
        }
    }

    /// What a treatment's script runs in.
    pub fn of_treatment(&self, treatment: &Treatment) -> Option<&Made> {
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
    pub fn digits(&self, project: &Project) -> Result<Digits, Error> {
        if let Some(own) = &self.own {
            return Ok(Digits::Ready(own.python.clone()));
        }
        let settings = env_settings(project, Profile::Training, None, false);
        Ok(Digits::Study(Box::new(EnvSettings { cancel: token()?, ..settings })))
    }
}

/// What is asked for of environments.
pub struct Wanted<'a> {
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
}

impl<'a> Wanted<'a> {
    /// Of an experiment with these settings.
    pub fn of(settings: &'a Settings, known: &'a Known, kept: Option<&'a Folder>) -> Wanted<'a> {
        Wanted {
            treatments: &settings.treatments,
            python_env: settings.python_env.clone(),
            allow_unlocked: settings.allow_unlocked,
            folders: &settings.environments,
            known,
            kept,
        }
    }
}

/// Makes ready what the treatments run in. Everything is locked and weighed before anything is installed.
///
/// # Errors
///
/// A version that cannot be had, a disk that is too small, an installation that fails.
pub async fn environments(
    project: &Project,
    wanted: &Wanted<'_>,
    observer: &dyn Observer,
) -> Result<Environments, Error> {
    are_built(wanted)?;
    let mut ready = Environments::default();
    let scripts = wanted.treatments.iter().filter(|t| t.command.is_none());
    let orders = orders(project, wanted, scripts, &mut ready.locks, observer).await?;
    let mut made = make(orders, observer).await?;
    ready.own = made.remove(&None);
    ready.others = made.into_iter().filter_map(|(key, made)| Some((key?, made))).collect();
    Ok(ready)
}

/// Locks the versions among the treatments and weighs what they would install; nothing is installed.
///
/// # Errors
///
/// A version that cannot be had, a disk that is too small.
pub async fn versions(
    project: &Project,
    wanted: &Wanted<'_>,
    observer: &dyn Observer,
) -> Result<(), Error> {
    are_built(wanted)?;
    let version = |t: &&Treatment| {
        matches!(t.environment.as_deref().and_then(place), Some(Place::Version { .. }))
    };
    let versions = wanted.treatments.iter().filter(version);
    orders(project, wanted, versions, &mut BTreeMap::new(), observer).await.map(drop)
}

/// Refuses scripts whose own programs are not built.
fn are_built(wanted: &Wanted<'_>) -> Result<(), SettingsError> {
    let mut scripts = wanted.treatments.iter().filter_map(|t| wanted.known.script(&t.framework));
    scripts.try_for_each(Script::is_built)
}

/// An environment by its key, how it is found or made, and what its lock takes, in bytes.
type Order = (Option<String>, EnvSettings, f64);

/// The environments that treatments run in, each once: locked, and weighed against the disk.
async fn orders<'t>(
    project: &Project,
    wanted: &Wanted<'_>,
    treatments: impl Iterator<Item = &'t Treatment>,
    locks: &mut BTreeMap<String, String>,
    observer: &dyn Observer,
) -> Result<Vec<Order>, Error> {
    let mut orders: Vec<Order> = Vec::new();
    let mut weighed = BTreeSet::new();
    for treatment in treatments {
        let key = treatment.environment_key();
        if orders.iter().any(|(other, ..)| *other == key) {
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
        orders.push((key, settings, bytes));
    }
    let missing = missing(&orders, observer).await?;
    enough_space(&missing, observer)?;
    Ok(orders)
}

/// The locks of the versions among the treatments, by [`Treatment::environment_key`]; nothing is installed.
///
/// # Errors
///
/// A version that cannot be had.
pub async fn locks(
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

/// Of a lock that says no sizes.
const UNKNOWN: f64 = -1.0;

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
pub fn folder_settings(
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

/// A version's lock: the experiment's own where it has one, else the user's, made now where there is none.
async fn version_lock(
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
pub async fn lock(
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
pub fn version_of(treatment: &Treatment, known: &Known) -> Result<Version, SettingsError> {
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
pub async fn releases(project: &Project, package: String) -> Result<Vec<String>, Error> {
    let settings = env_settings(project, Profile::Training, None, false);
    let settings = EnvSettings { cancel: token()?, ..settings };
    let ask =
        move |progress: &mut dyn FnMut(EnvEvent)| env::releases(&settings, &package, progress);
    in_background(ask, &Silent).await
}

/// Nobody is told.
struct Silent;

impl Observer for Silent {
    fn on(&self, _: &Event<'_>) {}
}

/// What a version's lock would add to the disk, in bytes: packages that another one brings too lie there
/// once. Negative where the index did not say.
fn new_bytes(text: &str, weighed: &mut BTreeSet<(String, u64)>) -> f64 {
    let Ok(lock) = PinnedLock::parse(text) else { return UNKNOWN };
    if lock.wheels.is_empty() {
        return UNKNOWN;
    }
    let times = |new: bool| if new { UNPACKED } else { COMPILED };
    lock.wheels.into_iter().map(|wheel| wheel.1 as f64 * times(weighed.insert(wheel))).sum()
}

/// An environment that has to be made, and what that takes.
struct Missing {
    called: String,
    prefix: PathBuf,
    bytes: f64,
}

/// Those environments that are not there yet.
async fn missing(orders: &[Order], observer: &dyn Observer) -> Result<Vec<Missing>, Error> {
    let mut missing = Vec::new();
    for (key, settings, bytes) in orders {
        let settings = settings.clone();
        let lock = settings.project.join("poetry.lock");
        let found = in_background(move |progress| env::find(&settings, progress), observer).await?;
        if let Found::ToMake { prefix, .. } = found {
            let called = key.clone().unwrap_or_else(|| "the study's".to_owned());
            let bytes = if *bytes < 0.0 { guess(&lock) } else { *bytes };
            missing.push(Missing { called, prefix, bytes });
        }
    }
    Ok(missing)
}

/// What a Poetry lock's environment takes about, in bytes: locks say no sizes.
fn guess(lock: &Path) -> f64 {
    let text = std::fs::read_to_string(lock).unwrap_or_default();
    if text.contains("name = \"nvidia-") { WITH_CUDA } else { WITHOUT_CUDA }
}

/// Says what is going to be installed, and refuses where the disk cannot take it.
fn enough_space(missing: &[Missing], observer: &dyn Observer) -> Result<(), Error> {
    let Some(first) = missing.first() else { return Ok(()) };
    let bytes: f64 = missing.iter().map(|one| one.bytes).sum();
    let names: Vec<&str> = missing.iter().map(|one| one.called.as_str()).collect();
    let what = match missing.len() {
        1 => format!("the environment {}", names[0]),
        n => format!("{n} environments ({})", names.join(", ")),
    };
    let there = first.prefix.ancestors().find(|path| path.is_dir());
    let free = there.and_then(|path| fs4::available_space(path).ok());
    let (needed_gb, free_gb) = (bytes / 1e9, free.map(|free| free as f64 / 1e9));
    let path = first.prefix.parent().unwrap_or(&first.prefix).to_owned();
    if let Some(free_gb) = free_gb.filter(|free| *free < needed_gb) {
        return Err(EnvError::TooSmall { path, what, needed_gb, free_gb }.into());
    }
    let free = free_gb.map_or(String::new(), |free| format!(", {free:.0} GB are free"));
    observer.on(&Event::Preparing(&format!(
        "{what} will be made in {}: about {needed_gb:.1} GB{free}, a minute or a few for each",
        crate::clean::path(&path)
    )));
    Ok(())
}

/// Finds or makes all of them, several at a time. The first that cannot be made ends the others.
async fn make(
    orders: Vec<Order>,
    observer: &dyn Observer,
) -> Result<BTreeMap<Option<String>, Made>, Error> {
    let cancel = token()?.child_token();
    let work = move |progress: &mut dyn FnMut(EnvEvent)| {
        let queue = Mutex::new(orders.into_iter());
        let made = Mutex::new(Vec::new());
        let (sender, events) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME {
                let (sender, queue, made, cancel) = (sender.clone(), &queue, &made, &cancel);
                scope.spawn(move || {
                    while let Some((key, settings, _)) = next(queue) {
                        let settings = EnvSettings { cancel: cancel.clone(), ..settings };
                        let one = make_one(&settings, &mut |event| drop(sender.send(event)));
                        if one.is_err() {
                            cancel.cancel();
                        }
                        made.lock().unwrap_or_else(PoisonError::into_inner).push((key, one));
                    }
                });
            }
            drop(sender);
            events.into_iter().for_each(progress);
        });
        let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What was stopped for another's sake says less than that other.
        made.sort_by_key(|(_, one)| matches!(one, Err(EnvError::Cancelled { .. })));
        made.into_iter().map(|(key, one)| Ok((key, one?))).collect()
    };
    in_background(work, observer).await
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn make_one(settings: &EnvSettings, progress: &mut dyn FnMut(EnvEvent)) -> Result<Made, EnvError> {
    let environment = env::resolve(settings, progress)?;
    let python = environment.interpreter()?;
    Ok(Made { environment, python })
}

/// Writes the locks of versions into an experiment's folder.
///
/// # Errors
///
/// [`ExperimentError::Write`].
pub fn keep(locks: &BTreeMap<String, String>, folder: &Folder) -> Result<(), ExperimentError> {
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

    fn missing(called: &str, bytes: f64) -> Missing {
        let prefix = std::env::temp_dir().join("joulerace-none").join(called);
        Missing { called: called.to_owned(), prefix, bytes }
    }

    #[test]
    fn a_disk_that_is_too_small_is_told_before_anything_is_installed() {
        enough_space(&[], &Silent).unwrap();
        enough_space(&[missing("jax@0.4.30", 1.0)], &Silent).unwrap();
        let many = [missing("jax@0.4.30", 1.0), missing("torch@2.4.1", 1e18)];
        let told = enough_space(&many, &Silent).unwrap_err().to_string();
        for word in ["2 environments (jax@0.4.30, torch@2.4.1)", "1000000000.0 GB", "env prune"] {
            assert!(told.contains(word), "{word}: {told}");
        }
    }

    #[test]
    fn what_several_versions_bring_is_weighed_once() {
        let lock = |package: &str| {
            format!(
                "# joulerace lock 1\n# asked: {package}==1\n# python: 3.11\n# platform: {}-{}\n\
                 # wheels: {package}=10 numpy=100\n{package}==1 \\\n    --hash=sha256:00\n",
                std::env::consts::OS,
                std::env::consts::ARCH
            )
        };
        let mut weighed = BTreeSet::new();
        assert_eq!(new_bytes(&lock("a"), &mut weighed), 110.0 * UNPACKED);
        let shared = 10.0 * UNPACKED + 100.0 * COMPILED;
        assert_eq!(new_bytes(&lock("b"), &mut weighed), shared);
        assert!(new_bytes("", &mut weighed) < 0.0);
    }

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
