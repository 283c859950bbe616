//! UTF-16, as PowerShell's `>` writes it, read as UTF-8.

use std::io::{self, Read};

const CHUNK: usize = 1 << 14;

/// How a file's characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8 or any superset of ASCII; passed on as it is.
    Bytes,
    /// UTF-16, lower byte first.
    Utf16Le,
    /// UTF-16, higher byte first.
    Utf16Be,
}

/// A source as UTF-8, in bounded memory.
pub(super) struct Text<R> {
    inner: R,
    encoding: Encoding,
    /// Bytes that were read and not handed on or decoded yet.
    raw: Vec<u8>,
    /// Decoded bytes from `given` on.
    decoded: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Text<R> {
    /// Looks at the first bytes: a byte order mark, or ASCII with a zero in every other byte.
    pub(crate) fn new(mut inner: R) -> io::Result<Text<R>> {
        let mut raw = Vec::new();
        // Four bytes are enough, and a file may be shorter.
        inner.by_ref().take(4).read_to_end(&mut raw)?;
        let encoding = match raw.as_slice() {
            [0xff, 0xfe, ..] => Encoding::Utf16Le,
            [0xfe, 0xff, ..] => Encoding::Utf16Be,
            [a, 0, b, 0] if *a != 0 && *b != 0 => Encoding::Utf16Le,
            [0, a, 0, b] if *a != 0 && *b != 0 => Encoding::Utf16Be,
            _ => Encoding::Bytes,
        };
        if matches!(raw.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            raw.drain(..2);
        }
        Ok(Text { inner, encoding, raw, decoded: Vec::new(), given: 0, ended: false })
    }

    /// How the characters are written.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Decodes the next stretch; nothing is left in `decoded` at the end of the source.
    fn decode(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.given = 0;
        while self.decoded.is_empty() && !self.ended {
            let begin = self.raw.len();
            self.raw.resize(begin + CHUNK, 0);
            let count = match self.inner.read(&mut self.raw[begin..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => {
                    self.raw.truncate(begin);
                    return Err(error);
                }
                Ok(count) => {
                    self.ended = count == 0;
                    count
                }
            };
            self.raw.truncate(begin + count);
            let unit = |pair: &[u8]| match self.encoding {
                Encoding::Utf16Be => u16::from_be_bytes([pair[0], pair[1]]),
                _ => u16::from_le_bytes([pair[0], pair[1]]),
            };
            let mut units: Vec<u16> = self.raw.chunks_exact(2).map(unit).collect();
            // Half a pair waits for its other half.
            let high = |unit: &u16| (0xd800..0xdc00).contains(unit);
            if !self.ended && units.last().is_some_and(high) {
                units.pop();
            }
            self.raw.drain(..2 * units.len());
            let mut utf8 = [0; 4];
            for character in char::decode_utf16(units) {
                let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
                self.decoded.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.encoding == Encoding::Bytes {
            if self.raw.is_empty() {
                return self.inner.read(buffer);
            }
            let count = self.raw.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.raw[..count]);
            self.raw.drain(..count);
            return Ok(count);
        }
        if self.given == self.decoded.len() {
            self.decode()?;
        }
        let left = &self.decoded[self.given..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, so that every split is tried.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            buffer[0] = *first;
            Ok(1)
        }
    }

    fn read(bytes: &[u8]) -> String {
        let mut all = String::new();
        Text::new(Trickle(bytes)).unwrap().read_to_string(&mut all).unwrap();
        all
    }

    #[test]
    fn either_byte_order_is_read_with_and_without_a_mark() {
        let text = "Delta,Time\r\n0,1 € 🔋\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&little), text);
        assert_eq!(read(&big), text);
        assert_eq!(read(&[&[0xff, 0xfe], little.as_slice()].concat()), text);
        assert_eq!(read(&[&[0xfe, 0xff], big.as_slice()].concat()), text);
    }

    #[test]
    fn what_is_not_utf_16_is_handed_on_as_it_is() {
        for text in ["", "a", "Delta,Time\n1,2\n", "\u{feff}Delta"] {
            assert_eq!(read(text.as_bytes()), text);
        }
        assert_eq!(read(&[0xff, 0xfe, 0x41, 0, 0x3d, 0xd8]), "A\u{fffd}", "half a pair at the end");
    }
}
