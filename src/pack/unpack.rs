//! Unpacks an archive that anyone may have made: plain files of bounded sizes into a folder of our own, and
//! nothing else.

use super::{METADATA, PackError, SUMS};
use crate::clean::{self, hex};
use crate::files::{Dir, Scratch};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zip::ZipArchive;
use zip::read::ZipFile;

/// No archive of ours has more files.
const MOST_FILES: usize = 200_000;
/// Nor as many bytes in a file, or in all.
const LARGEST: u64 = 1 << 30;
const LARGEST_IN_ALL: u64 = 16 << 30;
/// Nor longer paths, or deeper ones.
const LONGEST_PATH: usize = 400;
const DEEPEST: usize = 8;

/// What an archive held.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// The experiment's folder; it goes with this value.
    pub folder: PathBuf,
    /// Files that are not as `SHA256SUMS` says, a sentence each.
    pub altered: Vec<String>,
    scratch: Scratch,
}

impl Unpacked {
    /// A place beside the experiment's folder that goes with this value too.
    pub(crate) fn aside(&self) -> PathBuf {
        self.scratch.path().join(".aside")
    }
}

/// Unpacks an archive into a folder that goes with the value.
///
/// # Errors
///
/// [`PackError::Unfit`] where it is none of ours, or holds what no archive of ours holds.
pub(crate) fn unpack(archive: &Path) -> Result<Unpacked, PackError> {
    let unfit = |why: String| PackError::Unfit { path: archive.to_owned(), why: clean::line(&why) };
    let damaged =
        |why: String| PackError::Damaged { path: archive.to_owned(), why: clean::line(&why) };
    let file = File::open(archive).map_err(PackError::io(archive))?;
    let plain = file.metadata().map_err(PackError::io(archive))?.is_file();
    if !plain {
        return Err(unfit("it is not a file".to_owned()));
    }
    let mut zip = ZipArchive::new(file)
        .map_err(|e| damaged(format!("it is not a whole ZIP archive ({e})")))?;
    if zip.len() > MOST_FILES {
        return Err(unfit(format!("it holds more than {MOST_FILES} files")));
    }
    let scratch = Scratch::new().map_err(PackError::io(std::env::temp_dir()))?;
    let sums = files(&mut zip, scratch.path()).map_err(|refused| match refused {
        Refused::Damaged(why) => damaged(why),
        Refused::Unfit(why) => unfit(why),
    })?;
    let root = experiment(&sums).map_err(&unfit)?;
    let altered = altered(scratch.path(), &sums);
    let folder = scratch.path().join(root);
    Ok(Unpacked { folder, altered, scratch })
}

/// Why a file of the archive is not written.
enum Refused {
    /// A fresh copy of the archive may be better.
    Damaged(String),
    /// No archive of ours holds such a thing.
    Unfit(String),
}

impl From<String> for Refused {
    fn from(why: String) -> Refused {
        Refused::Unfit(why)
    }
}

/// Writes all files below `root`, and gives their checksums.
fn files(zip: &mut ZipArchive<File>, root: &Path) -> Result<BTreeMap<String, String>, Refused> {
    let mut sums = BTreeMap::new();
    // A file system that knows no case has one file for two such names.
    let mut seen = HashSet::new();
    let mut left = LARGEST_IN_ALL;
    for number in 0..zip.len() {
        let mut entry = zip.by_index(number).map_err(|e| damaged(&format!("file {number}"), &e))?;
        let path = path(&entry)?;
        if entry.is_dir() {
            continue;
        }
        if !seen.insert(path.to_lowercase()) {
            return Err(format!("it holds {path} twice").into());
        }
        let (bytes, sum) =
            write(&mut entry, root, &path, left.min(LARGEST)).map_err(|e| match e.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => damaged(&path, &e),
                _ => format!("{path}: {e}").into(),
            })?;
        left -= bytes;
        sums.insert(path, sum);
    }
    Ok(sums)
}

/// Its checksum is wrong, or it ends too soon.
fn damaged(path: &str, why: &dyn std::error::Error) -> Refused {
    Refused::Damaged(format!("{path} in it is damaged ({why})"))
}

/// A name that stays below any folder on any system, of a plain file or a folder.
fn path(entry: &ZipFile<'_, File>) -> Result<String, String> {
    let name = entry.name().map_err(|e| format!("a name in it: {e}"))?;
    let refused = |why: &str| Err(format!("it holds {name:?}, {why}"));
    const PLAIN: u32 = 0o100_000;
    const FOLDER: u32 = 0o040_000;
    if entry.encrypted() {
        return refused("which is encrypted");
    }
    if !entry.unix_mode().is_none_or(|mode| [0, PLAIN, FOLDER].contains(&(mode & 0o170_000))) {
        return refused("which is a link or a device");
    }
    let part = |part: &str| {
        let odd = |c: char| c.is_control() || "\\:*?\"<>|".contains(c);
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with(['.', ' '])
            && !part.contains(odd)
    };
    let path = name.strip_suffix('/').unwrap_or(&name);
    let deep = path.split('/').count() > DEEPEST || path.len() > LONGEST_PATH;
    if deep || !path.split('/').all(part) {
        return refused("which is not a path within a folder");
    }
    Ok(path.to_owned())
}

/// Writes one file, of at most `most` bytes whatever its header says, and gives its length and checksum.
fn write(from: &mut impl Read, root: &Path, path: &str, most: u64) -> io::Result<(u64, String)> {
    let mut folder = Dir::open(root)?;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        folder = folder.make(OsStr::new(part))?;
    }
    let mut to = folder.create(OsStr::new(name))?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok((bytes, hex(&digest.finalize())));
        }
        bytes += read as u64;
        if bytes > most {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is larger than any of ours",
            ));
        }
        digest.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
    }
}

/// The one folder with an experiment in it.
fn experiment(sums: &BTreeMap<String, String>) -> Result<String, String> {
    let names = sums.keys().filter_map(|path| path.strip_suffix("/experiment.json"));
    let roots: Vec<&str> = names.filter(|name| !name.contains('/')).collect();
    match roots[..] {
        [root] if sums.contains_key(SUMS) && sums.contains_key(METADATA) => Ok(root.to_owned()),
        [_] => Err(format!("it has no {SUMS} or no {METADATA}: joulerace pack did not make it")),
        _ => Err("it does not hold one experiment: joulerace pack did not make it".to_owned()),
    }
}

/// Where files and their list differ.
fn altered(root: &Path, sums: &BTreeMap<String, String>) -> Vec<String> {
    let list = crate::files::read(&root.join(SUMS), LARGEST).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let listed: BTreeMap<&str, &str> = list
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, path)| (path, sum))
        .collect();
    let mut altered = Vec::new();
    for (path, sum) in sums.iter().filter(|(path, _)| ![SUMS, METADATA].contains(&path.as_str())) {
        match listed.get(path.as_str()) {
            Some(listed) if listed == sum => {}
            Some(_) => altered.push(format!("{path} was altered after it was packed")),
            None => altered.push(format!("{path} was added after it was packed")),
        }
    }
    let gone = listed.keys().filter(|path| !sums.contains_key(**path));
    altered.extend(gone.map(|path| format!("{path} was removed after it was packed")));
    altered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_off_where_it_is_too_long_whatever_its_header_says() {
        let scratch = tempfile::tempdir().unwrap();
        let put = |name, most| write(&mut io::repeat(7).take(100), scratch.path(), name, most);
        assert_eq!(put("a/b/fits", 100).unwrap().0, 100);
        let error = put("a/long", 99).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("larger than any of ours"), "{error}");
    }
}
