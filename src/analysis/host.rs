//! The host's side of an analysis: start the process that makes it, and listen.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::error::AnalysisError;
use super::guard;
use super::python::{Event, Request};
use super::scan::{Ignored, Source, scan};
use super::settings::AnalyzeSettings;
use super::table::Broken;
use crate::env::Environment;
use crate::run::stop;
use crate::store::Scratch;

/// How often the events are looked at.
const TICK: Duration = Duration::from_millis(40);

/// How much of what the process printed an error shows.
const LOG_TAIL: usize = 4000;

/// What an analysis came to.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisReport {
    /// Where everything was written.
    pub output: PathBuf,
    /// The answer in a sentence.
    pub sentence: String,
    /// What was written, relative to `output`.
    pub files: Vec<String>,
    /// Where the trials come from.
    pub source: Source,
    /// Number of trials, broken ones included.
    pub trials: usize,
    /// The files that could not be used.
    pub broken: Vec<Broken>,
    /// What was passed over.
    pub ignored: Vec<Ignored>,
    /// How long it took, s.
    pub seconds: f64,
}

/// What an analysis tells on its way.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// All files were read: trials, and those among them that could not be used.
    Read {
        /// Number of trials.
        trials: usize,
        /// Those that could not be used.
        broken: usize,
    },
    /// A step begins, such as `statistics`.
    Step(String),
    /// Something in an experiment's folder does not agree with the rest, in a sentence.
    Damaged(String),
}

/// Analyses a folder in the environment `env` (of the profile for analysis) and writes tables, plots
/// and report to [`AnalyzeSettings::output`].
///
/// The work is done by this program, started anew as `worker analyze --request FILE`; see
/// [`super::python::serve`].
///
/// # Errors
///
/// The folder has no trials or none that can be read; the output cannot be written; a setting does not
/// fit the data; or the analysis failed. See [`AnalysisError`].
pub fn run(
    settings: &AnalyzeSettings,
    env: &Environment,
    progress: &mut dyn FnMut(Progress),
) -> Result<AnalysisReport, AnalysisError> {
    let program = std::env::current_exe()
        .map_err(|source| AnalysisError::Start { program: "joulerace".into(), source })?;
    run_with(settings, &env.python, &program, progress)
}

/// As [`run`], with the interpreter and the program to start.
///
/// # Errors
///
/// As [`run`].
pub fn run_with(
    settings: &AnalyzeSettings,
    python: &Path,
    program: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<AnalysisReport, AnalysisError> {
    let start = Instant::now();
    settings.check().map_err(AnalysisError::Refused)?;
    let damaged = guard::check(settings)?;
    let output = settings.output();
    let dir = || settings.dir.clone();
    let found = scan(&settings.dir, &output)
        .map_err(|source| AnalysisError::Folder { dir: dir(), source })?;
    if found.inputs.is_empty() {
        let instead = found.ignored.into_iter().next();
        return Err(AnalysisError::NoTrials { dir: dir(), instead });
    }
    let made = !output.exists();
    let named = |source| AnalysisError::Output { path: output.clone(), source };
    let output = guard::output(settings).map_err(named)?;
    let settings = &AnalyzeSettings { output: Some(output.clone()), ..settings.clone() };
    for sentence in &damaged {
        progress(Progress::Damaged(sentence.clone()));
    }
    let told = Analyst::start(settings, python, program)?.listen(progress);
    if made && matches!(told, Err(AnalysisError::Refused(_) | AnalysisError::UnknownPlace { .. })) {
        // A flag to be put right leaves nothing behind. The folder goes only if that empties it.
        let _ = fs::remove_file(output.join("trials.csv")).and_then(|()| fs::remove_dir(&output));
    }
    let told = told?;
    let (trials, broken) = told.read.unwrap_or_default();
    let Some((sentence, mut files)) = told.result else {
        return Err(AnalysisError::NothingReadable { dir: dir(), broken });
    };
    files.insert(0, "trials.csv".into());
    Ok(AnalysisReport {
        output,
        sentence,
        files,
        source: found.source,
        trials,
        broken,
        ignored: found.ignored,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// What was heard.
#[derive(Default)]
struct Told {
    read: Option<(usize, Vec<Broken>)>,
    result: Option<(String, Vec<String>)>,
}

/// The process that analyses; it ends with its host.
struct Analyst {
    child: Child,
    events: BufReader<File>,
    /// Holds the request, the events and the log, and goes with them.
    folder: Scratch,
    /// What is analysed.
    dir: PathBuf,
    /// How often this program was asked to end before it began.
    asked: usize,
}

impl Analyst {
    fn start(
        settings: &AnalyzeSettings,
        python: &Path,
        program: &Path,
    ) -> Result<Analyst, AnalysisError> {
        let temporary = std::env::temp_dir();
        let channel =
            |path: &Path, source| AnalysisError::Channel { path: path.to_owned(), source };
        let folder = Scratch::new().map_err(|e| channel(&temporary, e))?;
        let at = |name: &str| folder.path().join(name);
        let (request, events, log) = (at("request.json"), at("events"), at("log"));
        let create = |path: &Path| File::create(path).map_err(|e| channel(path, e));
        let writer = create(&request)?;
        let content =
            Request { settings: settings.clone(), python: python.into(), events: events.clone() };
        serde_json::to_writer(writer, &content).map_err(|e| channel(&request, e.into()))?;
        create(&events)?;
        let out = create(&log)?;
        let err = out.try_clone().map_err(|e| channel(&log, e))?;
        let child = Command::new(program)
            .args(["worker", "analyze", "--request"])
            .arg(&request)
            .env("MPLBACKEND", "Agg")
            // Its end tells the process that its host is gone.
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|source| AnalysisError::Start { program: program.to_owned(), source })?;
        let events = File::open(&events).map(BufReader::new).map_err(|e| channel(&events, e));
        let events = match events {
            Ok(events) => events,
            Err(error) => {
                end(child);
                return Err(error);
            }
        };
        let (dir, asked) = (settings.dir.clone(), stop::requests());
        Ok(Analyst { child, events, folder, dir, asked })
    }

    fn listen(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Told, AnalysisError> {
        let mut told = Told::default();
        let mut partial = String::new();
        loop {
            // Looked at before the events: what it said before it ended is then still heard.
            let ended = self.child.try_wait().map_err(|e| self.lost(e))?;
            while self.events.read_line(&mut partial).map_err(|e| self.lost(e))? > 0 {
                if partial.ends_with('\n') {
                    self.hear(&partial, &mut told, progress)?;
                    partial.clear();
                }
            }
            match ended {
                Some(status) if !status.success() || told.read.is_none() => {
                    return Err(self.died(status));
                }
                Some(_) => return Ok(told),
                None if stop::requests() > self.asked => {
                    return Err(AnalysisError::Interrupted { dir: self.dir.clone() });
                }
                None => std::thread::sleep(TICK),
            }
        }
    }

    fn hear(
        &self,
        line: &str,
        told: &mut Told,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), AnalysisError> {
        // An event of a kind that only the Python side knows is none for this listener.
        let Ok(event) = serde_json::from_str::<Event>(line) else { return Ok(()) };
        match event {
            Event::Read { trials, broken } => {
                progress(Progress::Read { trials, broken: broken.len() });
                told.read = Some((trials, broken));
            }
            Event::Progress { step } => progress(Progress::Step(step)),
            Event::Result { sentence, files } => told.result = Some((sentence, files)),
            Event::Refused { message } => return Err(AnalysisError::Refused(as_flag(&message))),
            Event::Place { place, known } => {
                return Err(AnalysisError::UnknownPlace { place, known });
            }
            Event::Raised { message, traceback } => {
                return Err(AnalysisError::Python { message, traceback });
            }
            Event::File { path, message } => {
                return Err(AnalysisError::Output { path, source: io::Error::other(message) });
            }
        }
        Ok(())
    }

    fn lost(&self, source: io::Error) -> AnalysisError {
        AnalysisError::Channel { path: self.folder.path().to_owned(), source }
    }

    fn died(&self, status: ExitStatus) -> AnalysisError {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LOG_TAIL)..];
        AnalysisError::Ended { status, log: String::from_utf8_lossy(tail).into_owned() }
    }
}

impl Drop for Analyst {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// `base: no such group` reads as the flag's own complaint.
fn as_flag(message: &str) -> String {
    match message.split_once(": ") {
        Some((name @ ("alpha" | "base" | "method" | "output" | "seed"), why)) => {
            format!("--{name}: {why}")
        }
        _ => message.to_owned(),
    }
}
