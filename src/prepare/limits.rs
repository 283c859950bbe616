//! What this program must have of the system before it begins.

use crate::error::{Error, Status};

/// Files that a run has open at once, with room to spare; a worker's framework opens hundreds.
const FILES: u64 = 256;

/// Fewer than this and no trial can be run.
const FEWEST_FILES: u64 = 64;

/// Threads that are started at once: output, sampler, signals, and what prepares.
const THREADS: usize = 6;

/// Checks that enough files and threads can be had, so that a limit is named and does not show as a panic in the
/// middle.
///
/// # Errors
///
/// Names the limit and how it is raised.
pub(crate) fn enough() -> Result<(), Error> {
    let files = raise_files();
    if files < FEWEST_FILES {
        return Err(Error::advised(
            Status::Usage,
            format!("this shell lets a program open {files} files, and {FEWEST_FILES} are needed"),
            format!("raise the limit: ulimit -n {FILES}"),
        ));
    }
    let threads: Result<Vec<_>, _> = (0..THREADS)
        .map(|_| std::thread::Builder::new().stack_size(64 << 10).spawn(std::thread::yield_now))
        .collect();
    match threads {
        Ok(threads) => {
            for thread in threads {
                let _ = thread.join();
            }
            Ok(())
        }
        Err(error) => Err(Error::advised(
            Status::Usage,
            format!("this user may start no more threads or processes ({error})"),
            "raise the limit (ulimit -u) or end what else runs",
        )),
    }
}

/// Raises the soft limit of open files as far as is useful and allowed, and gives what it is then.
#[cfg(unix)]
fn raise_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    if soft >= FILES {
        return soft;
    }
    let wanted = FILES.min(hard);
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}

/// Windows limits how many handles there are by memory only.
#[cfg(not(unix))]
fn raise_files() -> u64 {
    u64::MAX
}
