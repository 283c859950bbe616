//! Reading samples row by row: only the needed fields are parsed, nothing is allocated per row.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use super::clock::Clock;
use super::column::{Column, Layout};
use super::error::{Fault, ReadError};
use super::foreign::Foreign;
use super::header::{self, LONGEST_ROW};
use super::late::Late;
use super::limited::{Limited, RowTooLong};
use super::text::{Encoding, Text};

const BUFFER: usize = 1 << 16;

/// One sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The line of the file it stands on; the header is line 1.
    pub line: u64,
    /// Unix time of the sample in milliseconds.
    pub time_ms: f64,
    /// One value per [column](Reader::columns), in joules or watts.
    pub values: Vec<f64>,
}

/// What the csv crate reads from: the file from its header on, as UTF-8, with every line ended.
type Lines<R> = Limited<io::Chain<Cursor<Vec<u8>>, Text<R>>>;

/// Reads a file of samples row by row.
pub struct Reader<R> {
    file: PathBuf,
    layout: Layout,
    csv: csv::Reader<Lines<R>>,
    record: csv::ByteRecord,
    header: csv::ByteRecord,
    encoding: Encoding,
    /// Lines before the header's.
    skipped: u64,
    clock: Clock,
    foreign: Foreign,
    late: Option<Late>,
    last_ms: f64,
    last: Vec<f64>,
    rows: u64,
}

impl Reader<File> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is empty, or has no `Time` or no energy column.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|e| Fault::Io(e).at(path, None))?;
        Reader::new(path, file)
    }
}

impl<R: Read> Reader<R> {
    /// Reads a header from `source`; `file` is the name that errors give.
    ///
    /// Fields may be separated by comma, semicolon, tab or bar (EnergiBridge has a flag for it): the
    /// one that makes `Time` a column is taken. UTF-16 is read like UTF-8. What a program printed before
    /// the header is passed over.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`].
    pub fn new(file: &Path, source: R) -> Result<Self, ReadError> {
        let fail = |fault: Fault, row| fault.at(file, row);
        let mut text = Text::new(source).map_err(|e| fail(Fault::Io(e), None))?;
        let encoding = text.encoding();
        let head = header::find(&mut text).map_err(|fault| {
            let row = if matches!(fault, Fault::Empty) { None } else { Some(1) };
            fail(fault, row)
        })?;
        let mut csv = csv::ReaderBuilder::new()
            .delimiter(head.delimiter)
            // Line feeds alone end lines, so that csv counts lines as an editor does; what a
            // carriage return leaves behind is trimmed with the field.
            .terminator(csv::Terminator::Any(b'\n'))
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(Limited::new(Cursor::new(head.rest).chain(text)));
        let mut record = csv::ByteRecord::new();
        let row = Some(head.lines + 1);
        csv.read_byte_record(&mut record).map_err(|e| fail(fault_of(e), row))?;
        let names: Vec<String> =
            record.iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect();
        let layout = Layout::of(&names).map_err(|f| fail(f, row))?;
        let mut foreign = Foreign::default();
        if let Some(first) = &head.first {
            foreign.note(1, head.foreign, first);
        }
        Ok(Reader {
            file: file.to_owned(),
            layout,
            csv,
            header: record.clone(),
            record,
            encoding,
            skipped: head.lines,
            clock: Clock::Unseen,
            foreign,
            late: None,
            last_ms: f64::NEG_INFINITY,
            last: Vec::new(),
            rows: 0,
        })
    }

    /// The columns whose values [`Row::values`] holds.
    pub fn columns(&self) -> &[Column] {
        &self.layout.columns
    }

    /// What was recognised or passed over so far, one short sentence each, without a full stop.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.encoding != Encoding::Bytes {
            notes.push("its text is UTF-16".to_owned());
        }
        if self.clock == Clock::Seconds {
            notes.push("its 'Time' is in seconds, not in milliseconds".to_owned());
        }
        notes.extend(self.late.as_ref().map(Late::note));
        notes.extend(self.foreign.sentence());
        notes
    }

    /// Reads the next sample into `row`; `false` after the last one.
    ///
    /// Lines that are no samples (what a program printed, a summary, the header again) are passed over,
    /// and [`notes`](Reader::notes) tells of them.
    ///
    /// # Errors
    ///
    /// A cut row, a needed field that is empty or no finite number, time that runs backwards or in no
    /// known unit, or a file that ends with fewer than two samples. Fields that are not needed are not
    /// looked at.
    pub fn next_row(&mut self, row: &mut Row) -> Result<bool, ReadError> {
        loop {
            let more = self.next_line();
            // csv counts blank lines before a record as part of it; the line it ends on is right, and
            // csv now stands on the next one.
            let line = self.skipped + self.csv.position().line().saturating_sub(1);
            match more {
                Err(error) => return Err(self.fail(fault_of(error), Some(line))),
                Ok(false) => {
                    return match self.rows {
                        0 => Err(self.fail(Fault::NoSamples, None)),
                        1 => Err(self.fail(Fault::OneSample, None)),
                        _ => self.clock.certain().map(|()| false).map_err(|f| self.fail(f, None)),
                    };
                }
                Ok(true) => {}
            }
            let fault = match self.parse(line, row) {
                Ok(()) => break,
                Err(fault) => fault,
            };
            if !self.is_foreign() {
                return Err(self.explain(fault, line));
            }
            if self.is_header() {
                if !self.is_same_header() {
                    return Err(self.fail(Fault::SecondHeader, Some(line)));
                }
                self.foreign.note(line, 1, b"the header again");
            } else {
                self.foreign.note(line, 1, self.record.as_slice());
            }
        }
        self.last_ms = row.time_ms;
        self.last.clone_from(&row.values);
        self.rows += 1;
        Ok(true)
    }

    /// Reads the next line that is not blank.
    fn next_line(&mut self) -> Result<bool, csv::Error> {
        loop {
            self.csv.get_mut().since_row = 0;
            let more = self.csv.read_byte_record(&mut self.record)?;
            let blank = self.record.len() == 1 && self.record[0].trim_ascii().is_empty();
            if !(more && blank) {
                return Ok(more);
            }
        }
    }

    fn parse(&mut self, line: u64, row: &mut Row) -> Result<(), Fault> {
        let (expected, found) = (self.layout.width, self.record.len());
        if found < expected {
            return Err(Fault::CutRow { expected, found });
        }
        let time = number(&self.record[self.layout.time], "Time")?;
        if self.clock == Clock::Unseen {
            self.clock = Clock::of(time)?;
        }
        row.line = line;
        row.time_ms = time * self.clock.scale();
        if row.time_ms < self.last_ms {
            return Err(Fault::TimeBackwards { before: self.last_ms, after: row.time_ms });
        }
        if matches!(self.clock, Clock::Relative { .. }) && self.rows > 0 {
            let delta = self.layout.delta.and_then(|at| number(&self.record[at], "Delta").ok());
            self.clock.note(row.time_ms - self.last_ms, delta);
        }
        row.values.clear();
        if found > expected {
            return self.parse_longer(row);
        }
        for column in &self.layout.columns {
            row.values.push(number(&self.record[column.index], &column.name)? * column.scale);
        }
        Ok(())
    }

    /// A row with more fields than the header.
    fn parse_longer(&mut self, row: &mut Row) -> Result<(), Fault> {
        let (expected, mut found) = (self.layout.width, self.record.len());
        // A separator at the end of the line makes an empty field, and nothing else.
        while found > expected && self.record[found - 1].trim_ascii().is_empty() {
            found -= 1;
        }
        let more = found - expected;
        for column in &self.layout.columns {
            let at = if more == 0 { column.index } else { Late::place(column, more) };
            row.values.push(number(&self.record[at], &column.name)? * column.scale);
        }
        if more == 0 {
            return Ok(());
        }
        let known = self.late.as_ref().map_or(0, |late| late.more);
        let seconds = (row.time_ms - self.last_ms) / 1000.0;
        let goes_on =
            || self.rows > 0 && Late::goes_on(&self.layout, &self.last, &row.values, seconds);
        let safe = more == known || (more > known && goes_on());
        if !safe {
            return Err(Fault::LongRow { expected, found });
        }
        self.late.get_or_insert(Late { line: row.line, more }).more = more;
        Ok(())
    }

    /// Whether the line at hand does not begin as a row does: neither its `Delta` nor its `Time` is a number. A
    /// line that begins like a row may be a broken one, and is a fault.
    fn is_foreign(&self) -> bool {
        let field = |at: usize| self.record.get(at).unwrap_or_default();
        let is_number = |at: usize| number(field(at), "").is_ok();
        // A quotation mark that is never closed joins lines, and there are rows among them.
        !self.record.as_slice().contains(&b'\n')
            && !is_number(self.layout.time)
            && !self.layout.delta.is_some_and(is_number)
    }

    /// A program may print a word such as `Time` as well; a header has energy beside it.
    fn is_header(&self) -> bool {
        let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let names: Vec<String> = self.record.iter().map(name).collect();
        Layout::of(&names).is_ok()
    }

    fn is_same_header(&self) -> bool {
        let names = |record: &csv::ByteRecord| -> Vec<Vec<u8>> {
            record.iter().map(|name| name.trim_ascii().to_vec()).collect()
        };
        names(&self.record) == names(&self.header)
    }

    /// A row that is cut in the middle of a file was not cut by the meter's end.
    fn explain(&mut self, fault: Fault, line: u64) -> ReadError {
        let Fault::CutRow { expected, found } = fault else { return self.fail(fault, Some(line)) };
        let fault = match self.next_line() {
            Ok(true) => Fault::BrokenRow { expected, found },
            _ => Fault::CutRow { expected, found },
        };
        self.fail(fault, Some(line))
    }

    fn fail(&self, fault: Fault, row: Option<u64>) -> ReadError {
        fault.at(&self.file, row)
    }
}

fn number(field: &[u8], column: &str) -> Result<f64, Fault> {
    let field = field.trim_ascii();
    if field.is_empty() {
        return Err(Fault::Missing { column: column.to_owned() });
    }
    let shown = || String::from_utf8_lossy(&field[..field.len().min(40)]).into_owned();
    let parsed = std::str::from_utf8(field).ok().and_then(|text| text.parse::<f64>().ok());
    match parsed {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(Fault::NotFinite { column: column.to_owned(), text: shown() }),
        None => Err(Fault::NotANumber { column: column.to_owned(), text: shown() }),
    }
}

fn fault_of(error: csv::Error) -> Fault {
    match error.into_kind() {
        csv::ErrorKind::Io(e) if e.get_ref().is_some_and(|e| e.is::<RowTooLong>()) => {
            Fault::RowTooLong { limit: LONGEST_ROW }
        }
        csv::ErrorKind::Io(e) => Fault::Io(e),
        other => Fault::Io(io::Error::other(format!("{other:?}"))),
    }
}

#[cfg(test)]
mod tests;
