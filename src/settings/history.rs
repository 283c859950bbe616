//! Several releases of one package: a history, of which neighbours are compared.

use super::release::{Place, place};
use super::{Levels, Treatment};
use pep508_rs::pep440_rs::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr as _;

/// Fewer releases than this are compared like any other treatments.
const FEWEST: usize = 3;

/// Releases of one package, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Whose releases.
    pub package: String,
    /// The treatments, by release.
    pub releases: Vec<Release>,
}

/// One release of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The treatment's label.
    pub treatment: String,
    /// The version: `0.4.30`.
    pub release: String,
}

/// The history that these treatments are, at any levels: one script in one variant, in versions of one
/// package that are all different and at least three. None where they are something else.
pub(crate) fn of<'t>(treatments: impl Iterator<Item = &'t Treatment>) -> Option<History> {
    let treatments: Vec<&Treatment> = treatments.collect();
    let (package, _) = release(treatments.first()?)?;
    let mut versions = BTreeSet::new();
    let mut releases = Vec::new();
    for treatment in &treatments {
        let (own, version) = release(treatment)?;
        let alike = own == package
            && treatment.framework == treatments[0].framework
            && treatment.variant == treatments[0].variant;
        if !alike {
            return None;
        }
        versions.insert(version.clone());
        releases.push((
            version,
            Release { treatment: treatment.name.clone(), release: version_text(treatment) },
        ));
    }
    // The releases' places in time, not in the order in which they were typed.
    releases.sort_by(|a, b| a.0.cmp(&b.0));
    let levels: BTreeSet<&Levels> = treatments.iter().map(|t| &t.levels).collect();
    let complete = versions.len() * levels.len() == treatments.len();
    (versions.len() >= FEWEST && complete).then(|| History {
        package,
        releases: releases.into_iter().map(|(_, release)| release).collect(),
    })
}

/// Puts treatments that are a history in its order, and leaves others as they are.
pub(super) fn in_order(treatments: &mut [Treatment]) {
    if of(treatments.iter()).is_some() {
        treatments.sort_by_key(|treatment| release(treatment).map(|(_, version)| version));
    }
}

/// The package whose version a treatment names, and that version.
fn release(treatment: &Treatment) -> Option<(String, Version)> {
    match place(treatment.environment.as_deref()?) {
        Some(Place::Version { package, version }) => {
            let package = package.unwrap_or(&treatment.framework).to_owned();
            Some((package, Version::from_str(version).ok()?))
        }
        _ => None,
    }
}

fn version_text(treatment: &Treatment) -> String {
    let environment = treatment.environment.as_deref().unwrap_or_default();
    environment.rsplit("==").next().unwrap_or_default().to_owned()
}
