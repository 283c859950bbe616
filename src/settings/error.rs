//! What cannot be accepted of a command line, each with its remedy.

/// What is wrong with a flag's value, and what to do about it.
#[derive(Debug, thiserror::Error, miette::Diagnostic, PartialEq, Eq)]
#[error("{what}")]
pub(crate) struct Problem {
    what: String,
    #[help]
    remedy: Option<String>,
}

impl Problem {
    pub(crate) fn advised(what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { what: what.into(), remedy: Some(remedy.into()) }
    }
}

impl<T: Into<String>> From<T> for Problem {
    fn from(what: T) -> Problem {
        Problem { what: what.into(), remedy: None }
    }
}

/// What cannot be accepted, named by its flag.
#[derive(Debug, thiserror::Error, miette::Diagnostic, PartialEq, Eq)]
pub(crate) enum SettingsError {
    /// No such script.
    #[error("--treatments: there is no framework '{name}'; there are: {known}")]
    UnknownFramework {
        /// As it was typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// A script that starts a program of its own.
    #[error("--treatments: the program of {framework} is not built")]
    #[diagnostic(help("{remedy}"))]
    NotBuilt {
        framework: String,
        /// How it is built.
        remedy: String,
    },
    /// A script whose name cannot name files.
    #[error("--treatments: {0:?} cannot name a folder of results")]
    #[diagnostic(help("call its script by a word of letters, digits, '_' and '-'"))]
    NoName(String),
    /// Named twice.
    #[error("--treatments: '{0}' stands there twice")]
    #[diagnostic(help("to measure one treatment against itself use --control {0}"))]
    Twice(String),
    /// Two names that are one folder, for a twin or where case makes no difference.
    #[error("--{flag}: '{one}' and '{other}' would share a folder of results")]
    #[diagnostic(help("call one of the scripts by another name"))]
    Collides { flag: &'static str, one: String, other: String },
    /// Two that run the same script in the same way.
    #[error("--treatments: '{one}' is the same as '{other}'")]
    #[diagnostic(help("to measure one treatment against itself use --control"))]
    Same { one: String, other: String },
    /// No such variant.
    #[error("--treatments: {framework} has no variant '{variant}'; it has: {known}")]
    #[diagnostic(help("see --list-treatments"))]
    UnknownVariant {
        /// Whose script.
        framework: String,
        /// As it was typed.
        variant: String,
        /// What there is.
        known: String,
    },
    /// No such environment.
    #[error("--treatments: there is no environment '{typed}'; there are: {known}")]
    #[diagnostic(help(
        "--environment NAME=DIR adds one, and a version is written in digits: {framework}@1.2.3"
    ))]
    UnknownEnvironment {
        /// As it was typed.
        typed: String,
        framework: String,
        /// What there is.
        known: String,
    },
    /// A folder that cannot be an environment.
    #[error("--environment {name}: {problem}")]
    #[diagnostic(forward(problem))]
    Environment {
        /// As it was named.
        name: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A script that does not say what it is.
    #[error("--treatments: {0}; it is read without being run")]
    Script(String),
    /// A factor or one of its levels.
    #[error("--vary {factor}: {problem}")]
    #[diagnostic(forward(problem))]
    Vary {
        /// The factor, as it was typed.
        factor: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// Releases that cannot be had.
    #[error("--versions {typed}: {problem}")]
    #[diagnostic(forward(problem))]
    Versions {
        /// As it was typed.
        typed: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// None named.
    #[error("--treatments names nothing")]
    #[diagnostic(help("name at least one treatment"))]
    NoTreatment,
    /// The control is not among the treatments.
    #[error("--control: '{0}' is not among the treatments that are compared ({1})")]
    Control(String, String),
    /// The data's folder is not there.
    #[error("--data-dir (or JOULERACE_DATA_DIR): there is no folder {0}")]
    #[diagnostic(help(
        "make it (mkdir -p {0}) to have MNIST downloaded into it, or leave the flag out"
    ))]
    NoDataDir(String),
    /// More images than there are.
    #[error("{flag}: {asked} is more than there is: the data set has {most}")]
    #[diagnostic(help("leave it out to use all"))]
    TooMany {
        flag: &'static str,
        /// As it was typed.
        asked: u32,
        /// How many there are.
        most: u32,
    },
    /// What all are to be compared with is not among the treatments.
    #[error("--compare-to: '{0}' is not among the treatments that are compared ({1})")]
    CompareTo(String, String),
    /// A single treatment has nothing to be compared with.
    #[error("{0}: one treatment alone is compared with nothing")]
    #[diagnostic(help("name more with --treatments"))]
    Alone(&'static str),
    /// More names than commands.
    #[error("--name: there are {names} names for {commands} commands")]
    #[diagnostic(help("name each once, in their order"))]
    Names {
        /// How many names.
        names: usize,
        /// How many commands.
        commands: usize,
    },
    /// A command that could not be started in any way.
    #[error("{line:?} cannot be run: {why}")]
    #[diagnostic(forward(why))]
    Command {
        /// As it was typed.
        line: String,
        /// In words.
        why: Problem,
    },
    /// No shell.
    #[error("--shell: {why}")]
    #[diagnostic(forward(why))]
    Shell {
        /// In words.
        why: Problem,
    },
    /// What cannot be shown in one line.
    #[error("--name: {0:?} cannot be a label")]
    #[diagnostic(help("give the command a shorter one of one line with --name"))]
    NoLabel(String),
    /// A command that is typed twice.
    #[error("'{0}' stands there twice")]
    #[diagnostic(help("to measure it against itself use --control '{0}'"))]
    SameCommand(String),
    /// Two commands of one name.
    #[error("--name: two commands are called '{0}'")]
    #[diagnostic(help("give each a name of its own"))]
    SameName(String),
    /// What is put into commands.
    #[error("--parameter-list, --parameter-scan: {name}: {why}")]
    #[diagnostic(forward(why))]
    Parameter {
        /// The parameter.
        name: String,
        /// In words.
        why: Problem,
    },
    /// A shard of a plan that each machine would draw for itself.
    #[error("--shard: without a seed of the order each machine would draw a plan of its own")]
    #[diagnostic(help("name it with --order-seed, the same on every machine"))]
    Unseeded,
    /// A shard that there is not.
    #[error("--shard: {0}")]
    #[diagnostic(forward(0))]
    Shard(Problem),
    /// A number outside its range.
    #[error("{flag}: {value} is out of range")]
    #[diagnostic(help("{allowed}"))]
    Range {
        flag: &'static str,
        /// As it was typed.
        value: String,
        /// What may be given.
        allowed: &'static str,
    },
}
