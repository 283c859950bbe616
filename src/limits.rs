//! What this program must have of the system before it begins, and arguments as clap takes them.

use crate::cli::{Cli, Command};
use crate::error::{Error, Status};
use std::ffi::OsString;

/// Files that a run has open at once, with room to spare; a worker's framework opens hundreds.
const FILES: u64 = 256;

/// Fewer than this and no trial can be run.
const FEWEST_FILES: u64 = 64;

/// Threads that are started at once: output, sampler, signals, and what prepares.
const THREADS: usize = 6;

/// Sees that there are files and threads to be had, so that a limit is told by its name and not by a
/// panic in the middle; a file that grows beyond its limit is an error to be told, and ends nothing.
///
/// # Errors
///
/// Names the limit and how it is raised.
pub fn enough(cli: &Cli) -> Result<(), Error> {
    ignore_file_size_signal();
    if matches!(cli.command, Some(Command::Worker(_))) {
        return Ok(());
    }
    let told = |message: String| Error::Told { message, status: Status::Usage };
    let files = raise_files();
    if files < FEWEST_FILES {
        return Err(told(format!(
            "this shell lets a program open {files} files, and {FEWEST_FILES} are needed; raise the \
             limit: ulimit -n {FILES}"
        )));
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
        Err(error) => Err(told(format!(
            "this user may start no more threads or processes ({error}); raise the limit (ulimit -u) \
             or end what else runs"
        ))),
    }
}

/// A write beyond `ulimit -f` then fails as one to a full disk does, instead of ending the program.
fn ignore_file_size_signal() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring a signal runs no code in its stead.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Raises the soft limit of open files as far as is useful and allowed, and gives what it is then.
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

/// Puts a flag and a value that begins like a negative number together (`--seed -1` as `--seed=-1`), so
/// that what is wrong with the value is said with its flag. A command to be measured is left as it is.
pub fn joined(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut arguments = arguments.peekable();
    let mut measured = false;
    while let Some(mut argument) = arguments.next() {
        let bytes = argument.as_encoded_bytes();
        if bytes == b"--" || bytes == b"measure" {
            measured = true;
        }
        let flag = bytes.starts_with(b"--") && bytes.len() > 2 && !bytes.contains(&b'=');
        let number = |next: &OsString| {
            let next = next.as_encoded_bytes();
            next.starts_with(b"-") && next.get(1).is_some_and(|b| b.is_ascii_digit() || *b == b'.')
        };
        if !measured
            && flag
            && let Some(value) = arguments.next_if(number)
        {
            argument.push("=");
            argument.push(value);
        }
        joined.push(argument);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_value_stays_with_its_flag_and_a_measured_command_as_it_is() {
        let joined = |words: &[&str]| {
            let joined = super::joined(words.iter().map(OsString::from));
            joined.into_iter().map(|w| w.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(joined(&["j", "--seed", "-1", "-q"]), ["j", "--seed=-1", "-q"]);
        assert_eq!(joined(&["j", "--warmup", "-.5s"]), ["j", "--warmup=-.5s"]);
        assert_eq!(joined(&["j", "--output", "--dry-run"]), ["j", "--output", "--dry-run"]);
        let measured = ["j", "measure", "--", "tail", "--lines", "-1"];
        assert_eq!(joined(&measured), measured);
    }
}
