//! Which of a folder's files are read, and what belongs together among them.

/// Groups of files, and those that are left out.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ChosenArgs {
    /// What belongs to which group: a regular expression for a file's path below the folder, with
    /// (?P<group>…) and, where wanted, (?P<block>…) and (?P<session>…)
    #[arg(long, value_name = "REGEX")]
    pub group_by: Option<String>,
    /// Leaves out files and folders whose path below the folder, or name, matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}
