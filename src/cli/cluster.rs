//! `joulerace merge`, `status` and `submit`: what may be typed.

use std::path::PathBuf;

/// `joulerace merge`.
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// The study's folder, with its shards in `shards`
    pub dir: PathBuf,
    /// Merge although the work differs between shards, and record what
    #[arg(long)]
    pub accept_changes: bool,
    /// Do not analyse at the end
    #[arg(long)]
    pub no_analysis: bool,
}
