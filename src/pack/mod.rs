//! An experiment as one archive for a paper's artifact, and what a reader does with it.
//!
//! The archive is a ZIP file and an RO-Crate (<https://w3id.org/ro/crate/1.1>): the experiment's folder with
//! its raw samples, the locks, the scripts' checksums, `CITATION.cff`, `SHA256SUMS` and a description. The
//! same folder gives the same bytes. Reading takes the archive for a stranger's.

mod archive;
mod citation;
mod describe;
mod error;
mod gather;
mod private;
pub(crate) mod tables;
mod unpack;

pub(crate) use archive::{Packed, pack};
pub(crate) use error::PackError;
pub(crate) use unpack::{Unpacked, unpack};

/// The description, at the archive's root.
const METADATA: &str = "ro-crate-metadata.json";
/// Checksums of all other files, as `sha256sum -c` reads them.
const SUMS: &str = "SHA256SUMS";
/// The scripts that ran, by their checksums.
const SCRIPTS: &str = "scripts.sha256";
/// The locks' folder.
const LOCKS: &str = "locks";
/// Whom to cite.
const CITATION: &str = "CITATION.cff";

/// What the command line says of the archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    /// What the archive is called; the treatments and the folder's name where none.
    pub title: Option<String>,
    /// Whose it is.
    pub authors: Vec<String>,
    /// The data's licence, by its SPDX identifier.
    pub license: Option<String>,
}
