//! Which files of a folder are trials, and which group and block they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::run::folder::Folder;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// A name that no other trial of the folder has: the file's, with its group where need be.
    pub trial: String,
    /// The folder's name.
    pub group: String,
    /// The number at the end of the file's name.
    pub block: Option<u64>,
    /// The samples; `None` where a trial left a record only.
    pub csv: Option<PathBuf>,
    /// joulerace's record of the trial.
    pub record: Option<PathBuf>,
}

/// Something that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// What.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Where the trials come from.
    pub source: Source,
    /// The trials, by group and then by number.
    pub inputs: Vec<Input>,
    /// What was passed over although it holds CSV files.
    pub ignored: Vec<Ignored>,
}

const OWN_EXPERIMENT: &str = "is an experiment of its own; name it to analyse it";
const OWN_GROUPS: &str = "holds groups of its own; name it to analyse them";

/// Finds the trials of `dir`.
///
/// Each folder in it that holds `*.csv` is a group; the others are passed over, as are hidden ones,
/// experiments and whatever an analysis wrote (`output`, and folders with a `summary.json` and a
/// `groups.csv`). Where
/// no folder is a group, the CSV files that lie in `dir` itself are one, named after it. In a folder
/// with an `experiment.json` a trial's record `torch_3.json` is taken with `torch_3.csv`; a CSV file
/// without a record is no trial there unless none has one.
///
/// # Errors
///
/// The folder cannot be read.
pub fn scan(dir: &Path, output: &Path) -> io::Result<Scan> {
    let experiment = dir.join("experiment.json").is_file();
    let mut groups: Vec<(String, Files)> = Vec::new();
    let mut ignored = Vec::new();
    for path in sorted(dir)? {
        let hidden = name(&path).starts_with('.');
        if hidden || !path.is_dir() || same(&path, output) || is_analysis(&path) {
            continue;
        }
        if experiment && name(&path) == Folder::PAUSES {
            continue;
        }
        if path.join("experiment.json").is_file() {
            ignored.push(Ignored { file: path, reason: OWN_EXPERIMENT.to_owned() });
            continue;
        }
        let files = Files::of(&path, experiment)?;
        if !files.csv.is_empty() || !files.json.is_empty() {
            groups.push((name(&path), files));
        } else if holds_groups(&path) {
            ignored.push(Ignored { file: path, reason: OWN_GROUPS.to_owned() });
        }
    }
    let mut direct = Files::of(dir, false)?;
    if experiment {
        // The experiment's own tables lie there.
        direct.csv.clear();
    }
    if is_analysis(dir) {
        // So do an analysis' own, where its output was this very folder.
        direct.csv.retain(|name, _| !["trials", "groups", "pairs"].contains(&name.as_str()));
    }
    if groups.is_empty() {
        let named = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        groups.push((name(&named), direct));
    } else {
        let reason = "lies beside the groups' folders, not in one of them";
        ignored.extend(
            direct.csv.into_values().map(|file| Ignored { file, reason: reason.to_owned() }),
        );
    }
    let recorded = experiment && groups.iter().any(|(_, files)| !files.json.is_empty());
    let mut inputs = inputs(groups, recorded, &mut ignored);
    name_apart(&mut inputs);
    let source = if recorded { Source::Experiment } else { Source::Csv };
    Ok(Scan { source, inputs, ignored })
}

/// CSV files and records of one folder, by their names without ending.
#[derive(Default)]
struct Files {
    csv: BTreeMap<String, PathBuf>,
    json: BTreeMap<String, PathBuf>,
}

impl Files {
    fn of(folder: &Path, records: bool) -> io::Result<Files> {
        let mut files = Files::default();
        for path in sorted(folder)? {
            if name(&path).starts_with('.') || !path.is_file() {
                continue;
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            match ending.as_str() {
                // Two files may differ in the case of their ending only; both are kept.
                "csv" if files.csv.contains_key(&stem) => {
                    files.csv.insert(name(&path), path);
                }
                "csv" => drop(files.csv.insert(stem, path)),
                "json" if records && number(&stem).is_some() => drop(files.json.insert(stem, path)),
                _ => {}
            }
        }
        Ok(files)
    }
}

fn inputs(groups: Vec<(String, Files)>, recorded: bool, ignored: &mut Vec<Ignored>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (group, files) in groups {
        let stems: BTreeSet<&String> = files.csv.keys().chain(files.json.keys()).collect();
        let mut found = Vec::new();
        for stem in stems {
            let record = files.json.get(stem).cloned();
            let csv = files.csv.get(stem).cloned();
            if recorded && record.is_none() {
                let reason = "has no record beside it: the trial did not end, or was set aside";
                ignored.extend(csv.map(|file| Ignored { file, reason: reason.to_owned() }));
                continue;
            }
            let block = number(stem);
            found.push(Input { trial: stem.clone(), group: group.clone(), block, csv, record });
        }
        found.sort_by(|a, b| (a.block, &a.trial).cmp(&(b.block, &b.trial)));
        inputs.extend(found);
    }
    inputs
}

/// Puts the group before the name where two trials have the same one.
fn name_apart(inputs: &mut [Input]) {
    let distinct: BTreeSet<&String> = inputs.iter().map(|i| &i.trial).collect();
    if distinct.len() < inputs.len() {
        for input in inputs {
            input.trial = format!("{}/{}", input.group, input.trial);
        }
    }
}

/// The number at the end of a file's name without its ending.
fn number(stem: &str) -> Option<u64> {
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    stem[stem.len() - digits..].parse().ok().filter(|n| *n < 1 << 53)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Whether a folder without CSV files has some in a folder of its own. One that cannot be read has
/// none.
fn holds_groups(folder: &Path) -> bool {
    let folders = sorted(folder).unwrap_or_default().into_iter();
    let mut folders = folders.filter(|path| path.is_dir() && !name(path).starts_with('.'));
    folders.any(|path| Files::of(&path, false).is_ok_and(|files| !files.csv.is_empty()))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_analysis(folder: &Path) -> bool {
    folder.join("summary.json").is_file() && folder.join("groups.csv").is_file()
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
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
        assert_eq!(found(&files).1, owned(&[("a", "a_0", Some(0))]));
        let dir = folder(&files);
        let scan = scan(dir.path(), &dir.path().join("analysis")).unwrap();
        let told: Vec<String> = scan.ignored.iter().map(|i| name(&i.file)).collect();
        assert_eq!(told, ["deep", "race", "stray.csv"], "what holds samples is told of");
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
