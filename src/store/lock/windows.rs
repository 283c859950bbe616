//! Windows: whoever has the file open lets others read it, and lets nobody else open it for writing. The system
//! closes it when the process ends, however it ends.

use super::{LockError, Taken};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Another has the file open in a way that does not go with this one (`ERROR_SHARING_VIOLATION`).
const SHARING_VIOLATION: i32 = 32;
/// What others may do with the file meanwhile: read it (`FILE_SHARE_READ`), or anything.
const READERS: u32 = 1;
const ALL: u32 = 1 | 2 | 4;
/// A link is opened as itself (`FILE_FLAG_OPEN_REPARSE_POINT`) and known by this attribute.
const AS_ITSELF: u32 = 0x0020_0000;
const REPARSE_POINT: u32 = 0x400;

/// There are no names beside the files.
#[derive(Debug)]
pub(super) enum Name {}

pub(super) fn name_holder(_: Option<&Path>) -> Option<String> {
    None
}

#[expect(clippy::unnecessary_wraps, reason = "other systems can fail")]
pub(super) fn take_name(_: Option<&Path>) -> Result<Option<Name>, LockError> {
    Ok(None)
}

/// Opens what is a plain file under its own name.
fn open_plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(AS_ITSELF).open(path)?;
    let about = file.metadata()?;
    if about.file_attributes() & REPARSE_POINT != 0 {
        return Err(io::Error::other("it is a symbolic link"));
    }
    if !about.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    if winapi_util::file::information(&file)?.number_of_links() > 1 {
        return Err(io::Error::other("it has a second name (a hard link)"));
    }
    Ok(file)
}

/// The file, opened so that its holder's words can be read.
fn to_read(path: &Path) -> io::Result<File> {
    open_plain(OpenOptions::new().read(true).share_mode(ALL), path)
}

/// The file, where somebody has locked it; looks only.
pub(super) fn look(path: &Path) -> io::Result<Option<File>> {
    match open_plain(OpenOptions::new().read(true).share_mode(READERS), path) {
        Ok(_) => Ok(None),
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => to_read(path).map(Some),
        Err(error) => Err(error),
    }
}

/// Locks the file, which is made where there is none.
pub(super) fn take(path: &Path) -> io::Result<Taken> {
    let mut options = OpenOptions::new();
    let opened = open_plain(options.read(true).write(true).create(true).share_mode(READERS), path);
    match opened {
        Ok(file) => Ok(Taken::Mine(file)),
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => {
            to_read(path).map(Taken::Theirs)
        }
        // Another user's, who does not have it open: a reader who shares it with nobody has it as well.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            match open_plain(OpenOptions::new().read(true).share_mode(0), path) {
                Ok(file) => Ok(Taken::Mine(file)),
                Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => {
                    to_read(path).map(Taken::Theirs)
                }
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Windows does not say which process has a file open.
pub(super) fn locked_by(_: &File) -> Option<String> {
    None
}
