//! Where the kernel's files are, so that a test or a container can put them elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The folders from which everything about the machine is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// Where `etc`, `run` and `.dockerenv` are, usually `/`.
    pub root: PathBuf,
    /// Usually `/proc`.
    pub proc: PathBuf,
    /// Usually `/sys`.
    pub sys: PathBuf,
}

impl Default for Roots {
    /// The machine's own.
    fn default() -> Roots {
        Roots { root: "/".into(), proc: "/proc".into(), sys: "/sys".into() }
    }
}

impl Roots {
    /// All of them below one folder.
    pub fn under(root: &Path) -> Roots {
        Roots { root: root.to_owned(), proc: root.join("proc"), sys: root.join("sys") }
    }

    /// Whether to ask the system instead, as it has no such files; never where other folders were given.
    pub(crate) fn are_asked(&self) -> bool {
        !cfg!(target_os = "linux") && *self == Roots::default()
    }

    /// The folders of the processors, `cpu0` first.
    pub(crate) fn cpus(&self) -> Vec<PathBuf> {
        numbered(&self.sys.join("devices/system/cpu"), "cpu")
    }
}

/// A file's text without the space around it; none where it is missing, unreadable or empty.
pub(crate) fn text(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ', '\t']).to_owned();
    Some(text).filter(|t| !t.is_empty())
}

/// A file's text as a number.
pub(crate) fn number<T: FromStr>(path: &Path) -> Option<T> {
    text(path)?.parse().ok()
}

/// What a folder holds, sorted; nothing where it cannot be read.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The entries of a folder called `<prefix><number>`, by their number.
pub(crate) fn numbered(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = entries(folder)
        .into_iter()
        .filter_map(|path| {
            let number = path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, path))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}
