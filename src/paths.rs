//! Where the project's own files and the user's cache are.

pub(crate) mod shipped;

use crate::here;
use shipped::NotPlaced;
use std::path::{Path, PathBuf};

/// The project's files that a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// The folder with `pyproject.toml`, `poetry.lock` and `python/`.
    pub root: PathBuf,
}

/// The project's files cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum NoProject {
    /// They are not where they were looked for.
    #[error("joulerace's own files (python/workloads, poetry.lock) are not in {looked_in}, where {who}",
        looked_in = looked_in.display())]
    #[diagnostic(help("{remedy}"))]
    Missing {
        /// Where they were looked for.
        looked_in: PathBuf,
        /// Who said so: `JOULERACE_HOME says`.
        who: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// See [`NotPlaced`].
    #[error(transparent)]
    #[diagnostic(transparent)]
    Place(#[from] NotPlaced),
}

impl Project {
    /// Finds the project: `JOULERACE_HOME`, else what this program carries, which it puts into the user's
    /// cache; a development build carries nothing and uses the clone it was built in. Never the present
    /// folder: that may be one that somebody else made, and what lies in the project is run.
    ///
    /// # Errors
    ///
    /// [`NoProject`] where that folder does not hold the project, or the files cannot be put there.
    pub(crate) fn find() -> Result<Project, NoProject> {
        let named = std::env::var_os("JOULERACE_HOME").filter(|named| !named.is_empty());
        let (root, who, remedy) = match named {
            Some(named) => {
                (named.into(), "JOULERACE_HOME says", "name a clone's folder, or leave it out")
            }
            None => match shipped::folder()? {
                Some(folder) => return Ok(Project { root: folder }),
                None => (
                    PathBuf::from(env!("CARGO_MANIFEST_DIR")),
                    "this development build was made",
                    "build with --release, or set JOULERACE_HOME",
                ),
            },
        };
        match root.join("python/workloads").is_dir() {
            true => Ok(Project { root }),
            false => Err(NoProject::Missing { looked_in: root, who, remedy }),
        }
    }

    /// What all workloads share; each is a folder in it.
    pub(crate) fn workloads(&self) -> PathBuf {
        self.root.join("python/workloads")
    }

    /// What is put on `sys.path` so that `import analysis` works.
    pub(crate) fn python(&self) -> PathBuf {
        self.root.join("python")
    }
}

/// A path as the user may type it: relative to where they are, where it lies below.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    // Windows writes resolved paths like this (`\\?\C:\…`), and nobody types them.
    let text = path.to_str().filter(|_| cfg!(windows)).and_then(|text| text.strip_prefix(r"\\?\"));
    let path = text.filter(|text| !text.starts_with("UNC")).map_or(path, Path::new);
    crate::clean::line(&path.strip_prefix(&here).unwrap_or(path).to_string_lossy())
}

/// What this run uses instead of the user's cache, where it was told to.
static CACHE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();

/// Has this run use another cache than the user's.
pub(crate) fn use_cache(folder: PathBuf) {
    // Said once, before anything asks.
    let _ = CACHE.set(folder);
}

/// The user's cache folder: `JOULERACE_CACHE_DIR`, else the system's (`~/.cache` on Linux).
/// joulerace keeps to a folder `joulerace` in it.
pub fn cache() -> PathBuf {
    let named = || std::env::var_os("JOULERACE_CACHE_DIR").map(PathBuf::from);
    CACHE
        .get()
        .cloned()
        .or_else(named)
        .or_else(|| directories::BaseDirs::new().map(|dirs| dirs.cache_dir().to_owned()))
        .unwrap_or_else(temporary_cache)
}

/// A cache in the folder for temporary files, which everybody may write to: one that is this user's and that
/// nobody else can write to, even if somebody else made a folder of the usual name.
#[cfg(unix)]
fn temporary_cache() -> PathBuf {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    let me = nix::unistd::geteuid().as_raw();
    let name = |number: u32| std::env::temp_dir().join(format!("joulerace-cache-{me}-{number}"));
    let mine = |path: &PathBuf| {
        let made = std::fs::DirBuilder::new().mode(0o700).create(path).is_ok();
        made || std::fs::symlink_metadata(path)
            .is_ok_and(|about| about.is_dir() && about.uid() == me && about.mode() & 0o077 == 0)
    };
    // Where none can be made, using the last one says why.
    (0..1000).map(name).find(mine).unwrap_or_else(|| name(1000))
}

/// A cache in the folder for temporary files, which on Windows is one user's.
#[cfg(not(unix))]
fn temporary_cache() -> PathBuf {
    std::env::temp_dir().join("joulerace-cache")
}

/// The file behind the machine-wide lock: what `JOULERACE_LOCK_FILE` names, `%m` in it replaced by this
/// machine's name for several that share one system; none where it names none, and on Linux none is needed.
pub(crate) fn lock_file() -> Option<PathBuf> {
    let named = std::env::var_os("JOULERACE_LOCK_FILE").filter(|name| !name.is_empty());
    let named = named.map(|name| match name.to_str() {
        Some(text) => text.replace("%m", &here::name()).into(),
        None => name,
    });
    let file = named.map(PathBuf::from);
    if cfg!(target_os = "linux") { file } else { file.or_else(|| Some(shared_lock_file())) }
}

/// Where every user of the machine can write.
fn shared_lock_file() -> PathBuf {
    if !cfg!(windows) {
        return "/tmp/joulerace.lock".into();
    }
    let data = std::env::var_os("ProgramData").map_or_else(std::env::temp_dir, PathBuf::from);
    data.join("joulerace.lock")
}
