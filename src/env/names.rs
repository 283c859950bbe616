//! Names and versions of packages and Pythons.

use pep508_rs::pep440_rs::Version;
use std::str::FromStr as _;

/// The worker's library is built against this version's stable ABI, so none before it will do.
pub(crate) const OLDEST_PYTHON: &str = "3.10";

/// Whether the worker's library runs in Python `version`.
pub(super) fn can_run(version: &str) -> bool {
    let oldest = Version::from_str(OLDEST_PYTHON).ok();
    Version::from_str(version).is_ok_and(|version| Some(&version) >= oldest.as_ref())
}

/// `3.11` of `3.11.7`.
pub(super) fn minor_version(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// A package's normalised name (PEP 503): lower case, one hyphen for runs of `-`, `_` and `.`.
pub(crate) fn normalise(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_lowercase()
}
