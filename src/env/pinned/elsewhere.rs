//! Locks of versions that come with an archive: comparing them with the user's own, and taking them over.

use super::{EnvSettings, PinnedLock, folder, platform};
use std::fs;
use std::path::{Path, PathBuf};

/// How a lock from elsewhere compares with the user's own of the same version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is none here.
    New,
    /// It is the one here.
    Same,
    /// Another is used here.
    Other,
}

/// Looks at a lock from elsewhere, of the version `called` so (`jax@0.4.30`); an error is in words why it
/// is of no use here.
pub(crate) fn standing(
    settings: &EnvSettings,
    called: &str,
    text: &str,
) -> Result<Standing, String> {
    let lock = PinnedLock::parse(text)?;
    let path = place(settings, called, &lock)?;
    let own = all_of(settings, called);
    match &own[..] {
        [] => Ok(Standing::New),
        [one] if *one == path && PinnedLock::read(&path).is_ok_and(|own| own == lock) => {
            Ok(Standing::Same)
        }
        _ => Ok(Standing::Other),
    }
}

/// Makes a lock from elsewhere the user's own of that version, in place of any other.
///
/// # Errors
///
/// As [`standing`], or the system's in words.
pub(crate) fn take(settings: &EnvSettings, called: &str, text: &str) -> Result<PathBuf, String> {
    let path = place(settings, called, &PinnedLock::parse(text)?)?;
    let said = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let folder = folder(settings);
    fs::create_dir_all(&folder).map_err(|error| said(&folder, error))?;
    for other in all_of(settings, called).into_iter().filter(|other| *other != path) {
        fs::remove_file(&other).map_err(|error| said(&other, error))?;
    }
    crate::files::replace(&path, text.as_bytes()).map_err(|error| said(&path, error))?;
    Ok(path)
}

/// Where a lock of the version `called` so goes. Name and Python may be a stranger's words.
fn place(settings: &EnvSettings, called: &str, lock: &PinnedLock) -> Result<PathBuf, String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    if !called.contains('@') || called.starts_with('.') || !called.chars().all(letter) {
        return Err(format!("{called:?} is not a framework at a version"));
    }
    Ok(folder(settings).join(format!("{called}-py{}-{}.txt", lock.python, platform())))
}

/// The user's locks of a version, each for another Python.
fn all_of(settings: &EnvSettings, called: &str) -> Vec<PathBuf> {
    let (begin, end) = (format!("{called}-py"), format!("-{}.txt", platform()));
    let entries = fs::read_dir(folder(settings)).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let python = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end));
        python.is_some_and(|python| python.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    entries.map(|entry| entry.path()).filter(is_one).collect()
}
