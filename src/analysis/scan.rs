//! Which files of a folder are trials, and which group, session and number they have.

mod own;
mod short;

use crate::Remedy as _;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::copies::{self, Copied};
use super::grouping::runner::{self, RunTable};
use super::grouping::{self, Choice, Grouping};
use super::pairing::Counted;
use super::tables::{self, Columns, TableRow, Tabled};
use super::walk;
pub(crate) use super::walk::Ignored;
use crate::store::folder::Folder;

/// Where trials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// One of joulerace's experiments: each trial has a record beside its samples.
    Experiment,
    /// Anybody's CSV files.
    Csv,
}

/// One trial's files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// A name that no other trial of the folder has: the file's, with its group where need be.
    pub trial: String,
    /// What it is a trial of.
    pub group: String,
    /// What repeats above the numbers, where something does.
    pub session: Option<String>,
    /// The number in the file's name that counts trials; it is a block only on
    /// [evidence](super::pairing).
    pub block: Option<u64>,
    /// Whether the name tells a time instead.
    pub stamp: bool,
    /// The samples; `None` where a trial left a record only.
    pub csv: Option<PathBuf>,
    /// joulerace's record of the trial.
    pub record: Option<PathBuf>,
    /// The row of a table of results, where the trial is one.
    #[serde(default)]
    pub row: Option<Box<TableRow>>,
}

/// How a folder is searched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Patterns of files and folders to leave out, such as `**/warmup*`.
    pub exclude: Vec<String>,
    /// A pattern with `(?P<group>…)` for a file's path, where names and folders do not tell.
    pub group_by: Option<String>,
    /// Which columns of a table of results hold what.
    #[serde(default)]
    pub columns: Columns,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// Where the trials come from.
    pub source: Source,
    /// The trials, by group, session and number.
    pub inputs: Vec<Input>,
    /// What was passed over although it holds CSV files.
    pub ignored: Vec<Ignored>,
    /// Files that are copies of others, and are no trials.
    pub copies: Vec<Copied>,
    /// What the groups were found by.
    pub by: String,
    /// Whether the trials' numbers are those of blocks.
    #[serde(default)]
    pub counted: Counted,
    /// Of a study that was merged from shards: by a shard's folder, how the study calls machines that the
    /// shard's own files call otherwise.
    #[serde(default)]
    pub renamed: Renamed,
}

/// By a shard's folder, its machines' names in its own files, and in the study.
pub(crate) type Renamed = BTreeMap<String, BTreeMap<String, String>>;

/// Why a folder's trials could not be found.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ScanError {
    /// It cannot be read.
    #[error(transparent)]
    Folder(#[from] io::Error),
    /// A flag's pattern does not work.
    #[error("{0}")]
    Refused(String),
    /// The groups may be one thing or another.
    #[error("it is not clear what is to be compared")]
    #[diagnostic(help("Name one of these:\n{}", listed(_0)))]
    Ambiguous(Vec<Choice>),
}

fn listed(choices: &[Choice]) -> String {
    choices.iter().map(|choice| format!("  {choice}")).collect::<Vec<_>>().join("\n")
}

impl From<ScanError> for io::Error {
    fn from(error: ScanError) -> io::Error {
        match error {
            ScanError::Folder(error) => error,
            other => io::Error::other(other.in_full()),
        }
    }
}

const OWN_EXPERIMENT: &str = "is an experiment of its own; name it to analyse it";

/// As [`scan_with`], with nothing left out and groups by folders and names.
///
/// # Errors
///
/// As [`scan_with`].
pub fn scan(dir: &Path, output: &Path) -> Result<Scan, ScanError> {
    scan_with(dir, output, &Search::default())
}

/// Finds the trials of `dir`.
///
/// In a folder with an `experiment.json` each folder is a treatment's, and a trial's record
/// `torch_3.json` is taken with `torch_3.csv`; a CSV file without a record is no trial there unless
/// none has one. Anywhere else all files of samples are trials, however deep they lie; their groups are
/// found as the room `grouping` says. Passed over are hidden files, experiments below
/// `dir`, and whatever an analysis wrote (`output`, and folders with a `summary.json` and a `groups.csv`).
///
/// # Errors
///
/// The folder cannot be read, a pattern cannot be used, or the groups are not clear.
pub fn scan_with(dir: &Path, output: &Path, search: &Search) -> Result<Scan, ScanError> {
    if is_own(dir) {
        let scan = own::experiment(dir, output)?;
        if scan.source == Source::Experiment {
            return Ok(scan);
        }
    }
    if dir.is_file() {
        return of_tables(dir, vec![dir.to_owned()], Vec::new(), search);
    }
    let mut found = walked(dir, output, search)?;
    if found.files.is_empty() && !is_own(dir) && !is_analysis(dir) {
        let (files, others): (Vec<_>, Vec<_>) = found.ignored.into_iter().partition(|ignored| {
            ignored.reason == walk::NO_SAMPLES && tables::is_table(&ignored.file)
        });
        let files: Vec<PathBuf> = files.into_iter().map(|ignored| ignored.file).collect();
        if !files.is_empty() {
            return of_tables(dir, files, others, search);
        }
        found.ignored = others;
    }
    let copies = copies::take_out(&mut found.files);
    let paths: Vec<&str> = found.files.iter().map(|f| f.relative.as_str()).collect();
    let runs = match search.group_by {
        None => of_runs(&paths, dir, &found.ignored),
        Some(_) => None,
    };
    let grouping = runs.map_or_else(|| group(&paths, dir, search), Ok)?;
    let mut ignored = what_they_are(dir, found.ignored);
    let mut inputs = placed(&found.files, grouping.placed, &mut ignored);
    short::shorten(&mut inputs);
    inputs.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    let counted = match &search.group_by {
        Some(pattern) if pattern.contains("<block>") => {
            Counted::Blocks("the blocks that --group-by names".to_owned())
        }
        _ => Counted::Open,
    };
    let by = grouping.by;
    let renamed = Renamed::new();
    Ok(Scan { source: Source::Csv, inputs, ignored, copies, by, counted, renamed })
}

/// The trials of files that have a place; the others are passed over.
fn placed(
    files: &[walk::Found],
    places: Vec<Result<grouping::Placed, String>>,
    ignored: &mut Vec<Ignored>,
) -> Vec<Input> {
    let mut inputs = Vec::with_capacity(files.len());
    for (file, placed) in files.iter().zip(places) {
        let placed = match placed {
            Ok(placed) => placed,
            Err(reason) => {
                ignored.push(Ignored { file: file.path.clone(), reason });
                continue;
            }
        };
        inputs.push(Input {
            trial: without_ending(&file.relative).to_owned(),
            group: placed.group,
            session: placed.session,
            block: placed.number,
            stamp: placed.stamp,
            csv: Some(file.path.clone()),
            record: None,
            row: None,
        });
    }
    inputs
}

/// What is passed over, without the experiment's own tables, and tables of energies called that.
fn what_they_are(dir: &Path, mut ignored: Vec<Ignored>) -> Vec<Ignored> {
    ignored.retain(|ignored| !is_written(dir, &ignored.file));
    for other in ignored.iter_mut().filter(|ignored| ignored.reason == walk::NO_SAMPLES) {
        if tables::is_table(&other.file) {
            other.reason =
                "no file of samples but a table of energies; analyze it by itself".to_owned();
        }
    }
    ignored
}

/// The groups of files that lie in the folders of experiment-runner's runs, by the tables beside them.
fn of_runs(paths: &[&str], dir: &Path, others: &[Ignored]) -> Option<Grouping> {
    if !runner::any(paths) {
        return None;
    }
    let tables = others.iter().filter(|other| other.reason == walk::NO_SAMPLES);
    let tables = tables.filter_map(|other| {
        let (factors, groups) = tables::runs(&other.file)?;
        Some(RunTable { path: walk::relative(dir, &other.file), factors, groups })
    });
    runner::by_runs(paths, &tables.collect::<Vec<_>>())
}

/// The files below `dir` that may be trials.
fn walked(dir: &Path, output: &Path, search: &Search) -> Result<walk::Walk, ScanError> {
    let exclude = globs(&search.exclude)?;
    let beside_trials = |path: &Path| {
        is_own(dir) && [Folder::PAUSES, "failed", "interrupted"].contains(&name(path).as_str())
    };
    let skip = |path: &Path| {
        if same(path, output) || is_analysis(path) || beside_trials(path) {
            Some(String::new())
        } else {
            is_own(path).then(|| OWN_EXPERIMENT.to_owned())
        }
    };
    let excluded = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        exclude.is_match(path) || exclude.is_match(name)
    };
    Ok(walk::walk(dir, skip, excluded)?)
}

/// Whether a folder is that of an experiment of joulerace's own.
fn is_own(dir: &Path) -> bool {
    dir.join("experiment.json").is_file()
}

/// Whether a file is one of an experiment's own tables, or of those of an analysis that was written into this
/// very folder.
fn is_written(dir: &Path, file: &Path) -> bool {
    let table = ["trials.csv", "groups.csv", "pairs.csv"].contains(&name(file).as_str());
    table && file.parent() == Some(dir) && (is_own(dir) || is_analysis(dir))
}

/// The trials of tables of results, which are read where there are no samples.
fn of_tables(
    dir: &Path,
    files: Vec<PathBuf>,
    mut ignored: Vec<Ignored>,
    search: &Search,
) -> Result<Scan, ScanError> {
    let found = tables::find(dir, &files, &search.columns).map_err(ScanError::Refused)?;
    ignored.extend(found.ignored);
    Ok(Scan {
        source: Source::Csv,
        inputs: found.trials.into_iter().map(of_table).collect(),
        ignored,
        copies: Vec::new(),
        by: found.by,
        counted: found.counted,
        renamed: Renamed::new(),
    })
}

fn of_table(row: Tabled) -> Input {
    let Tabled { trial, group, block, file, row } = row;
    Input {
        trial,
        group,
        session: None,
        block,
        stamp: false,
        csv: Some(file),
        record: None,
        row: Some(Box::new(row)),
    }
}

fn sort_key(input: &Input) -> (&str, Option<&str>, Option<u64>, &str) {
    (&input.group, input.session.as_deref(), input.block, &input.trial)
}

fn group(paths: &[&str], dir: &Path, search: &Search) -> Result<Grouping, ScanError> {
    let Some(pattern) = &search.group_by else {
        let named = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        return grouping::by_names(paths, &name(&named)).map_err(ScanError::Ambiguous);
    };
    let regex = regex::Regex::new(pattern).map_err(|error| {
        ScanError::Refused(format!("--group-by: '{pattern}' is not a regular expression: {error}"))
    })?;
    let grouping = grouping::by_pattern(paths, &regex).map_err(ScanError::Refused)?;
    match paths.first() {
        Some(path) if grouping.placed.iter().all(Result::is_err) => Err(ScanError::Refused(
            format!("--group-by: '{pattern}' finds nothing in any path; the first is '{path}'"),
        )),
        _ => Ok(grouping),
    }
}

fn globs(patterns: &[String]) -> Result<globset::GlobSet, ScanError> {
    let mut set = globset::GlobSetBuilder::new();
    let refused = |error: globset::Error| ScanError::Refused(format!("--exclude: {error}"));
    for pattern in patterns {
        set.add(globset::Glob::new(pattern.trim_end_matches('/')).map_err(refused)?);
    }
    set.build().map_err(refused)
}

fn without_ending(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_analysis(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    has("summary.json") && has("groups.csv") || has("audit.json") && has("audit.html")
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// What is found of one group, for the table that is shown before anything is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLine {
    /// As tables and plots call it.
    pub group: String,
    /// All that were found, whether they can be used or not.
    pub trials: usize,
    /// Its sessions, in the alphabet's order.
    pub sessions: Vec<String>,
    /// The least and the largest number of its trials.
    pub numbers: Option<(u64, u64)>,
}

impl Scan {
    /// One line per group, in the inputs' order.
    pub(crate) fn groups(&self) -> Vec<GroupLine> {
        let mut lines: Vec<GroupLine> = Vec::new();
        let mut sessions: BTreeSet<&str> = BTreeSet::new();
        for input in &self.inputs {
            if lines.last().is_none_or(|l| l.group != input.group) {
                sessions.clear();
                lines.push(GroupLine {
                    group: input.group.clone(),
                    trials: 0,
                    sessions: Vec::new(),
                    numbers: None,
                });
            }
            let Some(line) = lines.last_mut() else { continue };
            line.trials += 1;
            if let Some(session) = &input.session
                && sessions.insert(session)
            {
                line.sessions.push(session.clone());
            }
            if let Some(n) = input.block {
                let (least, most) = line.numbers.unwrap_or((n, n));
                line.numbers = Some((least.min(n), most.max(n)));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests;
