//! Slurm's own programs, which submit jobs and show them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

/// Slurm that is not there, or refuses.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum SlurmError {
    /// A program is missing.
    #[error(
        "{program} cannot be run ({source}): this machine has no Slurm, or is not one that \
         submits jobs"
    )]
    #[diagnostic(help(
        "Without Slurm start each shard by hand: --shard 1/5 … 5/5, then joulerace merge"
    ))]
    Missing {
        /// Which.
        program: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// It refuses.
    #[error("{program} refuses: {why}")]
    Refused {
        /// Which.
        program: &'static str,
        /// Its words.
        why: String,
    },
}

fn ask(program: &'static str, command: &mut Command) -> Result<Output, SlurmError> {
    let output = command.output().map_err(|source| SlurmError::Missing { program, source })?;
    if output.status.success() {
        return Ok(output);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let why: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(SlurmError::Refused { program, why: crate::clean::line(&why.join("; ")) })
}

/// Submits a script, to begin `after` a job of that number is over where there is one, and gives its number.
///
/// # Errors
///
/// [`SlurmError`] with Slurm's own words.
pub fn submit(script: &Path, after: Option<u64>) -> Result<u64, SlurmError> {
    let mut command = Command::new("sbatch");
    command.arg("--parsable");
    if let Some(job) = after {
        command.arg(format!("--dependency=afterany:{job}"));
    }
    let output = ask("sbatch", command.arg(script))?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    // `123` or, in a federation, `123;cluster`.
    let number = told.trim().split(';').next().and_then(|number| number.parse().ok());
    let why = || format!("it answers {:?} where a job's number is expected", told.trim());
    number.ok_or_else(|| SlurmError::Refused { program: "sbatch", why: why() })
}

/// What the queue says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// `RUNNING`, `PENDING`, `COMPLETING`, …
    pub state: String,
    /// The node, where it runs.
    pub node: String,
    /// Why it waits, where it does.
    pub reason: String,
}

/// The tasks of a job that are in the queue, by their numbers; 0 for a job without tasks. What is over is
/// not in it.
///
/// # Errors
///
/// [`SlurmError`]; a job that the queue has forgotten is no error.
pub fn queue(job: u64) -> Result<BTreeMap<u32, Queued>, SlurmError> {
    let mut command = Command::new("squeue");
    command.args(["--noheader", "--array", "--format=%K|%T|%N|%r"]).arg(format!("--jobs={job}"));
    match ask("squeue", &mut command) {
        Ok(output) => Ok(read(&String::from_utf8_lossy(&output.stdout))),
        Err(SlurmError::Refused { why, .. }) if why.contains("Invalid job id") => {
            Ok(BTreeMap::new())
        }
        Err(error) => Err(error),
    }
}

fn read(text: &str) -> BTreeMap<u32, Queued> {
    let task = |line: &str| -> Option<(u32, Queued)> {
        let mut fields = line.trim().split('|').map(str::trim);
        let number = fields.next()?.parse().unwrap_or(0);
        let (state, node) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        Some((number, Queued { state, node, reason: fields.next()?.to_owned() }))
    };
    text.lines().filter_map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_read_by_tasks() {
        let told = read("2|RUNNING|n1|None\n3|PENDING||Resources\nN/A|PENDING||Dependency\n");
        assert_eq!(told[&2].node, "n1");
        assert_eq!((told[&3].state.as_str(), told[&3].reason.as_str()), ("PENDING", "Resources"));
        assert_eq!(told[&0].reason, "Dependency");
    }
}
