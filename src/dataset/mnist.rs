//! MNIST as it was published: names, sizes, checksums, mirrors.

use super::idx::Content;

/// Where the files can be had; both serve them byte for byte as published. The first is what
/// TensorFlow Datasets downloads from, the second what torchvision does.
pub(crate) const MIRRORS: [&str; 2] = [
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
];

/// One of the four files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its name; `digits` uses the same names.
    pub name: &'static str,
    /// What it holds.
    pub content: Content,
    /// How many of them.
    pub items: u32,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: &'static str,
    /// The SHA-256 of what it decompresses to.
    pub content_sha256: &'static str,
}

/// Training images, training labels, test images, test labels.
pub const FILES: [Published; 4] = [
    Published {
        name: "train-images-idx3-ubyte.gz",
        content: Content::Images,
        items: 60_000,
        bytes: 9_912_422,
        sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        content_sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    Published {
        name: "train-labels-idx1-ubyte.gz",
        content: Content::Labels,
        items: 60_000,
        bytes: 28_881,
        sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        content_sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    Published {
        name: "t10k-images-idx3-ubyte.gz",
        content: Content::Images,
        items: 10_000,
        bytes: 1_648_877,
        sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        content_sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    Published {
        name: "t10k-labels-idx1-ubyte.gz",
        content: Content::Labels,
        items: 10_000,
        bytes: 4_542,
        sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        content_sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];
