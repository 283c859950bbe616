//! The host's side of an analysis: start the process that makes it, and listen.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::aside::Aside;
use super::copies::Copied;
use super::error::AnalysisError;
use super::guard;
use super::kinds::{Kind, kinds};
use super::python::{Event, Request};
use super::scan::{GroupLine, Scan, ScanError, Source, scan_with};
use super::settings::AnalyzeSettings;
use super::study::Told;
use super::table::Broken;
use super::walk::relative;
use crate::env::Environment;
use crate::run::stop;
use crate::store::Scratch;
use crate::worker::protocol::Interpreter;

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
    /// What the trials came to.
    pub told: Told,
    /// The files that could not be read.
    pub broken: Vec<Broken>,
    /// What was passed over.
    pub ignored: Vec<Kind>,
    /// Copies of other files.
    pub copies: Vec<Copied>,
    /// How long it took, s.
    pub seconds: f64,
}

/// What an analysis tells on its way.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// What the folder holds, before anything is read; `by` says what the groups were found by.
    Found {
        /// Such as `folders`.
        by: String,
        /// The groups.
        groups: Vec<GroupLine>,
    },
    /// Files are being read.
    Reading {
        /// So many were.
        done: usize,
        /// Of so many.
        of: usize,
    },
    /// All files were read.
    Read(Told),
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
    let python = env.interpreter().map_err(AnalysisError::Environment)?;
    run_with(settings, &python, &program, progress)
}

/// As [`run`], with the interpreter and the program to start.
///
/// # Errors
///
/// As [`run`].
pub fn run_with(
    settings: &AnalyzeSettings,
    python: &Interpreter,
    program: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<AnalysisReport, AnalysisError> {
    let start = Instant::now();
    // From here on a request to end is meant for the analysis.
    let asked = stop::requests();
    settings.check().map_err(AnalysisError::Refused)?;
    let damaged = guard::check(settings)?;
    let output = settings.output();
    let dir = || settings.dir.clone();
    let found =
        scan_with(&settings.dir, &output, &settings.search).map_err(|error| match error {
            ScanError::Folder(source) => AnalysisError::Folder { dir: dir(), source },
            ScanError::Refused(message) => AnalysisError::Refused(message),
            source => AnalysisError::Groups { dir: dir(), source },
        })?;
    if found.source == Source::Experiment {
        settings.check_for_experiment().map_err(AnalysisError::Refused)?;
    }
    let passed = |i: &super::scan::Ignored| (relative(&settings.dir, &i.file), i.reason.clone());
    let ignored = kinds(found.ignored.iter().map(passed));
    if found.inputs.is_empty() {
        return Err(AnalysisError::NoTrials { dir: dir(), ignored });
    }
    let (source, copies) = (found.source, found.copies.clone());
    progress(Progress::Found { by: found.by.clone(), groups: found.groups() });
    let made = !output.exists();
    let named = |source| AnalysisError::Output { path: output.clone(), source };
    let output = guard::output(settings).map_err(named)?;
    let settings = &AnalyzeSettings { output: Some(output.clone()), ..settings.clone() };
    for sentence in &damaged {
        progress(Progress::Damaged(sentence.clone()));
    }
    // What is written lies aside until it is whole: nothing half-made stands for a result.
    let aside = Aside::make(&output)?;
    let heard = Analyst::start(settings, found, aside.path(), python, program, asked)
        .and_then(|analyst| analyst.listen(progress));
    let heard = heard.and_then(|heard| aside.put_in_place(&output).map(|()| heard));
    if made && heard.is_err() {
        // The folder goes only where it is empty.
        let _ = fs::remove_dir(&output);
    }
    let Heard { read, result, .. } = heard?;
    let (told, broken) = read.unwrap_or_default();
    // An audit says what is wrong with trials that cannot be used, too.
    if told.usable == 0 && !(settings.audit && result.is_some()) {
        let report = result.is_some().then(|| output.join("report.html"));
        return Err(AnalysisError::NothingUsable { dir: dir(), told: Box::new(told), report });
    }
    let (sentence, mut files) = result.unwrap_or_default();
    files.insert(0, "trials.csv".into());
    Ok(AnalysisReport {
        output,
        sentence,
        files,
        source,
        told,
        broken,
        ignored,
        copies,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// What was heard.
#[derive(Default)]
struct Heard {
    read: Option<(Told, Vec<Broken>)>,
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
    /// How many files there are to read.
    files: usize,
}

impl Analyst {
    fn start(
        settings: &AnalyzeSettings,
        scan: Scan,
        write_to: &Path,
        python: &Interpreter,
        program: &Path,
        asked: usize,
    ) -> Result<Analyst, AnalysisError> {
        let files = scan.inputs.len();
        let temporary = std::env::temp_dir();
        let channel =
            |path: &Path, source| AnalysisError::Channel { path: path.to_owned(), source };
        let folder = Scratch::new().map_err(|e| channel(&temporary, e))?;
        let at = |name: &str| folder.path().join(name);
        let (request, events, log) = (at("request.json"), at("events"), at("log"));
        let create = |path: &Path| File::create(path).map_err(|e| channel(path, e));
        let writer = io::BufWriter::new(create(&request)?);
        let content = Request {
            settings: settings.clone(),
            scan,
            write_to: write_to.to_owned(),
            python: python.clone(),
            events: events.clone(),
        };
        serde_json::to_writer(writer, &content).map_err(|e| channel(&request, e.into()))?;
        create(&events)?;
        let out = create(&log)?;
        let err = out.try_clone().map_err(|e| channel(&log, e))?;
        let mut command = Command::new(program);
        command
            .args(["worker", "analyze", "--request"])
            .arg(&request)
            .env("MPLBACKEND", "Agg")
            // Its end tells the process that its host is gone.
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err);
        // The terminal's Ctrl-C is the host's to answer: Python would answer with a traceback.
        crate::process::own_group(&mut command);
        let child = command
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
        let dir = settings.dir.clone();
        Ok(Analyst { child, events, folder, files, dir, asked })
    }

    fn listen(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Heard, AnalysisError> {
        let mut told = Heard::default();
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
                // Where nothing is usable that is the answer, whether a report could be made or not.
                Some(_) if told.read.as_ref().is_some_and(|(told, _)| told.usable == 0) => {
                    return Ok(told);
                }
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
        told: &mut Heard,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), AnalysisError> {
        // An event of a kind that only the Python side knows is none for this listener.
        let Ok(event) = serde_json::from_str::<Event>(line) else { return Ok(()) };
        let nothing = told.read.as_ref().is_some_and(|(told, _)| told.usable == 0);
        match event {
            Event::Refused { .. } | Event::Place { .. } | Event::Raised { .. } if nothing => {}
            Event::Reading { done } => progress(Progress::Reading { done, of: self.files }),
            Event::Read { told: trials, broken } => {
                progress(Progress::Read((*trials).clone()));
                told.read = Some((*trials, broken));
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
