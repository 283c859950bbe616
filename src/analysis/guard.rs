//! What is looked at before an analysis reads or writes anything: the folder may be a stranger's.

use super::error::AnalysisError;
use super::settings::AnalyzeSettings;
use crate::Remedy as _;
use crate::files::{self, Dir};
use crate::plan::Plan;
use crate::settings::{Settings, Shard};
use crate::store::audit::audit;
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use crate::store::journal;
use crate::store::machines::ShardSeen;
use rayon::prelude::*;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

/// Larger than any experiment's file.
const LARGEST: u64 = 1 << 30;

/// Refuses an experiment's folder that holds anything but plain files and folders, and one whose
/// `experiment.json` is damaged, edited or newer than this program: without it nobody knows whether the
/// work was the same. Gives what else does not agree in it, a sentence each.
///
/// # Errors
///
/// [`AnalysisError::Unfit`].
pub(crate) fn check(settings: &AnalyzeSettings) -> Result<Vec<String>, AnalysisError> {
    let unfit = |why: String| AnalysisError::Unfit { dir: settings.dir.clone(), why, remedy: None };
    let named = OsStr::new("experiment.json");
    // A folder that cannot be opened is reported when it is read.
    let Ok(dir) = Dir::open(&settings.dir) else { return Ok(Vec::new()) };
    if !dir.has(named) {
        return Ok(Vec::new());
    }
    files::only_plain(&settings.dir).map_err(|e| unfit(e.to_string()))?;
    let text = dir.read(named, LARGEST).map_err(|e| unfit(format!("experiment.json: {e}")))?;
    let damaged = |why: String| AnalysisError::Unfit {
        dir: settings.dir.clone(),
        why: format!("experiment.json cannot be used ({why}), so it is not known what was done"),
        remedy: Some(
            "bring it back from a copy, or move it away to analyse the samples alone".to_owned(),
        ),
    };
    let (head, _) = Experiment::look(&text).map_err(damaged)?;
    let experiment = match Experiment::parse(&text) {
        Ok(experiment) => experiment,
        // An earlier version may have known less; this one's own files have to be right.
        Err(_) if head.version.as_deref() != Some(env!("CARGO_PKG_VERSION")) => {
            return Ok(Vec::new());
        }
        Err(why) => return Err(damaged(why)),
    };
    if experiment.shards.is_empty() {
        return Ok(agrees(&experiment.plan, &Folder::at(&settings.dir)));
    }
    // Each shard has a journal of its own; one that is missing was named when they were merged.
    let agrees_itself = |shard: &ShardSeen| {
        let folder = Folder::at(settings.dir.join("shards").join(shard.number.to_string()));
        let of = Settings {
            shard: Some(Shard { number: shard.number, of: shard.of }),
            ..experiment.settings.clone()
        };
        let there = folder.experiment().exists();
        if there { agrees(&Plan::of(&of), &folder) } else { Vec::new() }
    };
    Ok(experiment.shards.par_iter().flat_map(agrees_itself).collect())
}

/// Where journal, records and samples disagree, a sentence each.
fn agrees(plan: &Plan, folder: &Folder) -> Vec<String> {
    let journal = match journal::read(&folder.journal()) {
        Ok(journal) => journal,
        Err(error) => return vec![error.in_line()],
    };
    let damages = audit(plan, &journal, folder);
    damages.into_iter().map(|d| format!("{}: {}", d.trial.name, d.why)).collect()
}

/// Makes the folder of results and gives its path. A folder that the user named may be a link of their
/// own; `analysis` in the experiment's folder may not.
///
/// # Errors
///
/// The system's; [`files::NotPlain`].
pub(crate) fn output(settings: &AnalyzeSettings) -> io::Result<PathBuf> {
    match &settings.output {
        Some(named) => {
            std::fs::create_dir_all(named)?;
            named.canonicalize()
        }
        None => {
            let output = settings.output();
            let (Some(dir), Some(name)) = (output.parent(), output.file_name()) else {
                return Err(io::Error::other("it has no folder above it"));
            };
            let dir = dir.canonicalize()?;
            Dir::open(&dir)?.make(name)?;
            Ok(dir.join(name))
        }
    }
}
