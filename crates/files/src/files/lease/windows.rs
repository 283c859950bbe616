//! Windows: whoever has a file open says what others may do with it meanwhile. A lock on its bytes (`LockFileEx`)
//! would keep others from reading who holds it.

use super::super::Dir;
use super::Taken;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;

/// Another has the file open in a way that does not go with this one (`ERROR_SHARING_VIOLATION`).
const SHARING_VIOLATION: i32 = 32;
/// Others may read it (`FILE_SHARE_READ`), and neither write, remove nor rename it.
const READERS: u32 = 1;

/// Opens the file for this program alone. The system closes it when the process ends, however it ends.
pub(super) fn take(dir: &Dir, name: &OsStr) -> io::Result<Taken> {
    // It is a plain file of one name, or is made as one; the folder cannot be changed for another.
    match dir.append(name) {
        Ok(file) => drop(file),
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => {}
        Err(error) => return Err(error),
    }
    let path = dir.path().join(name);
    let mut options = OpenOptions::new();
    match options.read(true).write(true).share_mode(READERS).open(&path) {
        Ok(file) => Ok(Taken::Mine(file)),
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => {
            dir.open_file(name).map(Taken::Theirs)
        }
        Err(error) => Err(error),
    }
}

/// What differs from machine to machine and from start to start: the machine's name and when it was
/// started, in minutes, as a number from which neither can be told.
pub(super) fn boot() -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    std::env::var_os("COMPUTERNAME").hash(&mut hasher);
    // Written when the system starts, and never later.
    let started = std::env::var_os("SystemRoot").and_then(|root| {
        let log = std::path::Path::new(&root).join("bootstat.dat");
        log.metadata().and_then(|about| about.modified()).ok()
    });
    started.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Asked only where files have no locks, which is nowhere on Windows.
pub(super) fn lives(_: u32) -> bool {
    true
}
