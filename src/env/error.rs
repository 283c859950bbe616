//! What can go wrong with an environment, each told with what to do about it.

#![allow(missing_docs, reason = "an error's message says what its fields are")]

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Profile, Step};

/// One package that is not as locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Normalised name.
    pub package: String,
    /// The locked version.
    pub locked: String,
    /// The installed version; `None` when the package is missing.
    pub installed: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { package, locked, installed } = self;
        match installed {
            Some(version) => write!(f, "{package}: {version} installed, {locked} locked"),
            None => write!(f, "{package}: not installed, {locked} locked"),
        }
    }
}

/// Why there is no environment to run in.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum EnvError {
    /// `--python-env` names something that is not a virtual environment.
    #[error("--python-env {}: not a virtual environment: {why}", path.display())]
    #[diagnostic(help(
        "Name a folder made by `python3 -m venv`, `uv venv` or Poetry, or leave the flag out: \
         joulerace then makes an environment of its own"
    ))]
    NotVirtualEnv {
        /// The folder that was named.
        path: PathBuf,
        /// What it lacks.
        why: String,
    },
    /// The lock is not for the environment's Python.
    #[error(
        "--python-env {}: it has Python {found}, but poetry.lock is for Python {wanted}",
        path.display()
    )]
    #[diagnostic(help(
        "Name an environment of such a Python, or leave the flag out: joulerace then makes one"
    ))]
    PythonVersion {
        /// The environment.
        path: PathBuf,
        /// Its version, such as `3.12.1`.
        found: String,
        /// What the lock is for, such as `>=3.11, <3.13`.
        wanted: String,
    },
    /// No Python on this machine can be used to make an environment.
    #[error("no Python {wanted} was found to make {whose} with{}", Tried(tried))]
    #[diagnostic(help(
        "Install one (uv python install {minor}, pyenv install {minor}, apt install python{minor} \
         python{minor}-venv) and put it on PATH, or name it: JOULERACE_PYTHON=/path/to/python3; or name a \
         ready environment of such a Python with --python-env",
        minor = a_minor(wanted)
    ))]
    NoPython {
        /// Which: `the environment current`.
        whose: String,
        /// What the lock is for, such as `>=3.11, <3.13`.
        wanted: String,
        /// What was asked, and what it said.
        tried: Vec<(PathBuf, String)>,
    },
    /// An environment's Python does not run.
    #[error("{}: {why}", python.display())]
    #[diagnostic(help("Make the environment anew, or name another one with --python-env"))]
    Broken {
        /// The interpreter.
        python: PathBuf,
        /// What happened when it was started.
        why: String,
    },
    /// Debian and its relatives ship `venv` apart from Python.
    #[error(
        "{}: Python has no `{module}` module, so it cannot make an environment",
        python.display()
    )]
    #[diagnostic(help(
        "Debian and Ubuntu: apt install python3-venv. Elsewhere: install a complete Python, or \
         name a ready environment with --python-env"
    ))]
    NoVenvModule {
        /// The interpreter.
        python: PathBuf,
        /// `venv` or `ensurepip`.
        module: String,
    },
    /// There is no lock where the project is.
    #[error("{}: no such file; it says which Python packages the experiment needs", path.display())]
    #[diagnostic(help(
        "Run joulerace from its repository (git checkout poetry.lock pyproject.toml)"
    ))]
    LockMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The lock cannot be understood.
    #[error("{}: not a lock file that joulerace can read: {reason}", path.display())]
    #[diagnostic(help(
        "Restore it (git checkout poetry.lock), or write it anew with Poetry 2.1 or later: \
         poetry lock"
    ))]
    LockInvalid {
        /// The lock.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The lock of a version cannot be used.
    #[error("{}: not a lock of a version that can be used here: {reason}", path.display())]
    #[diagnostic(help("Remove it, and it is made anew"))]
    PinnedInvalid {
        /// The lock.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A version that cannot be had here.
    #[error("{name}: {package} {version} cannot be installed here{}", Attempts(tried))]
    #[diagnostic(help("{}", Releases(package, known)))]
    NoVersion {
        /// What it was called: `jax@0.4.30`.
        name: String,
        /// The package whose version it is.
        package: String,
        version: String,
        /// What came of each Python, by its version.
        tried: Vec<(String, String)>,
        /// The package's releases around that version that have wheels here, the oldest first; empty where
        /// they are not known.
        known: Vec<String>,
    },
    /// A version brings a package that is older than what its script works with.
    #[error("{name}: it comes with {package} {found}, and the script needs {oldest} or later")]
    #[diagnostic(help("choose a later release"))]
    TooOld {
        /// What it was called: `keras@tensorflow-cpu==2.16.1`.
        name: String,
        package: String,
        /// Its version in the lock.
        found: String,
        /// The oldest that the script works with.
        oldest: String,
    },
    /// There is not enough space for what would have to be installed.
    #[error(
        "{}: {needed_gb:.1} GB are needed for {}, and {free_gb:.1} GB are free",
        path.display(), what
    )]
    #[diagnostic(help(
        "Free some, remove environments that no lock needs any more (joulerace env prune), \
         compare fewer at a time, or put the cache elsewhere: JOULERACE_CACHE_DIR=/larger/disk"
    ))]
    TooSmall {
        /// Where it would be installed.
        path: PathBuf,
        /// What: `3 environments (jax@0.4.30, …)`.
        what: String,
        /// About so much, in 10^9 bytes.
        needed_gb: f64,
        /// What is free, in 10^9 bytes.
        free_gb: f64,
    },
    /// The installed packages are not the locked ones.
    #[error(
        "{}: {} of the {} packages that poetry.lock asks for differ\n{}",
        prefix.display(), differences.len(), profile, List(differences)
    )]
    #[diagnostic(help("{remedy}"))]
    Differs {
        /// The environment.
        prefix: PathBuf,
        /// What the environment is for.
        profile: Profile,
        /// Package by package.
        differences: Vec<Difference>,
        /// What to do.
        remedy: String,
    },
    /// Packages could not be fetched.
    #[error(
        "while {step}: the package index could not be reached. The last lines were:\n{}\nThe \
         whole output is in {}",
        Tail(tail), log.display()
    )]
    #[diagnostic(help(
        "Check the network and pip's settings (pip config list; PIP_INDEX_URL, PIP_PROXY, \
         PIP_CERT and uv's UV_* are honoured), then run the same command again. Without a \
         network, name a ready environment with --python-env"
    ))]
    Network {
        /// What was being done.
        step: Step,
        /// Where the whole output is.
        log: PathBuf,
        /// Its last lines.
        tail: Vec<String>,
    },
    /// No space is left where the environment goes.
    #[error("while {step}: no space is left for {}", path.display())]
    #[diagnostic(help(
        "Free some, remove environments that no lock needs any more (joulerace env prune), or \
         put the cache elsewhere: JOULERACE_CACHE_DIR=/larger/disk. The whole output is in {}",
        log.display()
    ))]
    DiskFull {
        /// What was being done.
        step: Step,
        /// The environment.
        path: PathBuf,
        /// Where the whole output is.
        log: PathBuf,
    },
    /// A step failed for another reason.
    #[error(
        "while {step}: {outcome}. The last lines were:\n{}\nThe whole output is in {}",
        Tail(tail), log.display()
    )]
    Failed {
        /// What was being done.
        step: Step,
        /// How the command ended.
        outcome: String,
        /// Where the whole output is.
        log: PathBuf,
        /// Its last lines.
        tail: Vec<String>,
    },
    /// Somebody asked to stop; nothing half-made is left in use.
    #[error("stopped while {step}; the half-made environment will be made anew next time")]
    Cancelled {
        /// What was being done.
        step: Step,
    },
    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl EnvError {
    /// Adapts an I/O error: `fs::read(p).map_err(EnvError::io("read", p))`.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| EnvError::Io { action, path, source }
    }
}

struct List<'a>(&'a [Difference]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, difference) in self.0.iter().enumerate() {
            write!(f, "{}  {difference}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// A version that would do: the first one named in `wanted`.
fn a_minor(wanted: &str) -> String {
    let digits = wanted.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect()
}

struct Tried<'a>(&'a [(PathBuf, String)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { ": there is none on PATH" } else { ":" })?;
        self.0.iter().try_for_each(|(python, why)| write!(f, "\n  {}: {why}", python.display()))
    }
}

struct Attempts<'a>(&'a [(String, String)]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (python, why) in self.0 {
            write!(f, "\n  Python {python}: {why}")?;
        }
        Ok(())
    }
}

struct Releases<'a>(&'a str, &'a [String]);

impl fmt::Display for Releases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Releases(package, known) = self;
        if known.is_empty() {
            return write!(
                f,
                "No release of {package} with wheels here was found. Check its name, or install a Python that \
                 it has wheels for (uv python install 3.12, pyenv install 3.12, apt install python3.12) \
                 and put it on PATH"
            );
        }
        write!(f, "Releases of {package} with wheels here, around it: {}", known.join(", "))
    }
}

struct Tail<'a>(&'a [String]);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("  (none)");
        }
        for (i, line) in self.0.iter().enumerate() {
            write!(f, "{}  {line}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
