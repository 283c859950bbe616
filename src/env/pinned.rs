//! A version on the spot: uv locks one framework at a version, with hashes, once; the lock is a file of
//! requirements that says in its head for what it was made.
//!
//! What the framework needs is taken as it was a month after its release (`uv --exclude-newer`): an old
//! release does not meet packages that it never knew, and a lock that is made again is the same lock.

mod elsewhere;
mod releases;
mod uv;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::base::Base;
use super::child::Context;
use super::lock::Lock;
use super::names::{can_run, minor_version, normalise};
use super::tools::Tools;
use super::{EnvError, EnvProgress, EnvSettings};
pub(crate) use elsewhere::{Standing, standing, take};
pub(crate) use releases::around;
pub use releases::releases;
use releases::releases_with;
use uv::{because, compile};

/// The first line of a lock, and with it its format.
const FORMAT: &str = "# joulerace lock 1";

/// A framework at a version, as it is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What it is called: `jax@0.4.30`.
    pub name: String,
    /// The same as the name of a file.
    pub file: String,
    /// The package whose version it is.
    pub package: String,
    /// Exactly one: `0.4.30`.
    pub version: String,
    /// What else is installed with it, without versions.
    pub others: Vec<String>,
}

impl Version {
    /// What uv is asked to lock, a line each: the package at its version, then the others by name.
    pub(crate) fn requirements(&self) -> Vec<String> {
        let mut others: Vec<&String> = self.others.iter().filter(|o| **o != self.package).collect();
        others.sort();
        others.dedup();
        let first = format!("{}=={}", self.package, self.version);
        std::iter::once(first).chain(others.into_iter().cloned()).collect()
    }
}

/// A lock of one version, and what its head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedLock {
    /// The whole file.
    pub text: String,
    /// Of which Python: `3.11`.
    pub python: String,
    /// What was asked for: see [`Version::requirements`].
    pub asked: Vec<String>,
    /// What the wheels of each package take, in bytes, as far as the index says so.
    pub wheels: BTreeMap<String, u64>,
}

impl PinnedLock {
    /// Reads a lock's text; an error is the reason in words.
    pub(crate) fn parse(text: &str) -> Result<PinnedLock, String> {
        if text.lines().next() != Some(FORMAT) {
            return Err(format!("it does not begin with {FORMAT:?}"));
        }
        let head = |name: &str| {
            let prefix = format!("# {name}: ");
            text.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
        };
        let python = head("python").ok_or("it does not say for which Python it is")?;
        let asked = head("asked").ok_or("it does not say what was asked for")?;
        let size = |word: &str| {
            let (name, bytes) = word.split_once('=')?;
            Some((name.to_owned(), bytes.parse().ok()?))
        };
        let wheels = head("wheels").unwrap_or_default();
        let (platform, here) = (head("platform").unwrap_or_default(), platform());
        if platform != here {
            return Err(format!("it is for {platform}, and this machine is {here}"));
        }
        Lock::pinned(text, &python)?;
        Ok(PinnedLock {
            text: text.to_owned(),
            python,
            asked: asked.split_whitespace().map(str::to_owned).collect(),
            wheels: wheels.split_whitespace().filter_map(size).collect(),
        })
    }

    /// The version at which it has a package, where it has it.
    pub(crate) fn version_of(&self, package: &str) -> Option<&str> {
        let wanted = normalise(package);
        let locked = self.text.lines().filter_map(|line| {
            line.trim_end_matches('\\')
                .trim_end()
                .split_once("==")
                .filter(|_| !line.starts_with('#'))
        });
        let mut locked = locked.filter(|(name, _)| normalise(name) == wanted);
        locked.next().map(|(_, version)| version)
    }

    /// Refuses a lock that has a package older than the oldest release that a script works with.
    ///
    /// # Errors
    ///
    /// [`EnvError::TooOld`].
    pub(crate) fn is_recent_enough(
        &self,
        name: &str,
        oldest: &BTreeMap<String, String>,
    ) -> Result<(), EnvError> {
        let order = |text: &str| text.parse::<pep508_rs::pep440_rs::Version>().ok();
        for (package, oldest) in oldest {
            let Some(found) = self.version_of(package) else { continue };
            if order(found) < order(oldest) {
                return Err(EnvError::TooOld {
                    name: name.to_owned(),
                    package: package.clone(),
                    found: found.to_owned(),
                    oldest: oldest.clone(),
                });
            }
        }
        Ok(())
    }

    /// Reads the lock at `path`.
    ///
    /// # Errors
    ///
    /// [`EnvError::PinnedInvalid`] or [`EnvError::Io`].
    pub(crate) fn read(path: &Path) -> Result<PinnedLock, EnvError> {
        let text = fs::read_to_string(path).map_err(EnvError::io("read the lock", path))?;
        PinnedLock::parse(&text)
            .map_err(|reason| EnvError::PinnedInvalid { path: path.to_owned(), reason })
    }
}

/// What a wheel has to be for, as far as the lock depends on it.
fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Where the user's locks of versions are.
pub(super) fn folder(settings: &EnvSettings) -> PathBuf {
    settings.cache.join("joulerace").join("locks")
}

fn file(settings: &EnvSettings, version: &Version, python: &str) -> PathBuf {
    let python = minor_version(python);
    folder(settings).join(format!("{}-py{python}-{}.txt", version.file, platform()))
}

/// The lock of a version: the one in the user's cache, else one that is made now and kept there. The
/// first Python that has wheels for it is taken, the study's before others.
///
/// # Errors
///
/// [`EnvError::NoVersion`] with what each Python's attempt came to; whatever keeps uv from trying.
pub fn lock(
    settings: &EnvSettings,
    version: &Version,
    anew: bool,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<(PathBuf, PinnedLock), EnvError> {
    let bases = bases(settings)?;
    for base in &bases {
        let path = file(settings, version, &base.version);
        match PinnedLock::read(&path) {
            Ok(lock) if !anew && lock.asked == version.requirements() => return Ok((path, lock)),
            _ => {}
        }
    }
    let root = settings.root();
    let folder = folder(settings);
    for folder in [&root, &folder] {
        fs::create_dir_all(folder).map_err(EnvError::io("make the folder", folder))?;
    }
    let context = &mut Context {
        progress,
        cancel: &settings.cancel,
        log: folder.join(format!("{}.log", version.file)),
        target: folder.clone(),
    };
    context.open_log()?;
    let mut tried = Vec::new();
    for base in &bases {
        let tools = Tools::ensure(&root, base, context)?;
        (context.progress)(EnvProgress::Locking {
            name: version.name.clone(),
            python: base.version.clone(),
        });
        match compile(version, base, &tools, context) {
            Ok(text) => {
                let path = file(settings, version, &base.version);
                let lock = PinnedLock::parse(&text)
                    .map_err(|reason| EnvError::PinnedInvalid { path: path.clone(), reason })?;
                crate::files::replace(&path, text.as_bytes())
                    .map_err(EnvError::io("write the lock", &path))?;
                return Ok((path, lock));
            }
            Err(EnvError::Failed { tail, .. }) => {
                tried.push((base.version.clone(), because(&tail)));
            }
            Err(other) => return Err(other),
        }
    }
    let known = match bases.first() {
        Some(base) => releases_with(&root, base, &version.package, context).unwrap_or_default(),
        None => Vec::new(),
    };
    Err(EnvError::NoVersion {
        name: version.name.clone(),
        package: version.package.clone(),
        version: version.version.clone(),
        tried,
        known: around(&version.version, known),
    })
}

/// The Pythons that a version can be locked for: the study's first, one of each minor version.
fn bases(settings: &EnvSettings) -> Result<Vec<Base>, EnvError> {
    let study = Lock::read(&settings.study.join("poetry.lock"))?;
    let (all, tried) = Base::all(&settings.pythons);
    let mut bases: Vec<Base> = Vec::new();
    let fit = all.iter().filter(|base| study.is_for(&base.version));
    let others = all.iter().filter(|base| !study.is_for(&base.version) && can_run(&base.version));
    for base in fit.chain(others) {
        let minor = minor_version(&base.version);
        if !bases.iter().any(|other| minor_version(&other.version) == minor) {
            bases.push(base.clone());
        }
    }
    if bases.is_empty() {
        let (whose, wanted) = ("an environment".to_owned(), study.python_versions());
        return Err(EnvError::NoPython { whose, wanted, tried });
    }
    Ok(bases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy as _;

    fn text(platform: &str) -> String {
        format!(
            "{FORMAT}\n# asked: a==1 b\n# python: 3.11\n# platform: {platform}\n# as of: now\n\
             # wheels: a=100 b=20\na==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\nb==2.0 \\\n    --hash=sha256:02\n"
        )
    }

    #[test]
    fn a_lock_says_what_it_is_for() {
        let lock = PinnedLock::parse(&text(&platform())).unwrap();
        assert_eq!((lock.python.as_str(), lock.asked.join(" ")), ("3.11", "a==1 b".to_owned()));
        assert_eq!(lock.wheels.values().sum::<u64>(), 120);
        let other = PinnedLock::parse(&text("plan9-vax")).unwrap_err();
        assert!(other.contains("plan9-vax"), "{other}");
        assert!(PinnedLock::parse("a==1\n").is_err());
        let oldest = |version: &str| [("B".to_owned(), version.to_owned())].into();
        assert!(lock.is_recent_enough("a@1", &oldest("2.0")).is_ok());
        let told = lock.is_recent_enough("a@1", &oldest("2.10")).unwrap_err().in_line();
        assert!(told.contains("a@1") && told.contains("2.10 or later"), "{told}");
        assert!(PinnedLock::parse(&text(&platform()).replace("--hash", "#")).is_err());
    }

    #[test]
    fn a_version_asks_for_its_package_first_and_for_nothing_twice() {
        let version = Version {
            name: "keras@3.8.0".into(),
            file: "keras@3.8.0".into(),
            package: "keras".into(),
            version: "3.8.0".into(),
            others: ["tensorflow", "numpy", "keras", "numpy"].map(str::to_owned).to_vec(),
        };
        assert_eq!(version.requirements(), ["keras==3.8.0", "numpy", "tensorflow"]);
    }

    #[test]
    fn what_uv_says_is_one_sentence() {
        let tail = [
            "  × No solution found:",
            "  ╰─▶ Because there is no version",
            "      of jax==9,",
            "      we stop.",
        ];
        let told = because(&tail.map(str::to_owned));
        assert_eq!(told, "No solution found: Because there is no version of jax==9, we stop.");
        let tail = ["error: No solution found", "  cause: Because there is no jax==9."];
        let told = because(&tail.map(str::to_owned));
        assert_eq!(told, "No solution found: Because there is no jax==9.");
    }
}
