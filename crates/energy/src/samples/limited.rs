//! A source whose rows end.

use std::io::{self, Read};

use super::header::LONGEST_ROW;

#[derive(Debug, thiserror::Error)]
#[error("row too long")]
pub(super) struct RowTooLong;

/// Ends reading where one row does not end, and ends the last line where the file does not.
pub(super) struct Limited<R> {
    inner: R,
    /// Bytes that were read since the row began.
    pub(super) since_row: usize,
    last: u8,
}

impl<R: Read> Limited<R> {
    pub(super) fn new(inner: R) -> Self {
        Limited { inner, since_row: 0, last: b'\n' }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row > LONGEST_ROW {
            return Err(io::Error::other(RowTooLong));
        }
        let mut n = self.inner.read(buffer)?;
        if n == 0 && self.last != b'\n' && !buffer.is_empty() {
            buffer[0] = b'\n';
            n = 1;
        }
        if n > 0 {
            self.last = buffer[n - 1];
        }
        self.since_row += n;
        Ok(n)
    }
}
