//! Whose failure was it: EnergiBridge's, or that of the command that it wraps?
//!
//! Its exit status is the command's own, and 101 where it panics itself; the command's streams are its
//! own as well. So the status says something only together with what was printed and what is in the
//! file of samples.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use crate::meter::MeterError;
use crate::process::Exit;
use crate::samples::{Fault, Reader};

/// A Rust program's exit status after a panic.
const PANIC: i32 = 101;

/// How much of a log's end is searched for last words.
const TAIL: u64 = 64 << 10;

/// Where EnergiBridge 0.0.7 panics: its own source files. Nothing in this program's worker lies at
/// these paths.
const SOURCES: [&str; 5] =
    ["src/main.rs", "src/cpu/", "src/gpu/", "src/memory.rs", "src/process.rs"];

/// The panic that its sources cause in the standard library: a sample took longer than the interval.
const LATE: &str = "overflow when subtracting durations";

/// What it says when the command itself cannot be started; that is not its fault.
const NOT_STARTED: &str = "Failed to execute command";

/// EnergiBridge's failure, if it was one, from how it ended, the log that both wrote to, and its file
/// of samples.
pub(crate) fn judge(exit: Exit, log: &Path, csv: &Path) -> Option<MeterError> {
    let text = tail(log);
    let ended = |said| Some(MeterError::EnergibridgeEnded { exit, said });
    if text.contains(NOT_STARTED) {
        return None;
    }
    match (exit, panic(&text)) {
        (Exit::Code(PANIC), Some(Panic::OfCommand)) => return None,
        (Exit::Code(PANIC), Some(Panic::Own(said))) => return Some(of_panic(exit, said)),
        (Exit::Signal(_), _) => return ended("it printed nothing about it".to_owned()),
        _ => {}
    }
    match Reader::open(csv) {
        Ok(_) => None,
        // Whatever the command did, there has to be a header with energy in it by then.
        Err(error) => match error.fault {
            Fault::Io(_) | Fault::Empty if exit == Exit::Code(PANIC) => ended(last_words(&text)),
            _ => Some(MeterError::Samples(Arc::new(error))),
        },
    }
}

/// What its own panic means for a measurement that had begun.
fn of_panic(exit: Exit, said: String) -> MeterError {
    if is_late(&said) {
        MeterError::EnergibridgeLate { exit, said }
    } else {
        MeterError::EnergibridgeEnded { exit, said }
    }
}

/// Whether its last words are that a sample took longer than the interval.
pub(crate) fn is_late(said: &str) -> bool {
    said.contains(LATE)
}

/// A panic in the text, and whether EnergiBridge itself was at fault.
enum Panic {
    /// It failed, with its message.
    Own(String),
    /// It panics on purpose where a signal ended the command, which then has no status.
    OfCommand,
}

fn panic(text: &str) -> Option<Panic> {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((_, place)) = line.split_once("panicked at ") else { continue };
        // Windows' compiler writes src\\main.rs.
        let place = &place.replace('\\', "/");
        let message = lines.next().unwrap_or_default().trim();
        // Older compilers write the message in front: panicked at 'message', src/main.rs:1:2.
        let here = SOURCES
            .iter()
            .any(|source| place.starts_with(source) || place.contains(&format!(", {source}")));
        if !here && !message.contains(LATE) && !place.contains(LATE) {
            continue;
        }
        let no_status =
            [message, place].iter().any(|t| t.contains("`Option::unwrap()` on a `None`"));
        if no_status && place.contains("src/main.rs") {
            return Some(Panic::OfCommand);
        }
        return Some(Panic::Own(format!("{} {message}", place.trim_end()).trim().to_owned()));
    }
    None
}

/// The end of a log as text, empty where there is none.
pub(crate) fn tail(log: &Path) -> String {
    let Ok(mut file) = File::open(log) else { return String::new() };
    let length = file.metadata().map_or(0, |about| about.len());
    let _ = file.seek(SeekFrom::Start(length.saturating_sub(TAIL)));
    let mut bytes = Vec::new();
    let _ = file.take(TAIL).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The panic in a text, or else its last line.
pub(crate) fn last_words(text: &str) -> String {
    if let Some(Panic::Own(said)) = panic(text) {
        return said;
    }
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.unwrap_or("it printed nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use joulerace_files::Remedy as _;

    const SAMPLES: &str = "Delta,Time,CPU_ENERGY (J)\n0,1000,1\n200,1200,2\n";
    const REGISTER: &str = "thread 'main' (7) panicked at src/cpu/amd.rs:20:76:\n\
        called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound }\n";

    fn verdict(exit: Exit, printed: &str, samples: Option<&str>) -> Option<MeterError> {
        let folder = tempfile::tempdir().unwrap();
        let (log, csv) = (folder.path().join("log"), folder.path().join("csv"));
        std::fs::write(&log, printed).unwrap();
        if let Some(samples) = samples {
            std::fs::write(&csv, samples).unwrap();
        }
        judge(exit, &log, &csv)
    }

    #[test]
    fn registers_that_cannot_be_read_are_its_failure() {
        let error = verdict(Exit::Code(101), REGISTER, None).unwrap().to_string();
        assert!(error.contains("src/cpu/amd.rs:20:76"), "{error}");
        assert!(error.contains("NotFound"), "{error}");
    }

    #[test]
    fn a_sample_slower_than_the_interval_is_its_failure() {
        let text = "thread 'main' panicked at library/core/src/time.rs:1223:31:\n\
            overflow when subtracting durations\n";
        let error = verdict(Exit::Code(101), text, Some(SAMPLES)).unwrap();
        assert!(matches!(&error, MeterError::EnergibridgeLate { .. }), "{error}");
        assert!(error.in_line().contains("--interval"), "{error}");
    }

    #[test]
    fn a_command_ended_by_a_signal_is_not() {
        let text = "thread 'main' panicked at src/main.rs:156:45:\n\
            called `Option::unwrap()` on a `None` value\n";
        assert!(verdict(Exit::Code(101), text, Some(SAMPLES)).is_none());
    }

    #[test]
    fn a_command_that_fails_or_panics_itself_is_not() {
        assert!(verdict(Exit::Code(1), "Traceback ...\n", Some(SAMPLES)).is_none());
        let text = "thread 'main' panicked at src/worker/serve.rs:1:1:\nboom\n";
        assert!(verdict(Exit::Code(101), text, Some(SAMPLES)).is_none());
        let text = "Failed to execute command: No such file or directory (os error 2)\n";
        assert!(verdict(Exit::Code(1), text, Some("")).is_none());
    }

    #[test]
    fn a_header_without_energy_is_its_failure_however_the_command_ended() {
        for exit in [Exit::Code(0), Exit::Code(3)] {
            let error = verdict(exit, "", Some("Delta,Time,CPU_USAGE_0\n0,1,2\n")).unwrap();
            assert!(matches!(error, MeterError::Samples(_)), "{error}");
        }
        assert!(verdict(Exit::Code(0), "", None).is_some());
    }

    #[test]
    fn being_killed_is_its_failure() {
        assert!(verdict(Exit::Signal(9), "", Some(SAMPLES)).is_some());
    }

    #[test]
    fn all_is_well_where_all_went_well() {
        let text = "Energy consumption in joules: 40.1 for 1.01 sec of execution.\n";
        assert!(verdict(Exit::Code(0), text, Some(SAMPLES)).is_none());
    }
}
