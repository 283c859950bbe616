//! Checks IDX files, gzipped or plain, in one pass and with a fixed amount of memory.
//!
//! The format: big-endian; two zero bytes, a type byte (8: unsigned byte), the number of
//! dimensions, each dimension as a 32-bit number, then the values
//! (<http://yann.lecun.com/exdb/mnist/>, "file formats for the MNIST database").

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// Images are this many pixels high and wide: what the network takes.
pub const SIDE: u32 = 28;
/// Labels are below this.
pub(crate) const CLASSES: u8 = 10;
/// A header with more items than this counts as damaged. MNIST has 60,000, EMNIST 814,255.
pub const MOST_ITEMS: u32 = 1_000_000;

/// What a file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Three dimensions: images × 28 × 28 pixels.
    Images,
    /// One dimension: labels from 0 to 9.
    Labels,
}

impl Content {
    /// The four bytes that such a file begins with.
    pub fn magic(self) -> [u8; 4] {
        [0, 0, 8, if self == Self::Images { 3 } else { 1 }]
    }
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum IdxError {
    /// It ends before its header does.
    #[error("it ends within its header, after {0} bytes")]
    Header(usize),
    /// It begins with other bytes.
    #[error("it begins with {found:02x?}, but an IDX file of {what} begins with {wanted:02x?}")]
    Magic {
        /// Its first four bytes.
        found: [u8; 4],
        /// What they should be.
        wanted: [u8; 4],
        /// `images` or `labels`.
        what: &'static str,
    },
    /// Its images have another size.
    #[error("its images are {rows} by {columns} pixels, not {SIDE} by {SIDE}")]
    Size {
        /// Height in pixels.
        rows: u32,
        /// Width in pixels.
        columns: u32,
    },
    /// It claims to hold nothing, or too much to be true.
    #[error("its header says {0} items; 1 to {MOST_ITEMS} are expected")]
    Count(u32),
    /// It ends too early.
    #[error("it is cut short: its header promises {promised} bytes of values, it holds {found}")]
    Short {
        /// From the header.
        promised: u64,
        /// Counted.
        found: u64,
    },
    /// It goes on after its values.
    #[error("it goes on after the {0} bytes of values that its header promises")]
    Long(u64),
    /// It goes on after its gzip stream.
    #[error("something follows its gzip stream")]
    Trailing,
    /// A label is none.
    #[error("label {index} is {value}; labels are 0 to 9")]
    Label {
        /// Which label, from 0.
        index: u64,
        /// What stands there.
        value: u8,
    },
    /// It is named `.gz` but is not.
    #[error("it is not gzipped, though its name says so")]
    NotGzipped,
    /// The compressed data are damaged, cut short, or not what their checksum says.
    #[error("its gzip stream is damaged or cut short ({0})")]
    Gzip(io::Error),
    /// It cannot be read.
    #[error("it cannot be read ({0})")]
    Read(io::Error),
}

/// Reads a whole file, gzipped or plain, and returns how many items it holds. `seen` gets the
/// file's values and header as they are decompressed.
///
/// Memory does not depend on the file: a stream that decompresses to more than its header
/// promises is given up at the first byte too many.
///
/// # Errors
/// The first thing in the file that is not as it should be.
pub fn check(
    source: impl Read,
    content: Content,
    seen: &mut dyn FnMut(&[u8]),
) -> Result<u32, IdxError> {
    let mut source = BufReader::with_capacity(64 * 1024, source);
    let gzipped = source.fill_buf().map_err(IdxError::Read)?.starts_with(&[0x1f, 0x8b]);
    if !gzipped {
        return check_plain(&mut source, content, seen, IdxError::Read);
    }
    let mut decoder = GzDecoder::new(source);
    let items = check_plain(&mut decoder, content, seen, IdxError::Gzip)?;
    // The decoder compared the checksum when it met its stream's end.
    let rest = decoder.into_inner().fill_buf().map_err(IdxError::Read)?.len();
    if rest > 0 { Err(IdxError::Trailing) } else { Ok(items) }
}

fn check_plain(
    source: &mut impl Read,
    content: Content,
    seen: &mut dyn FnMut(&[u8]),
    fail: fn(io::Error) -> IdxError,
) -> Result<u32, IdxError> {
    let mut header = [0; 16];
    let (length, what) = match content {
        Content::Images => (16, "images"),
        Content::Labels => (8, "labels"),
    };
    let header = &mut header[..length];
    let found = read_full(source, header).map_err(fail)?;
    let start = header[..found].first_chunk::<4>();
    if let Some(&found) = start
        && found != content.magic()
    {
        return Err(IdxError::Magic { found, wanted: content.magic(), what });
    }
    if found < length {
        return Err(IdxError::Header(found));
    }
    seen(header);
    let number =
        |i: usize| u32::from_be_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
    let items = number(4);
    if !(1..=MOST_ITEMS).contains(&items) {
        return Err(IdxError::Count(items));
    }
    let promised = match content {
        Content::Labels => u64::from(items),
        Content::Images => {
            let (rows, columns) = (number(8), number(12));
            if (rows, columns) != (SIDE, SIDE) {
                return Err(IdxError::Size { rows, columns });
            }
            u64::from(items) * u64::from(SIDE) * u64::from(SIDE)
        }
    };
    let mut buffer = vec![0; 64 * 1024];
    let mut done = 0;
    loop {
        let count = read_full(source, &mut buffer).map_err(fail)?;
        if count == 0 {
            break;
        }
        let values = &buffer[..count];
        if content == Content::Labels
            && let Some(at) = values.iter().position(|value| *value >= CLASSES)
        {
            return Err(IdxError::Label { index: done + at as u64, value: values[at] });
        }
        done += count as u64;
        if done > promised {
            return Err(IdxError::Long(promised));
        }
        seen(values);
    }
    if done < promised { Err(IdxError::Short { promised, found: done }) } else { Ok(items) }
}

/// Fills `buffer` as far as the source reaches, and says how far that is.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match source.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
