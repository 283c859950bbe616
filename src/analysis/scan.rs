//! Which files of a folder are trials, and which group, session and number they have.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::copies::{self, Copied};
use super::grouping::{self, Choice, Grouping};
use super::tables::{self, Columns, TableRow};
use super::walk::{self, sorted};
use crate::store::folder::Folder;
use crate::store::machines::ShardSeen;

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

/// Something that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// What.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
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
    /// Whether the blocks were named with `--group-by`.
    pub blocks_named: bool,
    /// Of a study that was merged from shards: by a shard's folder, how the study calls machines that the
    /// shard's own files call otherwise.
    #[serde(default)]
    pub renamed: Renamed,
}

/// By a shard's folder, its machines' names in its own files, and in the study.
pub type Renamed = BTreeMap<String, BTreeMap<String, String>>;

/// Why a folder's trials could not be found.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It cannot be read.
    #[error(transparent)]
    Folder(#[from] io::Error),
    /// A flag's pattern does not work.
    #[error("{0}")]
    Refused(String),
    /// The groups may be one thing or another.
    #[error(
        "it is not clear what is to be compared. Name one of these:\n{}",
        .0.iter().map(|c| format!("  {c}")).collect::<Vec<_>>().join("\n")
    )]
    Ambiguous(Vec<Choice>),
}

impl From<ScanError> for io::Error {
    fn from(error: ScanError) -> io::Error {
        match error {
            ScanError::Folder(error) => error,
            other => io::Error::other(other.to_string()),
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
    if dir.join("experiment.json").is_file() {
        let scan = experiment(dir, output)?;
        if scan.source == Source::Experiment {
            return Ok(scan);
        }
    }
    if dir.is_file() {
        return of_tables(dir, vec![dir.to_owned()], Vec::new(), search);
    }
    let exclude = globs(&search.exclude)?;
    let own = |path: &Path| path.join("experiment.json").is_file();
    let beside_trials = |path: &Path| {
        own(dir) && [Folder::PAUSES, "failed", "interrupted"].contains(&name(path).as_str())
    };
    let skip = |path: &Path| {
        if same(path, output) || is_analysis(path) || beside_trials(path) {
            Some(String::new())
        } else {
            own(path).then(|| OWN_EXPERIMENT.to_owned())
        }
    };
    let excluded = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        exclude.is_match(path) || exclude.is_match(name)
    };
    let mut found = walk::walk(dir, skip, excluded)?;
    if found.files.is_empty() && !own(dir) && !is_analysis(dir) {
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
    let grouping = group(&paths, dir, search)?;
    // An experiment's own tables, and those of an analysis that was written into this very folder.
    let tables = own(dir) || is_analysis(dir);
    let written = |path: &Path| {
        let name = name(path);
        path.parent() == Some(dir) && ["trials.csv", "groups.csv", "pairs.csv"].contains(&&*name)
    };
    let mut ignored = found.ignored;
    ignored.retain(|i| !(tables && written(&i.file)));
    let mut inputs = Vec::with_capacity(found.files.len());
    for (file, placed) in found.files.iter().zip(grouping.placed) {
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
    shorten(&mut inputs);
    inputs.sort_by(|a, b| order(a).cmp(&order(b)));
    let blocks_named = search.group_by.as_ref().is_some_and(|p| p.contains("<block>"));
    let by = grouping.by;
    let renamed = Renamed::new();
    Ok(Scan { source: Source::Csv, inputs, ignored, copies, by, blocks_named, renamed })
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
        inputs: found.inputs,
        ignored,
        copies: Vec::new(),
        by: found.by,
        blocks_named: found.blocks,
        renamed: Renamed::new(),
    })
}

fn order(input: &Input) -> (&str, Option<&str>, Option<u64>, &str) {
    (&input.group, input.session.as_deref(), input.block, &input.trial)
}

fn group(paths: &[&str], dir: &Path, search: &Search) -> Result<Grouping, ScanError> {
    let Some(pattern) = &search.group_by else {
        let named = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        return grouping::by_names(paths, &name(&named)).map_err(ScanError::Ambiguous);
    };
    let regex = regex::Regex::new(pattern).map_err(|error| {
        ScanError::Refused(format!("--group-by: '{pattern}' is no regular expression: {error}"))
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

/// Gives each trial its file's name alone where that is enough, else the group's as well, else its path.
fn shorten(inputs: &mut [Input]) {
    let last = |i: &Input| i.trial.rsplit('/').next().unwrap_or(&i.trial).to_owned();
    let grouped = |i: &Input| format!("{}/{}", i.group, last(i));
    for short in [&last as &dyn Fn(&Input) -> String, &grouped] {
        let names: Vec<String> = inputs.iter().map(short).collect();
        if names.iter().collect::<BTreeSet<_>>().len() == inputs.len() {
            inputs.iter_mut().zip(names).for_each(|(input, name)| input.trial = name);
            return;
        }
    }
    // Two files may differ in the case of their ending only.
    let names: BTreeSet<&String> = inputs.iter().map(|i| &i.trial).collect();
    if names.len() < inputs.len() {
        for input in inputs {
            let ending = input.csv.as_ref().and_then(|c| c.extension()).unwrap_or_default();
            input.trial = format!("{}.{}", input.trial, ending.to_string_lossy());
        }
    }
}

fn without_ending(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// The trials of an experiment of ours, or of all shards that one was merged from.
fn experiment(dir: &Path, output: &Path) -> io::Result<Scan> {
    let shards = shards(dir);
    if shards.is_empty() {
        return of_one(dir, output);
    }
    let mut whole = Scan {
        source: Source::Experiment,
        inputs: Vec::new(),
        ignored: Vec::new(),
        copies: Vec::new(),
        by: "the experiment's plan".to_owned(),
        blocks_named: false,
        renamed: Renamed::new(),
    };
    for shard in shards {
        let folder = dir.join(&shard.folder);
        if !folder.join("experiment.json").is_file() {
            continue;
        }
        let part = of_one(&folder, output)?;
        whole.inputs.extend(part.inputs);
        whole.ignored.extend(part.ignored);
        whole.renamed.insert(shard.folder, shard.renamed);
    }
    whole.inputs.sort_by(|a, b| order(a).cmp(&order(b)));
    Ok(whole)
}

/// The shards that an experiment was merged from, where it was. Their folders lie in its own, whatever it
/// says.
fn shards(dir: &Path) -> Vec<ShardSeen> {
    #[derive(Deserialize)]
    struct Shards {
        #[serde(default)]
        shards: Vec<ShardSeen>,
    }
    if !dir.join("shards").is_dir() {
        return Vec::new();
    }
    let text = crate::files::read(&dir.join("experiment.json"), 1 << 30).unwrap_or_default();
    let found = serde_json::from_slice(&text).map_or(Vec::new(), |found: Shards| found.shards);
    let own = |shard: &ShardSeen| shard.folder == format!("shards/{}", shard.number);
    found.into_iter().filter(own).collect()
}

/// The trials of one folder of an experiment.
fn of_one(dir: &Path, output: &Path) -> io::Result<Scan> {
    let mut inputs = Vec::new();
    let mut ignored = Vec::new();
    let mut recorded = false;
    for path in sorted(dir)? {
        let group = name(&path);
        let other = group.starts_with('.') || !path.is_dir() || group == Folder::PAUSES;
        if other || same(&path, output) || is_analysis(&path) {
            continue;
        }
        if path.join("experiment.json").is_file() {
            ignored.push(Ignored { file: path, reason: OWN_EXPERIMENT.to_owned() });
            continue;
        }
        let files = Files::of(&path)?;
        recorded |= !files.json.is_empty();
        let stems: BTreeSet<&String> = files.csv.keys().chain(files.json.keys()).collect();
        for stem in stems {
            let (csv, record) = (files.csv.get(stem).cloned(), files.json.get(stem).cloned());
            if record.is_none() {
                let reason = "has no record beside it: the trial did not end, or was set aside";
                ignored.extend(csv.map(|file| Ignored { file, reason: reason.to_owned() }));
                continue;
            }
            let (trial, group, block) = (stem.clone(), group.clone(), number(stem));
            inputs.push(Input {
                trial,
                group,
                session: None,
                block,
                stamp: false,
                csv,
                record,
                row: None,
            });
        }
    }
    inputs.sort_by(|a, b| order(a).cmp(&order(b)));
    let distinct: BTreeSet<&String> = inputs.iter().map(|i| &i.trial).collect();
    if distinct.len() < inputs.len() {
        for input in &mut inputs {
            input.trial = format!("{}/{}", input.group, input.trial);
        }
    }
    let source = if recorded { Source::Experiment } else { Source::Csv };
    let by = "the experiment's plan".to_owned();
    let (copies, renamed) = (Vec::new(), Renamed::new());
    Ok(Scan { source, inputs, ignored, copies, by, blocks_named: false, renamed })
}

/// CSV files and records of one treatment's folder, by their names without ending.
#[derive(Default)]
struct Files {
    csv: BTreeMap<String, PathBuf>,
    json: BTreeMap<String, PathBuf>,
}

impl Files {
    fn of(folder: &Path) -> io::Result<Files> {
        let mut files = Files::default();
        for path in sorted(folder)? {
            if name(&path).starts_with('.') || !path.is_file() {
                continue;
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            match ending.as_str() {
                "csv" => drop(files.csv.insert(stem, path)),
                "json" if number(&stem).is_some() => drop(files.json.insert(stem, path)),
                _ => {}
            }
        }
        Ok(files)
    }
}

/// The number at the end of a file's name without its ending.
fn number(stem: &str) -> Option<u64> {
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    stem[stem.len() - digits..].parse().ok().filter(|n| *n < 1 << 53)
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
    /// The group.
    pub group: String,
    /// Its trials.
    pub trials: usize,
    /// Its sessions, in the alphabet's order.
    pub sessions: Vec<String>,
    /// The least and the largest number of its trials.
    pub numbers: Option<(u64, u64)>,
}

impl Scan {
    /// One line per group, in the inputs' order.
    pub fn groups(&self) -> Vec<GroupLine> {
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
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let table = ["trials.csv", "groups.csv", "pairs.csv"].iter().any(|t| file.ends_with(t));
            let samples = format!("Delta,Time,CPU_ENERGY (J)\n0,1,{file}\n");
            std::fs::write(path, if table { "group,mean\n".to_owned() } else { samples }).unwrap();
        }
        dir
    }

    /// Group, name and block.
    type Trial = (String, String, Option<u64>);

    fn found(files: &[&str]) -> (Source, Vec<Trial>, usize) {
        let dir = folder(files);
        let scan = scan(dir.path(), &dir.path().join("analysis")).unwrap();
        let inputs = scan.inputs.into_iter().map(|i| (i.group, i.trial, i.block)).collect();
        (scan.source, inputs, scan.ignored.len())
    }

    fn owned(list: &[(&str, &str, Option<u64>)]) -> Vec<Trial> {
        list.iter().map(|(g, t, b)| ((*g).into(), (*t).into(), *b)).collect()
    }

    #[test]
    fn the_block_is_the_number_at_the_end_of_the_name() {
        let files = ["a/a_10.csv", "a/a_9.csv", "b/run-7.CSV", "b/notes.csv", "b/7 (1).csv"];
        let want = [
            ("a", "a_9", Some(9)),
            ("a", "a_10", Some(10)),
            ("b", "7 (1)", None),
            ("b", "notes", None),
            ("b", "run-7", Some(7)),
        ];
        assert_eq!(found(&files), (Source::Csv, owned(&want), 0));
    }

    #[test]
    fn names_that_occur_twice_are_told_apart_by_their_group() {
        let want = [("chrome", "chrome/1", Some(1)), ("idle", "idle/1", Some(1))];
        assert_eq!(found(&["chrome/1.csv", "idle/1.csv"]).1, owned(&want));
    }

    #[test]
    fn folders_without_samples_hidden_ones_and_results_are_passed_over() {
        let files = [
            "a/a_0.csv",
            "empty/readme.md",
            "deep/er/b_0.csv",
            ".git/c_0.csv",
            "analysis/groups.csv",
            "earlier/groups.csv",
            "earlier/summary.json",
            "stray.csv",
            "race/experiment.json",
            "race/trials.csv",
        ];
        assert_eq!(found(&files).1, owned(&[("a", "a_0", Some(0)), ("deep", "b_0", Some(0))]));
        let dir = folder(&files);
        let scan = scan(dir.path(), &dir.path().join("analysis")).unwrap();
        let told: Vec<String> = scan.ignored.iter().map(|i| name(&i.file)).collect();
        assert_eq!(told, ["race", "stray.csv"], "what holds samples is told of");
    }

    #[test]
    fn files_that_lie_in_the_folder_itself_are_one_group() {
        let dir = folder(&["m/vllm_0.csv", "m/vllm_1.csv"]);
        let scan = scan(&dir.path().join("m"), Path::new("elsewhere")).unwrap();
        assert_eq!(scan.inputs.len(), 2);
        assert!(scan.inputs.iter().all(|i| i.group == "m"));
    }

    #[test]
    fn an_analysis_that_was_written_into_the_folder_itself_is_not_read_back() {
        let files = ["m_0.csv", "trials.csv", "groups.csv", "pairs.csv", "summary.json"];
        let names: Vec<String> = found(&files).1.into_iter().map(|(_, trial, _)| trial).collect();
        assert_eq!(names, ["m_0"]);
    }

    #[test]
    fn of_files_with_the_same_content_one_is_a_trial() {
        let dir = folder(&["a/a_1.csv", "a/a_2.csv", "a/a_10.csv", "b/b_1.csv"]);
        std::fs::copy(dir.path().join("a/a_2.csv"), dir.path().join("a/a_10.csv")).unwrap();
        std::fs::copy(dir.path().join("a/a_1.csv"), dir.path().join("b/b_3.csv")).unwrap();
        let scan = scan(dir.path(), &dir.path().join("analysis")).unwrap();
        let names: Vec<&str> = scan.inputs.iter().map(|i| i.trial.as_str()).collect();
        assert_eq!(names, ["a_1", "a_2", "b_1"]);
        let copies = scan.copies.iter().map(|c| (c.file.as_str(), c.same_as.as_str()));
        let want = [("a/a_10.csv", "a/a_2.csv"), ("b/b_3.csv", "a/a_1.csv")];
        assert_eq!(copies.collect::<Vec<_>>(), want);
    }

    #[test]
    fn patterns_leave_out_files_and_folders_by_path_and_by_name() {
        let files = ["a/a_1.csv", "a/old/a_2.csv", "b/b_1.csv", "b/b_2-warmup.csv"];
        let dir = folder(&files);
        let search =
            Search { exclude: vec!["old/".into(), "*warmup*".into()], ..Search::default() };
        let scan = scan_with(dir.path(), &dir.path().join("analysis"), &search).unwrap();
        assert_eq!((scan.inputs.len(), scan.ignored.len()), (2, 2));
        let search = Search { exclude: vec!["a[".into()], ..Search::default() };
        let refused = scan_with(dir.path(), Path::new("x"), &search).unwrap_err();
        assert!(refused.to_string().starts_with("--exclude"), "{refused}");
        let search = Search { group_by: Some("(?P<group>zzz)".into()), ..Search::default() };
        let refused = scan_with(dir.path(), Path::new("x"), &search).unwrap_err();
        assert!(refused.to_string().contains("a/a_1.csv"), "{refused}");
    }

    #[test]
    fn in_an_experiment_the_record_makes_the_trial() {
        let files = [
            "experiment.json",
            "trials.csv",
            "torch/torch_0.csv",
            "torch/torch_0.json",
            "torch/torch_1.json",
            "torch/torch_2.csv",
        ];
        let want = [("torch", "torch_0", Some(0)), ("torch", "torch_1", Some(1))];
        assert_eq!(found(&files), (Source::Experiment, owned(&want), 1));
        let without = ["experiment.json", "trials.csv", "torch/torch_0.csv"];
        assert_eq!(found(&without), (Source::Csv, owned(&want[..1]), 0));
    }
}
