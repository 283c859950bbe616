//! Folders of one user's in a place that everybody may write to.

use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Makes a folder that only this user can enter; it is an error where there is one.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// What is locked while the folder is in use: itself.
pub(super) fn lock_of(folder: &Path) -> io::Result<File> {
    File::open(folder)
}

/// Whether this user made it.
pub(super) fn is_mine(about: &Metadata) -> bool {
    about.uid() == nix::unistd::geteuid().as_raw()
}

/// Where such a folder can be beside the folder for temporary files.
pub(super) fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> =
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().collect();
    places.extend(["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from));
    places
}
