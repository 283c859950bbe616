//! Which files of an experiment's folder go into an archive.

use super::PackError;
use crate::cluster::Study;
use crate::cluster::study::SHARDS;
use crate::files::Dir;
use crate::store::folder::Folder;
use std::ffi::{OsStr, OsString};
use std::io;

/// A file of the experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Its folders, from the experiment's.
    folders: Vec<OsString>,
    name: OsString,
    /// What it is.
    pub kind: Kind,
}

/// What is to be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Raw samples: packed as they are.
    Samples,
    /// Text from which homes and secrets are struck.
    Text,
    Picture,
}

/// What a folder holds for an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gathered {
    /// Sorted.
    pub files: Vec<File>,
    /// What is left out, sorted.
    pub left_out: Vec<String>,
}

/// Larger than any file of an experiment.
const LARGEST: u64 = 1 << 30;

/// A study has no more levels of folders: `shards/3/torch/failed`.
const DEEPEST: usize = 4;

impl File {
    /// `torch/torch_3.csv`.
    pub(crate) fn path(&self) -> String {
        let parts = self.folders.iter().chain([&self.name]);
        parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    /// Its content, through no link.
    pub(crate) fn read(&self, folder: &Folder) -> Result<Vec<u8>, PackError> {
        let read = || -> io::Result<Vec<u8>> {
            let mut dir = folder.open()?;
            for part in &self.folders {
                dir = dir.sub(part)?;
            }
            dir.read(&self.name, LARGEST)
        };
        read().map_err(PackError::io(folder.root().join(self.path())))
    }
}

/// Looks through an experiment's folder. Logs are whatever scripts printed, and stay out.
pub(super) fn gather(folder: &Folder) -> Result<Gathered, PackError> {
    let mut gathered = Gathered::default();
    let walked = folder.open().and_then(|root| walk(&root, &mut Vec::new(), &mut gathered));
    walked.map_err(PackError::io(folder.root()))?;
    gathered.files.sort_by_key(File::path);
    gathered.left_out.sort();
    Ok(gathered)
}

fn walk(dir: &Dir, folders: &mut Vec<OsString>, gathered: &mut Gathered) -> io::Result<()> {
    for name in dir.names()? {
        // Locks and drafts.
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if let Ok(sub) = dir.sub(&name)
            && folders.len() < DEEPEST
        {
            folders.push(name);
            walk(&sub, folders, gathered)?;
            folders.pop();
            continue;
        }
        let file = |kind| File { folders: folders.clone(), name: name.clone(), kind };
        match kind(folders, &name) {
            Some(kind) => gathered.files.push(file(kind)),
            None => gathered.left_out.push(file(Kind::Text).path()),
        }
    }
    Ok(())
}

fn kind(folders: &[OsString], name: &OsStr) -> Option<Kind> {
    let ending = std::path::Path::new(name).extension()?.to_str()?;
    // A shard is an experiment's folder within a study's.
    let folders = match folders {
        [shards, _, within @ ..] if shards == SHARDS => within,
        all => all,
    };
    let top = folders.first().map(|first| first.to_str().unwrap_or_default());
    match (top, ending) {
        (None, _) => ["experiment.json", "journal.jsonl", "trials.csv", Study::FILE]
            .iter()
            .any(|known| name == *known)
            .then_some(Kind::Text),
        (Some("analysis"), "csv" | "json" | "html" | "md" | "svg") => Some(Kind::Text),
        (Some("analysis"), "png" | "pdf") => Some(Kind::Picture),
        (Some("analysis"), _) => None,
        (Some(Folder::LOCKS), "txt") => Some(Kind::Text),
        (_, "csv") => Some(Kind::Samples),
        (_, "json") => Some(Kind::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_records_tables_and_the_report_are_packed_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = scratch.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, path_text()).unwrap();
        };
        let packed = [
            "a/a_0.csv",
            "a/a_0.json",
            "a/failed/a_1-attempt-1.json",
            "analysis/plots/x.png",
            "analysis/report.html",
            "experiment.json",
            "journal.jsonl",
            "locks/a@1.2.txt",
            "pauses/after-a_0.csv",
            "shards/2/a/failed/a_4-attempt-1.csv",
            "shards/2/experiment.json",
            "shards/2/journal.jsonl",
            "shards/2/locks/a@1.2.txt",
            "shards/2/trials.csv",
            "study.json",
            "trials.csv",
        ];
        let left = ["a/a_0.log", "a/notes.txt", "analysis/x.pkl", "journal.jsonl.torn", "notes.md"];
        packed.iter().chain(&left).chain(&[".lock", "a/.joulerace-1"]).for_each(|path| put(path));
        let gathered = gather(&Folder::at(scratch.path())).unwrap();
        assert_eq!(gathered.files.iter().map(File::path).collect::<Vec<_>>(), packed);
        assert_eq!(gathered.left_out, left);
        let samples = gathered.files.iter().filter(|file| file.kind == Kind::Samples);
        assert_eq!(
            samples.map(File::path).collect::<Vec<_>>(),
            ["a/a_0.csv", "pauses/after-a_0.csv", "shards/2/a/failed/a_4-attempt-1.csv"]
        );
        assert_eq!(gathered.files[0].read(&Folder::at(scratch.path())).unwrap(), b"x");
    }

    fn path_text() -> &'static str {
        "x"
    }
}
