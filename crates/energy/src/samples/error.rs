//! What can be wrong with a file of samples, to the row.

#![allow(missing_docs, reason = "an error's message says what its fields are")]

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A file of samples that cannot be used.
#[derive(Debug)]
pub struct ReadError {
    pub file: PathBuf,
    /// The line of the file on which it went wrong, the header being line 1; `None` where the fault
    /// is not in one line.
    pub row: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl miette::Diagnostic for ReadError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.fault.help()
    }
}

/// What is wrong with a file of samples. The text names neither file nor row: [`ReadError`] does.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Fault {
    /// The file cannot be opened or read.
    #[error("cannot be read ({0})")]
    #[diagnostic(help("Check that it exists and that you may read it"))]
    Io(io::Error),
    /// The file holds no line.
    #[error("the file is empty. The meter wrote nothing")]
    #[diagnostic(help("run this trial again"))]
    Empty,
    /// No column is called `Time`.
    #[error("there is no column 'Time' in the first line")]
    #[diagnostic(help("Is this a CSV file of EnergiBridge, with its header?"))]
    NoTime,
    /// No column carries the machine's energy.
    #[error("{}", no_energy(.partial))]
    #[diagnostic(help("{}", no_energy_advice(partial)))]
    NoEnergy {
        /// Energy columns that are there but cover only a part of another.
        partial: Vec<String>,
    },
    /// A needed column's name occurs twice.
    #[error("two columns are called '{column}', so it is unclear which one counts")]
    DuplicateColumn {
        /// The name.
        column: String,
    },
    /// The header is there, and nothing below it.
    #[error("there is a header but no sample. The measured command ended before the first one")]
    NoSamples,
    /// Energy is a difference, and there is nothing to subtract.
    #[error("there is one sample only, and energy needs two")]
    #[diagnostic(help("Sample more often (--interval) or measure longer"))]
    OneSample,
    /// The last row has fewer fields than the header.
    #[error(
        "the row is cut: {found} fields where the header has {expected}. The meter was probably killed \
         while writing it"
    )]
    CutRow {
        /// Fields in the header.
        expected: usize,
        /// Fields in this row.
        found: usize,
    },
    /// A row in the middle has fewer fields than the header.
    #[error(
        "the row has {found} fields where the header has {expected}, and more rows follow: something else \
         was printed into it, or a second meter wrote to the same file"
    )]
    BrokenRow {
        /// Fields in the header.
        expected: usize,
        /// Fields in this row.
        found: usize,
    },
    /// A row has more fields than the header.
    #[error(
        "the row has {found} fields where the header has {expected}, and which is which cannot \
         be told. Sensors that are found later do that, and so do decimal commas"
    )]
    #[diagnostic(help("write the file again with decimal points and all columns in its header"))]
    LongRow {
        /// Fields in the header.
        expected: usize,
        /// Fields in this row.
        found: usize,
    },
    /// Another header stands among the rows.
    #[error("a second header with other columns: two files were joined")]
    #[diagnostic(help("Put them apart again"))]
    SecondHeader,
    /// `Time` is in no unit that can be told.
    #[error("'Time' is not in Unix milliseconds (nor seconds): {looks}")]
    #[diagnostic(help("Write it as EnergiBridge does, such as 1771500000200"))]
    TimeUnit {
        /// What it looks like.
        looks: String,
    },
    /// A needed field is empty.
    #[error("'{column}' is empty")]
    Missing { column: String },
    /// A needed field is no number.
    #[error("'{text}' in '{column}' is not a number")]
    #[diagnostic(help("{}", decimal_comma(text)))]
    NotANumber {
        column: String,
        /// What stands there, shortened.
        text: String,
    },
    /// A needed field is NaN or infinite.
    #[error("'{text}' in '{column}' is not a finite number")]
    NotFinite {
        column: String,
        /// What stands there, shortened.
        text: String,
    },
    /// `Time` is smaller than in the row before.
    #[error(
        "time runs backwards, from {before} to {after} ms. The clock was set, or two files were joined"
    )]
    TimeBackwards {
        /// `Time` of the row before, ms.
        before: f64,
        /// `Time` of this row, ms.
        after: f64,
    },
    /// A line is longer than any meter writes.
    #[error("a row is longer than {limit} bytes. This is not a file of samples")]
    RowTooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl Fault {
    /// The fault in a file and, where it has one, on a line (the header is line 1).
    pub(crate) fn at(self, file: impl Into<PathBuf>, row: Option<u64>) -> ReadError {
        ReadError { file: file.into(), row, fault: self }
    }
}

fn no_energy(partial: &[String]) -> String {
    if partial.is_empty() {
        "there is no energy column".to_owned()
    } else {
        format!(
            "the only energy columns ({}) cover a part of the processor or more than the machine's \
             parts, and cannot stand for a total",
            partial.join(", ")
        )
    }
}

fn no_energy_advice(partial: &[String]) -> &'static str {
    match partial.is_empty() {
        true => {
            "EnergiBridge needs the right to read the machine's counters; `joulerace doctor` says which"
        }
        false => "",
    }
}

/// Advice where a text is a number as people write it.
fn decimal_comma(text: &str) -> &'static str {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    // Spaces of several kinds, apostrophes and low lines group digits; so do commas and points.
    let space = |c: char| c.is_whitespace() || ['\'', '’', '_'].contains(&c);
    let bare: String = text.trim_start_matches(['-', '+']).chars().filter(|c| !space(*c)).collect();
    let grouped = text.chars().any(space);
    let parts: Vec<&str> = bare.split([',', '.']).collect();
    if !parts.iter().all(|part| digits(part)) {
        return "";
    }
    match (grouped, bare.matches(',').count(), bare.matches('.').count()) {
        (false, 1, 0) => "It has a decimal comma: write the file again with decimal points",
        (false, 0, 0 | 1) => "",
        (true, 0, 0 | 1) => {
            "Its digits stand in groups: write the file again without spaces in numbers"
        }
        _ => {
            "Its digits stand in groups, with a decimal comma: write the file again with plain numbers and \
             decimal points"
        }
    }
}
