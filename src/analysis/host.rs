//! An analysis from the folder to the report: read here, worked out by Python in a worker.

use crate::Remedy as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::aside::Aside;
use super::copies::Copied;
use super::error::AnalysisError;
use super::guard;
use super::kinds::{Kind, kinds};
use super::request::{AnalysisMessage, argument, write_arrays};
use super::scan::{GroupLine, Ignored, Scan, ScanError, Source, scan_with};
use super::settings::AnalyzeSettings;
use super::study::{Study, Told, study};
use super::table::Broken;
use super::walk::relative;
use crate::env::Environment;
use crate::files::{self, Scratch};
use crate::worker::protocol::{Interpreter, Request};
use crate::worker::{self, Called, Failure};

/// The file beside the tables that keeps what was asked, [`AnalyzeSettings`], and what was written.
pub(crate) const ASKED: &str = "settings.json";

/// Version of that file's layout.
const SCHEMA: u32 = 1;

/// Most bytes of it that are read.
const LARGEST: u64 = 1 << 20;

#[derive(serde::Serialize)]
struct Kept<'a> {
    schema: u32,
    #[serde(flatten)]
    settings: &'a AnalyzeSettings,
    /// Every other file of the analysis, so that the next one takes away what it does not make any more.
    files: Vec<String>,
}

/// What an analysis came to.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisReport {
    /// Where everything was written.
    pub output: PathBuf,
    /// The answer in a sentence.
    pub sentence: String,
    /// What somebody who reads that sentence alone has to know besides.
    pub cautions: Vec<String>,
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

/// What an analysis reports while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// What the folder holds, before anything is read; `by` says what the groups were found by.
    Found {
        /// Such as `folders`.
        by: String,
        groups: Vec<GroupLine>,
    },
    /// Files are being read.
    Reading {
        /// How many so far.
        done: usize,
        /// How many in all.
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
/// and report to [`AnalyzeSettings::output`]. `stop` ends it, and nothing of it is left.
///
/// # Errors
///
/// The folder has no trials or none that can be read; the output cannot be written; a setting does not
/// fit the data; or the analysis failed. See [`AnalysisError`].
pub async fn run(
    settings: &AnalyzeSettings,
    env: &Environment,
    stop: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<AnalysisReport, AnalysisError> {
    let start = Instant::now();
    let python = env.interpreter().map_err(AnalysisError::Environment)?;
    settings.check().map_err(AnalysisError::Refused)?;
    let damaged = guard::check(settings)?;
    let output = settings.output();
    let found = search(settings)?;
    let ignored = passed_over(settings, &found);
    let (source, copies) = (found.source, found.copies.clone());
    progress(Progress::Found { by: found.by.clone(), groups: found.groups() });
    let made = !output.exists();
    let named = |source| AnalysisError::Output { path: output.clone(), source };
    let output = guard::output(settings).map_err(named)?;
    let settings = AnalyzeSettings { output: Some(output.clone()), ..settings.clone() };
    for sentence in damaged {
        progress(Progress::Damaged(sentence));
    }
    // What is written lies aside until it is whole: nothing half-made stands for a result.
    let aside = Aside::make(&output)?;
    let mut analysis = Analysis { settings, aside, python, stop, progress };
    let heard = analysis.make(found).await;
    let Analysis { settings, aside, .. } = analysis;
    let heard = heard.and_then(|heard| {
        keep(&settings, &aside)?;
        aside.put_in_place(&output, &written(&output, settings.audit)).map(|()| heard)
    });
    if made && heard.is_err() {
        // The folder goes only where it is empty.
        let _ = fs::remove_dir(&output);
    }
    let Heard { told, broken, result } = heard?;
    // An audit says what is wrong with trials that cannot be used, too.
    if told.usable == 0 && !(settings.audit && result.is_some()) {
        let report = result.is_some().then(|| output.join("report.html"));
        let (dir, told) = (settings.dir, Box::new(told));
        return Err(AnalysisError::NothingUsable { dir, told, report });
    }
    let Made { sentence, cautions, mut files } = result.unwrap_or_default();
    files.insert(0, "trials.csv".into());
    let seconds = start.elapsed().as_secs_f64();
    Ok(AnalysisReport {
        output,
        sentence,
        cautions,
        files,
        source,
        told,
        broken,
        ignored,
        copies,
        seconds,
    })
}

/// Keeps what was asked and what was written beside the rest.
fn keep(settings: &AnalyzeSettings, aside: &Aside) -> Result<(), AnalysisError> {
    let path = aside.path().join(ASKED);
    let failed = |source| AnalysisError::Output { path: path.clone(), source };
    let files = aside.files().map_err(failed)?;
    files::replace_json(&path, &Kept { schema: SCHEMA, settings, files }).map_err(failed)
}

/// What an earlier analysis wrote into `output`, or an earlier audit where this is one, and where it kept that.
fn written(output: &Path, audit: bool) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Earlier {
        files: Vec<String>,
        audit: bool,
    }
    let text = files::read(&output.join(ASKED), LARGEST).ok();
    let earlier = text.and_then(|text| serde_json::from_slice::<Earlier>(&text).ok());
    earlier.filter(|earlier| earlier.audit == audit).map_or_else(Vec::new, |earlier| earlier.files)
}

/// The folder's trials.
fn search(settings: &AnalyzeSettings) -> Result<Scan, AnalysisError> {
    let dir = || settings.dir.clone();
    let found = scan_with(&settings.dir, &settings.output(), &settings.search);
    let found = found.map_err(|error| match error {
        ScanError::Folder(source) => AnalysisError::Folder { dir: dir(), source },
        ScanError::Refused(message) => AnalysisError::Refused(message),
        source => AnalysisError::Groups { dir: dir(), source },
    })?;
    if found.source == Source::Experiment {
        settings.check_for_experiment().map_err(AnalysisError::Refused)?;
    }
    if found.inputs.is_empty() {
        let ignored = passed_over(settings, &found);
        return Err(AnalysisError::NoTrials { dir: dir(), ignored });
    }
    Ok(found)
}

fn passed_over(settings: &AnalyzeSettings, found: &Scan) -> Vec<Kind> {
    let passed = |i: &Ignored| (relative(&settings.dir, &i.file), i.reason.clone());
    kinds(found.ignored.iter().map(passed))
}

/// What was read, and what Python made of it.
struct Heard {
    told: Told,
    broken: Vec<Broken>,
    result: Option<Made>,
}

/// The verdict, what has to be known besides, and the files that were written.
#[derive(Default)]
struct Made {
    sentence: String,
    cautions: Vec<String>,
    files: Vec<String>,
}

/// An analysis under way.
struct Analysis<'a> {
    settings: AnalyzeSettings,
    aside: Aside,
    python: Interpreter,
    stop: &'a CancellationToken,
    progress: &'a mut dyn FnMut(Progress),
}

impl Analysis<'_> {
    /// Reads the samples, writes `trials.csv`, and has Python do the rest.
    async fn make(&mut self, found: Scan) -> Result<Heard, AnalysisError> {
        let (found, study) = self.read(found).await?;
        let Study { table, told, decided } = study.map_err(|why| refused(&why))?;
        let trials = self.aside.path().join("trials.csv");
        table
            .write_csv(&trials)
            .map_err(|source| AnalysisError::Output { path: trials, source })?;
        (self.progress)(Progress::Read(told.clone()));
        let broken = table.broken.clone();
        let temporary = std::env::temp_dir();
        let scratch =
            Scratch::new().map_err(|source| AnalysisError::Channel { path: temporary, source })?;
        let argument = argument(&self.settings, self.aside.path(), &found, &table, &decided);
        let file = scratch.path().join("arrays");
        let arrays = write_arrays(table, &file)
            .map_err(|source| AnalysisError::Channel { path: file, source })?;
        let request = Request {
            python: self.python.clone(),
            sys_path: vec![self.settings.python_dir.clone()],
            module: if self.settings.audit { "analysis.audit.host" } else { "analysis.host" }
                .to_owned(),
            function: "serve".to_owned(),
            argument,
            arrays: Some(arrays),
        };
        match self.call(request).await {
            Ok(result) => Ok(Heard { told, broken, result }),
            Err(error @ AnalysisError::Interrupted { .. }) => Err(error),
            // Where nothing is usable that is the answer, whether a report could be made or not.
            Err(_) if told.usable == 0 => Ok(Heard { told, broken, result: None }),
            Err(error) => Err(error),
        }
    }

    /// Reads the samples on all cores, on threads that a disk that hangs may keep.
    async fn read(&mut self, found: Scan) -> Result<(Scan, Result<Study, String>), AnalysisError> {
        let of = found.inputs.len();
        // Often enough to watch, seldom enough to cost nothing.
        let every = (of / 10).max(100);
        let settings = self.settings.clone();
        let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let mut work = tokio::task::spawn_blocking(move || {
            let progress = |done: usize| {
                if done.is_multiple_of(every) {
                    let _ = sender.send(done);
                }
            };
            let study = study(&settings, &found, &progress);
            (found, study)
        });
        loop {
            tokio::select! {
                Some(done) = heard.recv() => (self.progress)(Progress::Reading { done, of }),
                read = &mut work => return read.map_err(|panic| AnalysisError::Ended {
                    why: "the samples could not be read".to_owned(),
                    log: panic.to_string(),
                }),
                () = self.stop.cancelled() => return Err(self.interrupted()),
            }
        }
    }

    /// Has a worker call Python, and gives its sentence and files.
    async fn call(&mut self, request: Request) -> Result<Option<Made>, AnalysisError> {
        let mut result = None;
        let mut complaint = None;
        let progress = &mut self.progress;
        let called = worker::call(request, self.stop, |emitted| {
            // Python may emit other messages, which the host does not need.
            match serde_json::from_value(emitted.clone()) {
                Ok(AnalysisMessage::Progress { step }) => progress(Progress::Step(step)),
                Ok(AnalysisMessage::Result { sentence, cautions, files }) => {
                    result = Some(Made { sentence, cautions, files });
                }
                Ok(AnalysisMessage::Refused { message }) => complaint = Some(refused(&message)),
                Ok(AnalysisMessage::Place { place, known }) => {
                    complaint = Some(AnalysisError::UnknownPlace { place, known });
                }
                Err(_) => {}
            }
            Ok(())
        });
        let called = called.await;
        let Called { failure, traceback, printed } = called
            .map_err(|source| AnalysisError::Channel { path: std::env::temp_dir(), source })?;
        if let Some(complaint) = complaint {
            return Err(complaint);
        }
        match failure {
            None => Ok(result),
            // Helpers of a library's own that outlive their work take nothing from it.
            Some(Failure::LeftProcesses(_)) if result.is_some() => Ok(result),
            Some(_) if self.stop.is_cancelled() => Err(self.interrupted()),
            Some(Failure::Raised { error } | Failure::NoPython { error }) => {
                Err(AnalysisError::Python { message: error, traceback })
            }
            Some(failure) => Err(AnalysisError::Ended { why: failure.in_line(), log: printed }),
        }
    }

    fn interrupted(&self) -> AnalysisError {
        AnalysisError::Interrupted { dir: self.settings.dir.clone() }
    }
}

/// A complaint of Python's, as a flag's own where it begins with one's name.
fn refused(message: &str) -> AnalysisError {
    AnalysisError::Refused(as_flag(message))
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
