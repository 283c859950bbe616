//! Asks the Python that environments are made from what it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::EnvError;
use super::lock::minor_version;

/// Prints the answers as JSON; `ensurepip` is what Debian leaves out without python3-venv.
const QUESTIONS: &str = "\
import importlib.util, json, platform, sys
missing = [m for m in ('venv', 'ensurepip') if importlib.util.find_spec(m) is None]
print(json.dumps({'version': '.'.join(platform.python_version_tuple()[:2] + (str(sys.version_info[2]),)),
    'prefix': sys.prefix, 'base_prefix': sys.base_prefix, 'missing': missing}))";

/// What the base Python is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Base {
    #[serde(skip)]
    pub python: PathBuf,
    /// Such as `3.11.7`.
    pub version: String,
    pub prefix: PathBuf,
    /// Where its standard library is; differs from `prefix` inside a virtual environment.
    pub base_prefix: PathBuf,
    missing: Vec<String>,
}

impl Base {
    /// Starts `python` once; it must have the minor version `wanted`.
    pub fn ask(python: &Path, wanted: &str) -> Result<Self, EnvError> {
        let fail = |why: String| EnvError::BasePython {
            python: python.into(),
            why,
            wanted: wanted.into(),
        };
        let mut command = Command::new(python);
        command.args(["-I", "-c", QUESTIONS]).stdin(Stdio::null());
        command.env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        let output = command.output().map_err(|error| fail(error.to_string()))?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            let last = error.lines().last().unwrap_or("it said nothing").to_owned();
            return Err(fail(format!("it ended with {}: {last}", output.status)));
        }
        let mut base: Self = serde_json::from_slice(&output.stdout)
            .map_err(|error| fail(format!("its answer is not understood: {error}")))?;
        base.python = python.into();
        if minor_version(&base.version) != wanted {
            return Err(fail(format!("it is Python {}, no longer {wanted}", base.version)));
        }
        Ok(base)
    }

    /// Whether it can make environments; asked only before one is made.
    pub fn can_make_environments(&self) -> Result<(), EnvError> {
        match self.missing.first() {
            Some(module) => {
                Err(EnvError::NoVenvModule { python: self.python.clone(), module: module.clone() })
            }
            None => Ok(()),
        }
    }
}
