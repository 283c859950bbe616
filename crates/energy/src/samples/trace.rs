//! A whole file of samples in memory.

use std::path::{Path, PathBuf};

use super::column::Column;
use super::error::ReadError;
use super::read::{Reader, Row};

/// A file's times and energy columns, and nothing else of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The file it came from.
    pub file: PathBuf,
    /// The energy columns.
    pub columns: Vec<Column>,
    /// Unix time of each sample in milliseconds; never decreasing, at least two.
    pub time_ms: Vec<f64>,
    /// One series per column, in joules or watts, each as long as `time_ms`.
    pub series: Vec<Vec<f64>>,
    /// The line of the file that each sample stands on.
    pub lines: Vec<u64>,
}

/// Reads a whole file of samples.
///
/// Memory grows with the file's rows; [`crate::energy::account_file`] does without.
///
/// # Errors
///
/// The first thing that is wrong with the file, with its row.
pub fn read(path: &Path) -> Result<Trace, ReadError> {
    let mut reader = Reader::open(path)?;
    let columns = reader.columns().to_vec();
    let mut series = vec![Vec::new(); columns.len()];
    let (mut time_ms, mut lines, mut row) = (Vec::new(), Vec::new(), Row::default());
    while reader.next_row(&mut row)? {
        time_ms.push(row.time_ms);
        lines.push(row.line);
        for (series, value) in series.iter_mut().zip(&row.values) {
            series.push(*value);
        }
    }
    Ok(Trace { file: path.to_owned(), columns, time_ms, series, lines })
}
