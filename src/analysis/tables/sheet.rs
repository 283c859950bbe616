//! A table as it is read: names of columns, and rows of cells.

use super::Kind;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// A column by its place.
    Column(usize),
    /// The repetition in experiment-runner's `__run_id`.
    Repetition(usize),
    /// The folder that the table lies in.
    Folder,
    /// The table's own name.
    File,
}

/// A row of all tables that are read together.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) file: usize,
    pub(super) line: u64,
    pub(super) cells: Vec<Option<String>>,
}

impl Line {
    pub(crate) fn cell(&self, column: usize) -> Option<&str> {
        self.cells.get(column).and_then(|c| c.as_deref())
    }

    pub(super) fn number(&self, column: usize) -> Option<f64> {
        number(self.cell(column)?)
    }
}

/// Tables of one kind as one, with the columns of all.
#[derive(Debug)]
pub(super) struct Sheet {
    pub kind: Kind,
    pub names: Vec<String>,
    pub rows: Vec<Line>,
    pub(super) files: Vec<PathBuf>,
}

impl Sheet {
    /// A column by its name; in any case where no name fits as it is.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        let exact = self.names.iter().position(|n| n == name);
        exact.or_else(|| self.names.iter().position(|n| n.eq_ignore_ascii_case(name)))
    }

    pub(crate) fn levels(&self, column: usize) -> BTreeSet<&str> {
        self.rows.iter().filter_map(|row| row.cell(column)).collect()
    }

    pub(crate) fn combinations(&self, columns: &[usize]) -> usize {
        let key = |row: &Line| {
            columns.iter().map(|c| row.cell(*c).map(str::to_owned)).collect::<Vec<_>>()
        };
        self.rows.iter().map(key).collect::<BTreeSet<_>>().len()
    }

    pub(crate) fn filled(&self, column: usize) -> bool {
        self.rows.iter().any(|row| row.number(column).is_some())
    }

    /// Whether most of what it holds are numbers.
    pub(crate) fn numeric(&self, column: usize) -> bool {
        let all = self.rows.iter().filter(|row| row.cell(column).is_some()).count();
        let numbers = self.rows.iter().filter(|row| row.number(column).is_some()).count();
        all > 0 && 10 * numbers >= 9 * all
    }

    pub(crate) fn text(&self, row: &Line, from: &From) -> Option<String> {
        let file = &self.files[row.file];
        let name = |path: Option<&std::ffi::OsStr>| path.map(|n| n.to_string_lossy().into_owned());
        match from {
            From::Column(c) => row.cell(*c).map(str::to_owned),
            From::Repetition(c) => {
                row.cell(*c)?.rsplit_once("repetition_").map(|(_, n)| n.to_owned())
            }
            From::Folder => name(file.parent().and_then(Path::file_name)),
            From::File => name(file.file_stem()),
        }
    }

    /// Whether any row has a value there.
    pub(crate) fn has(&self, from: &From) -> bool {
        self.rows.iter().any(|row| self.text(row, from).is_some())
    }

    /// Whether rows of the same value stand one after another, a few strays aside.
    pub(crate) fn in_stretches(&self, from: &From) -> bool {
        in_stretches(self.rows.iter().map(|row| self.text(row, from)))
    }

    pub(crate) fn group(&self, row: &Line, of: &[From]) -> String {
        let words: Vec<String> = of.iter().filter_map(|from| self.text(row, from)).collect();
        if words.is_empty() { "(none)".to_owned() } else { words.join(" ") }
    }
}

impl Sheet {
    /// Takes in the rows of another table of its kind.
    pub(super) fn append(&mut self, other: Sheet) {
        let places: Vec<usize> = other
            .names
            .iter()
            .map(|name| {
                self.names.iter().position(|n| n == name).unwrap_or_else(|| {
                    self.names.push(name.clone());
                    self.names.len() - 1
                })
            })
            .collect();
        let first = self.files.len();
        for row in other.rows {
            let mut cells = vec![None; self.names.len()];
            for (cell, place) in row.cells.into_iter().zip(&places) {
                cells[*place] = cell;
            }
            self.rows.push(Line { file: first + row.file, line: row.line, cells });
        }
        self.files.extend(other.files);
    }
}

/// `1,5` as 1.5, as spreadsheets of some countries write it between semicolons.
pub(super) fn decimal(cell: &str) -> String {
    let point = cell.replacen(',', ".", 1);
    if point.parse::<f64>().is_ok() { point } else { cell.to_owned() }
}

pub(super) fn number(cell: &str) -> Option<f64> {
    cell.parse::<f64>().ok().filter(|n| n.is_finite())
}

/// Whether equal values stand one after another, a few strays aside.
pub(super) fn in_stretches<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let values: Vec<T> = values.collect();
    let distinct = values.iter().collect::<BTreeSet<_>>().len();
    let changes = values.windows(2).filter(|pair| pair[0] != pair[1]).count();
    changes * 5 <= distinct * 6
}

/// Unix seconds of a time as it stands in tables; one without a zone is taken as UTC.
pub(super) fn instant(cell: &str) -> Option<f64> {
    // `20260222_150231`, as files are named, is also a number.
    if let Ok(at) =
        jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", cell.replace(['_', '-', 'T'], ""))
        && cell.starts_with("20")
    {
        return utc(at);
    }
    if let Ok(number) = cell.parse::<f64>() {
        // Seconds, or milliseconds, since 1970, up to the year 2096; other numbers are no times.
        return match number {
            n if (1e8..4e9).contains(&n) => Some(n),
            n if (1e11..4e12).contains(&n) => Some(n / 1000.0),
            _ => None,
        };
    }
    if let Ok(at) = cell.parse::<jiff::Timestamp>() {
        return Some(at.as_millisecond() as f64 / 1000.0);
    }
    utc(cell.parse().ok()?)
}

fn utc(civil: jiff::civil::DateTime) -> Option<f64> {
    let at = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(at.as_millisecond() as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tables_write_them() {
        // 2026-02-22 15:02:31 UTC, by date(1).
        let at = 1_771_772_551.0;
        for cell in [
            "2026-02-22T15:02:31Z",
            "2026-02-22 15:02:31",
            "2026-02-22T16:02:31+01:00",
            "20260222_150231",
            "20260222150231",
            "20260222T150231",
            "1771772551",
            "1771772551000",
        ] {
            assert_eq!(instant(cell), Some(at), "{cell}");
        }
        assert_eq!(instant("2026-02-22T15:02:31.250"), Some(at + 0.25));
        for cell in ["12", "20269922_150231", "99999999999999", "yesterday", "-5"] {
            assert_eq!(instant(cell), None, "{cell}");
        }
    }

    #[test]
    fn equal_values_one_after_another_are_stretches_but_for_strays() {
        assert!(in_stretches([1, 1, 2, 2, 3, 3].into_iter()));
        assert!(!in_stretches([1, 2, 3, 1, 2, 3].into_iter()));
        let one_stray = [1, 1, 2, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11];
        assert!(in_stretches(one_stray.into_iter()));
    }
}
