//! `joulerace env`: joulerace's Python environments.

use crate::cli::Talk;
use crate::cli::{EnvArgs, EnvCommand, Which};
use crate::env::{self, Profile};
use crate::error::Error;
use crate::paths::Project;
use crate::prepare;
use crate::screen::Terminal;
use crate::screen::say;
use std::process::ExitCode;

/// `joulerace env`.
pub fn env(args: EnvArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let settings = prepare::env_settings(&project, Profile::Training, None, false);
    match args.command {
        EnvCommand::List => {
            for found in env::status(&settings)? {
                say(&line(&found));
            }
        }
        EnvCommand::Sync { which } => {
            let profile = match which {
                Which::Training => Profile::Training,
                Which::Analysis => Profile::Analysis,
            };
            let terminal = Terminal::new(talk);
            let made = prepare::block_on(prepare::own_environment(&project, profile, &terminal))?;
            terminal.finish();
            say(&format!("{}\n", made?.prefix.display()));
        }
        EnvCommand::Prune => {
            let pruned = env::prune(&settings, env::Prune::Outdated)?;
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

fn line(found: &env::EnvInfo) -> String {
    let state = match (found.complete, found.current) {
        (false, _) => "half-made",
        (true, true) => "current",
        (true, false) => "of another lock",
    };
    let size = found.bytes as f64 / 1e9;
    format!("{}  {size:.1} GB  {state}\n", found.prefix.display())
}
