//! Powercap's counter files, held open.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::reader::{Counter, Registers};
use super::zones::Zone;
use super::{Opener, Readable, raw};
use crate::meter::MeterError;
use crate::meter::source::Fault;

/// Powercap counts microjoules.
const PER_J: f64 = 1e6;

/// One counter's file.
struct Open {
    path: PathBuf,
    /// `None` after a failure, until it could be opened again.
    file: Option<Box<dyn Readable>>,
}

impl Open {
    /// Reads once more where the first attempt fails, and the next time through a freshly opened file.
    fn read(&mut self, open: &Opener, errors: &mut u64) -> io::Result<u64> {
        if self.file.is_none() {
            self.file = Some(open(&self.path).inspect_err(|_| *errors += 1)?);
        }
        let Some(file) = self.file.as_deref_mut() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let value = raw(file).or_else(|_| {
            *errors += 1;
            raw(file)
        });
        value.inspect_err(|_| {
            *errors += 1;
            self.file = None;
        })
    }
}

/// The files of all zones.
pub(super) struct Files {
    files: Vec<Open>,
    open: Opener,
}

impl Files {
    /// Opens every zone's counter, and says what each of them is.
    ///
    /// # Errors
    ///
    /// [`MeterError::Counter`] for the first that cannot be opened.
    pub(crate) fn open(zones: &[Zone], open: Opener) -> Result<(Files, Vec<Counter>), MeterError> {
        let (mut files, mut counters) = (Vec::new(), Vec::new());
        for zone in zones {
            let file = open(&zone.energy).map_err(|source| MeterError::Counter {
                file: zone.energy.clone(),
                source: Arc::new(source),
            })?;
            files.push(Open { path: zone.energy.clone(), file: Some(file) });
            counters.push(Counter {
                path: zone.energy.clone(),
                domain: zone.domain,
                per_j: PER_J,
                range: Some(zone.range_uj),
            });
        }
        Ok((Files { files, open }, counters))
    }
}

impl Registers for Files {
    fn read(&mut self, wanted: &[bool], now: &mut [u64], errors: &mut u64) -> Result<(), Fault> {
        let files = self.files.iter_mut().zip(wanted).zip(now);
        for ((file, _), now) in files.filter(|((_, wanted), _)| **wanted) {
            *now = file.read(&self.open, errors).map_err(|source| Fault::File {
                file: file.path.clone(),
                source: Arc::new(source),
            })?;
        }
        Ok(())
    }
}
