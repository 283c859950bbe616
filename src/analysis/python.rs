//! Handing the table to `python/analysis` within this process, without copying a number.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::gather::gather;
use super::scan::{Scan, Source, scan};
use super::settings::{AnalyzeSettings, CarbonIntensity};
use super::table::{Broken, Table};
use crate::clean;
use crate::worker::{WorkerError, with_interpreter};

/// What the host asks of the process that analyses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    pub settings: AnalyzeSettings,
    /// The environment's interpreter.
    pub python: PathBuf,
    /// Where [`Event`]s are appended, one per line.
    pub events: PathBuf,
}

/// What the process that analyses tells its host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    /// All files were read.
    Read { trials: usize, broken: Vec<Broken> },
    /// A step begins.
    Progress { step: String },
    /// Everything is written.
    Result { sentence: String, files: Vec<String> },
    /// A setting does not fit the data.
    Refused { message: String },
    /// No carbon intensity for this place.
    Place { place: String, known: Vec<String> },
    /// Python raised.
    Raised { message: String, traceback: String },
    /// A file could not be written or read.
    File { path: PathBuf, message: String },
}

/// Serves the request in a file (the hidden subcommand `worker analyze`): reads the samples, writes
/// `trials.csv`, and calls `analysis.run`. What happened goes to the request's file of events; the
/// value is the process's exit status. The caller leaves the process afterwards: an interpreter can be
/// started once.
///
/// The samples are read here, in the process that runs Python, so that a column goes from where it was
/// read to NumPy without crossing a process or being copied.
pub fn serve(request: &Path) -> i32 {
    let read = || -> Result<(Request, File), String> {
        let text = fs::read_to_string(request).map_err(|e| e.to_string())?;
        let request: Request = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let events = File::options().append(true).create(true).open(&request.events);
        Ok((request, events.map_err(|e| e.to_string())?))
    };
    let (request, events) = match read() {
        Ok(read) => read,
        Err(why) => {
            eprintln!("the request {} cannot be served: {why}", request.display());
            return 1;
        }
    };
    let events = Events(Arc::new(Mutex::new(events)));
    end_with_host();
    match analyse(&request, &events) {
        Ok(()) => 0,
        Err(failure) => {
            events.tell(&failure);
            1
        }
    }
}

/// Ends this process when its host does: the host holds the other end of standard input.
fn end_with_host() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // At once and without clean-up: Python and its libraries' threads are at work.
        #[cfg(unix)]
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        std::process::abort();
    });
}

/// The file that events are appended to.
#[derive(Clone)]
struct Events(Arc<Mutex<File>>);

impl Events {
    fn tell(&self, event: &Event) {
        self.line(serde_json::to_vec(event).unwrap_or_default());
    }

    fn line(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(|e| e.into_inner());
        // Without its host there is nobody left to tell.
        let _ = file.write_all(&line);
    }
}

fn analyse(request: &Request, events: &Events) -> Result<(), Event> {
    let settings = &request.settings;
    let output = settings.output();
    let failed = |path: &Path, e: io::Error| {
        let (path, message) = (path.to_owned(), e.to_string());
        Event::File { path, message }
    };
    let scan = scan(&settings.dir, &output).map_err(|e| failed(&settings.dir, e))?;
    let trials = gather(&scan.inputs, scan.source);
    let table = Table::of(trials, scan.source, settings.method, &settings.dir);
    let trials = output.join("trials.csv");
    table.write_csv(&trials).map_err(|e| failed(&trials, e))?;
    events.tell(&Event::Read { trials: table.len(), broken: table.broken.clone() });
    if table.traces.is_empty() {
        return Ok(());
    }
    let path = std::slice::from_ref(&settings.python_dir);
    let called = with_interpreter(&request.python, path, |py| {
        call(py, settings, &output, &scan, table, events)
    });
    match called {
        Ok(told) => told,
        Err(WorkerError::Python { message, traceback }) => {
            Err(Event::Raised { message, traceback })
        }
        Err(other) => Err(Event::Raised { message: other.to_string(), traceback: String::new() }),
    }
}

/// Calls `analysis.run(request, arrays, emit)`. What the user can put right is told apart from what
/// the analysis got wrong.
fn call(
    py: Python<'_>,
    settings: &AnalyzeSettings,
    output: &Path,
    scan: &Scan,
    table: Table,
    events: &Events,
) -> PyResult<Result<(), Event>> {
    // Names, reasons and commands may be a stranger's; nothing of them acts where they are shown.
    let mut request = clean::in_strings(request(settings, output, scan, &table), &|text| {
        clean::lines(&clean::private(&text))
    });
    request["output"] = json!(output);
    match carbon(py, &settings.carbon_intensity)? {
        Ok(Some((grams, source))) => {
            request["practical"]["carbon_intensity"] = json!(grams);
            request["practical"]["carbon_source"] = json!(source);
        }
        Ok(None) => {}
        Err(unknown) => return Ok(Err(unknown)),
    }
    let request = py.import("json")?.call_method1("loads", (request.to_string(),))?;
    let arrays = arrays(py, table)?;
    let emit = emitter(py, events.clone())?;
    let refused = py.import("analysis.settings")?.getattr("RequestError")?;
    match py.import("analysis")?.getattr("run")?.call1((request, arrays, emit)) {
        Ok(_) => Ok(Ok(())),
        Err(error) if error.matches(py, refused)? => {
            Ok(Err(Event::Refused { message: error.value(py).to_string() }))
        }
        Err(error) => Err(error),
    }
}

/// The request of `analysis.run`; see `python/analysis/settings.py`.
fn request(settings: &AnalyzeSettings, output: &Path, scan: &Scan, table: &Table) -> Value {
    let experiment = match scan.source {
        Source::Experiment => experiment(&settings.dir),
        Source::Csv => Value::Null,
    };
    let part = |name: &str| experiment.get(name).cloned().unwrap_or_default();
    let named = settings.dir.canonicalize().unwrap_or_else(|_| settings.dir.clone());
    let title = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let strings: serde_json::Map<String, Value> =
        table.texts.iter().map(|(name, column)| ((*name).to_owned(), json!(column))).collect();
    json!({
        "output": output,
        "title": title,
        "source": scan.source,
        "method": settings.method,
        "alpha": settings.alpha,
        "seed": settings.seed,
        "base": settings.base,
        "practical": {
            "runs_per_year": settings.runs_per_year,
            "price_per_kwh": settings.price_per_kwh,
            "currency": settings.currency,
        },
        "control": part("control"),
        "baseline": baseline(&experiment),
        "experiment": experiment,
        // Broken files are rows of the table, with their status and reason.
        "excluded": [],
        "ignored": scan.ignored,
        "strings": strings,
        "command": settings.command,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// Idle power at the experiment's two ends, in watts: the first baseline before trials and the last one
/// after; an experiment that was resumed has more. Null where none was measured.
fn baseline(experiment: &Value) -> Value {
    let baselines = experiment["settling"]["baselines"].as_array().map_or(&[][..], Vec::as_slice);
    let at = |when: &str| {
        let measured = |b: &&Value| b["when"] == when && b["watts"].is_number();
        baselines.iter().filter(measured).map(|b| b["watts"].as_f64()).collect::<Vec<_>>()
    };
    let before = at("before").first().copied().flatten();
    let after = at("after").last().copied().flatten();
    if before.is_none() && after.is_none() {
        return Value::Null;
    }
    let drift = before.zip(after).map(|(before, after)| after - before);
    json!({ "before_w": before, "after_w": after, "drift_w": drift })
}

fn experiment(dir: &Path) -> Value {
    // The host has refused one that cannot be read.
    let text = crate::store::read(&dir.join("experiment.json"), 1 << 30).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// One NumPy array per column, each taking over the memory of the column.
fn arrays(py: Python<'_>, table: Table) -> PyResult<Bound<'_, PyDict>> {
    let arrays = PyDict::new(py);
    for (name, column) in table.numbers {
        arrays.set_item(name, PyArray1::from_vec(py, column))?;
    }
    for (trial, power) in table.traces {
        arrays.set_item(format!("trace:{trial}:t"), PyArray1::from_vec(py, power.t_s))?;
        arrays.set_item(format!("trace:{trial}:w"), PyArray1::from_vec(py, power.watts))?;
    }
    Ok(arrays)
}

/// Grams per kilowatt-hour and where the figure comes from, from the table in `analysis.carbon`.
fn carbon(
    py: Python<'_>,
    intensity: &CarbonIntensity,
) -> PyResult<Result<Option<(f64, String)>, Event>> {
    let place = match intensity {
        CarbonIntensity::Default => return Ok(Ok(None)),
        CarbonIntensity::Grams(grams) => {
            return Ok(Ok(Some((*grams, "given with --carbon-intensity".to_owned()))));
        }
        CarbonIntensity::Place(place) => place,
    };
    let mut known = Vec::new();
    for entry in py.import("analysis.carbon")?.getattr("TABLE")?.try_iter()? {
        let entry = entry?;
        let code: String = entry.getattr("code")?.extract()?;
        let name: String = entry.getattr("place")?.extract()?;
        if [&code, &name].iter().any(|known| known.eq_ignore_ascii_case(place)) {
            let grams = entry.getattr("grams_per_kwh")?.extract()?;
            return Ok(Ok(Some((grams, entry.call_method0("describe")?.extract()?))));
        }
        known.push(code);
    }
    Ok(Err(Event::Place { place: place.clone(), known }))
}

/// `emit(event)`: passes an event on to the host.
fn emitter(py: Python<'_>, events: Events) -> PyResult<Bound<'_, PyCFunction>> {
    let dumps = py.import("json")?.getattr("dumps")?.unbind();
    PyCFunction::new_closure(
        py,
        Some(c"emit"),
        None,
        move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
            let line: String = dumps.bind(args.py()).call1((args.get_item(0)?,))?.extract()?;
            events.line(line.into_bytes());
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_power_is_that_of_the_first_baseline_before_and_the_last_after() {
        let experiment = json!({ "settling": { "baselines": [
            { "when": "before", "watts": null },
            { "when": "before", "watts": 12.5 },
            { "when": "after", "watts": 13.0 },
            { "when": "before", "watts": 14.0 },
            { "when": "after", "watts": 12.0 },
        ]}});
        let found = baseline(&experiment);
        assert_eq!(found, json!({ "before_w": 12.5, "after_w": 12.0, "drift_w": -0.5 }));
        assert_eq!(baseline(&json!({})), Value::Null);
        assert_eq!(baseline(&json!({ "settling": { "baselines": [] } })), Value::Null);
        let only = json!({ "settling": { "baselines": [{ "when": "before", "watts": 9.0 }] } });
        assert_eq!(baseline(&only)["drift_w"], Value::Null);
    }
}
