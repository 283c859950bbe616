//! One writer at a time for an experiment's folder, whichever machine it is on.
//!
//! The kernel's lock on a file in the folder holds between the processes of one machine, and on most
//! shared file systems between machines. Where it does not reach, the file tells: its holder writes who
//! it is and touches it every few seconds, and a stranger's touch is waited for before the folder is
//! taken.

#[cfg(unix)]
#[path = "lease/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "lease/windows.rs"]
mod system;

use super::Dir;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// The file's name; hidden, so that no analysis takes it for anything.
const NAME: &str = ".lock";

/// How often a holder shows that it lives. A touch is one system call.
const BEAT: Duration = Duration::from_secs(10);

/// So long a stranger's touch is waited for.
const SILENT: Duration = Duration::from_secs(25);

/// A lock that was touched longer ago than this belongs to nobody, however far apart two machines' clocks are.
const OLD: Duration = Duration::from_secs(600);

/// Longest holder that is read.
const LONGEST: u64 = 4096;

/// Another program writes to the folder.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("another joulerace runs the experiment in {folder} ({holder})", folder = folder.display())]
#[diagnostic(help("wait for it or stop it"))]
pub struct InUse {
    /// The experiment's.
    pub folder: PathBuf,
    /// Who it is, as far as the lock says.
    pub holder: String,
}

/// Who holds a folder. No names of users and machines: the folder is passed around.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Holder {
    /// Drawn by the kernel when the machine starts.
    boot: String,
    process: u32,
}

impl Holder {
    fn me() -> Holder {
        Holder { boot: system::boot(), process: std::process::id() }
    }
}

/// What trying to lock a file came to.
enum Taken {
    /// It is locked by this program now.
    Mine(File),
    /// Another has it. What it wrote can be read.
    Theirs(File),
    /// A file system without locks.
    #[cfg_attr(windows, expect(dead_code, reason = "its file systems all have them"))]
    NoLocks(File),
}

/// Holds an experiment's folder until it is dropped, or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

impl FolderLock {
    /// Takes the folder.
    ///
    /// # Errors
    ///
    /// [`InUse`], within the system's error, where another has it; the system's own,
    /// [`NotPlain`](super::dir::NotPlain) included.
    pub fn take(dir: &Dir) -> io::Result<FolderLock> {
        FolderLock::take_after(dir, SILENT)
    }

    /// Who has the folder, as far as can be seen without taking it or writing anything. A process of
    /// another machine that ended just now without a word still counts.
    pub fn look(dir: &Dir) -> Option<String> {
        let mut file = dir.open_file(OsStr::new(NAME)).ok()?;
        let other = holder(&mut file)?;
        let here = other.boot == Holder::me().boot;
        let age = file.metadata().and_then(|about| about.modified()).ok()?.elapsed();
        let lives = if here {
            std::path::Path::new(&format!("/proc/{}", other.process)).exists()
        } else {
            // A clock that is behind the other's makes it young.
            age.map_or(true, |age| age < SILENT)
        };
        lives.then(|| format!("process {}", other.process))
    }

    fn take_after(dir: &Dir, silent: Duration) -> io::Result<FolderLock> {
        let in_use = |holder: Option<Holder>| {
            let holder = holder.map_or("unnamed".to_owned(), |h| format!("process {}", h.process));
            io::Error::other(InUse { folder: dir.path().to_owned(), holder })
        };
        let (mut file, reaches) = match system::take(dir, OsStr::new(NAME))? {
            Taken::Mine(file) => (file, true),
            Taken::Theirs(mut file) => return Err(in_use(holder(&mut file))),
            Taken::NoLocks(file) => (file, false),
        };
        let me = Holder::me();
        if let Some(other) = holder(&mut file).filter(|other| *other != me) {
            let here = other.boot == me.boot;
            let lives = if here {
                // On one machine the kernel's lock decides, where there is one.
                !reaches && system::lives(other.process)
            } else {
                touched(dir, silent)?
            };
            if lives {
                return Err(in_use(Some(other)));
            }
        }
        let mut line = serde_json::to_vec(&me)?;
        line.push(b'\n');
        file.set_len(0)?;
        file.write_all(&line)?;
        let (stop, stopped) = channel::<()>();
        let touched = file.try_clone()?;
        let beat = std::thread::Builder::new().name("folder lock".into()).spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // The journal reports a disk that is gone for a while.
                let _ = touched.set_modified(SystemTime::now());
            }
        })?;
        Ok(FolderLock { file, beat: Some((stop, beat)) })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if let Some((stop, beat)) = self.beat.take() {
            drop(stop);
            let _ = beat.join();
        }
        let _ = self.file.set_len(0);
    }
}

/// Who the file names; none where it names nobody.
fn holder(file: &mut File) -> Option<Holder> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whether somebody touches the lock within `silent`. It is opened anew for each look, so that a shared
/// file system does not answer from its memory.
fn touched(dir: &Dir, silent: Duration) -> io::Result<bool> {
    let modified = || dir.open_file(OsStr::new(NAME))?.metadata()?.modified();
    let first = modified()?;
    if first.elapsed().is_ok_and(|age| age > OLD) {
        return Ok(false);
    }
    tracing::warn!(
        "the folder was last used on another machine, or before this one was started; waiting {} s \
         to see whether it still is",
        silent.as_secs()
    );
    let begin = std::time::Instant::now();
    while begin.elapsed() < silent {
        std::thread::sleep(Duration::from_millis(200).min(silent));
        if modified()? != first {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(error: io::Error) -> String {
        error.to_string()
    }

    #[test]
    fn the_second_is_refused_and_the_lock_goes_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let first = FolderLock::take(&dir).unwrap();
        let refused = message(FolderLock::take(&dir).unwrap_err());
        let me = format!("process {}", std::process::id());
        assert!(refused.contains(&me), "{refused}");
        assert_eq!(FolderLock::look(&dir), Some(me));
        drop(first);
        assert_eq!(FolderLock::look(&dir), None);
        drop(FolderLock::take(&dir).unwrap());
        // A killed process of this machine leaves its name and no lock.
        let left = Holder { process: 1, ..Holder::me() };
        std::fs::write(folder.path().join(NAME), serde_json::to_vec(&left).unwrap()).unwrap();
        FolderLock::take(&dir).unwrap();
    }

    #[test]
    fn another_machine_that_touches_the_lock_keeps_it_and_a_silent_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let path = folder.path().join(NAME);
        let other = Holder { boot: "elsewhere".into(), process: 7 };
        std::fs::write(&path, serde_json::to_vec(&other).unwrap()).unwrap();
        let silent = Duration::from_millis(400);
        let touching = path.clone();
        let beat = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            File::options().append(true).open(touching).unwrap().set_modified(SystemTime::now())
        });
        let refused = message(FolderLock::take_after(&dir, silent).unwrap_err());
        assert!(refused.contains("process 7"), "{refused}");
        beat.join().unwrap().unwrap();
        drop(FolderLock::take_after(&dir, silent).unwrap());
    }
}
