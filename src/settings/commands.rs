//! Commands that are compared: how they are run, and what stands around them.

use super::command_line::CommandLine;
use super::{Factor, Levels, Treatment};
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What all commands of an experiment have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commands {
    /// What runs them.
    pub shell: Shell,
    /// Whether all have to print the same.
    #[serde(default)]
    pub same_output: bool,
    /// Whether a command counts whatever status it ends with.
    #[serde(default)]
    pub ignore_failure: bool,
    /// How often a command is run within a trial, the same for all; `None` until it is known.
    #[serde(default)]
    pub repetitions: Option<u32>,
    /// Seconds that a trial takes, as a run before the first one had it.
    #[serde(default)]
    pub trial_s: Option<f64>,
    /// Where they are run.
    pub folder: PathBuf,
}

impl Commands {
    /// As often as a command is run within a trial.
    pub(crate) fn repetitions(&self) -> u32 {
        self.repetitions.unwrap_or(1)
    }

    /// Checks what was read from a file, which anyone may have written.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn check(&self, treatments: &[Treatment]) -> Result<(), String> {
        if self.repetitions.is_some_and(|n| !(1..=MOST_REPETITIONS).contains(&n)) {
            return Err(format!("its commands run {} times in a trial", self.repetitions()));
        }
        if let Some(none) = treatments.iter().find(|t| t.command.is_none()) {
            return Err(format!("it compares commands, and {:?} is none", none.name));
        }
        for command in treatments.iter().filter_map(|t| t.command.as_ref()) {
            for line in command.all() {
                self.shell.words(line).map_err(|why| format!("it runs {line:?}: {why}"))?;
            }
        }
        Ok(())
    }
}

/// No trial runs a command more often.
pub(crate) const MOST_REPETITIONS: u32 = 10_000;

/// What runs a command.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub enum Shell {
    /// Nothing: its words are split as a shell would, and its program is started.
    None,
    /// A shell, with `-c`.
    Of(String),
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shell::None => f.write_str("none"),
            Shell::Of(shell) => f.write_str(shell),
        }
    }
}

impl FromStr for Shell {
    type Err = String;

    fn from_str(text: &str) -> Result<Shell, String> {
        match text.trim() {
            "none" => Ok(Shell::None),
            "" => Err("it is empty; write none, sh or another shell's name".to_owned()),
            shell => Ok(Shell::Of(shell.to_owned())),
        }
    }
}

/// What only a shell understands: pipes, lists, redirections, substitutions, patterns.
const OF_A_SHELL: &[char] =
    &['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '~', '\n', '!'];

impl Shell {
    /// The shell that was asked for; with `auto`, sh where one of the commands needs one.
    ///
    /// # Errors
    ///
    /// In words.
    pub(crate) fn choose<'c>(
        asked: &str,
        mut commands: impl Iterator<Item = &'c String>,
    ) -> Result<Shell, String> {
        match asked.trim() {
            "auto" if commands.any(|line| needs_shell(line)) => Ok(Shell::Of(USUAL.to_owned())),
            "auto" => Ok(Shell::None),
            other => other.parse(),
        }
    }

    /// What is started for a command.
    ///
    /// # Errors
    ///
    /// Its words cannot be told apart, or it has none.
    pub(crate) fn words(&self, line: &str) -> Result<Vec<String>, String> {
        let words = match self {
            Shell::Of(shell) if line.trim().is_empty() => {
                return Err(format!("{shell} has nothing to run"));
            }
            Shell::Of(shell) => {
                let mut words = split(shell).map_err(|e| e.to_string())?;
                let is_cmd =
                    words.first().is_some_and(|first| first == "cmd" || first == "cmd.exe");
                let flag = if is_cmd { "/C" } else { "-c" };
                words.extend([flag.to_owned(), line.to_owned()]);
                words
            }
            Shell::None => split(line).map_err(|_| "a quote is not closed".to_owned())?,
        };
        if words.first().is_none_or(String::is_empty) {
            return Err("it names no program".to_owned());
        }
        Ok(words)
    }
}

/// The shell that every machine of this system has.
const USUAL: &str = if cfg!(windows) { "cmd" } else { "sh" };

/// A line's words as a shell would split it; on Windows a backslash parts folders and quotes nothing.
fn split(line: &str) -> Result<Vec<String>, shell_words::ParseError> {
    if cfg!(windows) {
        return shell_words::split(&line.replace('\\', r"\\"));
    }
    shell_words::split(line)
}

/// Whether a command has what only a shell understands, outside of quotes that take its meaning from it, or
/// sets a variable for its program.
fn needs_shell(line: &str) -> bool {
    let (mut single, mut double, mut escaped) = (false, false, false);
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if !single => escaped = true,
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '$' | '`' if !single => return true,
            c if !single && !double && OF_A_SHELL.contains(&c) => return true,
            _ => {}
        }
    }
    let first = line.split_whitespace().next().unwrap_or_default();
    let name = first.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Fills `{NAME}` in with a level.
fn filled(text: &str, levels: &[(&String, &String)]) -> String {
    levels
        .iter()
        .fold(text.to_owned(), |text, (name, level)| text.replace(&format!("{{{name}}}"), level))
}

/// Whether every command has every parameter in it. Then these are factors, and what is compared is compared
/// at their levels; else they only make commands that differ.
pub(crate) fn vary(commands: &[(Option<String>, CommandLine)], factors: &[Factor]) -> bool {
    let has = |command: &CommandLine, factor: &Factor| command.line.contains(&mark(factor));
    commands.iter().all(|(_, command)| factors.iter().all(|factor| has(command, factor)))
}

/// What a level of it is put for.
pub(crate) fn mark(factor: &Factor) -> String {
    format!("{{{}}}", factor.factor)
}

/// Every command at every combination of levels of the parameters that are in it; called by its name, or as
/// it is typed with the levels filled in.
pub(crate) fn treatments(
    commands: &[(Option<String>, CommandLine)],
    factors: &[Factor],
) -> Vec<Treatment> {
    let vary = vary(commands, factors);
    let combinations = |command: &CommandLine| {
        let own = factors.iter().filter(|factor| command.line.contains(&mark(factor)));
        own.fold(vec![Vec::new()], |begun: Vec<Vec<(&String, &String)>>, factor| {
            let with = |level| {
                move |at: &Vec<(_, _)>| [at.clone(), vec![(&factor.factor, level)]].concat()
            };
            begun.iter().flat_map(|at| factor.levels.iter().map(move |l| with(l)(at))).collect()
        })
    };
    let one = |(name, command): &(Option<String>, CommandLine), at: &Vec<(&String, &String)>| {
        let fill = |text: &String| filled(text, at);
        let own = |text: &Option<String>| text.as_ref().map(fill);
        let levels: Levels = at.iter().map(|(n, l)| ((*n).clone(), (*l).clone())).collect();
        let line = fill(&command.line);
        let name = match name {
            Some(name) if fill(name) != *name => fill(name),
            Some(name) if levels.is_empty() => name.clone(),
            Some(name) => format!("{name}{}", super::at_levels(&levels)),
            None => crate::clean::line(line.trim()),
        };
        Treatment {
            name,
            levels: if vary { levels } else { Levels::new() },
            command: Some(CommandLine {
                line,
                setup: own(&command.setup),
                prepare: own(&command.prepare),
                cleanup: own(&command.cleanup),
                check: own(&command.check),
            }),
            ..Treatment::default()
        }
    };
    let each = |command: &(Option<String>, CommandLine)| -> Vec<Treatment> {
        combinations(&command.1).iter().map(|at| one(command, at)).collect()
    };
    commands.iter().flat_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_taken_where_one_of_the_commands_needs_it() {
        let chosen = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            Shell::choose("auto", lines.iter()).unwrap().to_string()
        };
        for plain in
            ["sleep 1", "a 'b | c'", "a \\; b", "python -c 'print(1); x = {}'", "a=b", "./x --k=v"]
        {
            let expected = if plain == "a=b" { "sh" } else { "none" };
            assert_eq!(chosen(&[plain]), expected, "{plain}");
        }
        for shells in ["a | b", "a > b", "a; b", "echo \"$HOME\"", "ls *.c", "X=1 a", "a && b"] {
            assert_eq!(chosen(&["true", shells]), "sh", "{shells}");
        }
    }

    #[test]
    fn words_are_split_as_a_shell_would() {
        let words = |line| Shell::None.words(line);
        assert_eq!(words("a 'b c' d\\ e \"f g\"").unwrap(), ["a", "b c", "d e", "f g"]);
        assert!(words("a 'b").unwrap_err().contains("quote"));
        assert!(words("  ").is_err() && words("'' a").is_err());
        assert_eq!(
            Shell::Of("bash -e".into()).words("a | b").unwrap(),
            ["bash", "-e", "-c", "a | b"]
        );
    }

    #[test]
    fn a_scan_is_every_command_at_every_combination_of_levels() {
        let command = |line: &str| CommandLine {
            line: line.to_owned(),
            prepare: Some("rm -f {n}".to_owned()),
            ..CommandLine::default()
        };
        let factor = |name: &str, levels: &[&str]| Factor {
            factor: name.to_owned(),
            levels: levels.iter().map(|level| (*level).to_owned()).collect(),
        };
        let factors = [factor("n", &["1", "2"]), factor("x", &["u", "v"])];
        let names = |all: &[Treatment]| all.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
        let commands =
            [(None, command("a {n} {x}")), (Some("bee".to_owned()), command("b {n} {x}"))];
        let all = treatments(&commands, &factors);
        assert_eq!(names(&all)[..5], ["a 1 u", "a 1 v", "a 2 u", "a 2 v", "bee[n=1,x=u]"]);
        assert_eq!(all[1].levels["x"], "v");
        assert_eq!(all[2].command.as_ref().unwrap().prepare.as_deref(), Some("rm -f 2"));
        // A command that lacks a parameter is run once, and then nothing is compared by levels.
        let commands = [(None, command("a {n}")), (None, command("b"))];
        let all = treatments(&commands, &factors[..1]);
        assert_eq!(names(&all), ["a 1", "a 2", "b"]);
        assert!(all.iter().all(|treatment| treatment.levels.is_empty()));
    }
}
