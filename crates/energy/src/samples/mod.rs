//! EnergiBridge's CSV format: what its columns mean, and reading it row by row.
//!
//! The format is one header line, then one line per sample. `Delta` and `Time` come first, then whatever the
//! machine has, sorted by name; [`mod@column`] says which of those names carry energy. Durations come from `Time`
//! (Unix milliseconds; seconds are recognised), never from `Delta`. What a program printed may stand around the
//! rows, where output was redirected; [`Reader::notes`] says so.

mod clock;
pub mod column;
pub(crate) mod domain;
pub(crate) mod error;
mod foreign;
mod header;
mod late;
mod limited;
pub mod read;
mod text;
mod trace;
pub mod write;

pub use column::{Column, Quantity};
pub use domain::Domain;
pub use error::{Fault, ReadError};
pub use read::Reader;
pub use read::Row;
pub(crate) use trace::Trace;
pub use trace::read;
