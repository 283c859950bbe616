//! The experiment's memory: append-only JSON lines, each on disk before the next step is taken.

mod entries;
mod entry;

use crate::files::{self, Dir};
pub use entries::{Again, Attempts, Read, read_from};
pub use entry::{Entry, EntryKind, SCHEMA};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

/// A journal that could not be read or written.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum JournalError {
    /// The system refused.
    #[error(
        "the journal {path} cannot be {doing}: {source}; nothing that was finished is lost",
        path = path.display()
    )]
    #[diagnostic(help("mend it and run `joulerace resume`"))]
    Io {
        /// The journal.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// A line in its middle is not one of ours.
    #[error("line {line} of the journal {path} cannot be understood ({why}); it was not written by this program or has been edited",
        path = path.display())]
    Malformed {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The parser's word.
        why: String,
    },
}

/// Reads an experiment's journal; a missing one is empty.
///
/// # Errors
///
/// [`JournalError`] where the file cannot be read or a whole line is not one of ours.
pub(crate) fn read(path: &Path) -> Result<Read, JournalError> {
    let opened = files::at(path).and_then(|(folder, name)| folder.open_file(&name));
    match opened {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Read::default()),
        Err(source) => Err(JournalError::Io { path: path.to_owned(), doing: "read", source }),
        Ok(file) => read_from(BufReader::new(file))
            .map_err(|(line, why)| JournalError::Malformed { path: path.to_owned(), line, why }),
    }
}

/// A journal that is being written. Lines are appended, each with a single write.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    name: OsString,
    file: File,
    /// Where it ends, as far as this writer knows.
    end: u64,
}

impl Journal {
    /// Opens a journal to go on with. A torn last line is moved to `<path>.torn`, so that the next
    /// entry begins on a line of its own.
    ///
    /// # Errors
    ///
    /// [`JournalError`] where it cannot be read or written.
    pub(crate) fn open(path: &Path) -> Result<(Journal, Read), JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), doing: "written", source };
        let found = read(path)?;
        let (folder, name) = files::at(path).map_err(io)?;
        let file = folder.append(&name).map_err(io)?;
        if let Some(torn) = &found.torn {
            let mut aside = name.clone();
            aside.push(".torn");
            let mut kept = folder.append(&aside).map_err(io)?;
            writeln!(kept, "{torn}").and_then(|()| kept.sync_data()).map_err(io)?;
            folder.cut(&name, found.whole_bytes).map_err(io)?;
        }
        let end = file.metadata().map_err(io)?.len();
        // A new file is on the disk only once its folder says so.
        folder.sync().map_err(io)?;
        Ok((Journal { path: path.to_owned(), name, file, end }, found))
    }

    /// Writes one entry and waits until it is on the disk. Long words in it are cut, so that what is
    /// written can be read again.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] where the disk is full or gone, or another program writes to the journal;
    /// what a failed write left is taken back, so that the journal still ends with a whole line.
    pub(crate) fn write(&mut self, kind: EntryKind) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), doing: "written", source };
        let entry = Entry { at: jiff::Timestamp::now(), event: kind.bounded() };
        let mut line = serde_json::to_vec(&entry).map_err(|e| io(e.into()))?;
        line.push(b'\n');
        self.still_mine().map_err(io)?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.end += line.len() as u64,
            Err(source) => {
                // If this fails too, the torn line is recognised when the journal is next opened.
                let _ =
                    files::at(&self.path).and_then(|(folder, name)| folder.cut(&name, self.end));
                return Err(io(source));
            }
        }
        Ok(())
    }

    /// A journal that was removed or replaced still accepts writes, but nobody can read them. One that another
    /// program appends to mixes two experiments.
    fn still_mine(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = Dir::open(folder.unwrap_or(Path::new(".")))?;
        folder.still_names(&self.name, &self.file)?;
        match self.file.metadata()?.len() {
            end if end == self.end => Ok(()),
            _ => Err(io::Error::other("another program has written to it meanwhile")),
        }
    }
}

#[cfg(test)]
mod tests;
