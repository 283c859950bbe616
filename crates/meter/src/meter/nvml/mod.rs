//! Graphics cards, through NVIDIA's management library, which is opened at run time.
//!
//! To ask for a card's energy can take its driver milliseconds of processor time (3.1 ms on an H100 with
//! driver 580), to ask for its power microseconds. So the counter is read at the edges and otherwise no more
//! often than costs a hundredth of a processor; rows in between repeat it.
//!
//! A card's counter is not believed blindly: it moves in steps, whose period is found at the start; it is
//! held against its power, integrated; and it is watched for standing still and for falling. What a card
//! reads is of the whole card, whoever uses it.

mod card;
mod probe;
mod reader;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nvml_wrapper::Nvml;

use super::GpuError;

pub use card::cards;
pub(crate) use probe::Cards;
pub(crate) use reader::CardReader;

/// The libraries that were opened. They stay open: to open one takes long, and without anyone who holds it
/// open the driver may put the card to sleep between two trials.
static OPEN: Mutex<BTreeMap<PathBuf, &'static Nvml>> = Mutex::new(BTreeMap::new());

/// The library at `path`, opened now or before.
fn library(path: &Path) -> Result<&'static Nvml, GpuError> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = open.get(path) {
        return Ok(library);
    }
    let library = Nvml::builder()
        .lib_path(path.as_os_str())
        .init()
        .map_err(|error| GpuError::of_driver(&error, path))?;
    let library: &'static Nvml = Box::leak(Box::new(library));
    open.insert(path.to_owned(), library);
    Ok(library)
}
