//! `joulerace env`: what may be typed.

/// `joulerace env`.
#[derive(Debug, clap::Args)]
pub(crate) struct EnvArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: EnvCommand,
}

/// What to do with environments.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum EnvCommand {
    /// List joulerace's own environments
    List,
    /// Make what is missing and print where it is
    Sync {
        /// Which one: training, analysis (the small one), or one that --list-treatments shows
        #[arg(value_name = "NAME", default_value = "training")]
        which: String,
    },
    /// Fix a version's packages beforehand, with hashes: torch@2.4.1; prints the lock's file
    Lock {
        /// The version, as --treatments names it; several may stand there
        #[arg(
            required_unless_present = "from",
            conflicts_with = "from",
            value_name = "NAME@VERSION"
        )]
        versions: Vec<String>,
        /// Take over the locks of an archive of `joulerace pack`, or of an experiment's folder
        #[arg(long, value_name = "PATH")]
        from: Option<std::path::PathBuf>,
        /// Lock it again, or take that lock over, although there is one
        #[arg(long)]
        anew: bool,
        /// Another folder of training scripts
        #[arg(long, value_name = "DIR", hide = true)]
        workloads: Option<std::path::PathBuf>,
    },
    /// Remove those that no lock asks for any more
    Prune {
        /// And those of versions on the spot, with their locks; an experiment's folder keeps its own
        #[arg(long)]
        versions: bool,
    },
}
