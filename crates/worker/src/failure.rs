//! Why a request was not served, taken apart before the interpreter is left.

use joulerace_protocol::Message;
use pyo3::prelude::*;
use std::path::Path;

/// What an exception says. `SystemExit` is named for what it is: printing it would end the process.
pub(crate) fn of_exception(py: Python<'_>, error: &PyErr) -> Message {
    let traceback = traceback(py, error);
    if error.is_instance_of::<pyo3::exceptions::PySystemExit>(py) {
        let code = error.value(py).getattr("code").map(|c| c.to_string()).unwrap_or_default();
        return Message::Failed {
            error: format!("the script called sys.exit({code})"),
            traceback,
            begun: true,
        };
    }
    Message::Failed { error: error.to_string(), traceback, begun: true }
}

/// CPython does not say when it started in another environment than the one asked for.
pub(crate) fn other_environment(wanted: &Path, found: &Path, version: &str) -> Message {
    let (wanted, found) = (wanted.display(), found.display());
    let error = format!(
        "Python took {found} for its environment instead of {wanted}; is {wanted} a virtual environment \
         of Python {version}?"
    );
    Message::Failed { error, traceback: String::new(), begun: false }
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
