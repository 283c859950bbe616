//! `--versions NAME=FROM..TO`: releases of a framework's package, as the package index lists them.

use crate::env;
use crate::error::Error;
use crate::paths::Project;
use crate::prepare::{self, environments};
use crate::settings::{Known, Place, Problem, SettingsError, place};
use pep508_rs::pep440_rs::Version;
use std::str::FromStr as _;

/// What was typed, in its parts: `jax:variant@package=0.4.30..0.6.2`.
#[derive(Debug, PartialEq)]
struct Range<'a> {
    /// `jax:variant`.
    way: &'a str,
    /// The package whose releases are meant, where it is not the framework's own.
    package: Option<&'a str>,
    from: Version,
    to: Version,
}

/// The treatments that `--versions` means, thinned to `most`.
pub(super) fn versions(
    typed: &str,
    most: u32,
    known: &Known,
    project: &Project,
) -> Result<Vec<String>, Error> {
    let told = |problem: Problem| SettingsError::Versions { typed: typed.to_owned(), problem };
    let range = parse(typed).map_err(|problem| told(problem.into()))?;
    let framework = range.way.split(':').next().unwrap_or_default();
    let script = known.script(framework).ok_or_else(|| SettingsError::UnknownFramework {
        name: framework.to_owned(),
        known: known.frameworks(),
    })?;
    let package = range.package.unwrap_or(script.main_package());
    let all = prepare::block_on(environments::releases(project, package.to_owned()))??;
    let between = between(&all, &range);
    if between.len() < 2 {
        return Err(told(format!(
            "{} of the releases of {package} with wheels here lie between; those around are: {}",
            match between.len() {
                0 => "none",
                _ => "one",
            },
            env::around(&range.from.to_string(), all).join(", ")
        ).into())
        .into());
    }
    let chosen = thinned(&between, most as usize);
    let of = range.package.map_or(String::new(), |package| format!("{package}=="));
    Ok(chosen.iter().map(|version| format!("{}@{of}{version}", range.way)).collect())
}

fn parse(typed: &str) -> Result<Range<'_>, String> {
    const LIKE: &str = "write it like jax=0.4.30..0.6.2";
    let (name, range) = typed.split_once('=').ok_or(LIKE)?;
    let (from, to) = range.split_once("..").ok_or(LIKE)?;
    let version = |text: &str| {
        Version::from_str(text.trim()).map_err(|_| format!("{text:?} is not a version; {LIKE}"))
    };
    let (from, to) = (version(from)?, version(to)?);
    if from > to {
        return Err(format!("{from} is later than {to}; the earlier one comes first"));
    }
    let (way, package) = match name.split_once('@') {
        Some((way, package)) => (way, Some(package)),
        None => (name, None),
    };
    let named =
        |package: &str| matches!(place(&format!("{package}==1")), Some(Place::Version { .. }));
    if package.is_some_and(|package| !named(package)) {
        return Err(LIKE.to_owned());
    }
    Ok(Range { way, package, from, to })
}

/// The final releases within the range, the oldest first.
fn between(all: &[String], range: &Range<'_>) -> Vec<String> {
    let mut found: Vec<(Version, &String)> = all
        .iter()
        .filter_map(|text| Some((Version::from_str(text).ok()?, text)))
        .filter(|(v, _)| !v.any_prerelease() && *v >= range.from && *v <= range.to)
        .collect();
    found.sort();
    found.into_iter().map(|(_, text)| text.clone()).collect()
}

/// `most` of them, evenly spread, the first and the last among them.
fn thinned(all: &[String], most: usize) -> Vec<String> {
    if all.len() <= most {
        return all.to_vec();
    }
    let last = (all.len() - 1) as f64;
    let step = last / (most.max(2) - 1) as f64;
    (0..most).map(|i| all[(i as f64 * step).round() as usize].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn releases_between_are_final_and_in_their_order() {
        let all = texts(&["0.4.9", "0.10.2", "0.4.30", "0.5.0rc1", "0.5.0", "0.11.0", "odd"]);
        let range = parse("jax=0.4.9..0.10.2").unwrap();
        assert_eq!(between(&all, &range), ["0.4.9", "0.4.30", "0.5.0", "0.10.2"]);
    }

    #[test]
    fn the_first_and_the_last_stay_where_they_are_thinned() {
        let all: Vec<String> = (0..22).map(|n| format!("1.{n}")).collect();
        let thin = thinned(&all, 4);
        assert_eq!(thin, ["1.0", "1.7", "1.14", "1.21"]);
        assert_eq!(thinned(&all, 30).len(), 22);
        assert_eq!(thinned(&all, 2), ["1.0", "1.21"]);
    }

    #[test]
    fn what_is_no_range_is_told_with_how_it_is_written() {
        let package = parse("keras:plain@tensorflow-cpu=2.16.1..2.19").unwrap();
        assert_eq!((package.way, package.package), ("keras:plain", Some("tensorflow-cpu")));
        for (typed, word) in [
            ("jax", "jax=0.4.30"),
            ("jax=1", "jax=0.4.30"),
            ("jax=x..2", "\"x\""),
            ("jax=2..1", "later"),
        ] {
            assert!(parse(typed).unwrap_err().contains(word), "{typed}");
        }
    }
}
