//! `joulerace env`: joulerace's Python environments.

use super::prepare;
use super::say::say;
use super::terminal::Terminal;
use crate::cli::Talk;
use crate::env::{self, Profile};
use crate::error::Error;
use crate::paths::Project;
use std::process::ExitCode;

/// `joulerace env`.
#[derive(Debug, clap::Args)]
pub struct EnvArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: EnvCommand,
}

/// What to do with environments.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub enum EnvCommand {
    /// List joulerace's own environments
    List,
    /// Make what is missing and print where it is
    Sync {
        /// Which one: training, or the small one for analysis
        #[arg(value_enum, default_value_t = Which::Training)]
        which: Which,
    },
    /// Remove those that the present lock does not ask for
    Prune,
}

/// An environment by its use.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Which {
    /// With the three frameworks.
    Training,
    /// For statistics, plots and report.
    Analysis,
}

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
            let made = super::block_on(prepare::own_environment(&project, profile, &terminal))?;
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
