//! Small data sets in MNIST's format, with what a publisher would say of them.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use joulerace::dataset::idx::Content;
use joulerace::dataset::mnist::{self, Published};
use sha2::{Digest, Sha256};

pub fn images(count: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for number in [count, 28, 28] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend((0..count * 28 * 28).map(|i| (i % 251) as u8));
    bytes
}

pub fn labels(count: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend(count.to_be_bytes());
    bytes.extend((0..count).map(|i| (i % 10) as u8));
    bytes
}

pub fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Four gzipped files: 30 images to train on, 20 to test on.
pub fn four() -> [(&'static str, Vec<u8>); 4] {
    mnist::FILES.map(|file| {
        let count = if file.name.starts_with("train") { 30 } else { 20 };
        let plain = if file.content == Content::Images { images(count) } else { labels(count) };
        (file.name, gzip(&plain, 6))
    })
}

/// What the publisher of [`four`] says of them.
pub fn published() -> [Published; 4] {
    let mut told = mnist::FILES;
    for (file, (name, bytes)) in told.iter_mut().zip(four()) {
        assert_eq!(file.name, name);
        let count = if name.starts_with("train") { 30 } else { 20 };
        let plain = if file.content == Content::Images { images(count) } else { labels(count) };
        file.items = count;
        file.bytes = bytes.len() as u64;
        // Leaked: a real publication outlives the program, and tests are short.
        file.sha256 = sha256(&bytes).leak();
        file.content_sha256 = sha256(&plain).leak();
    }
    told
}

pub fn write_four(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for (name, bytes) in four() {
        fs::write(folder.join(name), bytes).expect("a file");
    }
}

/// The names in a folder, sorted; hidden ones too.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
