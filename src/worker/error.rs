//! What can keep a worker from its work.

use pyo3::prelude::*;
use std::path::PathBuf;

/// Why a worker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// CPython did not start.
    #[error("{python} could not be embedded: {why}; `joulerace doctor` checks the environment",
        python = python.display())]
    Start {
        /// The interpreter that was asked for.
        python: PathBuf,
        /// CPython's own word.
        why: String,
    },
    /// CPython started in another environment than the one asked for.
    #[error("the embedded Python took {found} for its environment instead of {wanted}; is {wanted} a virtual environment of Python {version}?",
        found = found.display(), wanted = wanted.display(), version = super::PYTHON_VERSION)]
    Environment {
        /// The prefix that was asked for.
        wanted: PathBuf,
        /// `sys.prefix` as it was found.
        found: PathBuf,
    },
    /// The script raised.
    #[error("{message}")]
    Python {
        /// The exception's type and message.
        message: String,
        /// Python's traceback.
        traceback: String,
    },
    /// The host could not be reached, or what it said could not be read.
    #[error("the worker cannot talk to its host through {socket}: {why}; workers are started by the host, not by hand",
        socket = socket.display())]
    Host {
        /// The socket's path.
        socket: PathBuf,
        /// The system's word.
        why: String,
    },
}

impl WorkerError {
    /// Takes an exception apart before the interpreter is left.
    ///
    /// `SystemExit` is named for what it is: printing it would end the process.
    pub fn of_exception(py: Python<'_>, error: &PyErr) -> WorkerError {
        if error.is_instance_of::<pyo3::exceptions::PySystemExit>(py) {
            let code = error.value(py).getattr("code").map(|c| c.to_string()).unwrap_or_default();
            let message = format!("the script called sys.exit({code})");
            return WorkerError::Python { message, traceback: traceback(py, error) };
        }
        WorkerError::Python { message: error.to_string(), traceback: traceback(py, error) }
    }
}

/// Type, value and traceback are handed over one by one: before Python 3.12 an exception that was
/// fetched does not know its own traceback.
fn traceback(py: Python<'_>, error: &PyErr) -> String {
    let parts = (error.get_type(py), error.value(py), error.traceback(py));
    py.import("traceback")
        .and_then(|module| {
            let lines = module.call_method1("format_exception", parts)?;
            lines.extract::<Vec<String>>()
        })
        .map(|lines| lines.concat())
        .unwrap_or_default()
}
