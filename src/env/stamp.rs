//! The stamp of a finished environment. It is written last, so a folder without one is
//! half-made and is made anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::child::Context;
use super::{EnvError, EnvProgress, Profile};

/// The stamp's name in an environment's folder.
const NAME: &str = "joulerace.json";
/// Raised when a change to joulerace makes older environments unusable.
const FORMAT: u32 = 1;

/// What is known of an environment that joulerace made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stamp {
    format: u32,
    /// `None` for the installers.
    pub profile: Option<Profile>,
    /// What it was made from; empty for the installers.
    pub lock_hash: String,
    /// The Python's version.
    pub python: String,
    base_prefix: PathBuf,
    /// Where the lock is that it was made from; an earlier version did not say.
    #[serde(default)]
    pub lock: Option<PathBuf>,
    /// When it was finished (UTC).
    pub created: jiff::Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    packages: BTreeMap<String, String>,
}

impl Stamp {
    pub(crate) fn of_tools(base: &Base) -> Self {
        Self {
            format: FORMAT,
            profile: None,
            lock_hash: String::new(),
            python: base.version.clone(),
            base_prefix: base.base_prefix.clone(),
            lock: None,
            created: jiff::Timestamp::now(),
            seconds: 0.0,
            packages: BTreeMap::new(),
        }
    }

    pub(crate) fn of_environment(
        base: &Base,
        profile: Profile,
        lock_hash: &str,
        packages: BTreeMap<String, String>,
        seconds: f64,
    ) -> Self {
        Self {
            profile: Some(profile),
            lock_hash: lock_hash.into(),
            packages,
            seconds,
            ..Self::of_tools(base)
        }
    }

    /// The same, made from this lock.
    pub(crate) fn with_lock(self, lock: PathBuf) -> Self {
        Self { lock: Some(lock), ..self }
    }

    /// The stamp in the folder `prefix`, if that is complete.
    pub(crate) fn read(prefix: &Path) -> Option<Self> {
        let stamp: Self = serde_json::from_slice(&fs::read(prefix.join(NAME)).ok()?).ok()?;
        (stamp.format == FORMAT).then_some(stamp)
    }

    /// Declares the folder `prefix` complete: it is on disk whole, or not there.
    pub(crate) fn write(&self, prefix: &Path) -> Result<(), EnvError> {
        let path = prefix.join(NAME);
        let fail = || EnvError::io("write", path.clone());
        let mut file = tempfile::NamedTempFile::new_in(prefix).map_err(fail())?;
        let text = serde_json::to_string_pretty(self).expect("a stamp has text keys only");
        file.write_all(text.as_bytes()).map_err(fail())?;
        file.as_file().sync_all().map_err(fail())?;
        file.persist(&path).map_err(|error| fail()(error.error))?;
        sync_folder(prefix).map_err(fail())
    }
}

/// Removes a half-made or outdated folder, if there is one; its stamp goes first, so that a
/// removal that is interrupted leaves nothing that looks complete.
pub(super) fn remove(prefix: &Path, context: &mut Context) -> Result<(), EnvError> {
    if fs::symlink_metadata(prefix).is_err() {
        return Ok(());
    }
    (context.progress)(EnvProgress::Removed { prefix: prefix.to_path_buf() });
    remove_all(prefix).map_err(EnvError::io("remove", prefix))
}

/// [`remove`] without a word.
pub(super) fn remove_all(prefix: &Path) -> std::io::Result<()> {
    match fs::remove_file(prefix.join(NAME)) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return fs::remove_file(prefix);
        }
        Err(error) => return Err(error),
    }
    fs::remove_dir_all(prefix)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
