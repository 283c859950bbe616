//! `joulerace worker`: connects to the host, hears one request, serves it, and leaves.

use super::channel::{self, Sender};
use super::protocol::{Message, Request};
use super::{WorkerError, interpreter};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use serde_json::Value;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Serves one request from the host that listens at `socket` and returns the exit status: 0 where
/// the function returned, 1 where it raised or Python did not start.
///
/// # Errors
///
/// [`WorkerError::Host`] where there is no host to talk to.
pub fn serve(socket: &Path) -> Result<i32, WorkerError> {
    let no_host = |why: String| WorkerError::Host { socket: socket.to_owned(), why };
    let (mut lines, sender) = channel::connect(socket).map_err(|e| no_host(e.to_string()))?;
    let mut first = String::new();
    lines.read_line(&mut first).map_err(|e| no_host(e.to_string()))?;
    let request: Request = serde_json::from_str(&first).map_err(|e| no_host(e.to_string()))?;
    crate::process::adopt_orphans();
    crate::process::offer_to_out_of_memory();
    channel::die_with_host(lines, socket);

    let sender = Arc::new(Mutex::new(sender));
    let told = Arc::clone(&sender);
    let outcome = interpreter::with_interpreter(&request.python, &request.sys_path, |py| {
        call(py, &request, &told)
    });
    let (message, status) = match outcome {
        Ok(()) => (Message::Done, 0),
        Err(WorkerError::Python { message, traceback }) => {
            log(&format!("{}\n", crate::clean::private(traceback.trim_end())));
            (Message::Failed { error: message, traceback, begun: true }, 1)
        }
        Err(other) => {
            log(&format!("{other}\n"));
            let (error, traceback) = (other.to_string(), String::new());
            (Message::Failed { error, traceback, begun: false }, 1)
        }
    };
    if let Err(error) = say(&sender, &message) {
        // The watch over the host is about to end this process with all that it started; leaving
        // before it has would let those get away.
        std::thread::sleep(LAST_WATCH);
        return Err(no_host(error.to_string()));
    }
    Ok(status)
}

/// Longer than the watch over the host takes to notice that it has gone, and to act.
const LAST_WATCH: std::time::Duration = std::time::Duration::from_secs(5);

/// Writes to the log. A full disk must not keep the host from hearing the same.
fn log(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn say(sender: &Mutex<Sender>, message: &Message) -> std::io::Result<()> {
    sender.lock().unwrap_or_else(|e| e.into_inner()).send(message)
}

fn call(py: Python<'_>, request: &Request, sender: &Arc<Mutex<Sender>>) -> PyResult<()> {
    let sys = py.import("sys")?;
    let version: String = sys.getattr("version")?.extract()?;
    say(
        sender,
        &Message::Hello {
            pid: std::process::id(),
            python: version.split(' ').next().unwrap_or_default().to_owned(),
            prefix: sys.getattr("prefix")?.extract()?,
        },
    )?;
    let json = py.import("json")?;
    let argument = json.call_method1("loads", (request.argument.to_string(),))?;
    let emit = emitter(py, Arc::clone(sender))?;
    py.import(request.module.as_str())?
        .getattr(request.function.as_str())?
        .call1((argument, emit))?;
    Ok(())
}

/// `emit(event)`: sends a JSON-able object to the host. What is no number in JSON (NaN, infinities)
/// arrives as null, and what JSON does not know arrives as its text.
fn emitter<'py>(py: Python<'py>, sender: Arc<Mutex<Sender>>) -> PyResult<Bound<'py, PyCFunction>> {
    let json = py.import("json")?;
    let dumps = json.getattr("dumps")?.unbind();
    let loads = json.getattr("loads")?.unbind();
    let as_text = py.import("builtins")?.getattr("str")?.unbind();
    let none = PyCFunction::new_closure(
        py,
        None,
        None,
        |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| args.py().None(),
    )?
    .unbind();
    PyCFunction::new_closure(
        py,
        Some(c"emit"),
        None,
        move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
            let py = args.py();
            let options = PyDict::new(py);
            options.set_item("default", as_text.bind(py))?;
            let mut text: String =
                dumps.bind(py).call((args.get_item(0)?,), Some(&options))?.extract()?;
            let event: Value = match serde_json::from_str(&text) {
                Ok(event) => event,
                Err(_) => {
                    let options = PyDict::new(py);
                    options.set_item("parse_constant", none.bind(py))?;
                    let cleaned = loads.bind(py).call((text,), Some(&options))?;
                    text = dumps.bind(py).call1((cleaned,))?.extract()?;
                    serde_json::from_str(&text)
                        .map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))?
                }
            };
            let message = Message::Event { event };
            py.detach(|| say(&sender, &message))?;
            Ok(())
        },
    )
}
