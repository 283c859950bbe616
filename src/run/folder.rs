//! Where an experiment's files lie.

use super::record::TrialRecord;
use crate::plan::Trial;
use std::fs::File;
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
    pub const PAUSES: &str = "pauses";

    /// The folder at `root`, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Settings, plan, versions, machine.
    pub fn experiment(&self) -> PathBuf {
        self.root.join("experiment.json")
    }

    /// What happened.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// One row per trial.
    pub fn trials(&self) -> PathBuf {
        self.root.join("trials.csv")
    }

    /// A trial's samples (`csv`), record (`json`) or log (`log`).
    pub fn file(&self, trial: &Trial, ending: &str) -> PathBuf {
        self.root.join(&trial.treatment).join(format!("{}.{ending}", trial.name))
    }

    /// Samples of a pause: `pauses/after-torch_3.csv`.
    pub fn pause(&self, name: &str) -> PathBuf {
        self.root.join(Folder::PAUSES).join(format!("{}.csv", name.replace(' ', "-")))
    }

    /// Makes the folder and one for each treatment.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn create<'t>(&self, treatments: impl IntoIterator<Item = &'t str>) -> io::Result<()> {
        for treatment in treatments {
            std::fs::create_dir_all(self.root.join(treatment))?;
        }
        Ok(())
    }

    /// Removes what a host that was killed while it replaced a file had not finished. Only for who
    /// holds the machine-wide lock.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn sweep<'t>(&self, treatments: impl IntoIterator<Item = &'t str>) -> io::Result<()> {
        let folders = treatments.into_iter().map(|treatment| self.root.join(treatment));
        for folder in folders.chain([self.root.clone()]) {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(super::record::HALF_WRITTEN) {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Waits until a trial's samples and log are on the disk, so that the journal never tells of
    /// files that a power cut then takes away.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn sync(&self, trial: &Trial) -> io::Result<()> {
        for ending in ["csv", "log"] {
            match File::open(self.file(trial, ending)) {
                Ok(file) => file.sync_all()?,
                // What a failed attempt never wrote cannot be lost.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Moves what is there of an attempt into `<treatment>/<why>/`, where no analysis takes it for
    /// a trial, and returns that folder. An earlier one's files there are never overwritten.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_aside(&self, trial: &Trial, attempt: u32, why: &str) -> io::Result<PathBuf> {
        let aside = self.root.join(&trial.treatment).join(why);
        for ending in ENDINGS {
            let from = self.file(trial, ending);
            if !from.exists() {
                continue;
            }
            std::fs::create_dir_all(&aside)?;
            let mut to = aside.join(format!("{}-attempt-{attempt}.{ending}", trial.name));
            let mut copy = 2;
            while to.exists() {
                to = aside.join(format!("{}-attempt-{attempt}-{copy}.{ending}", trial.name));
                copy += 1;
            }
            std::fs::rename(from, to)?;
        }
        Ok(aside)
    }

    /// A trial's record, if there is one that can be read.
    pub fn record(&self, trial: &Trial) -> Option<TrialRecord> {
        let text = std::fs::read(self.file(trial, "json")).ok()?;
        match serde_json::from_slice(&text) {
            Ok(record) => Some(record),
            Err(error) => {
                tracing::warn!(trial = trial.name, %error, "its record cannot be read");
                None
            }
        }
    }
}
