//! `joulerace submit`, `status` and `merge`: what may be typed.

use super::AfterArgs;
use crate::cluster::Prepare;
use std::ffi::OsString;
use std::path::PathBuf;

/// How Slurm's options are handed on.
const SLURM: &str = "slurm-option";

/// `submit`'s own flags: with a value, and without.
const WITH_VALUE: [&str; 3] = ["--shards", "--prepare", "--cache"];
const ALONE: [&str; 8] =
    ["--wait", "--dry-run", "--help", "-h", "--quiet", "-q", "--verbose", "-v"];

/// Tells `submit`'s own flags from Slurm's, which nobody but sbatch knows: whatever stands before `--` and is
/// not ours is.
pub(crate) fn sorted(words: Vec<OsString>) -> Vec<OsString> {
    let is_ours = |word: &OsString| word.to_string_lossy().starts_with('-');
    let Some(at) = words.iter().skip(1).position(|word| !is_ours(word)).map(|at| at + 1) else {
        return words;
    };
    if words[at] != "submit" {
        return words;
    }
    let (before, after) = words.split_at(at + 1);
    let mut sorted = before.to_vec();
    let mut after = after.iter();
    while let Some(word) = after.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            sorted.push(word.clone());
            sorted.extend(after.by_ref().cloned());
        } else if WITH_VALUE.contains(&&*text) {
            sorted.push(word.clone());
            sorted.extend(after.next().cloned());
        } else if ALONE.contains(&&*text)
            || WITH_VALUE
                .iter()
                .any(|own| text.strip_prefix(own).is_some_and(|r| r.starts_with('=')))
        {
            sorted.push(word.clone());
        } else {
            let mut handed_on = OsString::from(format!("--{SLURM}="));
            handed_on.push(word);
            sorted.push(handed_on);
        }
    }
    sorted
}

/// `joulerace submit`.
#[derive(Debug, clap::Args)]
pub(crate) struct SubmitArgs {
    /// How many tasks the blocks are dealt to, each on a machine of its own
    #[arg(long, value_name = "N", value_parser = super::blocks())]
    pub shards: u32,
    /// Where environment and data are prepared: once in a cache that all machines see, or by each task on
    /// its own node
    #[arg(long, value_name = "WHERE", value_enum, default_value_t)]
    pub prepare: Prepare,
    /// The cache: shared, or on each node [default: the user's cache; on nodes one in /tmp]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Stay, tell how far it has come, and end as the study does
    #[arg(long)]
    pub wait: bool,
    /// Print the batch script and submit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// A word of Slurm's options: see [`sorted`].
    #[arg(long = SLURM, hide = true)]
    pub slurm: Vec<String>,
    /// The experiment, as after `joulerace`
    #[arg(value_name = "EXPERIMENT'S FLAGS", last = true)]
    pub experiment: Vec<OsString>,
}

/// `joulerace status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// The study's folder
    pub dir: PathBuf,
}

/// `joulerace merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct MergeArgs {
    /// The study's folder, with its shards in `shards`
    pub dir: PathBuf,
    /// Merge although the work differs between shards, and record what
    #[arg(long)]
    pub accept_changes: bool,
    /// What is done at the end.
    #[command(flatten)]
    pub after: AfterArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_submits_own_is_slurms() {
        let sorted = |line: &str| -> String {
            let words = sorted(line.split(' ').map(OsString::from).collect());
            words.join(" ".as_ref()).into_string().unwrap()
        };
        assert_eq!(
            sorted("j submit -p long --shards 5 --time 10 --wait -- --iterations 9 --wait"),
            "j submit --slurm-option=-p --slurm-option=long --shards 5 --slurm-option=--time \
             --slurm-option=10 --wait -- --iterations 9 --wait"
        );
        assert_eq!(sorted("j measure -- sbatch --time 5"), "j measure -- sbatch --time 5");
        assert_eq!(sorted("j -v submit --shards=2"), "j -v submit --shards=2");
    }
}
