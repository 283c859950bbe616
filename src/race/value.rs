//! A value of the file as it would be typed.

use crate::settings::RaceError;
use clap::builder::ValueParser;
use clap::{Arg, ArgAction};
use std::ffi::OsString;
use toml::Value;

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Whole,
    Number,
    Text,
}

impl Kind {
    pub(super) fn of(arg: &Arg) -> Kind {
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
pub(super) fn words(
    file: &str,
    name: &str,
    arg: &Arg,
    value: &Value,
) -> Result<Vec<OsString>, RaceError> {
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

pub(super) fn shown(value: &Value) -> String {
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
