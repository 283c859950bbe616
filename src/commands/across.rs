//! `joulerace analyze DIR DIR …`: several experiments of one plan, each by itself and then together.

use crate::analysis::{AnalysisError, AnalysisMessage, AnalyzeSettings};
use crate::clean;
use crate::env::Environment;
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::plan::detectable::ALPHA;
use crate::prepare;
use crate::screen::Terminal;
use crate::screen::{shown, width};
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the joint analysis is written: `--output`, else `across` beside the first experiment.
pub(super) fn output(named: Option<&Path>, dirs: &[PathBuf]) -> PathBuf {
    let beside = || dirs.first().and_then(|dir| dir.parent()).unwrap_or(Path::new("."));
    named.map_or_else(|| beside().join("across"), prepare::absolute)
}

/// Checks that each folder holds an experiment of its own, before anything is analysed.
///
/// # Errors
///
/// [`AnalysisError::Refused`] names the folder; [`crate::store::ExperimentError`] where one
/// cannot be read.
pub(super) fn experiments(dirs: &[PathBuf]) -> Result<Vec<Value>, Error> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for dir in dirs {
        if !seen.insert(dir.canonicalize().unwrap_or_else(|_| dir.clone())) {
            let message = format!("{} is named twice", shown(dir));
            return Err(AnalysisError::Refused(message).into());
        }
        let mut experiment = Experiment::read(&Folder::at(dir))?;
        // The order of every trial is in the experiment's own report.
        experiment.plan.trials.clear();
        let experiment = serde_json::to_value(experiment).map_err(|e| Error::Other(e.into()))?;
        found.push(clean::in_strings(experiment, &|text| clean::lines(&clean::private(&text))));
    }
    Ok(found)
}

/// The argument of `analysis.across.serve`.
#[derive(Serialize)]
struct Argument<'a> {
    output: &'a Path,
    parts: Vec<Part>,
    alpha: f64,
    command: &'a str,
    version: &'static str,
}

/// One experiment of several.
#[derive(Serialize)]
struct Part {
    name: String,
    /// Where its own analysis wrote its tables.
    analysis: PathBuf,
    /// Its `experiment.json`, fit to be shown: every text in it is cleaned, whichever field holds it.
    experiment: Value,
}

/// Reads the experiments together, after each was analysed; gives what to print.
pub(super) async fn together(
    dirs: &[PathBuf],
    experiments: Vec<Value>,
    output: &Path,
    settings: &AnalyzeSettings,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<String, Error> {
    let unwritten = |source| AnalysisError::Output { path: output.to_owned(), source };
    std::fs::create_dir_all(output).map_err(unwritten)?;
    let output = output.canonicalize().map_err(unwritten)?;
    let parts: Vec<Part> = names(dirs)
        .into_iter()
        .zip(dirs)
        .zip(experiments)
        .map(|((name, dir), experiment)| Part { name, analysis: dir.join("analysis"), experiment })
        .collect();
    let argument = Argument {
        output: &output,
        parts,
        alpha: ALPHA,
        command: &settings.command,
        version: env!("CARGO_PKG_VERSION"),
    };
    let stop = prepare::token()?;
    let (python, path) = (environment.interpreter()?, vec![settings.python_dir.clone()]);
    let (mut answer, mut refused) = (String::new(), None);
    let hear = |message| match message {
        AnalysisMessage::Progress { step } => terminal.on(&Event::Preparing(&step)),
        AnalysisMessage::Refused { message } => refused = Some(message),
        AnalysisMessage::Result { sentence, .. } => answer = sentence,
        AnalysisMessage::Place { .. } => {}
    };
    prepare::call(&python, path, ("analysis.across", "serve"), &argument, &stop, hear)
        .await
        .map_err(|why| Error::Other(anyhow::anyhow!("the experiments together: {why}")))?;
    if let Some(message) = refused {
        return Err(AnalysisError::Refused(message).into());
    }
    let report = shown(&output.join("report.html"));
    let wide = usize::from(width()).clamp(40, 100);
    let options = textwrap::Options::new(wide).break_words(false);
    Ok(format!("\n{}\nReport of all together: {report}\n", textwrap::fill(&answer, &options)))
}

/// The folders' own names, or their paths where two have the same.
fn names(dirs: &[PathBuf]) -> Vec<String> {
    let name = |dir: &PathBuf| dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let short: Vec<String> = dirs.iter().map(name).collect();
    let distinct: BTreeSet<&String> = short.iter().collect();
    let names =
        if distinct.len() == dirs.len() { short } else { dirs.iter().map(|d| shown(d)).collect() };
    names.iter().map(|name| clean::line(&clean::private(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn experiments_are_called_by_their_folders_or_by_the_way_there() {
        let dirs = |names: &[&str]| -> Vec<PathBuf> { names.iter().map(PathBuf::from).collect() };
        assert_eq!(names(&dirs(&["/m/monday", "/m/friday"])), ["monday", "friday"]);
        assert_eq!(names(&dirs(&["/a/run", "/b/run"])), ["/a/run", "/b/run"]);
        assert_eq!(output(None, &dirs(&["/m/monday", "/n/x"])), Path::new("/m/across"));
    }
}
