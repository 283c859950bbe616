//! What `joulerace env` shows and clears: the environments in the user's cache.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::base::Base;
use super::installed::VirtualEnv;
use super::lease::lock_file;
use super::lease::{Kind, Lease};
use super::lock::Lock;
use super::resolve::own_name;
use super::stamp::{self, Stamp};
use super::{EnvError, EnvSettings, PinnedLock, Profile, pinned, tools};

/// One folder that joulerace made in the cache.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnvInfo {
    /// The folder's name, such as `training-py3.11-0123456789ab`.
    pub name: String,
    /// The folder.
    pub prefix: PathBuf,
    /// What it is for; `None` for the installers, and for a half-made folder.
    pub profile: Option<Profile>,
    /// Its Python's version, where it is complete.
    pub python: Option<String>,
    /// When it was finished, where it is complete.
    pub created: Option<jiff::Timestamp>,
    /// Whether it was finished and its Python is still there.
    pub complete: bool,
    /// Whether the present lock and Python use it.
    pub current: bool,
    /// Whether a joulerace is using or making it now.
    pub in_use: bool,
    /// What its files take, in bytes, each counted once; uv's cache may share many of them.
    pub bytes: u64,
    /// Whether it holds a version on the spot.
    pub of_version: bool,
    #[serde(skip)]
    lock_hash: String,
}

/// Which environments to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Those of other locks, the half-made, and those whose Python is gone.
    Outdated,
    /// Those, and those of versions on the spot, with their locks in the user's cache.
    Versions,
    /// All, the present ones and the installers too.
    All,
}

/// What [`prune`] did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pruned {
    pub removed: Vec<EnvInfo>,
    /// Would have been removed, but a joulerace is using them.
    pub in_use: Vec<EnvInfo>,
}

/// The environments in the cache, by name; the settings' `profile`, `python_env` and `active`
/// play no part.
///
/// # Errors
/// A lock or a base Python that cannot be used, or a cache that cannot be read.
pub fn status(settings: &EnvSettings) -> Result<Vec<EnvInfo>, EnvError> {
    let root = settings.root();
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(EnvError::io("list", &root)(error)),
    };
    let lock = Lock::read(&settings.lock())?;
    let base = Base::find(settings, &lock)?;
    let mut current = BTreeSet::from([tools::folder_name(&base)]);
    current.extend(
        Profile::ALL.map(|profile| own_name(&profile.to_string(), &base, &lock.hash(profile))),
    );
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(EnvError::io("list", &root))?.path();
        // Lock files and folders in the making begin with a dot; logs are files.
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && path.is_dir() {
            found.push(look(&root, name, path, &current)?);
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Removes environments from the cache; never one that is in use.
///
/// # Errors
/// As [`status`], or a folder that cannot be removed.
pub fn prune(settings: &EnvSettings, which: Prune) -> Result<Pruned, EnvError> {
    let root = settings.root();
    let all = status(settings)?;
    let hashes: BTreeSet<String> = match which {
        Prune::All => BTreeSet::new(),
        Prune::Outdated | Prune::Versions => {
            let lock = Lock::read(&settings.lock())?;
            Profile::ALL.iter().map(|profile| lock.hash(*profile)).collect()
        }
    };
    let mut pruned = Pruned { removed: Vec::new(), in_use: Vec::new() };
    for info in all {
        // An environment of the present lock for another Python serves another build.
        let wanted = info.current || (info.complete && hashes.contains(&info.lock_hash));
        let goes = which == Prune::All || (which == Prune::Versions && info.of_version);
        if wanted && !goes {
            continue;
        }
        match Lease::try_take(&lock_file(&root, &info.name), Kind::Exclusive)? {
            None => pruned.in_use.push(info),
            Some(_lease) => {
                let _ = fs::remove_dir_all(root.join(format!(".{}.making", info.name)));
                let _ = fs::remove_file(root.join(format!("{}.log", info.name)));
                stamp::remove_all(&info.prefix).map_err(EnvError::io("remove", &info.prefix))?;
                pruned.removed.push(info);
            }
        }
    }
    if matches!(which, Prune::All | Prune::Versions) {
        let locks = pinned::folder(settings);
        match fs::remove_dir_all(&locks) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(EnvError::io("remove", &locks)(error));
            }
            _ => {}
        }
    }
    Ok(pruned)
}

/// Whether the lock that an environment was made from still asks for it.
fn is_asked_for(stamp: &Stamp) -> bool {
    let (Some(path), Some(profile)) = (&stamp.lock, stamp.profile) else { return false };
    let lock = match is_pinned(path) {
        true => PinnedLock::read(path)
            .ok()
            .and_then(|pinned| Lock::pinned(&pinned.text, &pinned.python).ok()),
        false => Lock::read(path).ok(),
    };
    lock.is_some_and(|lock| lock.hash(profile) == stamp.lock_hash)
}

/// Whether a lock is that of a version; Poetry's is a TOML file.
fn is_pinned(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "txt")
}

fn look(
    root: &Path,
    name: String,
    prefix: PathBuf,
    current: &BTreeSet<String>,
) -> Result<EnvInfo, EnvError> {
    let stamp = Stamp::read(&prefix);
    let in_use = Lease::try_take(&lock_file(root, &name), Kind::Exclusive)?.is_none();
    let bytes = size(&prefix).map_err(EnvError::io("measure", &prefix))?;
    Ok(EnvInfo {
        profile: stamp.as_ref().and_then(|stamp| stamp.profile),
        python: stamp.as_ref().map(|stamp| stamp.python.clone()),
        created: stamp.as_ref().map(|stamp| stamp.created),
        complete: stamp.is_some() && VirtualEnv::open(&prefix).is_ok(),
        current: current.contains(&name) || stamp.as_ref().is_some_and(is_asked_for),
        of_version: stamp.as_ref().and_then(|r| r.lock.as_deref()).is_some_and(is_pinned),
        in_use,
        bytes,
        lock_hash: stamp.map(|stamp| stamp.lock_hash).unwrap_or_default(),
        name,
        prefix,
    })
}

/// What the files below `folder` take, in bytes.
fn size(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Not followed: a link to the base Python's folder is not part of this one.
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += metadata.len();
            }
        }
    }
    Ok(bytes)
}
