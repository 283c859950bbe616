//! An experiment as a file: every flag of the experiment, or of `compare`, by its name.
//!
//! Keys, their types and what they may be come from the same definitions as the flags: a flag that is added
//! there is a key without a line here.

mod save;
mod value;

use crate::cli::{Cli, RaceArgs};
use crate::settings::RaceError;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Command, CommandFactory as _};
pub(crate) use save::save;
use std::ffi::OsString;
use value::words;

/// Flags of one invocation, which an experiment's file does not have.
const NO_KEYS: [&str; 9] =
    ["help", "version", "verbose", "quiet", "save", "resume", "accept-changes", "dry-run", "shard"];

/// The key that makes a file one of commands.
const COMMANDS: &str = "commands";

/// The subcommand for commands.
const COMPARE: &str = "compare";

/// How a file that was written here begins.
const HEAD: &str = "# An experiment of joulerace; run it with: joulerace run";

/// The program with all that is derived filled in.
fn program() -> Command {
    let mut program = Cli::command();
    program.build();
    program
}

/// The command that a file is for: that of the experiment, or `compare`.
fn of(program: &Command, compares: bool) -> &Command {
    match compares {
        true => program.find_subcommand(COMPARE).unwrap_or(program),
        false => program,
    }
}

/// The key of a flag, or of what stands without one.
fn key(arg: &Arg) -> String {
    arg.get_long().map_or_else(|| arg.get_id().to_string(), str::to_owned)
}

fn keys(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !NO_KEYS.contains(&key(arg).as_str()))
}

/// The command line that a file means, with the flags that count instead of its keys.
///
/// # Errors
///
/// [`RaceError`], with the file and the key.
pub(crate) fn command_line(args: &RaceArgs) -> Result<Vec<OsString>, RaceError> {
    let file = args.file.display().to_string();
    if file.starts_with('-') {
        let rest =
            std::iter::once(file).chain(args.flags.iter().map(|f| f.to_string_lossy().into()));
        return Err(RaceError::NoFile(rest.collect::<Vec<String>>().join(" ")));
    }
    let unreadable =
        |why: String| RaceError::Unreadable { file: file.clone(), why: why.trim_end().to_owned() };
    let text = std::fs::read_to_string(&args.file).map_err(|e| unreadable(e.to_string()))?;
    let table: toml::Table =
        text.parse().map_err(|e: toml::de::Error| unreadable(e.to_string()))?;
    expand(&file, &table, &args.flags)
}

/// The command line of a table.
fn expand(file: &str, table: &toml::Table, flags: &[OsString]) -> Result<Vec<OsString>, RaceError> {
    let program = program();
    let compares = table.contains_key(COMMANDS);
    let command = of(&program, compares);
    let mut line: Vec<OsString> = vec!["joulerace".into()];
    line.extend(compares.then(|| COMPARE.into()));
    let typed = typed(&program, &line, flags);
    let mut last: Vec<OsString> = Vec::new();
    for (name, value) in table {
        let arg = known(file, command, compares, name)?;
        let words = words(file, name, arg, value)?;
        check(file, arg, &line, &words)?;
        if typed.contains(&key(arg)) {
            continue;
        }
        if arg.is_positional() { last.extend(words) } else { line.extend(words) }
    }
    line.extend(flags.iter().cloned());
    if !last.is_empty() {
        line.push("--".into());
        line.extend(last);
    }
    Ok(line)
}

/// The keys of the flags that were typed.
fn typed(program: &Command, begin: &[OsString], flags: &[OsString]) -> Vec<String> {
    let mut lenient = program.clone().ignore_errors(true);
    let matches = lenient.try_get_matches_from_mut(begin.iter().chain(flags));
    let Ok(matches) = matches else { return Vec::new() };
    let of_it = matches.subcommand().map_or(&matches, |(_, own)| own);
    let command = of(program, begin.len() > 1);
    keys(command)
        .filter(|arg| of_it.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine))
        .map(key)
        .collect()
}

fn known<'c>(
    file: &str,
    command: &'c Command,
    compares: bool,
    name: &str,
) -> Result<&'c Arg, RaceError> {
    let called = |arg: &&Arg| {
        key(arg) == name || arg.get_all_aliases().is_some_and(|other| other.contains(&name))
    };
    if let Some(arg) = keys(command).find(called) {
        return Ok(arg);
    }
    let (file, name) = (file.to_owned(), name.to_owned());
    if NO_KEYS.contains(&name.as_str()) {
        return Err(RaceError::NotOfIt { file, key: name });
    }
    let names = keys(command).filter(|arg| !arg.is_hide_set()).map(key);
    let near = crate::screen::hints::nearest(&name.replace('_', "-"), names);
    let help = if compares { "joulerace compare --help" } else { "joulerace --help" };
    Err(RaceError::Unknown { file, key: name, near, help })
}

/// Asks the flag itself whether it takes the value.
fn check(file: &str, arg: &Arg, begin: &[OsString], words: &[OsString]) -> Result<(), RaceError> {
    let line = begin.iter().take(2).filter(|word| !word.to_string_lossy().starts_with("--"));
    let last = OsString::from("--");
    let line = line.chain(arg.is_positional().then_some(&last)).chain(words);
    let error = match Cli::command().try_get_matches_from(line) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    // Flags that need each other are checked once all are together.
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Ok(());
    }
    let text = error.to_string();
    let why = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ").trim();
    let why = why.replace('\n', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    Err(RaceError::Value { file: file.to_owned(), key: key(arg), why })
}

#[cfg(test)]
mod tests {
    use super::save::text;
    use super::value::Kind;
    use super::*;
    use crate::Remedy as _;
    use clap::{ArgAction, ArgMatches};
    use toml::Value;

    fn line(text: &str, flags: &[&str]) -> Result<Vec<String>, RaceError> {
        let table = text.parse().unwrap();
        let flags: Vec<OsString> = flags.iter().map(OsString::from).collect();
        let words = expand("race.toml", &table, &flags)?;
        Ok(words.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    fn matches(line: &[String]) -> ArgMatches {
        Cli::command().try_get_matches_from(line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }

    /// A value that a flag takes, as TOML.
    fn sample(arg: &Arg) -> Value {
        let name = key(arg);
        let text = |text: &str| Value::String(text.to_owned());
        let one = match (Kind::of(arg), name.as_str()) {
            (Kind::Switch, _) => return Value::Boolean(true),
            (Kind::Whole, _) => Value::Integer(7),
            (Kind::Number, _) => Value::Float(2.5),
            (_, "warmup" | "cooldown" | "baseline" | "interval" | "trial-timeout") => text("7s"),
            (_, "parameter-list") => {
                let pair = Value::Array(vec![text("n"), text("1,2")]);
                return Value::Array(vec![pair]);
            }
            (_, "parameter-scan") => text("n 1 3"),
            (_, "cpu-watts") => text("7:77"),
            (_, "vary") => text("batch-size=32,64"),
            (_, "environment") => text("mine=here"),
            (_, "gpus") => text("none"),
            (_, "shard") => text("2/5"),
            (_, "meter") => text("estimate"),
            _ => match arg.get_possible_values().last() {
                Some(value) => text(value.get_name()),
                None => text(if name == "shard" { "1/3" } else { "some" }),
            },
        };
        if matches!(arg.get_action(), ArgAction::Append) { Value::Array(vec![one]) } else { one }
    }

    /// Whatever flag there is: it is a key, its value is read from a file as it is from the command line,
    /// and a line with it is written to a file that means the same.
    #[test]
    fn every_flag_is_a_key_and_the_way_back_is_the_same() {
        let program = program();
        for compares in [false, true] {
            let command = of(&program, compares);
            let args: Vec<&Arg> = keys(command).collect();
            assert!(args.len() > 20, "the flags are found");
            let mut last = String::new();
            for arg in args {
                let mut table = toml::Table::new();
                if compares {
                    table.insert(COMMANDS.into(), Value::Array(vec![Value::String("true".into())]));
                }
                // What another flag needs.
                let needed = [("allow-unlocked", "python-env"), ("releases", "versions")];
                for (_, other) in needed.iter().filter(|(one, _)| *one == key(arg)) {
                    table.insert((*other).into(), Value::String("some".into()));
                }
                table.insert(key(arg), sample(arg));
                let written = table.to_string();
                let words = line(&written, &[]).unwrap_or_else(|e| panic!("{written}: {e}"));
                let first = matches(&words);
                let saved = text(&first);
                let again: toml::Table = saved.parse().unwrap_or_else(|e| panic!("{saved}: {e}"));
                assert_eq!(again.get(&key(arg)), Some(&sample(arg)), "{written} as {saved}");
                last = saved;
            }
            assert_eq!(last, text(&matches(&line(&last, &[]).unwrap())));
        }
    }

    #[test]
    fn flags_count_instead_of_keys_lists_too() {
        let file =
            "iterations = 5\nframeworks = [\"torch\", \"jax\"]\nwarmup = \"1s\"\nstrict = false";
        let words = line(file, &["--frameworks", "keras", "--warmup=2s"]).unwrap();
        assert_eq!(words, ["joulerace", "--iterations=5", "--frameworks", "keras", "--warmup=2s"]);
        let file = "commands = [\"a b\", \"-c\"]\nname = [\"x\", \"y\"]\nruns = 3";
        let words = line(file, &["-r", "4"]).unwrap();
        assert_eq!(
            words,
            ["joulerace", "compare", "--name=x", "--name=y", "-r", "4", "--", "a b", "-c"]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key() {
        for (file, told) in [
            ("iteratons = 3", "no key 'iteratons'; did you mean 'iterations'?"),
            ("batch_size = 3", "did you mean 'batch-size'?"),
            ("colour = 1", "no key 'colour'. Keys are the flags of joulerace --help"),
            ("commands = [\"a\"]\nepochs = 3", "no key 'epochs'"),
            (
                "iterations = \"many\"",
                "iterations has to be a whole number, such as 3, and is the text",
            ),
            ("iterations = 0", "iterations: invalid value '0'"),
            ("learning-rate = \"0.1\"", "learning-rate has to be a number, such as 0.5"),
            ("warmup = 300", "warmup has to be text in quotes"),
            ("warmup = \"soon\"", "warmup: invalid value 'soon'"),
            ("strict = \"yes\"", "strict has to be true or false"),
            ("frameworks = [1]", "a list of texts"),
            ("dry-run = true", "'dry-run' is said on the command line"),
            (
                "[meter]\nmeter = 1",
                "meter has to be text in quotes, such as \"5m\", and is a table",
            ),
        ] {
            let said = line(file, &[]).unwrap_err().in_line();
            assert!(said.starts_with("race.toml: ") && said.contains(told), "{file}: {said}");
        }
    }

    #[test]
    fn a_file_that_is_not_ours_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("race.toml");
        let first = matches(&["joulerace".to_owned(), "--iterations=3".to_owned()]);
        save(&file, &first).unwrap();
        save(&file, &first).unwrap();
        std::fs::write(&file, "iterations = 3\n").unwrap();
        assert!(matches!(save(&file, &first), Err(RaceError::Foreign(_))));
    }
}
