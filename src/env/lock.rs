//! Reads `poetry.lock`: which packages, in which versions, for which groups and platforms.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use pep508_rs::pep440_rs::{Version, VersionSpecifiers};
use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree, VerbatimUrl};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::names::{OLDEST_PYTHON, can_run, minor_version, normalise};
use super::{EnvError, Profile};

/// The oldest format that says per package which groups need it.
const OLDEST: (u32, u32) = (2, 1);

/// A lock, as far as an environment is concerned.
#[derive(Debug, Clone)]
pub struct Lock {
    packages: Vec<Package>,
    pythons: VersionSpecifiers,
}

#[derive(Debug, Clone)]
struct Package {
    name: String,
    version: String,
    groups: Vec<String>,
    markers: Markers,
    hashes: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
enum Markers {
    #[default]
    None,
    All(String),
    PerGroup(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct RawLock {
    #[serde(default)]
    package: Vec<RawPackage>,
    metadata: RawMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawMetadata {
    lock_version: String,
    /// As in `requires-python`.
    #[serde(default)]
    python_versions: String,
}

#[derive(Deserialize)]
struct RawPackage {
    name: String,
    version: String,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    markers: Markers,
    #[serde(default)]
    files: Vec<RawFile>,
}

#[derive(Deserialize)]
struct RawFile {
    hash: String,
}

impl Lock {
    /// Reads the lock at `path`.
    ///
    /// # Errors
    /// [`EnvError::LockMissing`], [`EnvError::LockInvalid`] (not TOML, too old a format, an
    /// unreadable marker) or [`EnvError::Io`].
    pub fn read(path: &Path) -> Result<Self, EnvError> {
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => EnvError::LockMissing { path: path.into() },
            _ => EnvError::Io { action: "read the lock", path: path.into(), source },
        })?;
        Self::parse(&text).map_err(|reason| EnvError::LockInvalid { path: path.into(), reason })
    }

    /// Reads requirements with hashes, of a version that was locked for one Python (`3.11`); an error is the
    /// reason in words. The text may be a stranger's, and uv is given it: anything else that such a file may
    /// hold, such as another index, is refused.
    pub(crate) fn pinned(text: &str, python: &str) -> Result<Self, String> {
        // uv ends lines where others do not.
        if text.replace("\r\n", "\n").chars().any(|c| c.is_control() && c != '\n') {
            return Err("it holds a control character".to_owned());
        }
        let mut packages: Vec<Package> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let line = line.trim_end_matches('\\').trim_end();
            let hash = line.strip_prefix("--hash=").filter(|hash| is_hash(hash));
            let package = line.split_once("==").filter(|(name, version)| is_one(name, version));
            if let Some(hash) = hash {
                let package = packages.last_mut().ok_or("it begins with a hash")?;
                package.hashes.push(hash.to_owned());
            } else if let Some((name, version)) = package {
                packages.push(Package {
                    name: normalise(name),
                    version: version.to_owned(),
                    groups: vec!["main".to_owned()],
                    markers: Markers::None,
                    hashes: Vec::new(),
                });
            } else if !line.is_empty() {
                return Err(format!("{line:?} is not a package at a version"));
            }
        }
        match packages.iter().find(|package| package.hashes.is_empty()) {
            Some(package) => return Err(format!("package {} has no hash", package.name)),
            None if packages.is_empty() => return Err("it lists no package".into()),
            None => {}
        }
        packages.iter_mut().for_each(|package| package.hashes.sort());
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        let pythons = VersionSpecifiers::from_str(&format!("=={python}.*"))
            .map_err(|error| format!("its python {python:?}: {error}"))?;
        Ok(Self { packages, pythons })
    }

    /// The groups of a profile for which the lock has packages.
    pub(super) fn groups(&self, profile: Profile) -> Vec<&'static str> {
        let has = |group: &&str| {
            self.packages.iter().any(|package| package.groups.iter().any(|own| own == group))
        };
        profile.groups().into_iter().filter(has).collect()
    }

    /// Whether it is for Python `version`, and joulerace can run that.
    pub(crate) fn is_for(&self, version: &str) -> bool {
        let fits = |version: Version| self.pythons.contains(&version);
        can_run(version) && Version::from_str(version).is_ok_and(fits)
    }

    /// The Pythons it is for, in words: `>=3.11, <3.13`.
    pub(crate) fn python_versions(&self) -> String {
        match self.pythons.is_empty() {
            true => format!(">={OLDEST_PYTHON}"),
            false => self.pythons.to_string(),
        }
    }

    /// Reads a lock's text; an error is the reason in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let raw: RawLock = toml::from_str(text).map_err(|error| error.to_string())?;
        let version = &raw.metadata.lock_version;
        let parsed = version.split_once('.').and_then(|(major, minor)| {
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        });
        if !parsed.is_some_and(|(major, minor)| major == OLDEST.0 && minor >= OLDEST.1) {
            return Err(format!("its lock-version is {version}; 2.1 or a later 2.x is needed"));
        }
        if raw.package.is_empty() {
            return Err("it lists no package".into());
        }
        let mut packages = Vec::with_capacity(raw.package.len());
        // Optional packages belong to extras, which no profile asks for.
        for package in raw.package.into_iter().filter(|package| !package.optional) {
            for text in package.markers.texts() {
                parse_marker(text).map_err(|why| format!("package {}: {why}", package.name))?;
            }
            let mut hashes: Vec<String> = package.files.into_iter().map(|file| file.hash).collect();
            hashes.sort();
            packages.push(Package {
                name: normalise(&package.name),
                version: package.version,
                groups: package.groups,
                markers: package.markers,
                hashes,
            });
        }
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        let pythons = raw.metadata.python_versions;
        let pythons = VersionSpecifiers::from_str(pythons.trim().trim_matches('*'))
            .map_err(|error| format!("its python-versions {pythons:?}: {error}"))?;
        Ok(Self { packages, pythons })
    }

    /// What `profile` needs under the Python `version` (such as `3.11.7`) on this machine:
    /// normalised package name to locked version.
    pub fn required(&self, profile: Profile, version: &str) -> BTreeMap<String, String> {
        let environment = marker_environment(version);
        self.packages
            .iter()
            .filter(|package| package.wanted(profile, &environment))
            .map(|package| (package.name.clone(), package.version.clone()))
            .collect()
    }

    /// SHA-256 (64 hexadecimal digits) of what the lock says about `profile`: its groups and
    /// their packages, versions, markers and file hashes. Comments, other groups and the order
    /// of entries do not count, so a change to the plots does not reinstall the frameworks.
    pub(crate) fn hash(&self, profile: Profile) -> String {
        let mut text = format!("joulerace environment 1\n{}\n", profile.groups().join(","));
        for package in self.packages.iter().filter(|package| package.in_groups(profile)) {
            let Package { name, version, markers, hashes, .. } = package;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}=={version} {markers:?} {}", hashes.join(" "));
        }
        crate::clean::hex(&Sha256::digest(text.as_bytes()))
    }
}

/// `sha256:` and digits.
fn is_hash(text: &str) -> bool {
    let digits = text.split_once(':').map(|(_, digits)| digits);
    digits.is_some_and(|d| !d.is_empty() && d.chars().all(|c| c.is_ascii_hexdigit()))
        && text.starts_with("sha")
}

/// Whether this is a package's name and one version, and nothing else.
fn is_one(name: &str, version: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(letter)
        && Version::from_str(version).is_ok()
}

impl Package {
    fn in_groups(&self, profile: Profile) -> bool {
        self.groups.iter().any(|group| profile.groups().contains(&group.as_str()))
    }

    fn wanted(&self, profile: Profile, environment: &MarkerEnvironment) -> bool {
        let holds = |text: &str| {
            // Every marker was parsed when the lock was read.
            parse_marker(text).is_ok_and(|marker| marker.evaluate(environment, &[]))
        };
        let groups = self.groups.iter().filter(|group| profile.groups().contains(&group.as_str()));
        match &self.markers {
            Markers::None => self.in_groups(profile),
            Markers::All(text) => self.in_groups(profile) && holds(text),
            Markers::PerGroup(table) => {
                groups.into_iter().any(|group| table.get(group).is_none_or(|text| holds(text)))
            }
        }
    }
}

impl Markers {
    fn texts(&self) -> Vec<&str> {
        match self {
            Markers::None => Vec::new(),
            Markers::All(text) => vec![text],
            Markers::PerGroup(table) => table.values().map(String::as_str).collect(),
        }
    }
}

fn parse_marker(text: &str) -> Result<MarkerTree, String> {
    MarkerTree::parse_str::<VerbatimUrl>(text)
        .map_err(|error| format!("unreadable marker `{text}`: {error}"))
}

/// What environment markers (PEP 508) see here: this machine, CPython of that version.
fn marker_environment(version: &str) -> MarkerEnvironment {
    let minor = minor_version(version);
    let (os_name, platform_system, sys_platform) = match std::env::consts::OS {
        "windows" => ("nt", "Windows", "win32"),
        "macos" => ("posix", "Darwin", "darwin"),
        _ => ("posix", "Linux", "linux"),
    };
    let machine = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => "arm64",
        ("windows", "x86_64") => "AMD64",
        (_, arch) => arch,
    };
    // The versions come from a Python that was asked, or from pyvenv.cfg cut to digits; should
    // one still be unreadable, an impossible version lets no version marker hold.
    let valid = pep508_rs::pep440_rs::Version::from_str(version).is_ok();
    let (full, short) = if valid { (version, minor.as_str()) } else { ("0", "0") };
    MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: full,
        os_name,
        platform_machine: machine,
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system,
        platform_version: "",
        python_full_version: full,
        python_version: short,
        sys_platform,
    }
    .try_into()
    .expect("both versions were checked above")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(entries: &str) -> String {
        format!("{entries}\n[metadata]\nlock-version = \"2.1\"\n")
    }

    fn entry(name: &str, version: &str, groups: &str, markers: &str) -> String {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\noptional = false\n\
             groups = [{groups}]\n{markers}\nfiles = [{{file = \"a\", hash = \"sha256:{name}\"}}]\n"
        )
    }

    #[test]
    fn groups_and_markers_decide_what_is_required() {
        let text = lock(
            &[
                entry("numpy", "2.0.2", r#""main""#, ""),
                entry("Torch_Vision", "2.6.0", r#""training""#, ""),
                entry("pandas", "2.2.0", r#""analysis""#, ""),
                entry("old", "1", r#""dev""#, r#"markers = "python_version == \"3.11\"""#),
                entry("new", "1", r#""dev""#, r#"markers = "python_version >= \"3.12\"""#),
                entry("win", "1", r#""dev""#, r#"markers = "sys_platform == \"plan9\"""#),
                entry(
                    "part",
                    "1",
                    r#""analysis", "training""#,
                    "markers = {training = \"python_version < \\\"3.12\\\"\"}",
                ),
            ]
            .concat(),
        );
        let lock = Lock::parse(&text).unwrap();
        let names = |profile, version| {
            lock.required(profile, version).into_keys().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(Profile::Training, "3.11.7"), "numpy old part torch-vision");
        assert_eq!(names(Profile::Training, "3.12.1"), "new numpy torch-vision");
        assert_eq!(names(Profile::Analysis, "3.12.1"), "new numpy pandas part");
    }

    #[test]
    fn the_hash_changes_with_what_the_profile_needs_and_with_nothing_else() {
        let numpy = entry("numpy", "2.0.2", r#""main""#, "");
        let pandas = entry("pandas", "2.2.0", r#""analysis""#, "");
        let hash = |text: &str, profile| Lock::parse(&lock(text)).unwrap().hash(profile);
        let both = hash(&format!("{numpy}{pandas}"), Profile::Training);
        assert_eq!(both, hash(&format!("# a comment\n{pandas}{numpy}"), Profile::Training));
        assert_eq!(both, hash(&numpy, Profile::Training));
        assert_ne!(both, hash(&format!("{numpy}{pandas}"), Profile::Analysis));
        assert_ne!(both, hash(&numpy.replace("2.0.2", "2.0.3"), Profile::Training));
        assert_ne!(both, hash(&numpy.replace("sha256:numpy", "sha256:other"), Profile::Training));
        assert_eq!(both.len(), 64);
    }

    #[test]
    fn what_is_not_a_usable_lock_is_refused_with_the_reason() {
        let refusal = |text: &str| Lock::parse(text).unwrap_err();
        assert!(refusal("[[package").contains("TOML"));
        assert!(refusal("[metadata]\nlock-version = \"2.1\"\n").contains("no package"));
        let good = lock(&entry("numpy", "2.0.2", r#""main""#, ""));
        assert!(refusal(&good.replace("\"2.1\"", "\"2.0\"")).contains("2.0"));
        assert!(refusal(&good.replace("\"2.1\"", "\"x\"")).contains("lock-version"));
        let marked = lock(&entry("numpy", "1", r#""main""#, "markers = \"python ~ 3\""));
        assert!(refusal(&marked).contains("package numpy"));
    }
}
