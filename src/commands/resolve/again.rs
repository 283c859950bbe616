//! The settings with which an experiment goes on.

use crate::clean;
use crate::cli::ResumeArgs;
use crate::env;
use crate::error::Error;
use crate::meter::{self, MeterSettings};
use crate::paths::Project;
use crate::prepare;
use crate::screen::shown;
use crate::settings::{Commands, Failures, Settings};
use crate::store::ExperimentError;
use crate::store::conditions::fields_changed;
use crate::store::folder::Folder;
use std::path::{Path, PathBuf};

/// A recorded experiment's settings, where all that they name outside its folder is named on this
/// command line too or is what this user has by default. The folder may be a stranger's: nothing that it
/// names is run, loaded or written to on its word.
///
/// # Errors
///
/// [`ExperimentError::Foreign`] with what would have to be named.
pub(in crate::commands) fn own_or_named(
    then: &Settings,
    args: &ResumeArgs,
    project: &Project,
    folder: &Folder,
) -> Result<Settings, ExperimentError> {
    let shown = shown(folder.root());
    if then.commands.is_some() && !args.run_commands {
        return Err(ExperimentError::Commands { folder: shown, commands: commands_of(then) });
    }
    let active = env::active_environment();
    let on_path = meter::energibridge_on_path();
    let workloads = project.workloads().join(&then.workload);
    let powercap = MeterSettings::default().powercap;
    let mut wanted = Wanted { flags: Vec::new() };
    let mut choose =
        |flag: &str, then: &Option<PathBuf>, named: &Option<PathBuf>, own: Option<&Path>| {
            wanted.choose(flag, then.as_deref(), named.as_deref(), own)
        };
    let settings = Settings {
        python_env: choose("--python-env", &then.python_env, &args.python_env, active.as_deref()),
        data_dir: choose("--data-dir", &then.data_dir, &args.data_dir, None),
        energibridge: choose(
            "--energibridge",
            &then.energibridge,
            &args.energibridge,
            on_path.as_deref(),
        ),
        powercap: choose(
            "--powercap",
            &Some(then.powercap.clone()),
            &args.powercap,
            Some(&powercap),
        )
        .unwrap_or_else(|| powercap.clone()),
        workloads: choose("--workload", &then.workloads, &args.workloads, Some(&workloads)),
        environments: then
            .environments
            .iter()
            .map(|(name, folder)| {
                let named = args.environment.iter().find(|(named, _)| named == name);
                (name.clone(), named.map_or(folder, |(_, folder)| folder).clone())
            })
            .collect(),
        failures: Failures {
            max_failures: args.max_failures.unwrap_or(then.failures.max_failures),
            ..then.failures.clone()
        },
        ..then.clone()
    };
    for (name, folder) in &settings.environments {
        if !args.environment.iter().any(|(named, _)| named == name) {
            wanted.flags.push(format!("--environment {name}={}", quoted(folder)));
        }
    }
    match wanted.flags {
        flags if flags.is_empty() => Ok(settings),
        flags => Err(ExperimentError::Foreign { folder: shown, flags }),
    }
}

/// What would have to be named.
struct Wanted {
    flags: Vec<String>,
}

impl Wanted {
    /// The path to go on with: what was named now; `then`, where it is this user's `own`.
    fn choose(
        &mut self,
        flag: &str,
        then: Option<&Path>,
        named: Option<&Path>,
        own: Option<&Path>,
    ) -> Option<PathBuf> {
        match (named, then) {
            (Some(named), _) => Some(prepare::absolute(named)),
            (None, Some(then)) if own == Some(then) => Some(then.to_owned()),
            (None, None) => None,
            (None, Some(then)) => {
                self.flags.push(format!("{flag} {}", quoted(then)));
                None
            }
        }
    }
}

/// Everything that an experiment runs, each once, on one line.
fn commands_of(settings: &Settings) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let commands = settings.treatments.iter().filter_map(|t| t.command.as_ref());
    for line in commands.flat_map(|command| command.all()).map(|line| clean::line(line)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// A path as a shell takes it, on one line.
pub(in crate::commands) fn quoted(path: &Path) -> String {
    let text = clean::line(&path.to_string_lossy());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Settings that differ from an experiment's. How failures are handled may change; a seed that was drawn is not
/// compared.
pub(in crate::commands) fn changed_settings(
    then: &Settings,
    now: &Settings,
    seed_given: bool,
) -> Vec<String> {
    let mut now = Settings { failures: then.failures.clone(), ..now.clone() };
    if then.shard.is_some() {
        // The number of processors is that of the machine that goes on.
        now.job.threads = then.job.threads;
    }
    if !seed_given {
        now.order_seed = then.order_seed;
    }
    // What a run before the first trial found is kept.
    if let (Some(now), Some(then)) = (&mut now.commands, &then.commands) {
        now.repetitions = now.repetitions.or(then.repetitions);
        now.trial_s = then.trial_s;
    }
    fields_changed(then, &now, &[])
}

/// Where commands that were begun here go on: in the present folder, whatever `experiment.json` says.
pub(in crate::commands) fn here(settings: Settings) -> Result<Settings, Error> {
    let folder: PathBuf = std::env::current_dir().map_err(|e| Error::Other(e.into()))?;
    let commands = settings.commands.map(|commands| Commands { folder, ..commands });
    Ok(Settings { commands, ..settings })
}
