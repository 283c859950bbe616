//! A command line as a file.

use super::value::Kind;
use super::{HEAD, key, keys, of, program};
use crate::settings::RaceError;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use toml::Value;

/// Writes down what a command line means, with what it leaves to the defaults.
///
/// # Errors
///
/// [`RaceError::Foreign`] and [`RaceError::Unwritten`].
pub(crate) fn save(file: &Path, matches: &ArgMatches) -> Result<(), RaceError> {
    let shown = file.display().to_string();
    match std::fs::read(file) {
        Ok(there) if !there.starts_with(HEAD.as_bytes()) => return Err(RaceError::Foreign(shown)),
        _ => {}
    }
    let written = std::fs::write(file, text(matches));
    written.map_err(|error| RaceError::Unwritten { file: shown, why: error.to_string() })
}

/// The file's text.
pub(super) fn text(matches: &ArgMatches) -> String {
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
