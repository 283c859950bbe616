//! Files in folders that anyone may have made: only plain files are followed, truncated or waited for, and a file
//! that replaces another is whole before it takes its name.
//!
//! Experiments are passed around, and one that was unpacked may hold links to the reader's own files,
//! pipes that block, and names that are guessed. So a folder is opened once and its files are reached
//! through it, without following links at any step below.

mod dir;
mod lease;
mod scratch;

pub use dir::{Dir, HALF_WRITTEN, at, only_plain};
pub use lease::{FolderLock, InUse};
pub use scratch::Scratch;

use serde::Serialize;
use std::fs::File;
use std::io;
use std::path::Path;

/// Replaces a file as a whole: its readers see the old one or the new one, never half of either.
///
/// # Errors
///
/// The system's, and nothing of the old file is lost; [`NotPlain`](dir::NotPlain) where something else
/// has its name.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (folder, name) = at(path)?;
    folder.replace(&name, content)
}

/// [`replace`] with pretty-printed JSON in which the user's home folder is written `~`.
///
/// # Errors
///
/// As [`replace`].
pub fn replace_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let value = crate::clean::private_json(serde_json::to_value(value)?);
    let mut text = serde_json::to_vec_pretty(&value)?;
    text.push(b'\n');
    replace(path, &text)
}

/// A new file of this name, open for writing; a plain file that has the name is removed first.
///
/// # Errors
///
/// The system's; [`NotPlain`](dir::NotPlain) where something else has the name.
pub fn create(path: &Path) -> io::Result<File> {
    let (folder, name) = at(path)?;
    folder.create(&name)
}

/// A plain file's content, of at most `most` bytes.
///
/// # Errors
///
/// The system's; [`NotPlain`](dir::NotPlain); `InvalidData` where it is longer.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (folder, name) = at(path)?;
    folder.read(&name, most)
}
