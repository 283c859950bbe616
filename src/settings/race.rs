//! What can be wrong with an experiment's file.

/// What is wrong with a file.
#[derive(Debug, thiserror::Error, miette::Diagnostic, PartialEq, Eq)]
pub(crate) enum RaceError {
    /// It cannot be read.
    #[error("{file} cannot be read: {why}")]
    Unreadable {
        /// As it was typed.
        file: String,
        /// The system's word, or the place of a mistake.
        why: String,
    },
    /// A flag stands where the file should.
    #[error("run: the file stands first")]
    #[diagnostic(help(
        "write: joulerace run FILE [FLAGS]; an experiment without a file has no subcommand: joulerace {0}"
    ))]
    NoFile(String),
    /// There is no such flag.
    #[error("{file}: there is no key '{key}'")]
    #[diagnostic(help("{}Keys are the flags of {help}, without their dashes", did_you_mean(near)))]
    Unknown {
        /// As it was typed.
        file: String,
        key: String,
        /// A key that is much like it.
        near: Option<String>,
        /// The command whose help lists them.
        help: &'static str,
    },
    /// What is not of the experiment.
    #[error("{file}: '{key}' is said on the command line, for one run")]
    #[diagnostic(help("write: joulerace run {file} --{key}"))]
    NotOfIt {
        /// As it was typed.
        file: String,
        key: String,
    },
    /// A value of another type.
    #[error("{file}: {key} has to be {wanted}, and is {found}")]
    Type {
        /// As it was typed.
        file: String,
        key: String,
        /// In words, with an example.
        wanted: String,
        /// In words.
        found: String,
    },
    /// A value that its flag refuses.
    #[error("{file}: {key}: {why}")]
    Value {
        /// As it was typed.
        file: String,
        key: String,
        /// The flag's own words.
        why: String,
    },
    /// It would write over something else.
    #[error("--save: {0} exists and is not an experiment of joulerace")]
    #[diagnostic(help("name another file"))]
    Foreign(String),
    /// It cannot be written.
    #[error("--save: {file} cannot be written: {why}")]
    Unwritten {
        /// As it was typed.
        file: String,
        /// The system's word.
        why: String,
    },
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map_or(String::new(), |near| format!("did you mean '{near}'? "))
}
