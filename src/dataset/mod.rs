//! The images that the frameworks train on: MNIST where it can be had, else handwritten digits
//! brought to its shape. Files are checked before any worker reads them.

mod download;
mod error;
pub mod idx;
pub mod mnist;
mod prepare;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use error::DatasetError;
pub use prepare::prepare;
pub(crate) use prepare::{Found, find};

/// The seed that `digits` is made with.
pub(crate) const DIGITS_SEED: u64 = 42;
/// The name of the folder with `digits`; it changes whenever what is made changes.
pub const DIGITS_FOLDER: &str = "digits-v1-seed42";

/// What `--dataset` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// MNIST where it can be had, else digits.
    #[default]
    Auto,
    /// MNIST's four IDX files, downloaded where they are missing.
    Mnist,
    /// scikit-learn's handwritten digits, brought to MNIST's size.
    Digits,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Mnist => "mnist",
            Self::Digits => "digits",
        })
    }
}

/// What the data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// MNIST's four files.
    Mnist,
    /// `digits`, in four files of the same names and shapes.
    Digits,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mnist => "mnist",
            Self::Digits => "digits",
        })
    }
}

/// Where data are looked for.
#[derive(Debug, Clone)]
pub struct DatasetSettings {
    /// `--dataset`.
    pub name: Choice,
    /// `--data-dir`: where MNIST's four files are or go; without it, a folder in the cache.
    pub data_dir: Option<PathBuf>,
    /// The user's cache, such as `~/.cache`; a folder `joulerace` is made in it.
    pub cache: PathBuf,
    /// What was published, usually [`mnist::FILES`]; names and counts hold for `digits` too.
    pub files: [mnist::Published; 4],
    /// Addresses to which a file's name is appended, usually [`mnist::MIRRORS`].
    pub mirrors: Vec<String>,
    /// Set to true from anywhere to stop a download.
    pub cancel: CancellationToken,
}

impl DatasetSettings {
    /// MNIST from the usual mirrors, and nobody to cancel.
    pub fn new(name: Choice, data_dir: Option<PathBuf>, cache: PathBuf) -> Self {
        let mirrors = mnist::MIRRORS.map(String::from).to_vec();
        Self {
            name,
            data_dir,
            cache,
            files: mnist::FILES,
            mirrors,
            cancel: CancellationToken::new(),
        }
    }
}

/// Four files that were checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// What they are.
    pub name: Name,
    /// Their folder.
    pub dir: PathBuf,
    /// Training images, training labels, test images, test labels.
    pub files: Vec<DataFile>,
    /// How many images there are to train on.
    pub train_images: u32,
    /// How many images there are to test on.
    pub test_images: u32,
    /// What a reader of the results must know, in words.
    pub warning: Option<String>,
}

/// One of the four files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// As MNIST calls it, with `.gz` where it is compressed.
    pub name: String,
    /// The file's SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Whether it holds, byte for byte, what was published as MNIST.
    pub published: bool,
}

/// What [`prepare`] tells while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataProgress {
    /// A download begins.
    Downloading {
        /// From where.
        url: String,
        /// How much there is to come.
        bytes: u64,
    },
    /// A mirror was of no use; the next one is asked.
    MirrorFailed {
        /// What was asked for.
        url: String,
        /// What was wrong.
        reason: String,
    },
    /// A damaged file in the cache is fetched again.
    Replacing {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The digits are being made, which takes some seconds.
    MakingDigits {
        /// Where they go.
        dir: PathBuf,
    },
}
