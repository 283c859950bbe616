//! Finds, fetches or makes the four files, and checks them.

use crate::Remedy as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::idx::{self, IdxError};
use super::mnist::Published;
use super::{
    Choice, DIGITS_FOLDER, DataFile, DataProgress, Dataset, DatasetError, DatasetSettings, Name,
    download,
};
use crate::clean::hex;

/// Finds the data, downloading MNIST or making `digits` where that is needed. `make_digits`
/// writes the four files into the empty folder that it is given.
///
/// A file of the user's own with another checksum than the published one is used, with a warning;
/// its structure is always enforced. What is downloaded must have the published checksum.
///
/// # Errors
/// Any [`DatasetError`]. With [`Choice::Auto`], a file that is there but damaged is one, a file
/// that cannot be downloaded is not.
pub fn prepare(
    settings: &DatasetSettings,
    make_digits: &mut dyn FnMut(&Path) -> Result<(), String>,
    progress: &mut dyn FnMut(DataProgress),
) -> Result<Dataset, DatasetError> {
    match settings.name {
        Choice::Mnist => mnist(settings, progress),
        Choice::Digits => digits(settings, make_digits, progress),
        Choice::Auto => match mnist(settings, progress) {
            Err(error @ (DatasetError::Download { .. } | DatasetError::Io { .. })) => {
                let mut dataset = digits(settings, make_digits, progress)?;
                dataset.warning = Some(format!(
                    "MNIST cannot be had, so the digits data set takes its place: accuracies and \
                     losses are not comparable with MNIST's. The reason: {}",
                    error.in_line()
                ));
                Ok(dataset)
            }
            other => other,
        },
    }
}

/// What [`prepare`] would find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// All four files, checked.
    Ready(Dataset),
    /// Files of MNIST are missing, or damaged in joulerace's own folder, and would be downloaded.
    ToFetch {
        /// Into this folder.
        dir: PathBuf,
        /// Their names.
        files: Vec<String>,
        /// Their size in bytes.
        bytes: u64,
    },
    /// The digits would be made.
    ToMake {
        /// In this folder.
        dir: PathBuf,
    },
}

/// Looks for the data that [`prepare`] would use; downloads, makes and changes nothing. With
/// [`Choice::Auto`] it looks for MNIST.
///
/// # Errors
/// A file that is there and of no use.
pub(crate) fn find(settings: &DatasetSettings) -> Result<Found, DatasetError> {
    if settings.name == Choice::Digits {
        let dir = data_root(settings).join(DIGITS_FOLDER);
        let found = digits_in(&dir, &settings.files);
        return Ok(found.map_or(Found::ToMake { dir }, Found::Ready));
    }
    let (dir, ours) = mnist_dir(settings)?;
    let (mut checked, mut files, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in &settings.files {
        match state(&dir.join(file.name), file, ours)? {
            State::Good(found) => checked.push(found),
            State::Absent | State::Damaged(_) => {
                files.push(file.name.to_owned());
                bytes += file.bytes;
            }
        }
    }
    if !files.is_empty() {
        return Ok(Found::ToFetch { dir, files, bytes });
    }
    with_warning(&dir, &settings.files, checked).map(Found::Ready)
}

fn data_root(settings: &DatasetSettings) -> PathBuf {
    settings.cache.join("joulerace").join("data")
}

/// Where MNIST lies or goes, and whether that is joulerace's own folder.
fn mnist_dir(settings: &DatasetSettings) -> Result<(PathBuf, bool), DatasetError> {
    let (dir, ours) = match &settings.data_dir {
        Some(dir) => (dir.clone(), false),
        None => (data_root(settings).join("mnist"), true),
    };
    let dir = std::path::absolute(&dir).map_err(DatasetError::io("find", &dir))?;
    Ok((dir, ours))
}

fn mnist(
    settings: &DatasetSettings,
    progress: &mut dyn FnMut(DataProgress),
) -> Result<Dataset, DatasetError> {
    let (dir, ours) = mnist_dir(settings)?;
    let there = dir.exists();
    let result = mnist_in(&dir, ours, settings, progress);
    if result.is_err() && !there {
        let _ = fs::remove_dir(&dir); // Only if it is empty.
    }
    result
}

fn mnist_in(
    dir: &Path,
    ours: bool,
    settings: &DatasetSettings,
    progress: &mut dyn FnMut(DataProgress),
) -> Result<Dataset, DatasetError> {
    let mut checked = Vec::new();
    for file in &settings.files {
        let path = dir.join(file.name);
        let fetch = |progress: &mut dyn FnMut(DataProgress)| {
            download::fetch(file, dir, &settings.mirrors, &settings.cancel, progress)?;
            look(&path, file)
        };
        let found = match state(&path, file, ours)? {
            State::Good(found) => found,
            State::Absent => fetch(progress)?,
            State::Damaged(reason) => {
                progress(DataProgress::Replacing { path: path.clone(), reason });
                fetch(progress)?
            }
        };
        checked.push(found);
    }
    with_warning(dir, &settings.files, checked)
}

/// One of MNIST's files as it lies there.
enum State {
    Good(Checked),
    Absent,
    /// In joulerace's own folder, and why it is to be fetched again.
    Damaged(String),
}

fn state(path: &Path, file: &Published, ours: bool) -> Result<State, DatasetError> {
    if !path.exists() {
        return Ok(State::Absent);
    }
    match look(path, file) {
        // Nobody but joulerace writes there, so what is not as published is damaged.
        Ok(found) if ours && !found.file.published => {
            Ok(State::Damaged("not the published file".to_owned()))
        }
        Err(error) if ours => Ok(State::Damaged(error.in_line())),
        other => other.map(State::Good),
    }
}

fn with_warning(
    dir: &Path,
    files: &[Published; 4],
    checked: Vec<Checked>,
) -> Result<Dataset, DatasetError> {
    let other: Vec<String> = checked
        .iter()
        .zip(files)
        .filter(|(found, _)| !found.file.published)
        .map(|(found, file)| {
            format!("{} (SHA-256 {}, published {})", file.name, found.file.sha256, file.sha256)
        })
        .collect();
    let warning = (!other.is_empty()).then(|| {
        format!(
            "{}: not as published, but used as it is: {}. The checksums are recorded with the \
             results",
            dir.display(),
            other.join("; ")
        )
    });
    assemble(Name::Mnist, dir, files, checked, warning)
}

fn digits(
    settings: &DatasetSettings,
    make_digits: &mut dyn FnMut(&Path) -> Result<(), String>,
    progress: &mut dyn FnMut(DataProgress),
) -> Result<Dataset, DatasetError> {
    let root = data_root(settings);
    let dir = root.join(DIGITS_FOLDER);
    if dir.exists() {
        match digits_in(&dir, &settings.files) {
            Ok(dataset) => return Ok(dataset),
            Err(error) => {
                progress(DataProgress::Replacing { path: dir.clone(), reason: error.in_line() });
                fs::remove_dir_all(&dir).map_err(DatasetError::io("remove", &dir))?;
            }
        }
    }
    progress(DataProgress::MakingDigits { dir: dir.clone() });
    fs::create_dir_all(&root).map_err(DatasetError::io("make the folder", &root))?;
    let scratch = tempfile::Builder::new()
        .prefix(".digits-")
        .tempdir_in(&root)
        .map_err(DatasetError::io("make a folder in", &root))?;
    make_digits(scratch.path())
        .map_err(|reason| DatasetError::Digits { dir: dir.clone(), reason })?;
    digits_in(scratch.path(), &settings.files)
        .map_err(|error| DatasetError::Digits { dir: dir.clone(), reason: error.to_string() })?;
    shareable(scratch.path()).map_err(DatasetError::io("write", &dir))?;
    // Another joulerace may have been faster: its files are the same, and then the rename fails.
    match fs::rename(scratch.path(), &dir) {
        Err(error) if !dir.exists() => Err(DatasetError::io("make the folder", &dir)(error)),
        _ => digits_in(&dir, &settings.files),
    }
}

/// A temporary folder is its owner's alone; the cache's other folders are not.
fn shareable(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn digits_in(dir: &Path, files: &[Published; 4]) -> Result<Dataset, DatasetError> {
    let checked = files.iter().map(|file| look(&dir.join(file.name), file));
    assemble(Name::Digits, dir, files, checked.collect::<Result<_, _>>()?, None)
}

struct Checked {
    file: DataFile,
    items: u32,
}

/// Checks one file: its checksum, and unless that is the published one, its structure.
fn look(path: &Path, published: &Published) -> Result<Checked, DatasetError> {
    let read = || File::open(path).map_err(DatasetError::io("read", path));
    let mut digest = Sha256::new();
    let mut file = read()?;
    let mut buffer = vec![0; 64 * 1024];
    let mut start = Vec::new();
    loop {
        let count = file.read(&mut buffer).map_err(DatasetError::io("read", path))?;
        if count == 0 {
            break;
        }
        if start.len() < 4 {
            start.extend(buffer[..count].iter().take(4));
        }
        digest.update(&buffer[..count]);
    }
    let sha256 = hex(&digest.finalize());
    let name = published.name.to_owned();
    if sha256 == published.sha256 {
        let file = DataFile { name, sha256, published: true };
        return Ok(Checked { file, items: published.items });
    }
    let invalid = |source| DatasetError::Invalid { path: path.into(), source };
    if !start.starts_with(&[0x1f, 0x8b]) {
        let source = if start.is_empty() { IdxError::Header(0) } else { IdxError::NotGzipped };
        return Err(invalid(source));
    }
    let mut content = Sha256::new();
    let items = idx::check(read()?, published.content, &mut |bytes| content.update(bytes))
        .map_err(invalid)?;
    let published = hex(&content.finalize()) == published.content_sha256;
    Ok(Checked { file: DataFile { name, sha256, published }, items })
}

fn assemble(
    name: Name,
    dir: &Path,
    files: &[Published; 4],
    checked: Vec<Checked>,
    warning: Option<String>,
) -> Result<Dataset, DatasetError> {
    for (pair, files) in checked.chunks(2).zip(files.chunks(2)) {
        if let ([images, labels], [images_file, labels_file]) = (pair, files)
            && images.items != labels.items
        {
            return Err(DatasetError::Disagree {
                images_file: dir.join(images_file.name),
                images: images.items,
                labels_file: dir.join(labels_file.name),
                labels: labels.items,
            });
        }
    }
    let (train_images, test_images) = (checked[0].items, checked[2].items);
    let files = checked.into_iter().map(|found| found.file).collect();
    Ok(Dataset { name, dir: dir.into(), files, train_images, test_images, warning })
}
