//! Serves one request, from checking the interpreter to the last message to the host.

use crate::failure;
use joulerace_protocol::{Arrays, Message, Request};
use numpy::PyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Passes lines on. Python may emit from several threads; one line is passed on at a time.
type Voice = Arc<Mutex<dyn FnMut(&[u8]) -> bool + Send>>;

/// Serves a request and gives the process's exit status: 0 where the function returned, 1 where it
/// raised, or where there was nobody to tell.
pub(crate) fn serve(
    py: Python<'_>,
    request: &[u8],
    say: impl FnMut(&[u8]) -> bool + Send + 'static,
) -> i32 {
    let voice: Voice = Arc::new(Mutex::new(say));
    let last = match call(py, request, &voice) {
        Ok(()) => Message::Done,
        Err(failed) => failed,
    };
    // The host may end this process on its last word, so what Python has printed goes first.
    let _ = flush(py);
    let heard = py.detach(|| tell(&voice, &last));
    i32::from(!heard || last != Message::Done)
}

/// Writes out what Python has buffered.
pub(crate) fn flush(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    for stream in ["stdout", "stderr"] {
        // A closed or missing stream has nothing left to flush.
        let _ = sys.getattr(stream).and_then(|stream| stream.call_method0("flush"));
    }
    Ok(())
}

fn tell(voice: &Voice, message: &Message) -> bool {
    let Ok(mut line) = serde_json::to_vec(message) else { return false };
    line.push(b'\n');
    (voice.lock().unwrap_or_else(|e| e.into_inner()))(&line)
}

fn call(py: Python<'_>, request: &[u8], voice: &Voice) -> Result<(), Message> {
    let raised = |error: PyErr| failure::of_exception(py, &error);
    let request: Request = serde_json::from_slice(request)
        .map_err(|e| raised(PyValueError::new_err(format!("the host's request: {e}"))))?;
    let (prefix, version) = look(py).map_err(raised)?;
    let executable = &request.python.executable;
    let wanted = executable.parent().and_then(Path::parent).unwrap_or(executable);
    if !same(&prefix, wanted) {
        return Err(failure::other_environment(wanted, &prefix, &version));
    }
    let hello = Message::Hello { pid: std::process::id(), python: version, prefix };
    tell(voice, &hello);
    ready(py, &request).and_then(|()| run(py, &request, voice)).map_err(raised)
}

/// `sys.prefix`, and the version's first word.
fn look(py: Python<'_>) -> PyResult<(PathBuf, String)> {
    let sys = py.import("sys")?;
    let version: String = sys.getattr("version")?.extract()?;
    let version = version.split(' ').next().unwrap_or_default().to_owned();
    Ok((sys.getattr("prefix")?.extract()?, version))
}

fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// Prepares the interpreter for a script: Ctrl-C goes to the host alone, and the present folder, which `-c` puts
/// on `sys.path`, comes off it.
fn ready(py: Python<'_>, request: &Request) -> PyResult<()> {
    let signal = py.import("signal")?;
    signal.call_method1("signal", (signal.getattr("SIGINT")?, signal.getattr("SIG_DFL")?))?;
    let sys = py.import("sys")?;
    sys.setattr("argv", ["joulerace-worker"])?;
    let path = sys.getattr("path")?;
    if path.contains("")? {
        path.call_method1("remove", ("",))?;
    }
    for folder in request.sys_path.iter().rev() {
        // As text: a `pathlib.Path` on `sys.path` is passed over by the import system.
        path.call_method1("insert", (0, folder.as_os_str()))?;
    }
    Ok(())
}

fn run(py: Python<'_>, request: &Request, voice: &Voice) -> PyResult<()> {
    let json = py.import("json")?;
    let argument = json.call_method1("loads", (request.argument.to_string(),))?;
    let emit = emitter(py, Arc::clone(voice))?;
    let function = py.import(request.module.as_str())?.getattr(request.function.as_str())?;
    match &request.arrays {
        None => function.call1((argument, emit))?,
        Some(columns) => function.call1((argument, arrays(py, columns)?, emit))?,
    };
    Ok(())
}

/// The columns as NumPy arrays, each taking over the memory that it was read into.
fn arrays<'py>(py: Python<'py>, columns: &Arrays) -> PyResult<Bound<'py, PyDict>> {
    let arrays = PyDict::new(py);
    let mut file = std::io::BufReader::new(std::fs::File::open(&columns.file)?);
    let mut bytes = Vec::new();
    for (name, values) in &columns.columns {
        bytes.resize(values * size_of::<f64>(), 0);
        file.read_exact(&mut bytes)?;
        let column = bytes.as_chunks().0.iter().map(|value| f64::from_ne_bytes(*value)).collect();
        arrays.set_item(name, PyArray1::<f64>::from_vec(py, column))?;
    }
    Ok(arrays)
}

/// `emit(event)`: sends a JSON-able object to the host. What is no number in JSON (NaN, infinities)
/// arrives as null, and what JSON does not know arrives as its text.
fn emitter<'py>(py: Python<'py>, voice: Voice) -> PyResult<Bound<'py, PyCFunction>> {
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
                    serde_json::from_str(&text).map_err(|e| PyValueError::new_err(e.to_string()))?
                }
            };
            let message = Message::Event { event };
            match py.detach(|| tell(&voice, &message)) {
                true => Ok(()),
                false => Err(pyo3::exceptions::PyBrokenPipeError::new_err("the host has gone")),
            }
        },
    )
}
