//! A shard of a study: where it lies, what it has in common with the others, and whether this machine is
//! fit for it, known before it starts.

use super::doctor;
use crate::cli::RunArgs;
use crate::cluster::study::{self, Study};
use crate::doctor::{Group, Level, Report, show};
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::files;
use crate::here;
use crate::meter;
use crate::paths::Project;
use crate::prepare;
use crate::run::Session;
use crate::screen::{Terminal, width};
use crate::settings::{Settings, Shard};
use crate::store::ExperimentError;
use crate::store::conditions::{Conditions, fields_changed};
use crate::store::folder::Folder;
use crate::store::machines::Remark;
use std::path::{Path, PathBuf};

/// The study's folder: the one that was named, else one that all who draw the same plan call alike.
pub(super) fn root(args: &RunArgs, project: &Project, settings: &Settings) -> PathBuf {
    match &args.output {
        Some(folder) => prepare::followed(folder),
        None => project.root.join("results").join(format!("study-{}", settings.order_seed)),
    }
}

/// Where the shard's own experiment lies.
pub(super) fn folder(root: &Path, shard: Shard) -> Folder {
    study::folder(root, shard.number)
}

/// What every shard has to have, where the study was planned before any of them began.
///
/// # Errors
///
/// The study was planned with other settings.
pub(super) fn in_common(root: &Path, settings: &Settings) -> Result<Option<Conditions>, Error> {
    let Some(study) = Study::read(root)? else { return Ok(None) };
    let (then, now) = (study::alike(&study.settings), study::alike(settings));
    let mut differences = fields_changed(&then, &now, &[]);
    if let Some(shard) = settings.shard.filter(|shard| shard.of != study.shards) {
        differences.push(format!("shards: was {}, is {}", study.shards, shard.of));
    }
    if differences.is_empty() {
        return Ok(study.conditions);
    }
    let folder = root.display().to_string();
    Err(ExperimentError::Changed { folder, differences }.into())
}

/// Looks at this machine before the shard starts, and gives what the doctor warns of.
///
/// # Errors
///
/// What makes measuring impossible here; with `--strict` also what spoils it.
pub(super) fn fit(
    session: &Session,
    root: &Path,
    strict: bool,
    terminal: &Terminal,
) -> Result<Vec<Remark>, Error> {
    let Some(shard) = session.settings.shard else { return Ok(Vec::new()) };
    if let Ok(selected) = meter::select(&session.settings.meter_settings())
        && selected.meter.is_estimate()
    {
        session.may_estimate(&selected.rejected)?;
    }
    let folder = session.folder.root();
    let report = doctor::look(&session.settings, &session.project, folder, false);
    keep(&report, root, shard, terminal);
    // What is wrong with environment and data is said, with more about it, when they are made ready.
    let of_the_machine = |group| matches!(group, Group::Meters | Group::Machine | Group::Others);
    let least = if strict { Level::Warning } else { Level::Failure };
    let bad = report.findings.iter().filter(|f| f.level >= least && of_the_machine(f.group));
    let text: String = bad.map(|finding| show::one(finding, usize::from(width()))).collect();
    if !text.is_empty() {
        let message = format!(
            "shard {shard} is not run on {}, for what joulerace doctor finds there:\n{}\
             Remedy these, or run it on another machine",
            here::name(),
            anstream::adapter::strip_str(&text)
        );
        let failure = report.findings.iter().any(|f| f.level == Level::Failure);
        let status = if failure { Status::Unfit } else { Status::Warnings };
        return Err(Error::Told { message, status });
    }
    let remark = |finding: &doctor::Finding| Remark {
        level: if finding.level == Level::Failure { "failure" } else { "warning" }.to_owned(),
        title: finding.title.to_owned(),
        found: finding.found.clone(),
    };
    let warned = report.findings.iter().filter(|finding| finding.level >= Level::Warning);
    Ok(warned.filter(|finding| of_the_machine(finding.group)).map(remark).collect())
}

/// Keeps what the doctor found beside the shards, in a file that no other task writes.
fn keep(report: &Report, root: &Path, shard: Shard, terminal: &Terminal) {
    let folder = root.join("doctor");
    let name = format!("{}-{}.json", shard.number, here::name());
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| files::replace_json(&folder.join(name), report));
    if let Err(error) = written {
        terminal.on(&Event::Warning(&format!("what doctor found here is not kept: {error}")));
    }
}
