//! Folders in the user's own folder for temporary files (`%TEMP%`), which others cannot enter.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Makes a folder; it is an error where there is one. It inherits who may enter from `%TEMP%`.
pub(super) fn make(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

/// What is locked while the folder is in use: a file in it, as a folder cannot be.
pub(super) fn lock_of(folder: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(folder.join(".in-use"))
}

/// `%TEMP%` is one user's.
pub(super) fn is_mine(_: &Metadata) -> bool {
    true
}

/// Where such a folder can be beside the folder for temporary files.
pub(super) fn places() -> Vec<PathBuf> {
    let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    local.map(|local| local.join("Temp")).into_iter().collect()
}
