//! One open folder.
//!
//! Each system's own part lies in `dir/unix.rs` and `dir/windows.rs`: opening a name without following links,
//! saying what has a name, moving and removing.

#[cfg(unix)]
#[path = "dir/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "dir/windows.rs"]
mod system;

mod kind;
mod plain;

use kind::Kind;
pub(crate) use kind::NotPlain;
pub use plain::only_plain;
use rand::RngExt as _;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How the names of drafts begin, by which what a killed host left is recognised.
pub const HALF_WRITTEN: &str = ".joulerace-";

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Reading,
    /// At its end, and for reading; made where there is none.
    Appending,
    /// A new one; there is none of that name.
    Making,
    /// One that is there, to be made shorter.
    Cutting,
}

/// An open folder. Names given to its methods are single names, never paths.
#[derive(Debug)]
pub struct Dir {
    handle: system::Handle,
    path: PathBuf,
}

impl Dir {
    /// Opens the folder that a user named: links on the way to it are the user's own and are followed.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn open(path: &Path) -> io::Result<Dir> {
        Ok(Dir { handle: system::Handle::open(path)?, path: path.to_owned() })
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder `name` in it.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`] where the name is a link or no folder.
    pub fn sub(&self, name: &OsStr) -> io::Result<Dir> {
        self.expect(name, Kind::Folder)?;
        Ok(Dir { handle: self.handle.sub(name)?, path: self.path.join(name) })
    }

    /// The folder `name` in it, made where there is none.
    ///
    /// # Errors
    ///
    /// As [`sub`](Dir::sub).
    pub fn make(&self, name: &OsStr) -> io::Result<Dir> {
        match self.handle.make(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.sub(name),
        }
    }

    /// Whether something has this name, a link that leads nowhere included.
    pub fn has(&self, name: &OsStr) -> bool {
        self.handle.kind(name).is_ok_and(|found| found.is_some())
    }

    fn not_plain(&self, name: &OsStr, what: &'static str) -> io::Error {
        NotPlain { path: self.path.join(name), what }.into_io()
    }

    /// Whether `name` is there and of that kind; anything else there is an error.
    fn expect(&self, name: &OsStr, wanted: Kind) -> io::Result<bool> {
        match self.handle.kind(name)? {
            None => Ok(false),
            Some(kind) if kind == wanted => Ok(true),
            Some(kind) => Err(self.not_plain(name, kind.word())),
        }
    }

    fn file(&self, name: &OsStr, what_for: For) -> io::Result<File> {
        self.expect(name, Kind::File)?;
        // The name may come to belong to something else in between, so it is looked at again once it is open.
        let opened = self.handle.file(name, what_for)?;
        if opened.kind != Kind::File {
            return Err(self.not_plain(name, opened.kind.word()));
        }
        // A second name may be a file of the user's own, elsewhere.
        if what_for != For::Reading && opened.names > 1 {
            return Err(self.not_plain(name, "a file with a second name (a hard link)"));
        }
        Ok(opened.file)
    }

    /// A plain file, to be read.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`].
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, For::Reading)
    }

    /// A plain file's content, of at most `most` bytes.
    ///
    /// # Errors
    ///
    /// As [`open_file`](Dir::open_file), and `InvalidData` where it is longer.
    pub fn read(&self, name: &OsStr, most: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open_file(name)?.take(most + 1).read_to_end(&mut content)?;
        if content.len() as u64 > most {
            let why = format!("it is longer than {most} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(content)
    }

    /// A plain file to be read and appended to, made where there is none.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`], hard links included.
    pub fn append(&self, name: &OsStr) -> io::Result<File> {
        self.file(name, For::Appending)
    }

    /// Cuts off what a plain file holds beyond `length` bytes. Windows lets nobody do so who has the file
    /// open for appending only.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`], hard links included.
    pub fn cut(&self, name: &OsStr, length: u64) -> io::Result<()> {
        self.file(name, For::Cutting)?.set_len(length)
    }

    /// Waits until a plain file's content is on the disk. Windows does so for those only who may write to it.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`].
    pub fn flush(&self, name: &OsStr) -> io::Result<()> {
        let what_for = if cfg!(windows) { For::Cutting } else { For::Reading };
        self.file(name, what_for)?.sync_all()
    }

    /// A new file, to be written, in the place of a plain file of that name: nobody who has the old one
    /// open or under another name is written to, and the name is never free in between, as another
    /// program may have taken it to be.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`].
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        if !self.expect(name, Kind::File)? {
            return self.file(name, For::Making);
        }
        let (draft, file) = self.draft()?;
        match self.handle.rename(&draft, &self.handle, name) {
            Ok(()) => Ok(file),
            Err(error) => {
                let _ = self.remove(&draft);
                Err(error)
            }
        }
    }

    /// A new file under a name that nobody guesses.
    fn draft(&self) -> io::Result<(OsString, File)> {
        let name = OsString::from(format!("{HALF_WRITTEN}{:032x}", rand::rng().random::<u128>()));
        let file = self.file(&name, For::Making)?;
        Ok((name, file))
    }

    /// Removes a plain file, if it is there.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`].
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        if self.expect(name, Kind::File)? {
            self.handle.unlink(name)?;
        }
        Ok(())
    }

    /// Replaces a file as a whole; it is on the disk when this returns. Its mode follows the umask.
    ///
    /// # Errors
    ///
    /// The system's, and nothing of the old file is lost; [`NotPlain`] where something else has its
    /// name.
    pub fn replace(&self, name: &OsStr, content: &[u8]) -> io::Result<()> {
        self.expect(name, Kind::File)?;
        let (draft, mut file) = self.draft()?;
        let written = file
            .write_all(content)
            .and_then(|()| file.sync_data())
            .and_then(|()| self.handle.rename(&draft, &self.handle, name));
        if let Err(error) = written {
            let _ = self.remove(&draft);
            return Err(error);
        }
        self.sync()
    }

    /// Moves a plain file into another open folder, under a name that is free there.
    ///
    /// # Errors
    ///
    /// The system's; [`NotPlain`].
    pub fn move_to(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        self.expect(name, Kind::File)?;
        self.handle.rename(name, &to.handle, new)
    }

    /// Waits until names that were given, taken or changed here are on the disk.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn sync(&self) -> io::Result<()> {
        self.handle.sync()
    }

    /// What is in it, sorted, without `.` and `..`.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = self.handle.names()?;
        names.sort();
        Ok(names)
    }

    /// The same file as `file`, under `name`, still?
    ///
    /// # Errors
    ///
    /// The system's, or an error of its own where the name is now another file's.
    pub fn still_names(&self, name: &OsStr, file: &File) -> io::Result<()> {
        match self.handle.identity(name)? {
            Some(there) if there == system::identity(file)? => Ok(()),
            Some(_) => Err(io::Error::other("another file has taken its place")),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The folder of a file, which is no link, and the file's name.
///
/// # Errors
///
/// The system's; [`NotPlain`].
pub fn at(path: &Path) -> io::Result<(Dir, OsString)> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let dir = match folder.map(|folder| (folder, folder.parent(), folder.file_name())) {
        None => Dir::open(Path::new("."))?,
        Some((_, Some(above), Some(last))) => {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            Dir::open(above)?.sub(last)?
        }
        Some((folder, ..)) => Dir::open(folder)?,
    };
    Ok((dir, name.to_owned()))
}

#[cfg(all(test, unix))]
mod tests;
