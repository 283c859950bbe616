//! Lines of bounded length from a worker.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// No message comes near this; a longer one is not read into memory.
pub(super) const LONGEST_LINE: usize = 16 << 20;

/// Reads lines of bounded length.
pub(super) struct Lines<R> {
    source: R,
    /// What has arrived of the present line.
    line: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Of this source, from where it is.
    pub(crate) fn new(source: R) -> Lines<R> {
        Lines { source, line: Vec::new() }
    }

    /// The next line without its end; `None` after the last. Nothing is lost where this is dropped
    /// before it is ready.
    ///
    /// # Errors
    ///
    /// The system's, and `InvalidData` for a line that is longer than [`LONGEST_LINE`].
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let arrived = self.source.fill_buf().await?;
            if arrived.is_empty() {
                return Ok(None);
            }
            let end = arrived.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(arrived.len());
            self.line.extend_from_slice(&arrived[..taken]);
            self.source.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            if self.line.len() > LONGEST_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}
