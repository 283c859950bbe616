//! `joulerace env`: joulerace's Python environments.

use crate::cli::Talk;
use crate::cli::{EnvArgs, EnvCommand};
use crate::env::{self, EnvSettings, Profile, Standing};
use crate::error::{Error, Status};
use crate::pack::unpack;
use crate::paths::Project;
use crate::prepare::known::{known, project_environments};
use crate::prepare::{self, environments};
use crate::screen::Terminal;
use crate::screen::say;
use crate::settings::{DEFAULT_WORKLOAD, Known, treatments};
use crate::store::folder::Folder;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// `joulerace env`.
pub(crate) fn env(args: EnvArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let settings = prepare::env_settings(&project, Profile::Training, None, false);
    match args.command {
        EnvCommand::List => {
            for found in env::status(&settings)? {
                say(&line(&found));
            }
        }
        EnvCommand::Sync { which } => {
            let settings = asked_for(&which, &project)?;
            let terminal = Terminal::new(talk);
            let made = prepare::block_on(prepare::own_environment(settings, &terminal))?;
            terminal.finish();
            say(&format!("{}\n", made?.prefix.display()));
        }
        EnvCommand::Lock { from: Some(from), anew, .. } => {
            say(&take(&from, anew, &settings)?);
        }
        EnvCommand::Lock { versions, anew, workloads, from: None } => {
            let terminal = Terminal::new(talk);
            let cnn = DEFAULT_WORKLOAD;
            let scripts = workloads.unwrap_or_else(|| project.workloads().join(cnn));
            let known = known(&[scripts], cnn, &project, &[])?;
            let locked = prepare::block_on(lock(&versions, anew, &known, &settings, &terminal))?;
            terminal.finish();
            say(&locked?);
        }
        EnvCommand::Prune { versions } => {
            let which = if versions { env::Prune::Versions } else { env::Prune::Outdated };
            let pruned = env::prune(&settings, which)?;
            for gone in &pruned.removed {
                say(&format!("removed {}", line(gone)));
            }
            for kept in &pruned.in_use {
                say(&format!("in use, kept: {}", line(kept)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The environment of this name.
fn asked_for(name: &str, project: &Project) -> Result<EnvSettings, Error> {
    let own = |profile| prepare::env_settings(project, profile, None, false);
    match name {
        "training" => Ok(own(Profile::Training)),
        "analysis" => Ok(own(Profile::Analysis)),
        name => environments::folder_settings(project, name, &BTreeMap::new()).ok_or_else(|| {
            let known: Vec<String> = project_environments(project).into_keys().collect();
            let message = format!(
                "env sync: there is no environment '{name}'; there are: training, analysis, {}",
                known.join(", ")
            );
            Error::told(Status::Usage, message)
        }),
    }
}

/// Locks versions one after the other, and gives the paths of their locks, a line each.
async fn lock(
    versions: &[String],
    anew: bool,
    known: &Known,
    settings: &EnvSettings,
    terminal: &Terminal,
) -> Result<String, Error> {
    let (treatments, _) = treatments(versions, None, &[], known)?;
    let mut paths = String::new();
    for treatment in &treatments {
        let version = environments::version_of(treatment, known)?;
        let locked = environments::lock(settings, version, anew, terminal).await?;
        if let Some(script) = known.script(&treatment.framework) {
            locked.1.is_recent_enough(&treatment.name, &script.oldest)?;
        }
        paths += &format!("{}\n", locked.0.display());
    }
    Ok(paths)
}

/// Takes the locks of an archive or a folder over, all or none, and gives their paths, a line each.
fn take(from: &Path, anew: bool, settings: &EnvSettings) -> Result<String, Error> {
    let refused = |why: String, status| {
        let message =
            format!("env lock: {}: {}", crate::clean::path(from), crate::clean::line(&why));
        Error::told(status, message)
    };
    // An archive's files go with it.
    let (folder, _unpacked) = match from.is_dir() {
        true => (Folder::at(from), None),
        false => {
            let unpacked = unpack(from)?;
            (Folder::at(&unpacked.folder), Some(unpacked))
        }
    };
    let locks = folder.version_locks().map_err(|e| refused(e.to_string(), Status::Output))?;
    if locks.is_empty() {
        let why = "it has no locks of versions: nothing in it ran as NAME@VERSION";
        return Err(refused(why.to_owned(), Status::Output));
    }
    for (called, text) in &locks {
        let standing = env::standing(settings, called, text)
            .map_err(|why| refused(format!("its lock of {called}: {why}"), Status::Environment))?;
        if standing == Standing::Other && !anew {
            let why =
                format!("another lock of {called} is used here; --anew puts its in that place");
            return Err(refused(why, Status::Usage));
        }
    }
    let mut paths = String::new();
    for (called, text) in &locks {
        let path = env::take(settings, called, text)
            .map_err(|why| refused(format!("its lock of {called}: {why}"), Status::Environment))?;
        paths += &format!("{}\n", path.display());
    }
    Ok(paths)
}

fn line(found: &env::EnvInfo) -> String {
    let state = match (found.complete, found.current) {
        (false, _) => "half-made",
        (true, true) => "current",
        (true, false) => "of another lock",
    };
    let size = found.bytes as f64 / 1e9;
    format!("{}  {size:.1} GB  {state}\n", found.prefix.display())
}
