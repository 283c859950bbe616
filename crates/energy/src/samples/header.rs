//! Where a file's rows begin: the header, which output of a program may precede.

use std::io::{self, Read};

use super::column::Layout;
use super::error::Fault;

/// No meter writes a line of this many bytes; without a limit a file without line ends would be read into memory
/// as a whole.
pub(super) const LONGEST_ROW: usize = 1 << 20;

/// How far into a file a header is looked for.
const SEARCHED: usize = 1 << 16;

/// A file's beginning, up to and beyond its header.
pub(super) struct Head {
    /// The bytes from the header's line on, as far as they were read.
    pub rest: Vec<u8>,
    /// What separates its fields.
    pub delimiter: u8,
    /// Lines before the header that are not blank, and lines in all.
    pub foreign: u64,
    pub lines: u64,
    /// The first of them.
    pub first: Option<Vec<u8>>,
}

/// Reads on until there is a header: the first line with `Time` and an energy column among its names. Where
/// there is none in reach, the first line with `Time`, or else the first line, stands for it.
///
/// # Errors
///
/// [`Fault::Io`], [`Fault::Empty`], and [`Fault::RowTooLong`] where no line ends.
pub(super) fn find(source: &mut impl Read) -> Result<Head, Fault> {
    let mut start = Vec::new();
    let mut chunk = [0; 4096];
    let (mut looked, mut fallback) = (0, None);
    let mut ended = false;
    loop {
        while let Some(end) = line_end(&start, looked, ended) {
            let line = &start[looked..end];
            if let Some(delimiter) = delimiter(line) {
                if Layout::of(&names(line, delimiter)).is_ok() {
                    return Ok(head(start, looked, delimiter));
                }
                fallback.get_or_insert((looked, delimiter));
            }
            looked = end;
        }
        if ended || (looked > 0 && start.len() > SEARCHED) {
            break;
        }
        if start.len() > LONGEST_ROW {
            return Err(Fault::RowTooLong { limit: LONGEST_ROW });
        }
        match source.read(&mut chunk) {
            Ok(0) => ended = true,
            Ok(n) => start.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Fault::Io(e)),
        }
    }
    if start.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::Empty);
    }
    let (at, delimiter) = fallback.unwrap_or((0, b','));
    Ok(head(start, at, delimiter))
}

fn head(start: Vec<u8>, at: usize, delimiter: u8) -> Head {
    let lines: Vec<&[u8]> = start[..at].split_inclusive(|b| *b == b'\n').collect();
    let foreign: Vec<&[u8]> =
        lines.iter().copied().filter(|l| !l.trim_ascii().is_empty()).collect();
    Head {
        delimiter,
        foreign: foreign.len() as u64,
        lines: lines.len() as u64,
        first: foreign.first().map(|line| line.to_vec()),
        rest: start[at..].to_vec(),
    }
}

/// The end of the line that begins at `from`, its line feed included; at the end of a file a line
/// without one counts as well.
fn line_end(text: &[u8], from: usize, ended: bool) -> Option<usize> {
    let end = text[from..].iter().position(|b| *b == b'\n').map(|at| from + at + 1);
    end.or((ended && from < text.len()).then_some(text.len()))
}

/// The separator that makes `Time` one of a line's fields.
fn delimiter(line: &[u8]) -> Option<u8> {
    let names_time = |delimiter: &u8| names(line, *delimiter).iter().any(|name| name == "Time");
    [b',', b';', b'\t', b'|'].into_iter().find(names_time)
}

fn names(line: &[u8], delimiter: u8) -> Vec<String> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let name = |field: &[u8]| {
        let field = field.trim_ascii();
        let bare = field.strip_prefix(b"\"").and_then(|f| f.strip_suffix(b"\"")).unwrap_or(field);
        String::from_utf8_lossy(bare).trim().to_owned()
    };
    line.split(|b| *b == delimiter).map(name).collect()
}
