//! Files that are copies of others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::walk::Found;

/// A file that holds what another one holds, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The file that is not counted.
    pub file: String,
    /// The one that is.
    pub same_as: String,
}

/// Takes the copies out of `files`. Of files with the same content the one with the shortest name, the first in
/// the alphabet, stays. Empty files are not copies of each other: in each case a meter wrote nothing.
pub(super) fn take_out(files: &mut Vec<Found>) -> Vec<Copied> {
    let mut alike: BTreeMap<(u64, u64), Vec<&Found>> = BTreeMap::new();
    for file in files.iter().filter(|f| f.head.0 > 0) {
        alike.entry(file.head).or_default().push(file);
    }
    let mut copies = Vec::new();
    for group in alike.into_values().filter(|group| group.len() > 1) {
        let mut by_content: BTreeMap<Vec<u8>, Vec<&Found>> = BTreeMap::new();
        for file in group {
            // A file that cannot be read is reported as a trial.
            if let Ok(digest) = digest(&file.path) {
                by_content.entry(digest).or_default().push(file);
            }
        }
        for mut same in by_content.into_values() {
            same.sort_by_key(|f| (f.relative.len(), &f.relative));
            let first = same[0].relative.clone();
            copies.extend(
                same[1..]
                    .iter()
                    .map(|copy| Copied { file: copy.relative.clone(), same_as: first.clone() }),
            );
        }
    }
    copies.sort_by(|a, b| a.file.cmp(&b.file));
    let gone: BTreeSet<&str> = copies.iter().map(|c| c.file.as_str()).collect();
    files.retain(|f| !gone.contains(f.relative.as_str()));
    copies
}

fn digest(path: &Path) -> io::Result<Vec<u8>> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = io::Read::read(&mut file, &mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().to_vec());
        }
        hasher.update(&buffer[..read]);
    }
}
