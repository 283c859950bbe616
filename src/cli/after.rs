//! What is done after the last trial.

/// Whether an experiment is analysed at its end.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AfterArgs {
    /// Do not analyse at the end
    #[arg(long)]
    pub no_analysis: bool,
}
