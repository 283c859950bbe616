//! An experiment as a file: every flag of the experiment, or of `compare`, by its name.
//!
//! Keys, their types and what they may be come from the same definitions as the flags: a flag that is added
//! there is a key without a line here.

use crate::cli::{Cli, RaceArgs};
use crate::settings::RaceError;
use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use toml::Value;

/// What is said of one invocation and not of an experiment.
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
pub fn command_line(args: &RaceArgs) -> Result<Vec<OsString>, RaceError> {
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
    let near = crate::screen::hints::nearest(&name.replace('_', "-"), names)
        .map_or(".".to_owned(), |near| format!("; did you mean '{near}'?"));
    let help = if compares { "joulerace compare --help" } else { "joulerace --help" };
    Err(RaceError::Unknown { file, key: name, near, help })
}

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Switch,
    Whole,
    Number,
    Text,
}

impl Kind {
    fn of(arg: &Arg) -> Kind {
        if !arg.get_action().takes_values() {
            return Kind::Switch;
        }
        let parser = arg.get_value_parser().type_id();
        let is = |other: ValueParser| parser == other.type_id();
        if is(clap::value_parser!(u32).into()) || is(clap::value_parser!(u64).into()) {
            Kind::Whole
        } else if is(clap::value_parser!(f64).into()) {
            Kind::Number
        } else {
            Kind::Text
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Kind::Switch => "true or false",
            Kind::Whole => "a whole number, such as 3",
            Kind::Number => "a number, such as 0.5",
            Kind::Text => "text in quotes, such as \"5m\"",
        }
    }
}

/// A value as it would be typed.
fn words(file: &str, name: &str, arg: &Arg, value: &Value) -> Result<Vec<OsString>, RaceError> {
    let kind = Kind::of(arg);
    let wrong = |wanted: String, found: &Value| RaceError::Type {
        file: file.to_owned(),
        key: name.to_owned(),
        wanted,
        found: shown(found),
    };
    let of_kind = kind.wanted().to_owned();
    if kind == Kind::Switch {
        return match value {
            Value::Boolean(true) => Ok(vec![format!("--{name}").into()]),
            Value::Boolean(false) => Ok(Vec::new()),
            other => Err(wrong(of_kind, other)),
        };
    }
    let scalar = |value: &Value| match (kind, value) {
        (Kind::Text, Value::String(text)) => Some(text.clone()),
        (Kind::Whole | Kind::Number, Value::Integer(number)) => Some(number.to_string()),
        (Kind::Number, Value::Float(number)) => Some(number.to_string()),
        _ => None,
    };
    let flag = |value: String| OsString::from(format!("--{name}={value}"));
    let many = arg.get_num_args().is_some_and(|count| count.max_values() > 1);
    let repeated = matches!(arg.get_action(), ArgAction::Append);
    if !repeated {
        return scalar(value).map(|text| vec![flag(text)]).ok_or_else(|| wrong(of_kind, value));
    }
    let Value::Array(items) = value else {
        return match scalar(value).filter(|_| !many) {
            Some(text) if arg.is_positional() => Ok(vec![text.into()]),
            Some(text) => Ok(vec![flag(text)]),
            None => Err(wrong(list(kind, many), value)),
        };
    };
    if many && !arg.is_positional() {
        let mut words: Vec<OsString> = Vec::new();
        for item in items {
            let Value::Array(parts) = item else { return Err(wrong(list(kind, many), item)) };
            words.push(format!("--{name}").into());
            for part in parts {
                words.push(loose(part).ok_or_else(|| wrong(list(kind, many), part))?.into());
            }
        }
        return Ok(words);
    }
    let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
    let texts = texts.ok_or_else(|| wrong(list(kind, many), value))?;
    Ok(match arg.get_value_delimiter() {
        Some(delimiter) => vec![flag(texts.join(&delimiter.to_string()))],
        None if arg.is_positional() => texts.into_iter().map(OsString::from).collect(),
        None => texts.into_iter().map(flag).collect(),
    })
}

/// A word of several that belong together: numbers may stand among them.
fn loose(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn list(kind: Kind, many: bool) -> String {
    match (many, kind) {
        (true, _) => "a list of lists, such as [[\"n\", \"1,2\"]]".to_owned(),
        (false, Kind::Text) => "a list of texts, such as [\"a\", \"b\"]".to_owned(),
        (false, kind) => format!("{}, or a list of these", kind.wanted()),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => format!("the time {time}"),
    }
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
    // What else is needed with it is asked when all is together.
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return Ok(());
    }
    let text = error.to_string();
    let why = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ").trim();
    let why = why.replace('\n', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    Err(RaceError::Value { file: file.to_owned(), key: key(arg), why })
}

/// Writes down what a command line means, with what it leaves to the defaults.
///
/// # Errors
///
/// [`RaceError::Foreign`] and [`RaceError::Unwritten`].
pub fn save(file: &Path, matches: &ArgMatches) -> Result<(), RaceError> {
    let shown = file.display().to_string();
    match std::fs::read(file) {
        Ok(there) if !there.starts_with(HEAD.as_bytes()) => return Err(RaceError::Foreign(shown)),
        _ => {}
    }
    let written = std::fs::write(file, text(matches));
    written.map_err(|error| RaceError::Unwritten { file: shown, why: error.to_string() })
}

/// The file's text.
fn text(matches: &ArgMatches) -> String {
    let program = program();
    let (command, of_it) = match matches.subcommand() {
        Some((_, own)) => (of(&program, true), own),
        None => (of(&program, false), matches),
    };
    let mut sections: Vec<(String, String)> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for arg in keys(command) {
        if is_replaced(command, arg, of_it) {
            continue;
        }
        let Some(value) = value(arg, of_it) else { continue };
        let heading = arg.get_help_heading().unwrap_or_default().to_owned();
        let at = *seen.entry(heading.clone()).or_insert_with(|| {
            sections.push((heading, String::new()));
            sections.len() - 1
        });
        let _ = writeln!(sections[at].1, "{} = {value}", key(arg));
    }
    let mut text = format!("{HEAD} FILE\n");
    for (heading, lines) in sections {
        text.push('\n');
        if !heading.is_empty() {
            let _ = writeln!(text, "# {heading}");
        }
        text += &lines;
    }
    text
}

/// Whether a flag stands at its default because another took its place.
fn is_replaced(command: &Command, arg: &Arg, matches: &ArgMatches) -> bool {
    let source = |arg: &Arg| matches.value_source(arg.get_id().as_str());
    let typed = |other: &&Arg| source(other) == Some(ValueSource::CommandLine);
    source(arg) == Some(ValueSource::DefaultValue)
        && (command.get_arg_conflicts_with(arg).iter().any(typed)
            || keys(command).filter(typed).any(|other| {
                command.get_arg_conflicts_with(other).iter().any(|c| key(c) == key(arg))
            }))
}

/// The value of a flag as a file has it; none where there is none, or where the environment set it.
fn value(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    let id = arg.get_id().as_str();
    let source = matches.value_source(id)?;
    if source == ValueSource::EnvVariable {
        return None;
    }
    let kind = Kind::of(arg);
    if kind == Kind::Switch {
        return matches.get_flag(id).then_some(Value::Boolean(true));
    }
    let typed = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        match kind {
            Kind::Whole => text.parse().map(Value::Integer).ok(),
            Kind::Number => text.parse().map(Value::Float).ok(),
            _ => None,
        }
        .unwrap_or_else(|| Value::String(text.into_owned()))
    };
    if !matches!(arg.get_action(), ArgAction::Append) {
        return matches.get_raw(id)?.next().map(typed);
    }
    if arg.get_num_args().is_some_and(|count| count.max_values() > 1) && !arg.is_positional() {
        let each = matches.get_raw_occurrences(id)?;
        return Some(Value::Array(each.map(|of| Value::Array(of.map(typed).collect())).collect()));
    }
    Some(Value::Array(matches.get_raw(id)?.map(typed).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let said = line(file, &[]).unwrap_err().to_string();
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
