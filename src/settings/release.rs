//! What stands behind `@`: a folder of an environment, or a version of a package.

use pep508_rs::pep440_rs::Version;
use std::str::FromStr as _;

/// Where a treatment's packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// A folder with a lock, by its name.
    Folder(&'a str),
    /// A version of a package, of the framework's own where none is named: `2.4.1`,
    /// `tensorflow==2.16.1`.
    Version { package: Option<&'a str>, version: &'a str },
}

/// Reads what stands behind `@`. Text that begins with a digit is a version, as folders' names begin with a
/// letter. None where it is neither a name nor a version.
pub(crate) fn place(typed: &str) -> Option<Place<'_>> {
    let version = |text: &str| Version::from_str(text).ok();
    if let Some((package, number)) = typed.split_once("==") {
        version(number)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let named = package.starts_with(|c: char| c.is_ascii_alphanumeric());
        return match named && package.chars().all(plain) {
            true => Some(Place::Version { package: Some(package), version: number }),
            false => None,
        };
    }
    if typed.starts_with(|c: char| c.is_ascii_digit()) {
        version(typed)?;
        return Some(Place::Version { package: None, version: typed });
    }
    match super::is_name(typed) && !typed.contains(['@', '+']) {
        true => Some(Place::Folder(typed)),
        false => None,
    }
}

/// Whether both are one folder, or one version: `0.4` is `0.4.0`.
pub(crate) fn same_place(one: &str, other: &str) -> bool {
    match (place(one), place(other)) {
        (
            Some(Place::Version { package: a, version: one }),
            Some(Place::Version { package: b, version: other }),
        ) => a == b && Version::from_str(one) == Version::from_str(other),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_makes_a_version_and_a_letter_a_folder() {
        assert_eq!(place("current"), Some(Place::Folder("current")));
        assert_eq!(place("2.4.1"), Some(Place::Version { package: None, version: "2.4.1" }));
        let of = Place::Version { package: Some("tensorflow-cpu"), version: "2.16.1" };
        assert_eq!(place("tensorflow-cpu==2.16.1"), Some(of));
        for typed in ["", "2.x", "../x", "a b", "=2", "-e==1", "x==", "a@b"] {
            assert_eq!(place(typed), None, "{typed}");
        }
    }
}
