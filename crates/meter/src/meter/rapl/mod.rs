//! The built-in meter: RAPL's energy counters, through the kernel's powercap files or, where these cannot be
//! read, through its performance events.
//!
//! Every package of every socket, its DRAM, and, for information and only now and then, its cores.
//! Columns carry what all sockets together drew since the first reading, wraps undone; a counter that was
//! set back lets its column fall to 0, so that whoever reads the file sees that energy is missing there.
//! Either way gives the same columns under the same names, so that files of both can be compared.

mod counter;
mod files;
mod mirror;
mod perf;
mod probe;
mod reader;
mod still;
mod zones;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::proc::{number, read_at_start};
use super::{Counter, MeterError};
pub(crate) use perf::kernel;
pub(crate) use probe::Powercap;
pub(crate) use reader::Reader;

/// Where the two ways in look.
#[derive(Debug)]
pub(super) struct Roots<'a> {
    pub powercap: &'a Path,
    /// None where only powercap is to be read.
    pub events: Option<&'a Path>,
    pub cpu: &'a Path,
    pub proc: &'a Path,
}

/// RAPL by the way in that works on this machine.
#[derive(Debug, Clone)]
pub(crate) enum Rapl {
    Powercap(Powercap),
    Perf {
        perf: perf::Perf,
        /// Why it is not powercap.
        instead: String,
        /// Where to look for reasons if it cannot be opened any more.
        proc: PathBuf,
    },
}

impl Rapl {
    /// Powercap where it can be read, else performance events.
    ///
    /// # Errors
    ///
    /// Why powercap cannot be read, or [`MeterError::NeitherWay`] with both reasons.
    pub(crate) fn probe(
        roots: &Roots<'_>,
        files: &Opener,
        kernel: &perf::Opener,
    ) -> Result<Rapl, MeterError> {
        let refused = match Powercap::probe(roots.powercap, files) {
            Ok(powercap) => return Ok(Rapl::Powercap(powercap)),
            Err(refused) => refused,
        };
        let Some(events) = roots.events else { return Err(refused) };
        match perf::Perf::probe(events, roots.cpu, roots.proc, kernel) {
            Ok(perf) => {
                let (instead, proc) = (refused.to_string(), roots.proc.to_owned());
                Ok(Rapl::Perf { perf, instead, proc })
            }
            Err(perf) => Err(MeterError::NeitherWay { powercap: Box::new(refused), perf }),
        }
    }

    /// The counters, for the record.
    pub(crate) fn counters(&self) -> Vec<Counter> {
        match self {
            Rapl::Powercap(powercap) => powercap.counters(),
            Rapl::Perf { perf, .. } => perf.counters(),
        }
    }

    /// The way in, in words.
    pub(crate) fn way(&self) -> &'static str {
        match self {
            Rapl::Powercap(_) => "powercap",
            Rapl::Perf { .. } => "perf events",
        }
    }

    /// Counters that are shown and never move, by name.
    pub(crate) fn absent(&self) -> &[String] {
        match self {
            Rapl::Powercap(powercap) => &powercap.absent,
            Rapl::Perf { perf, .. } => &perf.absent,
        }
    }

    /// What to know about its numbers.
    pub(crate) fn notes(&self) -> Vec<String> {
        match self {
            Rapl::Powercap(powercap) => powercap.notes.clone(),
            Rapl::Perf { perf, instead, .. } => {
                let why = instead.lines().next().unwrap_or_default();
                let mut notes =
                    vec![format!("read through perf events, not through powercap: {why}")];
                notes.extend(perf.notes.iter().cloned());
                notes
            }
        }
    }

    /// Opens every counter for a session.
    ///
    /// # Errors
    ///
    /// The first that cannot be opened any more.
    pub(crate) fn open(&self, files: Opener, kernel: &perf::Opener) -> Result<Reader, MeterError> {
        Ok(match self {
            Rapl::Powercap(powercap) => powercap.open(files)?,
            Rapl::Perf { perf, proc, .. } => perf.open(proc, kernel)?,
        })
    }
}

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
        io::Error::new(io::ErrorKind::InvalidData, format!("expected a number, not '{text}'"))
    })
}

#[cfg(test)]
mod tests;
