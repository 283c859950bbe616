//! Writes an archive: the same bytes for the same folder.

use super::describe::{self, Described, Entry};
use super::gather::{Kind, gather};
use super::private::{Struck, strike};
use super::{CITATION, LOCKS, METADATA, PackError, SCRIPTS, SUMS, Words, citation};
use crate::analysis::ASKED;
use crate::clean::{self, hex};
use crate::env::{Lock, Profile};
use crate::paths::Project;
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use crate::store::journal;
use sha2::{Digest as _, Sha256};
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    pub files: usize,
    /// The archive's size, in bytes.
    pub bytes: u64,
    /// What was struck out of its texts.
    pub struck: Struck,
    /// Files in which something was struck out.
    pub changed: Vec<String>,
    /// Files of the folder that are not in it.
    pub left_out: Vec<String>,
}

/// Packs an experiment's folder into `archive`, which must not be there.
///
/// # Errors
///
/// [`PackError`]; nothing is left then.
pub(crate) fn pack(
    folder: &Folder,
    experiment: &Experiment,
    project: &Project,
    words: &Words,
    archive: &Path,
) -> Result<Packed, PackError> {
    let root = name(folder);
    let gathered = gather(folder)?;
    let has = |path: &str| gathered.files.iter().any(|file| file.path() == path);
    if ![ASKED, "summary.json", "report.html"].iter().all(|name| has(&format!("analysis/{name}"))) {
        return Err(PackError::NoReport { folder: folder.shown() });
    }
    let above = archive.parent().filter(|above| !above.as_os_str().is_empty());
    #[cfg_attr(not(unix), expect(unused_mut, reason = "changed on Unix alone"))]
    let mut drafts = tempfile::Builder::new();
    // Readable as the umask says, and not by its owner alone.
    #[cfg(unix)]
    drafts.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let draft =
        drafts.tempfile_in(above.unwrap_or(Path::new("."))).map_err(PackError::io(archive))?;
    let mut pen = Pen::new(BufWriter::new(draft));
    let failed = || PackError::io(archive);
    for (path, content) in locks(folder, experiment, project)? {
        pen.put(&path, &content).map_err(failed())?;
    }
    pen.put(SCRIPTS, scripts(experiment).as_bytes()).map_err(failed())?;
    for file in &gathered.files {
        let content = pen.struck(&file.path(), file.kind, file.read(folder)?)?;
        pen.put(&format!("{root}/{}", file.path()), &content).map_err(failed())?;
    }
    let finished = finished(folder, experiment);
    let title = words.title.clone().unwrap_or_else(|| title(experiment, &root));
    let citation = own_citation(folder)?.unwrap_or_else(|| {
        citation::citation(&title, words, &finished.strftime("%F").to_string(), &experiment.version)
    });
    pen.put(CITATION, citation.as_bytes()).map_err(failed())?;
    let sums: String =
        pen.entries.iter().map(|entry| format!("{}  {}\n", entry.sha256, entry.path)).collect();
    pen.put(SUMS, sums.as_bytes()).map_err(failed())?;
    let described = Described {
        title: &title,
        root: &root,
        experiment,
        finished,
        words,
        entries: &pen.entries,
    };
    let metadata = format!("{:#}\n", describe::metadata(&described));
    pen.put(METADATA, metadata.as_bytes()).map_err(failed())?;
    let (files, struck, changed) = (pen.entries.len(), pen.struck, pen.changed);
    let draft = pen.zip.finish().map_err(io::Error::from).map_err(failed())?;
    let draft = draft.into_inner().map_err(|e| failed()(e.into_error()))?;
    draft.as_file().sync_all().map_err(failed())?;
    let file = draft.persist_noclobber(archive).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => PackError::Taken { path: archive.to_owned() },
        _ => failed()(error.error),
    })?;
    let bytes = file.metadata().map_err(failed())?.len();
    Ok(Packed { files, bytes, struck, changed, left_out: gathered.left_out })
}

/// The folder's name, as it stands in the archive and in its tables.
fn name(folder: &Folder) -> String {
    let root = folder.root().canonicalize().unwrap_or_else(|_| folder.root().to_owned());
    let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Refuses names that the archive itself has at its root, and those that not every system can unpack.
    let plain = |c: char| c.is_alphanumeric() || "._-+@ ".contains(c);
    let taken = [METADATA, SUMS, SCRIPTS, LOCKS, CITATION].contains(&name.as_str());
    let fits = !name.starts_with('.') && !name.is_empty() && name.chars().all(plain) && !taken;
    if fits { name } else { "experiment".to_owned() }
}

/// Writes files into the archive and remembers them.
struct Pen<W: Write + Seek> {
    zip: ZipWriter<W>,
    entries: Vec<Entry>,
    struck: Struck,
    changed: Vec<String>,
}

impl<W: Write + Seek> Pen<W> {
    fn new(to: W) -> Pen<W> {
        let (entries, changed) = (Vec::new(), Vec::new());
        Pen { zip: ZipWriter::new(to), entries, struck: Struck::default(), changed }
    }

    /// Every file has ZIP's first date and a plain file's mode, whatever the folder's files have.
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o644);
        self.zip.start_file(path, options)?;
        self.zip.write_all(content)?;
        let (sha256, bytes) = (hex(&Sha256::digest(content)), content.len() as u64);
        self.entries.push(Entry { path: path.to_owned(), sha256, bytes });
        Ok(())
    }

    /// The content without what is private. Samples stay as they are: their checksum is in the record.
    fn struck(&mut self, path: &str, kind: Kind, content: Vec<u8>) -> Result<Vec<u8>, PackError> {
        if kind == Kind::Picture {
            return Ok(content);
        }
        let text = String::from_utf8_lossy(&content);
        let (text, struck) = strike(&text);
        if struck == Struck::default() {
            return Ok(content);
        }
        if kind == Kind::Samples {
            let what =
                if struck.secrets > 0 { "what looks like a secret" } else { "a home folder" };
            return Err(PackError::NotSamples { path: path.to_owned(), what });
        }
        self.struck.homes += struck.homes;
        self.struck.secrets += struck.secrets;
        self.changed.push(path.to_owned());
        Ok(text.into_bytes())
    }
}

/// The locks that the experiment ran with and is analysed with: the project's, which a comparison of
/// commands needs for its analysis only, and those of further environments of the project. What was
/// locked on the spot (`jax@0.4.30`), or lay elsewhere, is in `experiment.json`, package by package.
fn locks(
    folder: &Folder,
    experiment: &Experiment,
    project: &Project,
) -> Result<Vec<(String, Vec<u8>)>, PackError> {
    let Experiment { conditions, version, .. } = experiment;
    let same = |root: &Path, hash: &str| {
        let lock = Lock::read(&root.join("poetry.lock"));
        lock.is_ok_and(|lock| lock.hash(Profile::Training) == hash)
    };
    if !conditions.lock.is_empty() && !same(&project.root, &conditions.lock) {
        let (folder, version) = (folder.shown(), clean::line(version));
        return Err(PackError::OtherLock { folder, version });
    }
    let mut places = vec![(LOCKS.to_owned(), project.root.clone())];
    for (name, locked) in &conditions.environments {
        let root = project.root.join("python/environments").join(name);
        if is_name(name) && same(&root, &locked.lock) {
            places.push((format!("{LOCKS}/{name}"), root));
        }
    }
    let mut found = Vec::new();
    for (below, root) in places {
        for name in ["poetry.lock", "pyproject.toml"] {
            let path = root.join(name);
            let content = std::fs::read(&path).map_err(PackError::io(path))?;
            found.push((format!("{below}/{name}"), content));
        }
    }
    Ok(found)
}

/// Whether a recorded name is one of a folder, and no way out of one.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.starts_with('.') && !name.is_empty() && name.chars().all(letter)
}

/// The checksums of the scripts that ran, as the conditions have them, in `sha256sum`'s form.
fn scripts(experiment: &Experiment) -> String {
    let lines = experiment.conditions.scripts.iter().filter_map(|script| script.rsplit_once(' '));
    lines
        .map(|(name, sha256)| format!("{}  {}\n", clean::line(sha256), clean::line(name)))
        .collect()
}

/// When the journal's last word was said.
fn finished(folder: &Folder, experiment: &Experiment) -> jiff::Timestamp {
    let journal = journal::read(&folder.journal()).ok();
    journal.and_then(|j| j.entries.last().map(|entry| entry.at)).unwrap_or(experiment.created)
}

fn title(experiment: &Experiment, root: &str) -> String {
    let names: Vec<&str> = experiment.settings.treatments.iter().map(|t| t.name.as_str()).collect();
    format!("Energy of {} ({root})", names.join(", "))
}

/// A `CITATION.cff` that the user put into the folder goes before one of ours.
fn own_citation(folder: &Folder) -> Result<Option<String>, PackError> {
    let path = folder.root().join(CITATION);
    match crate::files::read(&path, 1 << 20) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PackError::io(path)(error)),
    }
}
