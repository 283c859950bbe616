//! A folder of results holds nothing but plain files and folders.

use super::Dir;
use super::kind::Kind;
use std::io;
use std::path::Path;

/// Refuses by name what is neither a plain file nor a folder, in a folder and all those in it.
///
/// # Errors
///
/// The system's; [`NotPlain`](super::NotPlain) with the first such thing.
pub fn only_plain(root: &Path) -> io::Result<()> {
    look(&Dir::open(root)?, 0)
}

/// How deep folders within folders are looked at; an experiment has three levels.
const DEEPEST: usize = 8;

fn look(dir: &Dir, depth: usize) -> io::Result<()> {
    for name in dir.names()? {
        match dir.handle.kind(&name)? {
            None | Some(Kind::File) => {}
            Some(Kind::Folder) if depth < DEEPEST => look(&dir.sub(&name)?, depth + 1)?,
            Some(Kind::Folder) => {}
            Some(other) => return Err(dir.not_plain(&name, other.word())),
        }
    }
    Ok(())
}
