//! Files to which several runs were appended, with time between them.

use std::path::Path;
use std::time::Duration;

use super::{Accountant, Accounts, Wrapping};
use crate::phase::PhaseMark;
use crate::samples::{Fault, ReadError, Reader, Row};

/// As [`account_file`](super::account_file), with a part of its own for each run between holes longer than
/// `hole`: intervals between two samples. Energy in the holes belongs to no part.
///
/// A single sample between two holes makes no part, and the first part's notes tell so. A counter that moves in one part and not in another is frozen there, not absent.
///
/// One pass; memory grows with the number of parts, not with their length.
///
/// # Errors
///
/// The first thing that is wrong with the file, with its row.
pub fn account_file_split(
    path: &Path,
    marks: &[PhaseMark],
    wrapping: &Wrapping,
    hole: Duration,
) -> Result<Vec<Accounts>, ReadError> {
    let hole_ms = hole.as_secs_f64() * 1000.0;
    let mut reader = Reader::open(path)?;
    let new = |reader: &Reader<_>| Accountant::new(reader.columns(), marks, wrapping.clone());
    let mut parts: Vec<(Accountant, u64)> = Vec::new();
    let (mut row, mut last_ms) = (Row::default(), f64::NAN);
    while reader.next_row(&mut row)? {
        if parts.is_empty() || row.time_ms - last_ms > hole_ms {
            parts.push((new(&reader), 0));
        }
        if let Some((part, samples)) = parts.last_mut() {
            part.push(row.line, row.time_ms, &row.values);
            *samples += 1;
        }
        last_ms = row.time_ms;
    }
    let single = parts.iter().filter(|(_, samples)| *samples < 2).count();
    parts.retain(|(_, samples)| *samples >= 2);
    let mut moved = vec![false; reader.columns().len()];
    for (part, _) in &parts {
        for (any, moved) in moved.iter_mut().zip(part.moved()) {
            *any |= moved;
        }
    }
    let of = parts.len();
    let mut all: Vec<Accounts> =
        parts.into_iter().map(|(part, _)| part.finish_knowing(&moved)).collect();
    let Some(first) = all.first_mut() else {
        return Err(Fault::OneSample.at(path, None));
    };
    let mut notes = reader.notes();
    if of > 1 {
        notes.push(format!("it was split at its holes into {of} parts"));
    }
    if single > 0 {
        notes.push(format!("{single} single samples between holes are not part of any trial"));
    }
    first.notes.splice(0..0, notes);
    Ok(all)
}
