//! Looks at a virtual environment without starting its Python: version, packages, differences.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pep508_rs::pep440_rs::Version;

use super::error::Difference;
use super::names::{minor_version, normalise};

/// Headers of a package's metadata are read up to here, in bytes; a description may be long.
const METADATA_LIMIT: u64 = 256 * 1024;

/// A virtual environment on disk.
#[derive(Debug, Clone)]
pub(crate) struct VirtualEnv {
    /// Its folder.
    pub prefix: PathBuf,
    /// Its interpreter.
    pub python: PathBuf,
    /// Its Python's version, such as `3.11.7`.
    pub version: String,
    site_packages: Vec<PathBuf>,
}

impl VirtualEnv {
    /// Looks at the folder `prefix`; the error says in words what it lacks.
    pub(crate) fn open(prefix: &Path) -> Result<Self, String> {
        let prefix = std::path::absolute(prefix).map_err(|error| error.to_string())?;
        if !prefix.exists() {
            return Err("no such folder".into());
        }
        if !prefix.is_dir() {
            return Err("it is a file; name the folder that holds pyvenv.cfg".into());
        }
        let config = fs::read_to_string(prefix.join("pyvenv.cfg")).map_err(|_| {
            let conda = prefix.join("conda-meta").is_dir();
            let kind = if conda { " (a conda environment is another thing)" } else { "" };
            format!("it has no pyvenv.cfg{kind}")
        })?;
        let key = |name: &str| {
            config.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                (key.trim().eq_ignore_ascii_case(name)).then(|| value.trim().to_owned())
            })
        };
        // venv writes `version`, uv and virtualenv write `version_info`, perhaps as 3.11.7.final.0.
        let version = key("version").or_else(|| key("version_info")).unwrap_or_default();
        let digits: Vec<&str> =
            version.split('.').take_while(|part| part.parse::<u32>().is_ok()).take(3).collect();
        if digits.len() < 2 {
            return Err("its pyvenv.cfg does not say which Python it is for".into());
        }
        let version = digits.join(".");
        let python = python_in(&prefix);
        if !python.exists() {
            return Err(format!("{} is missing or points nowhere", python.display()));
        }
        let mut site_packages = vec![site_packages_in(&prefix, &version)];
        if key("include-system-site-packages").is_some_and(|value| value == "true") {
            let base = key("home").map(PathBuf::from);
            if let Some(base) = base.as_deref().and_then(Path::parent) {
                site_packages.push(site_packages_in(base, &version));
                // Debian keeps its packages elsewhere.
                site_packages.push(base.join("lib/python3/dist-packages"));
            }
        }
        Ok(Self { prefix, python, version, site_packages })
    }

    /// What is installed: normalised name to version, from each `*.dist-info/METADATA`.
    pub(crate) fn packages(&self) -> std::io::Result<BTreeMap<String, String>> {
        let mut packages = BTreeMap::new();
        for (i, folder) in self.site_packages.iter().enumerate() {
            let entries = match fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(error) if i > 0 && error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let path = entry.path();
                // pip renames what it is about to remove to `~ame`; a broken removal leaves it.
                let leftover = entry.file_name().as_encoded_bytes().starts_with(b"~");
                if !leftover
                    && path.extension().is_some_and(|extension| extension == "dist-info")
                    && let Some((name, version)) = name_and_version(&path.join("METADATA"))
                {
                    // The environment's own packages hide the system's.
                    packages.entry(name).or_insert(version);
                }
            }
        }
        Ok(packages)
    }
}

/// Where packages differ from what is required; packages beyond those do not count.
pub(crate) fn differences(
    required: &BTreeMap<String, String>,
    installed: &BTreeMap<String, String>,
) -> Vec<Difference> {
    required
        .iter()
        .filter(|(name, locked)| !installed.get(*name).is_some_and(|found| same(found, locked)))
        .map(|(name, locked)| Difference {
            package: name.clone(),
            locked: locked.clone(),
            installed: installed.get(name).cloned(),
        })
        .collect()
}

/// `2.6.0+cpu` is another build than `2.6.0` and may cost other energy, so it is not the same.
fn same(a: &str, b: &str) -> bool {
    match (Version::from_str(a), Version::from_str(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn name_and_version(metadata: &Path) -> Option<(String, String)> {
    let file = BufReader::new(File::open(metadata).ok()?.take(METADATA_LIMIT));
    let (mut name, mut version) = (None, None);
    for line in file.split(b'\n') {
        let line = line.ok()?;
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            break; // The headers end at the first empty line.
        }
        if let Some(value) = line.strip_prefix("Name:") {
            name.get_or_insert_with(|| normalise(value.trim()));
        } else if let Some(value) = line.strip_prefix("Version:") {
            version.get_or_insert_with(|| value.trim().to_owned());
        }
        if name.is_some() && version.is_some() {
            break;
        }
    }
    name.zip(version)
}

/// Where a virtual environment keeps its interpreter.
pub(super) fn python_in(prefix: &Path) -> PathBuf {
    script_in(prefix, "python")
}

/// Where a virtual environment keeps the program `name`.
pub(super) fn script_in(prefix: &Path, name: &str) -> PathBuf {
    if cfg!(windows) {
        prefix.join("Scripts").join(format!("{name}.exe"))
    } else {
        prefix.join("bin").join(name)
    }
}

/// The folder of an environment's packages, whichever Python it is for; where it has none, where that
/// would be.
pub(crate) fn packages_folder(prefix: &Path) -> PathBuf {
    if cfg!(windows) {
        return site_packages_in(prefix, "");
    }
    let entries = fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let mut folders = entries.map(|entry| entry.path().join("site-packages"));
    let found = folders.find(|folder| folder.is_dir());
    found.unwrap_or_else(|| prefix.join("lib/python3/site-packages"))
}

fn site_packages_in(prefix: &Path, version: &str) -> PathBuf {
    if cfg!(windows) {
        prefix.join("Lib").join("site-packages")
    } else {
        prefix.join("lib").join(format!("python{}", minor_version(version))).join("site-packages")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_normalised_and_versions_by_meaning() {
        assert_eq!(normalise("Jinja2"), "jinja2");
        assert_eq!(normalise("backports.zstd"), "backports-zstd");
        assert_eq!(normalise("typing__extensions"), "typing-extensions");
        assert!(same("1.0", "1.0.0"));
        assert!(same("1.0.0-rc1", "1.0.0rc1"));
        assert!(!same("2.6.0+cpu", "2.6.0"));
        assert!(!same("2.6.0", "2.6.1"));
    }

    #[test]
    fn a_description_cannot_pass_for_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("METADATA");
        fs::write(&path, "Metadata-Version: 2.1\nName: Real_One\n\nVersion: 9\n").unwrap();
        assert_eq!(name_and_version(&path), None);
        fs::write(&path, "Name: Real_One\r\nVersion: 1.2\r\n\r\nName: other\n").unwrap();
        assert_eq!(name_and_version(&path), Some(("real-one".into(), "1.2".into())));
    }
}
