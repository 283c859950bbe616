//! The file that a command's samples go to.

use std::path::{Path, PathBuf};

use super::error::MeasureError;
use crate::meter::MeterError;

/// Makes an empty `measure_<date>_<time>.csv` in `folder` that nobody else has: another one of the
/// same second gets a number behind its name.
///
/// # Errors
///
/// The folder cannot be written.
pub fn free_file(folder: &Path) -> std::io::Result<PathBuf> {
    let now = jiff::ZonedDateTime::now();
    let stem = format!("measure_{}", now.strftime("%Y-%m-%d_%H-%M-%S"));
    let folder = if folder == Path::new(".") { Path::new("") } else { folder };
    let names = std::iter::once(format!("{stem}.csv"));
    first_free(names.chain((2u64..).map(|n| format!("{stem}_{n}.csv"))).map(|n| folder.join(n)))
}

/// Makes the first of these files that is not there yet, empty.
///
/// # Errors
///
/// The system's.
pub fn first_free(paths: impl Iterator<Item = PathBuf>) -> std::io::Result<PathBuf> {
    for path in paths {
        match std::fs::File::create_new(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

/// Takes away a file that was only made to hold its name.
pub fn remove_if_empty(path: &Path) {
    if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        let _ = std::fs::remove_file(path);
    }
}

/// The file of samples cannot be made.
pub(crate) fn unmade(path: &Path, source: std::io::Error) -> MeasureError {
    MeterError::Create { path: path.to_owned(), source: std::sync::Arc::new(source) }.into()
}
