//! The trials of a folder that joulerace made itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::{
    Ignored, Input, OWN_EXPERIMENT, Renamed, Scan, Source, is_analysis, name, same, sort_key,
};
use crate::analysis::pairing::Counted;
use crate::analysis::walk::sorted;
use crate::plan::{folder_of, is_label};
use crate::store::folder::Folder;
use crate::store::machines::ShardSeen;

/// Larger than any experiment's description.
const LARGEST: u64 = 1 << 30;

/// The trials of an experiment of ours, or of all shards that one was merged from.
pub(super) fn experiment(dir: &Path, output: &Path) -> io::Result<Scan> {
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
        counted: Counted::Open,
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
    whole.inputs.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    Ok(whole)
}

/// The shards that an experiment was merged from, where it was. Their folders lie in its own, whatever it
/// says.
fn shards(dir: &Path) -> Vec<ShardSeen> {
    #[derive(serde::Deserialize)]
    struct Shards {
        #[serde(default)]
        shards: Vec<ShardSeen>,
    }
    if !dir.join("shards").is_dir() {
        return Vec::new();
    }
    let text = crate::files::read(&dir.join("experiment.json"), LARGEST).unwrap_or_default();
    let found = serde_json::from_slice(&text).map_or(Vec::new(), |found: Shards| found.shards);
    let own = |shard: &ShardSeen| shard.folder == format!("shards/{}", shard.number);
    found.into_iter().filter(own).collect()
}

/// The trials of one folder of an experiment.
fn of_one(dir: &Path, output: &Path) -> io::Result<Scan> {
    let mut inputs = Vec::new();
    let mut ignored = Vec::new();
    let mut recorded = false;
    let labels = labels(dir);
    for path in sorted(dir)? {
        let group = name(&path);
        let other = group.starts_with('.')
            || !path.is_dir()
            || [Folder::PAUSES, Folder::LOCKS].contains(&group.as_str());
        if other || same(&path, output) || is_analysis(&path) {
            continue;
        }
        if path.join("experiment.json").is_file() {
            ignored.push(Ignored { file: path, reason: OWN_EXPERIMENT.to_owned() });
            continue;
        }
        let files = Files::of(&path)?;
        recorded |= !files.json.is_empty();
        let group = labels.get(&group).cloned().unwrap_or(group);
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
    inputs.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    let distinct: BTreeSet<&String> = inputs.iter().map(|i| &i.trial).collect();
    if distinct.len() < inputs.len() {
        for input in &mut inputs {
            input.trial = format!("{}/{}", input.group, input.trial);
        }
    }
    let source = if recorded { Source::Experiment } else { Source::Csv };
    let by = "the experiment's plan".to_owned();
    let (copies, renamed) = (Vec::new(), Renamed::new());
    Ok(Scan { source, inputs, ignored, copies, by, counted: Counted::Open, renamed })
}

/// What the treatments of an experiment are called, by their folders: a label need not be a file's name.
fn labels(dir: &Path) -> BTreeMap<String, String> {
    #[derive(Default, serde::Deserialize)]
    struct Planned {
        settings: Compared,
    }
    #[derive(Default, serde::Deserialize)]
    struct Compared {
        treatments: Vec<Named>,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    let text = crate::files::read(&dir.join("experiment.json"), LARGEST).unwrap_or_default();
    // Who needs the file reports it where it cannot be read; folders are named after treatments anyway.
    let planned: Planned = serde_json::from_slice(&text).unwrap_or_default();
    let names = planned.settings.treatments.into_iter().map(|named| named.name);
    names.filter(|name| is_label(name)).map(|name| (folder_of(&name), name)).collect()
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
