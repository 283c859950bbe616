//! The flags for what is compared with what, the same for frameworks and for commands.

/// Which pairs are compared, and how exactly.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PairArgs {
    /// Run this one twice in every block, to learn what the experiment cannot tell apart
    #[arg(long, value_name = "TREATMENT")]
    pub control: Option<String>,
    /// Compare every other with this one, and no other pairs [default: all pairs]
    #[arg(long, value_name = "TREATMENT")]
    pub compare_to: Option<String>,
    /// The largest difference that counts as none: tests for equivalence within ±PCT percent
    #[arg(long, value_name = "PCT")]
    pub margin: Option<f64>,
    /// Stop at the first block at which each comparison is resolved, or known to within ±PCT percent;
    /// --iterations is the most
    #[arg(long, value_name = "PCT")]
    pub until_precise: Option<f64>,
}
