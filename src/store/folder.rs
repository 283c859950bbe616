//! Where an experiment's files lie.

use super::record::{Samples, TrialRecord};
use crate::files::{self, Dir};
use crate::paths;
use crate::plan::{Trial, folder_of};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// An experiment's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

/// The endings of one trial's files.
const ENDINGS: [&str; 3] = ["csv", "json", "log"];

impl Folder {
    /// Where samples of the pauses lie; no treatment has this name.
    pub(crate) const PAUSES: &str = "pauses";

    /// Where locks of versions lie; no treatment has this name.
    pub(crate) const LOCKS: &str = "locks";

    /// The folder at `root`, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into() }
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// As the user may type it: see [`paths::shown`].
    pub(crate) fn shown(&self) -> String {
        paths::shown(&self.root)
    }

    /// Settings, plan, versions, machine.
    pub(crate) fn experiment(&self) -> PathBuf {
        self.root.join("experiment.json")
    }

    /// What happened.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// One row per trial.
    pub(crate) fn trials(&self) -> PathBuf {
        self.root.join("trials.csv")
    }

    /// The lock of a version that treatments run in, by the environment's name: `jax@0.4.30`.
    pub(crate) fn version_lock(&self, environment: &str) -> PathBuf {
        self.root.join(Folder::LOCKS).join(format!("{}.txt", folder_of(environment)))
    }

    /// All locks of versions, by the names of their files (`jax@0.4.30`), through no link.
    ///
    /// # Errors
    ///
    /// The system's; where there are no locks there is no error.
    pub(crate) fn version_locks(&self) -> io::Result<BTreeMap<String, String>> {
        /// Of a lock, in bytes.
        const LARGEST: u64 = 16 << 20;
        let locks = match self.open()?.sub(OsStr::new(Folder::LOCKS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            locks => locks?,
        };
        let mut found = BTreeMap::new();
        for name in locks.names()? {
            if let Some(called) = name.to_str().and_then(|name| name.strip_suffix(".txt")) {
                let text = String::from_utf8_lossy(&locks.read(&name, LARGEST)?).into_owned();
                found.insert(called.to_owned(), text);
            }
        }
        Ok(found)
    }

    /// A trial's samples (`csv`), record (`json`) or log (`log`).
    pub fn file(&self, trial: &Trial, ending: &str) -> PathBuf {
        self.root.join(trial.folder()).join(format!("{}.{ending}", trial.name))
    }

    /// Samples of a pause: `pauses/after-torch_3.csv`.
    pub(crate) fn pause(&self, name: &str) -> PathBuf {
        self.root.join(Folder::PAUSES).join(format!("{}.csv", name.replace(' ', "-")))
    }

    /// The folder, open.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn open(&self) -> io::Result<Dir> {
        Dir::open(&self.root)
    }

    /// A treatment's folder, open; links are not followed.
    fn treatment(&self, trial: &Trial) -> io::Result<Dir> {
        self.open()?.sub(OsStr::new(&trial.folder()))
    }

    /// Makes these folders, one for each treatment, in the folder, which is there.
    ///
    /// # Errors
    ///
    /// The system's; [`files::NotPlain`] where a link has such a name.
    pub(crate) fn create(&self, folders: impl IntoIterator<Item = String>) -> io::Result<()> {
        let root = self.open()?;
        for treatment in folders {
            root.make(OsStr::new(&treatment))?;
        }
        root.sync()
    }

    /// Makes the folder in which samples of the pauses lie.
    ///
    /// # Errors
    ///
    /// As [`create`](Folder::create).
    pub(crate) fn make_pauses(&self) -> io::Result<()> {
        self.open()?.make(OsStr::new(Folder::PAUSES)).map(drop)
    }

    /// Removes what a host that was killed while it replaced a file had not finished. Only for who
    /// holds the folder's lock.
    ///
    /// # Errors
    ///
    /// The system's; [`files::NotPlain`] where such a name is no file's.
    pub(crate) fn sweep(&self, folders: impl IntoIterator<Item = String>) -> io::Result<()> {
        let root = self.open()?;
        for treatment in folders {
            sweep(&root.sub(OsStr::new(&treatment))?)?;
        }
        sweep(&root)
    }

    /// Waits until a trial's samples and log are on the disk, so that the journal never tells of
    /// files that a power cut then takes away.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(crate) fn sync(&self, trial: &Trial) -> io::Result<()> {
        let folder = self.treatment(trial)?;
        for ending in ["csv", "log"] {
            match folder.flush(OsStr::new(&format!("{}.{ending}", trial.name))) {
                Ok(()) => {}
                // An attempt that failed early wrote no such file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        folder.sync()
    }

    /// Moves what is there of an attempt into `<treatment>/<why>/`, where no analysis takes it for
    /// a trial, and returns that folder. An earlier one's files there are never overwritten.
    ///
    /// # Errors
    ///
    /// The system's; [`files::NotPlain`].
    pub(crate) fn set_aside(&self, trial: &Trial, attempt: u32, why: &str) -> io::Result<PathBuf> {
        let kept = self.root.join(trial.folder()).join(why);
        let from = match self.treatment(trial) {
            Ok(from) => from,
            // Nothing was left.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(kept),
            Err(error) => return Err(error),
        };
        for ending in ENDINGS {
            let name = format!("{}.{ending}", trial.name);
            if !from.has(OsStr::new(&name)) {
                continue;
            }
            let aside = from.make(OsStr::new(why))?;
            let mut to = format!("{}-attempt-{attempt}.{ending}", trial.name);
            let mut copy = 2;
            while aside.has(OsStr::new(&to)) {
                to = format!("{}-attempt-{attempt}-{copy}.{ending}", trial.name);
                copy += 1;
            }
            from.move_to(OsStr::new(&name), &aside, OsStr::new(&to))?;
        }
        Ok(kept)
    }

    /// Whether one of a trial's files is there, whatever it is.
    pub(crate) fn has(&self, trial: &Trial, ending: &str) -> bool {
        let name = format!("{}.{ending}", trial.name);
        self.treatment(trial).is_ok_and(|folder| folder.has(OsStr::new(&name)))
    }

    /// What a trial's file of samples holds now.
    ///
    /// # Errors
    ///
    /// The system's; [`files::NotPlain`].
    pub(crate) fn samples(&self, trial: &Trial) -> io::Result<Samples> {
        let name = format!("{}.csv", trial.name);
        Samples::of(self.treatment(trial)?.open_file(OsStr::new(&name))?)
    }

    /// A trial's record, if there is one that can be read.
    pub(crate) fn record(&self, trial: &Trial) -> Option<TrialRecord> {
        match self.read_record(trial) {
            Ok(record) => record,
            Err(why) => {
                tracing::warn!(trial = trial.name, why, "its record cannot be read");
                None
            }
        }
    }

    /// A trial's record; `None` where it has none.
    ///
    /// # Errors
    ///
    /// What is wrong with the record, in words.
    pub(crate) fn read_record(&self, trial: &Trial) -> Result<Option<TrialRecord>, String> {
        let text = match files::read(&self.file(trial, "json"), TrialRecord::LARGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let record: TrialRecord = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
        if record.schema > TrialRecord::SCHEMA {
            return Err(format!("a newer joulerace wrote it (layout {})", record.schema));
        }
        Ok(Some(record))
    }
}

fn sweep(folder: &Dir) -> io::Result<()> {
    for name in folder.names()? {
        if name.as_encoded_bytes().starts_with(files::HALF_WRITTEN.as_bytes()) {
            folder.remove(&name)?;
        }
    }
    Ok(())
}
