//! What a mistake on the command line was probably meant to be.

use crate::cli::Cli;
use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The flag of a subcommand (of the experiment where there is none of that name) that is written
/// nearly like `word`.
pub(crate) fn nearest_flag(word: &str, subcommand: &str) -> Option<String> {
    let mut command = Cli::command();
    command.build();
    let command = command.find_subcommand(subcommand).unwrap_or(&command).clone();
    let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
    let flags = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let flags = flags.filter_map(|arg| arg.get_long().map(str::to_owned));
    nearest(name, flags).map(|flag| format!("--{flag}"))
}

/// Which of these is written nearly like `word`.
pub(crate) fn nearest(word: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|name| (distance(word, &name), name))
        .filter(|(apart, name)| *apart <= name.len() / 3 && *apart < word.len())
        .min()
        .map(|(_, name)| name)
}

/// How many letters have to be put in, taken out, changed or swapped with their neighbour to come
/// from one word to the other (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut least =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + other);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// What to say below clap's own message; none where that says enough.
pub(crate) fn hint(error: &clap::Error, words: &[String]) -> Option<String> {
    let typed =
        match error.get(ContextKind::InvalidArg).or(error.get(ContextKind::InvalidSubcommand)) {
            Some(ContextValue::String(typed)) => typed.clone(),
            _ => String::new(),
        };
    match error.kind() {
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict => {
        }
        _ => return None,
    }
    if let Some(list) = spaced_list(words) {
        return Some(format!("a list is written with commas: {list}"));
    }
    // clap reads `-iterations` as `-i`; here the whole word is looked for.
    let single = words.iter().find(|word| is_single_dashed(word) && word.starts_with(&typed));
    if let Some(word) = single.filter(|_| typed.starts_with('-') && !typed.starts_with("--")) {
        let name = word.trim_start_matches('-');
        let flag = nearest_flag(name, subcommand(words)).unwrap_or_else(|| format!("--{name}"));
        return Some(format!("a flag of a whole word has two dashes: {flag}"));
    }
    if ["start", "experiment", "bench", "train"].contains(&typed.as_str()) {
        let rest: Vec<&str> =
            words.iter().skip(1).filter(|word| **word != typed).map(String::as_str).collect();
        let line = ["joulerace"].into_iter().chain(rest).collect::<Vec<_>>().join(" ");
        return Some(format!("the experiment has no subcommand; write: {line}"));
    }
    if typed.starts_with("--") && error.get(ContextKind::SuggestedArg).is_none() {
        let flag = nearest_flag(&typed, subcommand(words))?;
        return Some(format!("did you mean {flag}?"));
    }
    None
}

fn is_single_dashed(word: &str) -> bool {
    word.len() > 2 && word.starts_with('-') && !word.starts_with("--")
}

/// The subcommand on a command line, empty for the experiment.
fn subcommand(words: &[String]) -> &str {
    words.iter().skip(1).find(|word| !word.starts_with('-')).map_or("", String::as_str)
}

/// `--treatments keras torch jax`: the list as it should be.
fn spaced_list(words: &[String]) -> Option<String> {
    const FLAGS: [&str; 2] = ["--treatments", "--frameworks"];
    let flag = |word: &String| word.split('=').next().filter(|word| FLAGS.contains(word)).is_some();
    let at = words.iter().position(flag)?;
    let flag = words[at].split('=').next().unwrap_or_default();
    let first = words[at].split_once('=').map(|(_, first)| first);
    let rest = words[at + 1..].iter().take_while(|word| !word.starts_with('-'));
    let all: Vec<&str> = first
        .into_iter()
        .chain(rest.map(String::as_str))
        .map(|word| word.trim_matches(','))
        .filter(|word| !word.is_empty())
        .collect();
    let command = Cli::command();
    let foreign = all.iter().any(|word| command.find_subcommand(word).is_some());
    (all.len() > 1 && !foreign).then(|| format!("{flag} {}", all.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_finds_its_flag_and_a_stranger_none() {
        for (typed, flag) in [
            ("--intervall", "--interval"),
            ("--itnerval=1s", "--interval"),
            ("--meters", "--meter"),
            ("--run", "--runs"),
        ] {
            assert_eq!(nearest_flag(typed, "measure").as_deref(), Some(flag), "{typed}");
        }
        assert_eq!(nearest_flag("--iteratons", "").as_deref(), Some("--iterations"));
        assert_eq!(nearest_flag("--colour", "measure"), None);
    }

    #[test]
    fn letters_that_changed_places_are_one_mistake() {
        assert_eq!(distance("meter", "metre"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
