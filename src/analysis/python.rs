//! Reading the samples and handing the table to `python/analysis`, in a process of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::scan::{Scan, Source};
use super::settings::{AnalyzeSettings, CarbonIntensity};
use super::study::{Study, Told, study};
use super::table::{Broken, Table};
use crate::clean;
use crate::worker::protocol::{self, Arrays, Interpreter, Message};
use crate::worker::run_python;

/// What the host asks of the process that analyses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Request {
    pub settings: AnalyzeSettings,
    /// What the folder holds.
    pub scan: Scan,
    /// Where the files are written before they are put in their place.
    pub write_to: PathBuf,
    /// The environment's interpreter.
    pub python: Interpreter,
    /// Where [`Event`]s are appended, one per line.
    pub events: PathBuf,
}

/// What the process that analyses tells its host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    /// All files were read.
    Read { told: Box<Told>, broken: Vec<Broken> },
    /// So many files were read.
    Reading { done: usize },
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
/// value is the process's exit status, where Python has not ended the process itself.
///
/// The samples are read here and not by the host, which stays small and can end this at any time.
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
        Ok(status) => status,
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

    /// Passes on what Python's side said.
    fn pass_on(&self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(Message::Event { event }) => self.line(event.to_string().into_bytes()),
            Ok(Message::Failed { error, traceback, .. }) => {
                self.tell(&Event::Raised { message: error, traceback });
            }
            _ => {}
        }
    }

    fn line(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(|e| e.into_inner());
        // Without its host there is nobody left to tell.
        let _ = file.write_all(&line);
    }
}

fn analyse(request: &Request, events: &Events) -> Result<i32, Event> {
    let settings = &request.settings;
    let output = &request.write_to;
    let failed = |path: &Path, e: io::Error| {
        let (path, message) = (path.to_owned(), e.to_string());
        Event::File { path, message }
    };
    // Often enough to watch, seldom enough to cost nothing.
    let every = (request.scan.inputs.len() / 10).max(100);
    let progress = |done: usize| {
        if done.is_multiple_of(every) {
            events.tell(&Event::Reading { done });
        }
    };
    let study =
        study(settings, &request.scan, &progress).map_err(|message| Event::Refused { message })?;
    let trials = output.join("trials.csv");
    study.table.write_csv(&trials).map_err(|e| failed(&trials, e))?;
    let (told, broken) = (Box::new(study.told.clone()), study.table.broken.clone());
    events.tell(&Event::Read { told, broken });
    // Where nothing is usable, a report that says why is made all the same.
    let Study { table, request: of_study, .. } = study;
    let mut argument = argument(settings, output, &request.scan, &table);
    if let (Value::Object(argument), Value::Object(more)) = (&mut argument, of_study) {
        argument.extend(more);
    }
    // Names, reasons and commands may be a stranger's; nothing of them acts where they are shown.
    let mut argument = clean::in_strings(argument, &|text| clean::lines(&clean::private(&text)));
    argument["output"] = json!(output);
    // Beside the events: the folder goes with the host's.
    let file = request.events.with_file_name("arrays");
    let arrays = write_arrays(table, &file).map_err(|e| failed(&file, e))?;
    let call = protocol::Request {
        python: request.python.clone(),
        sys_path: vec![settings.python_dir.clone()],
        module: if settings.audit { "analysis.audit.host" } else { "analysis.host" }.to_owned(),
        function: "serve".to_owned(),
        argument,
        arrays: Some(arrays),
    };
    let events = events.clone();
    let hear = move |line: &[u8]| {
        events.pass_on(line);
        true
    };
    run_python(&call, hear)
        .map_err(|e| Event::Raised { message: e.to_string(), traceback: String::new() })
}

/// The argument of `analysis.host.serve`; see `python/analysis/settings.py`.
fn argument(settings: &AnalyzeSettings, output: &Path, scan: &Scan, table: &Table) -> Value {
    let experiment = match scan.source {
        Source::Experiment => experiment(&settings.dir),
        Source::Csv => Value::Null,
    };
    let part = |name: &str| experiment.get(name).cloned().unwrap_or_default();
    let named = settings.dir.canonicalize().unwrap_or_else(|_| settings.dir.clone());
    let folder = || named.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let title = settings.title.clone().unwrap_or_else(folder);
    let home = std::env::var("HOME").ok();
    let place =
        crate::snapshot::without_home(&settings.output().display().to_string(), home.as_deref());
    let strings: serde_json::Map<String, Value> =
        table.texts.iter().map(|(name, column)| ((*name).to_owned(), json!(column))).collect();
    json!({
        "output": output,
        "place": place,
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
        "carbon": carbon(&settings.carbon_intensity),
        "control": part("control"),
        "baseline": baseline(&experiment),
        "experiment": experiment,
        // Broken files are rows of the table, with their status and reason.
        "excluded": [],
        "strings": strings,
        "command": settings.command,
        "by": scan.by,
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

/// Writes every column of numbers and every trace's two, one after another.
fn write_arrays(table: Table, path: &Path) -> io::Result<Arrays> {
    let mut file = io::BufWriter::new(File::create(path)?);
    let mut columns = Vec::new();
    let mut write = |name: String, column: &[f64]| -> io::Result<()> {
        for value in column {
            file.write_all(&value.to_ne_bytes())?;
        }
        columns.push((name, column.len()));
        Ok(())
    };
    for (name, column) in table.numbers {
        write(name, &column)?;
    }
    for (trial, power) in table.traces {
        write(format!("trace:{trial}:t"), &power.t_s)?;
        write(format!("trace:{trial}:w"), &power.watts)?;
    }
    file.flush()?;
    Ok(Arrays { file: path.to_owned(), columns })
}

/// What was said of carbon: nothing, grams, or a place that Python looks up.
fn carbon(intensity: &CarbonIntensity) -> Value {
    match intensity {
        CarbonIntensity::Default => Value::Null,
        CarbonIntensity::Grams(grams) => json!({ "grams": grams }),
        CarbonIntensity::Place(place) => json!({ "place": place }),
    }
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
