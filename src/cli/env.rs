//! `joulerace env`: what may be typed.

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
