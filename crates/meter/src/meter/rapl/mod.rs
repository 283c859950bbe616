//! The built-in meter: RAPL's energy counters through the kernel's powercap files.
//!
//! Every package of every socket, its DRAM, and, for information and only now and then, its cores.
//! Columns carry what all sockets together drew since the first reading, wraps undone; a counter that was
//! set back lets its column fall to 0, so that whoever reads the file sees that energy is missing there.

mod counter;
mod probe;
mod reader;
mod zones;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::proc::{number, read_at_start};
pub(crate) use probe::Rapl;
pub(crate) use reader::Reader;

/// Longest text of an `energy_uj`: a 64-bit number and a newline.
const LINE: usize = 32;

/// An open counter file; tests put failing ones in its place.
pub(crate) trait Readable: Send {
    /// Reads from the file's start.
    fn read_start(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Readable for File {
    fn read_start(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_at_start(self, buffer)
    }
}

/// How counter files are opened.
pub(crate) type Opener = Arc<dyn Fn(&Path) -> io::Result<Box<dyn Readable>> + Send + Sync>;

/// Opens the kernel's files.
pub(crate) fn files() -> Opener {
    Arc::new(|path| Ok(Box::new(File::open(path)?)))
}

/// One counter's present value in microjoules.
fn raw(file: &mut dyn Readable) -> io::Result<u64> {
    let mut line = [0u8; LINE];
    let length = file.read_start(&mut line)?;
    let text = line[..length].trim_ascii();
    number(text).ok_or_else(|| {
        let text = String::from_utf8_lossy(text);
        io::Error::new(io::ErrorKind::InvalidData, format!("'{text}' is no number"))
    })
}

#[cfg(test)]
mod tests;
