//! Which environment to use: the named one, the active one, or joulerace's own.

use crate::Remedy as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::base::Base;
use super::child::Context;
use super::installed::{VirtualEnv, differences};
use super::lease::lock_file;
use super::lease::{Lease, Turn};
use super::lock::Lock;
use super::names::{can_run, minor_version};
use super::provision::{self, Wanted};
use super::room;
use super::stamp::Stamp;
use super::{EnvError, EnvProgress, EnvSettings, Environment, Packages, Source};

/// Finds the environment to use, making joulerace's own if it is needed and not there.
///
/// # Errors
/// Any [`EnvError`]; with `--python-env`, a package that differs from the lock is one, unless
/// `allow_unlocked` says otherwise.
pub fn resolve(
    settings: &EnvSettings,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<Environment, EnvError> {
    let lock = settings.read_lock()?;
    match given(settings, &lock, progress)? {
        Some(environment) => Ok(environment),
        None => own(settings, &lock, progress),
    }
}

/// What [`resolve`] would take.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// It is there and fit for use.
    Ready(Environment),
    /// joulerace would make one of its own.
    ToMake {
        /// Its folder.
        prefix: PathBuf,
        /// The Python that it would be made from.
        python: PathBuf,
        /// That Python's version.
        version: String,
        /// How many packages it would hold.
        packages: usize,
        /// Why the present one, if any, cannot be used.
        why: &'static str,
    },
}

/// Looks for the environment that [`resolve`] would take, and makes, locks and changes nothing.
///
/// # Errors
/// As [`resolve`], as far as looking tells.
pub(crate) fn find(
    settings: &EnvSettings,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<Found, EnvError> {
    let lock = settings.read_lock()?;
    if let Some(environment) = given(settings, &lock, progress)? {
        return Ok(Found::Ready(environment));
    }
    let base = Base::find(settings, &lock)?;
    let name = own_name(&settings.called(), &base, &lock.hash(settings.profile));
    let prefix = settings.root().join(name);
    if let Some(environment) = ready(settings, &lock, &prefix, Lease::none())? {
        return Ok(Found::Ready(environment));
    }
    base.can_make_environments()?;
    let why = match (prefix.exists(), Stamp::read(&prefix)) {
        (false, _) => "not made yet",
        (true, None) => "half-made",
        (true, Some(_)) => "changed since it was made",
    };
    let packages = lock.required(settings.profile, &base.version).len();
    let Base { python, version, .. } = base;
    Ok(Found::ToMake { prefix, python, version, packages, why })
}

/// The named environment, or the active one where it is fit.
fn given(
    settings: &EnvSettings,
    lock: &Lock,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<Option<Environment>, EnvError> {
    if let Some(path) = &settings.python_env {
        return named(settings, lock, path).map(Some);
    }
    let Some(path) = &settings.active else { return Ok(None) };
    match active(settings, lock, path) {
        Ok(environment) => Ok(Some(environment)),
        Err(why) => {
            progress(EnvProgress::Rejected { prefix: path.clone(), why });
            Ok(None)
        }
    }
}

/// Makes joulerace's own environment now, whatever is named or active; one that is complete and
/// as locked is left as it is.
///
/// # Errors
/// As [`resolve`].
pub fn sync(
    settings: &EnvSettings,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<Environment, EnvError> {
    own(settings, &settings.read_lock()?, progress)
}

fn named(settings: &EnvSettings, lock: &Lock, path: &Path) -> Result<Environment, EnvError> {
    let found =
        VirtualEnv::open(path).map_err(|why| EnvError::NotVirtualEnv { path: path.into(), why })?;
    let usable = settings.allow_unlocked && can_run(&found.version);
    if !lock.is_for(&found.version) && !usable {
        return Err(EnvError::PythonVersion {
            path: path.into(),
            found: found.version,
            wanted: lock.python_versions(),
        });
    }
    let environment = describe(settings, lock, found, Source::Named, None)?;
    if environment.locked || settings.allow_unlocked {
        return Ok(environment);
    }
    Err(EnvError::Differs {
        prefix: environment.prefix,
        profile: settings.profile,
        differences: environment.differences,
        remedy:
            "Install the locked versions there (poetry install), leave --python-env out to get \
                 an environment that has them, or use this one as it is with --allow-unlocked: the \
                 differences are then recorded with the results"
                .into(),
    })
}

fn active(settings: &EnvSettings, lock: &Lock, path: &Path) -> Result<Environment, String> {
    let found = VirtualEnv::open(path)?;
    if !lock.is_for(&found.version) {
        let (has, wanted) = (&found.version, lock.python_versions());
        return Err(format!("it has Python {has}, but poetry.lock is for {wanted}"));
    }
    let environment =
        describe(settings, lock, found, Source::Active, None).map_err(|error| error.in_line())?;
    match environment.differences.as_slice() {
        [] => Ok(environment),
        [first, rest @ ..] => Err(match rest.len() {
            0 => format!("it does not satisfy poetry.lock: {first}"),
            more => format!("it does not satisfy poetry.lock: {first}, and {more} more"),
        }),
    }
}

fn own(
    settings: &EnvSettings,
    lock: &Lock,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<Environment, EnvError> {
    let base = Base::find(settings, lock)?;
    let (root, lock_hash) = (settings.root(), lock.hash(settings.profile));
    let name = own_name(&settings.called(), &base, &lock_hash);
    let (prefix, lock_file) = (root.join(&name), lock_file(&root, &name));
    fs::create_dir_all(&root).map_err(EnvError::io("make the folder", &root))?;
    let context = &mut Context {
        progress,
        cancel: &settings.cancel,
        log: root.join(format!("{name}.log")),
        target: prefix.clone(),
    };
    let exclusive =
        match Lease::turn(&lock_file, context, |lease| ready(settings, lock, &prefix, lease))? {
            Turn::Ready(environment) => return Ok(environment),
            Turn::Mine(exclusive) => exclusive,
        };
    // Another host may have made it, and ended, between the last look and the lock.
    if ready(settings, lock, &prefix, Lease::none())?.is_none() {
        room::suffices(settings, &prefix)?;
        let packages = lock.required(settings.profile, &base.version).len();
        (context.progress)(EnvProgress::Making { prefix: prefix.clone(), packages });
        provision::make(
            &Wanted {
                profile: settings.profile,
                project: &settings.project,
                pinned: settings.pinned(),
                // Another folder need not have all of the study's groups.
                groups: match settings.packages {
                    Packages::Study => settings.profile.groups().to_vec(),
                    _ => lock.groups(settings.profile),
                },
                lock,
                lock_hash: &lock_hash,
                base: &base,
                root: &root,
                prefix: &prefix,
            },
            context,
        )?;
    }
    let lease = exclusive.into_shared(&lock_file)?;
    let found = VirtualEnv::open(&prefix)
        .map_err(|why| EnvError::NotVirtualEnv { path: prefix.clone(), why })?;
    describe(settings, lock, found, Source::Own, Some(lease))
}

/// An own environment's folder name. The exact Python is part of it: a standard library of
/// another build must not meet its packages.
pub(super) fn own_name(called: &str, base: &Base, lock_hash: &str) -> String {
    let identity = format!("{lock_hash}\n{}\n{}", base.version, base.base_prefix.display());
    let digits = crate::clean::hex(&Sha256::digest(identity.as_bytes()));
    format!("{called}-py{}-{}", minor_version(&base.version), &digits[..12])
}

/// The own environment at `prefix`, if it is complete and still as locked. One that somebody
/// changed since is joulerace's own all the same and is made anew.
fn ready(
    settings: &EnvSettings,
    lock: &Lock,
    prefix: &Path,
    lease: Lease,
) -> Result<Option<Environment>, EnvError> {
    if Stamp::read(prefix).is_none() {
        return Ok(None);
    }
    let Ok(found) = VirtualEnv::open(prefix) else { return Ok(None) };
    let environment = describe(settings, lock, found, Source::Own, Some(lease))?;
    Ok(environment.locked.then_some(environment))
}

fn describe(
    settings: &EnvSettings,
    lock: &Lock,
    found: VirtualEnv,
    source: Source,
    lease: Option<Lease>,
) -> Result<Environment, EnvError> {
    let packages = found.packages().map_err(EnvError::io("list the packages of", &found.prefix))?;
    let differences = differences(&lock.required(settings.profile, &found.version), &packages);
    Ok(Environment {
        python: found.python,
        prefix: found.prefix,
        version: found.version,
        packages,
        lock_hash: lock.hash(settings.profile),
        locked: differences.is_empty(),
        differences,
        source,
        _lease: lease.map(Arc::new),
    })
}
