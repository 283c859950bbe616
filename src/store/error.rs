//! Why an experiment's folder cannot be used.

use std::path::PathBuf;

/// An experiment's file that cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ExperimentError {
    /// There is none.
    #[error("{0} holds no experiment: there is no experiment.json in it")]
    Missing(PathBuf),
    /// It cannot be read or is not ours.
    #[error("{path} cannot be read ({why}); it was not written by this version of joulerace or has been damaged",
        path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        why: String,
    },
    /// `--output` names a folder that is in use.
    #[error("--output: {0} already holds an experiment")]
    #[diagnostic(help("name another folder, or go on with it: joulerace resume {0}"))]
    Occupied(String),
    /// `--output` names a folder with other things in it.
    #[error("--output: {0} is not empty")]
    #[diagnostic(help("name a new folder, so that nothing is mixed up"))]
    NotEmpty(String),
    /// It names programs and folders of its own.
    #[error(
        "the experiment in {folder} uses what lies outside its folder and is not this user's by \
         default; nothing of it was run"
    )]
    #[diagnostic(help(
        "Name it again where you trust it:\n  joulerace resume {folder} {}",
        flags.join(" ")
    ))]
    Foreign {
        folder: String,
        /// Each flag with its value.
        flags: Vec<String>,
    },
    /// It runs commands.
    #[error(
        "the experiment in {folder} runs commands that whoever made it wrote there; nothing of \
         it was run:\n  {}",
        listed(commands)
    )]
    #[diagnostic(help("Go on where you trust them: joulerace resume {folder} --run-commands"))]
    Commands {
        folder: String,
        /// Each command.
        commands: Vec<String>,
    },
    /// Journal, records and samples do not agree.
    #[error(
        "what is kept in {folder} does not agree:\n  {}\nnothing was run or changed",
        listed(what)
    )]
    #[diagnostic(help(
        "Bring it back from a copy, or have these trials set aside and run again with \
         --accept-changes"
    ))]
    Damaged {
        folder: String,
        /// Trial by trial.
        what: Vec<String>,
    },
    /// Something in the folder is neither a file nor a folder.
    #[error("{0}; nothing was run or changed")]
    NotPlain(std::io::Error),
    /// What must be equal is not.
    #[error(
        "the experiment in {folder} was begun under other conditions:\n  {}",
        differences.join("\n  ")
    )]
    #[diagnostic(help("mend that, or go on and have it recorded with --accept-changes"))]
    Changed {
        folder: String,
        /// Line by line.
        differences: Vec<String>,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {source}", path = path.display())]
    #[diagnostic(help("free space or name another folder with --output"))]
    Write {
        /// What.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
}

/// As many trials are listed.
const MOST_LISTED: usize = 20;

fn listed(what: &[String]) -> String {
    let mut lines: Vec<String> = what.iter().take(MOST_LISTED).cloned().collect();
    let more = what.len().saturating_sub(MOST_LISTED);
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines.join("\n  ")
}
