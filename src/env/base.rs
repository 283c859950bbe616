//! Finds a Python on this machine and asks it what it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::lock::Lock;
use super::{EnvError, EnvSettings};

/// Prints the answers as JSON; `ensurepip` is what Debian leaves out without python3-venv.
const QUESTIONS: &str = "\
import importlib.util, json, platform, sys
missing = [m for m in ('venv', 'ensurepip') if importlib.util.find_spec(m) is None]
print(json.dumps({'version': '.'.join(platform.python_version_tuple()[:2] + (str(sys.version_info[2]),)),
    'executable': sys.executable, 'prefix': sys.prefix, 'base_prefix': sys.base_prefix, 'missing': missing}))";

/// Prints where the shared library may be, as a JSON list. Names and folders are as `sysconfig`
/// documents them: a framework on macOS, a DLL beside the executable on Windows.
const LIBRARIES: &str = "\
import json, os, sys, sysconfig
get = sysconfig.get_config_var
names = [get('INSTSONAME'), get('LDLIBRARY'), 'python%d%d.dll' % sys.version_info[:2]]
folders = [get('LIBDIR'), get('PYTHONFRAMEWORKPREFIX'), os.path.join(sys.base_prefix, 'lib'), sys.base_prefix]
if get('LIBDIR') and get('MULTIARCH'):
    folders.insert(1, os.path.join(get('LIBDIR'), get('MULTIARCH')))
paths = [os.path.join(f, n) for n in names if n and not n.endswith('.a') for f in folders if f]
print(json.dumps([p for p in paths if os.path.isfile(p)]))";

/// A Python that environments can be made from.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Base {
    /// Its executable.
    #[serde(rename = "executable")]
    pub python: PathBuf,
    /// Such as `3.11.7`.
    pub version: String,
    pub prefix: PathBuf,
    /// Where its standard library is; differs from `prefix` inside a virtual environment.
    pub base_prefix: PathBuf,
    missing: Vec<String>,
}

impl Base {
    /// Asks the Pythons there are in turn, each by starting it once, and takes the first of a version that
    /// the lock is for.
    ///
    /// # Errors
    ///
    /// [`EnvError::NoPython`] with what each of them said.
    pub(crate) fn find(settings: &EnvSettings, lock: &Lock) -> Result<Self, EnvError> {
        let mut tried = Vec::new();
        for python in &settings.pythons {
            match Self::ask(python) {
                Ok(base) if lock.is_for(&base.version) => return Ok(base),
                Ok(base) => tried.push((python.clone(), format!("it is Python {}", base.version))),
                Err(why) => tried.push((python.clone(), why)),
            }
        }
        let (whose, wanted) = (settings.whose(), lock.python_versions());
        Err(EnvError::NoPython { whose, wanted, tried })
    }

    /// All that answer, in the order in which they are asked, and what the others said.
    pub(crate) fn all(candidates: &[PathBuf]) -> (Vec<Self>, Vec<(PathBuf, String)>) {
        let (mut found, mut tried) = (Vec::new(), Vec::new());
        for python in candidates {
            match Self::ask(python) {
                Ok(base) => found.push(base),
                Err(why) => tried.push((python.clone(), why)),
            }
        }
        (found, tried)
    }

    fn ask(python: &Path) -> Result<Self, String> {
        let answer = ask(python, QUESTIONS)?;
        serde_json::from_slice(&answer).map_err(|e| format!("its answer is not understood: {e}"))
    }

    /// Whether it can make environments; asked only before one is made.
    pub(crate) fn can_make_environments(&self) -> Result<(), EnvError> {
        match self.missing.first() {
            Some(module) => {
                Err(EnvError::NoVenvModule { python: self.python.clone(), module: module.clone() })
            }
            None => Ok(()),
        }
    }
}

/// Starts `python` once to run `program`, and gives what it printed; an error is in words.
fn ask(python: &Path, program: &str) -> Result<Vec<u8>, String> {
    let mut command = Command::new(python);
    command.args(["-I", "-c", program]).stdin(Stdio::null());
    command.env_remove("PYTHONHOME").env_remove("PYTHONPATH");
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let last = error.lines().rev().find(|line| !line.trim().is_empty());
    Err(format!("it ended with {}: {}", output.status, last.unwrap_or("it said nothing").trim()))
}

/// The shared library that goes with an environment's `python`; `None` where it has none.
///
/// # Errors
///
/// In words, where it does not run.
pub(super) fn shared_library(python: &Path) -> Result<Option<PathBuf>, String> {
    let answer = ask(python, LIBRARIES)?;
    let found: Vec<PathBuf> = serde_json::from_slice(&answer)
        .map_err(|e| format!("its answer is not understood: {e}"))?;
    Ok(found.into_iter().next())
}

/// The Pythons that environments may be made from, in the order in which they are asked:
/// what `JOULERACE_PYTHON` names where it is set (several as in `PATH`), else those on `PATH`.
pub fn pythons() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os("JOULERACE_PYTHON").filter(|value| !value.is_empty()) {
        return std::env::split_paths(&named).collect();
    }
    let names =
        ["python3", "python3.12", "python3.11", "python3.13", "python3.14", "python3.10", "python"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let find = |name: &str| {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        folders.iter().map(|folder| folder.join(&name)).find(|path| path.is_file())
    };
    names.iter().filter_map(|name| find(name)).collect()
}
