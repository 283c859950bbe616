//! Finds, checks and makes the virtual environment that a worker embeds.
//!
//! `--python-env` comes first, then an active environment that satisfies the lock, then one of
//! joulerace's own in the user's cache, made on first use and shared by every clone.

mod base;
mod child;
mod error;
mod index;
mod installed;
mod lease;
mod lock;
mod manage;
mod names;
mod pinned;
mod provision;
mod resolve;
pub mod room;
mod stamp;
mod tools;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use joulerace_protocol::Interpreter;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use base::pythons;
pub(crate) use error::Difference;
pub use error::EnvError;
pub(crate) use installed::packages_folder;
pub(crate) use lease::Lease;
pub use lock::Lock;
pub use manage::{EnvInfo, Prune, prune, status};
pub(crate) use names::normalise;
pub use pinned::{PinnedLock, Version, lock, releases};
pub(crate) use pinned::{Standing, around, standing, take};
pub(crate) use resolve::{Found, find};
pub use resolve::{resolve, sync};

/// What an environment is for, and so which of the lock's groups it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// What workers embed: the frameworks.
    Training,
    /// What the report is made with; no framework in it.
    Analysis,
}

impl Profile {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Training, Self::Analysis];

    /// Poetry's groups that belong to it.
    pub(crate) fn groups(self) -> [&'static str; 3] {
        match self {
            Self::Training => ["main", "training", "dev"],
            Self::Analysis => ["main", "analysis", "dev"],
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Training => "training",
            Self::Analysis => "analysis",
        })
    }
}

/// Where environments are looked for and how they are made.
#[derive(Debug, Clone)]
pub struct EnvSettings {
    /// `--python-env`: this environment and no other.
    pub python_env: Option<PathBuf>,
    /// The active environment, usually [`active_environment`]; used if it satisfies the lock.
    pub active: Option<PathBuf>,
    /// What it is for.
    pub profile: Profile,
    /// `--allow-unlocked`: `python_env` may differ from the lock; the differences are recorded.
    pub allow_unlocked: bool,
    /// The folder that holds `pyproject.toml` and `poetry.lock`.
    pub project: PathBuf,
    /// The user's cache, such as `~/.cache`; a folder `joulerace` is made in it.
    pub cache: PathBuf,
    /// What environments may be made from, usually [`pythons`]; the first that the lock is for is
    /// taken.
    pub pythons: Vec<PathBuf>,
    /// Stops an installation.
    pub cancel: CancellationToken,
    /// Whose packages it holds.
    pub packages: Packages,
    /// The folder of the study's lock, whose Pythons come first for versions on the spot.
    pub study: PathBuf,
}

/// Whose packages an environment holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Packages {
    /// The study's.
    #[default]
    Study,
    /// Those of another folder, called by this name.
    Folder(String),
    /// A framework's at a version.
    Version {
        /// What the environment is called, as a file's name: `jax@0.4.30`.
        called: String,
        /// Its lock: see [`PinnedLock`].
        lock: PathBuf,
    },
}

impl EnvSettings {
    /// The lock's path.
    fn lock(&self) -> PathBuf {
        self.project.join("poetry.lock")
    }

    /// The lock, as it is now.
    fn read_lock(&self) -> Result<Lock, EnvError> {
        let Some(path) = self.pinned() else { return Lock::read(&self.lock()) };
        let invalid = |reason| EnvError::PinnedInvalid { path: path.to_owned(), reason };
        let pinned = PinnedLock::read(path)?;
        Lock::pinned(&pinned.text, &pinned.python).map_err(invalid)
    }

    /// The lock of a version, where it is one.
    fn pinned(&self) -> Option<&Path> {
        match &self.packages {
            Packages::Version { lock, .. } => Some(lock),
            _ => None,
        }
    }

    /// How the names of its folders begin.
    fn called(&self) -> String {
        match &self.packages {
            Packages::Study => self.profile.to_string(),
            Packages::Folder(name) => name.clone(),
            Packages::Version { called, .. } => called.clone(),
        }
    }

    /// What messages call it.
    pub fn whose(&self) -> String {
        match (&self.packages, self.profile) {
            (_, Profile::Analysis) => "the analysis's environment".to_owned(),
            (Packages::Study, Profile::Training) => "the study's environment".to_owned(),
            (Packages::Folder(called) | Packages::Version { called, .. }, _) => {
                format!("the environment {called}")
            }
        }
    }

    /// Where everything of joulerace's environments lies.
    fn root(&self) -> PathBuf {
        self.cache.join("joulerace").join("envs")
    }
}

/// The environment that the shell has activated: `VIRTUAL_ENV`, which activation scripts,
/// `poetry shell`, `poetry run` and `uv run` all set.
pub(crate) fn active_environment() -> Option<PathBuf> {
    std::env::var_os("VIRTUAL_ENV").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Which environment was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Named with `--python-env`.
    Named,
    /// Active in the shell.
    Active,
    /// joulerace's own, in the user's cache.
    Own,
}

/// An environment that is fit for use. While a value (or a clone) of one of joulerace's own
/// lives, `joulerace env prune` leaves that environment alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Environment {
    /// Its interpreter.
    pub python: PathBuf,
    /// Its folder, which `sys.prefix` must equal.
    pub prefix: PathBuf,
    /// Its Python's version, such as `3.11.7`.
    pub version: String,
    /// Installed packages: normalised name to version.
    pub packages: BTreeMap<String, String>,
    /// SHA-256 of what the lock says about the profile, 64 hexadecimal digits.
    pub lock_hash: String,
    /// Whether every package that the lock asks for is there in the locked version.
    pub locked: bool,
    /// Where it is not so; empty when `locked`.
    pub differences: Vec<Difference>,
    /// Which it is.
    pub source: Source,
    #[serde(skip)]
    _lease: Option<Arc<Lease>>,
}

impl Environment {
    /// What a worker needs to know of its Python, which is started once to be asked.
    ///
    /// # Errors
    ///
    /// [`EnvError::Broken`] where it does not run.
    pub(crate) fn interpreter(&self) -> Result<Interpreter, EnvError> {
        interpreter(&self.python)
    }
}

/// What a worker needs to know of an environment's `python`, which is started once to be asked.
///
/// # Errors
///
/// [`EnvError::Broken`] where it does not run.
pub fn interpreter(python: &Path) -> Result<Interpreter, EnvError> {
    let library = base::shared_library(python)
        .map_err(|why| EnvError::Broken { python: python.to_owned(), why })?;
    Ok(Interpreter { executable: python.to_owned(), library })
}

/// A step of making an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Waiting for another joulerace that makes the same environment.
    Wait,
    /// Installing pinned Poetry and uv with pip.
    Tools,
    /// Exporting the lock with Poetry.
    Export,
    /// Creating the empty environment with uv.
    Create,
    /// Fetching and installing the packages with uv.
    Install,
    /// Comparing what was installed with the lock.
    Check,
    /// Locking a version with uv.
    Lock,
    /// Asking the index which releases there are.
    Releases,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wait => "waiting for another joulerace to finish the environment",
            Self::Tools => "installing Poetry and uv",
            Self::Export => "exporting the lock",
            Self::Create => "creating the environment",
            Self::Install => "installing the locked packages",
            Self::Check => "checking the installed versions",
            Self::Lock => "locking the version",
            Self::Releases => "asking the package index for releases",
        })
    }
}

/// What [`resolve`] tells while it works.
#[derive(Debug, Clone, PartialEq)]
pub enum EnvProgress {
    /// The active environment is passed over.
    Rejected {
        /// Its folder.
        prefix: PathBuf,
        /// Why, in words.
        why: String,
    },
    /// Another joulerace makes or removes the same environment; this one waits.
    Waiting {
        /// The lock file that the other one holds.
        lock: PathBuf,
    },
    /// A half-made or outdated folder is removed.
    Removed {
        /// The folder.
        prefix: PathBuf,
    },
    /// An environment is going to be made.
    Making {
        /// Its folder.
        prefix: PathBuf,
        /// How many packages it will hold.
        packages: usize,
    },
    /// A version is going to be locked for a Python.
    Locking {
        /// What it is called.
        name: String,
        /// The Python's version.
        python: String,
    },
    /// A step begins.
    Step {
        /// Which.
        step: Step,
    },
    /// A line that a step's command printed; passwords in addresses are hidden.
    Output {
        /// Whose command.
        step: Step,
        /// Without its end.
        line: String,
    },
    /// An environment was made.
    Made {
        /// Its folder.
        prefix: PathBuf,
        /// How long it took, in seconds.
        seconds: f64,
    },
}
