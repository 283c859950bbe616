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
        let values: Vec<Option<String>> =
            self.rows.iter().map(|row| self.text(row, from)).collect();
        let distinct = values.iter().collect::<BTreeSet<_>>().len();
        let changes = values.windows(2).filter(|pair| pair[0] != pair[1]).count();
        changes * 5 <= distinct * 6
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
