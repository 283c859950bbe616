//! A shard of a study: where it lies, what it has in common with the others, and whether this machine is
//! fit for it, known before it starts.

use super::doctor;
use crate::cli::{DesignArgs, Talk};
use crate::cluster::study::{self, Study};
use crate::doctor::{Group, Level, Report, show};
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::files;
use crate::here;
use crate::meter;
use crate::prepare;
use crate::run::Session;
use crate::screen::{Terminal, now_as_name, width};
use crate::settings::{Settings, Shard};
use crate::store::ExperimentError;
use crate::store::conditions::{Conditions, fields_changed};
use crate::store::folder::Folder;
use crate::store::machines::Remark;
use std::path::{Path, PathBuf};

/// Where an experiment lies, or one machine's part of it.
pub(super) struct Place {
    /// The experiment's own folder.
    pub folder: Folder,
    /// The study's, where it is a shard.
    pub study: Option<PathBuf>,
}

impl Place {
    /// The folder that was named, else one by the date; shards' is one that all who draw the same plan
    /// call alike.
    pub(crate) fn of(design: &DesignArgs, settings: &Settings) -> Place {
        let named = design.output.as_deref().map(prepare::followed);
        let results = || prepare::absolute(Path::new("results"));
        match settings.shard {
            None => Place {
                folder: Folder::at(named.unwrap_or_else(|| results().join(now_as_name()))),
                study: None,
            },
            Some(shard) => {
                let own = || results().join(format!("study-{}", settings.order_seed));
                let study = named.unwrap_or_else(own);
                Place { folder: study::folder(&study, shard.number), study: Some(study) }
            }
        }
    }

    /// Whether what is there is gone on with. A shard that is asked to go on and has not begun, begins: a
    /// task does not know whether another came before it.
    pub(crate) fn goes_on(&self, design: &DesignArgs) -> bool {
        design.resume && (self.study.is_none() || self.folder.experiment().exists())
    }

    /// Of a shard: what it has in common with the others, and whether this machine is fit for it.
    ///
    /// # Errors
    ///
    /// The settings are not those that were planned, or this machine cannot measure.
    pub(crate) fn look(
        &self,
        session: &mut Session,
        design: &DesignArgs,
        talk: Talk,
    ) -> Result<(), Error> {
        let Some(root) = &self.study else { return Ok(()) };
        session.study = in_common(root, &session.settings)?;
        session.findings = fit(session, root, design.strict, &Terminal::new(talk))?;
        Ok(())
    }
}

/// What every shard has to have, where the study was planned before any of them began.
///
/// # Errors
///
/// The study was planned with other settings.
fn in_common(root: &Path, settings: &Settings) -> Result<Option<Conditions>, Error> {
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
    let folder = session.folder.root();
    let report = doctor::look(&session.settings, &session.project, folder, false);
    keep(&report, root, shard, terminal);
    if let Ok(selected) = meter::select(&session.settings.meter_settings())
        && selected.meter.capabilities().estimates
    {
        session.may_estimate(&selected.rejected)?;
    }
    // What is wrong with environment and data is said, with more about it, when they are made ready.
    let of_the_machine = |group| matches!(group, Group::Meters | Group::Machine | Group::Others);
    let least = if strict { Level::Warning } else { Level::Failure };
    let bad = report.findings.iter().filter(|f| f.level >= least && of_the_machine(f.group));
    let text: String = bad.map(|finding| show::one(finding, usize::from(width()))).collect();
    if !text.is_empty() {
        let message = format!(
            "shard {shard} is not run on {}, for what joulerace doctor finds there:\n{}",
            here::name(),
            anstream::adapter::strip_str(&text).to_string().trim_end()
        );
        let failure = report.findings.iter().any(|f| f.level == Level::Failure);
        let status = if failure { Status::Unfit } else { Status::Warnings };
        return Err(Error::advised(status, message, "Remedy these, or run it on another machine"));
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
