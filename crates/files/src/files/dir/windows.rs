//! A folder by its path, which stays that folder's: it is held open without the right to rename or remove
//! it, and what lies below is opened as itself and not as what it may lead to (reparse points: symbolic
//! links, junctions, mount points).

use super::{For, Kind};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

/// What lets a folder be opened, what keeps a link from being followed, and what a link is known by
/// (`CreateFileW`, file attribute constants).
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
/// What others may do meanwhile: read and write in it, not rename or remove it.
const FILE_SHARE_READ_WRITE: u32 = 1 | 2;
/// "Access denied" where a name is not a file's but a folder's that is about to go.
const ERROR_DELETE_PENDING: i32 = 303;

/// An open folder.
#[derive(Debug)]
pub(super) struct Handle {
    _open: File,
    path: PathBuf,
}

/// A file that was opened, and what it turned out to be.
pub(super) struct Opened {
    pub file: File,
    pub kind: Kind,
    /// How many names it has.
    pub names: u64,
}

/// What tells a file from every other one: the volume's number and the file's there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

/// Which file is open.
pub(super) fn identity(file: &File) -> io::Result<Identity> {
    let about = winapi_util::file::information(file)?;
    Ok(Identity(about.volume_serial_number(), about.file_index()))
}

fn kind(about: &Metadata) -> Kind {
    if about.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        Kind::Link
    } else if about.is_dir() {
        Kind::Folder
    } else {
        Kind::File
    }
}

fn open_folder(path: &Path, flags: u32) -> io::Result<Handle> {
    let open = OpenOptions::new()
        .read(true)
        .share_mode(FILE_SHARE_READ_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags)
        .open(path)?;
    match kind(&open.metadata()?) {
        Kind::Folder => {}
        // The user's own link to a file system or a folder of a cloud was followed by the system.
        Kind::Link if flags == 0 && open.metadata()?.is_dir() => {}
        _ => return Err(io::ErrorKind::NotADirectory.into()),
    }
    Ok(Handle { _open: open, path: std::path::absolute(path)? })
}

impl Handle {
    pub(crate) fn open(path: &Path) -> io::Result<Handle> {
        open_folder(path, 0)
    }

    pub(crate) fn sub(&self, name: &OsStr) -> io::Result<Handle> {
        open_folder(&self.at(name)?, FILE_FLAG_OPEN_REPARSE_POINT)
    }

    /// The path of a name in it. `a:b` would be a stream of the file `a`.
    fn at(&self, name: &OsStr) -> io::Result<PathBuf> {
        let mut parts = Path::new(name).components();
        let single = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        if !single || name.as_encoded_bytes().contains(&b':') {
            let why = format!("'{}' cannot be the name of a file", name.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(self.path.join(name))
    }

    pub(crate) fn make(&self, name: &OsStr) -> io::Result<()> {
        std::fs::create_dir(self.at(name)?)
    }

    pub(crate) fn kind(&self, name: &OsStr) -> io::Result<Option<Kind>> {
        match std::fs::symlink_metadata(self.at(name)?) {
            Ok(about) => Ok(Some(kind(&about))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(ERROR_DELETE_PENDING) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn identity(&self, name: &OsStr) -> io::Result<Option<Identity>> {
        let opened = OpenOptions::new()
            .access_mode(0)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(self.at(name)?);
        match opened {
            Ok(file) => identity(&file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn file(&self, name: &OsStr, what_for: For) -> io::Result<Opened> {
        let mut options = OpenOptions::new();
        match what_for {
            For::Reading => options.read(true),
            For::Appending => options.read(true).append(true).create(true),
            For::Cutting => options.write(true),
            For::Making => options.write(true).create_new(true),
        };
        let file = options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(self.at(name)?)?;
        let kind = kind(&file.metadata()?);
        let names = winapi_util::file::information(&file)?.number_of_links();
        Ok(Opened { file, kind, names })
    }

    /// Over an existing file, in one step.
    pub(crate) fn rename(&self, name: &OsStr, to: &Handle, new: &OsStr) -> io::Result<()> {
        std::fs::rename(self.at(name)?, to.at(new)?)
    }

    pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        std::fs::remove_file(self.at(name)?)
    }

    /// NTFS keeps a journal of names by itself, and lets nobody but an administrator flush it.
    #[expect(clippy::unused_self, reason = "other systems need the folder for it")]
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name())).collect()
    }
}
