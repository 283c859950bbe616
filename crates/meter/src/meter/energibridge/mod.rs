//! The program EnergiBridge as a meter: find it, see that it works, and put it before a command.
//!
//! It writes the samples itself; a [`watch`] follows the file while it grows, and [`judge`] tells its
//! failures apart from those of the command that it wraps.

pub(super) mod judge;
pub(super) mod watch;

use joulerace_files::Remedy as _;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Counter, Kind, MeterError};
use crate::energy::{Wrapping, account_file};
use crate::process::{self, Exit};
use crate::samples::{Column, Domain, Quantity};

/// The oldest version whose format and command line are known here.
const OLDEST: [u32; 3] = [0, 0, 7];

/// How long it may take to say its version, and to measure a command of [`TRIED`].
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the trial command sleeps, so that counters have time to move.
const TRIED: Duration = Duration::from_millis(300);

/// An EnergiBridge that was found to work on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Energibridge {
    /// The binary.
    pub path: PathBuf,
    /// Its version, such as `0.0.7`.
    pub version: String,
    /// What it measures here.
    pub columns: Vec<Column>,
    /// Columns that it writes for registers that this machine lacks.
    pub absent: Vec<String>,
}

impl Energibridge {
    /// Finds the binary, asks its version, and lets it measure a command that sleeps.
    ///
    /// # Errors
    ///
    /// That there is none, that it is too old, or that it cannot measure here, with what it printed.
    pub(crate) fn probe(
        named: Option<&Path>,
        search_path: Option<&OsStr>,
        interval: Duration,
    ) -> Result<Energibridge, MeterError> {
        let path = find(named, search_path)?;
        let version = version(&path)?;
        let (columns, absent) = try_out(&path, interval)?;
        Ok(Energibridge { path, version, columns, absent })
    }

    /// The command line that measures `argv` into `csv`. With `summary` it also prints a line of its
    /// own to standard output at the end.
    pub(crate) fn wrap(
        &self,
        csv: &Path,
        interval: Duration,
        summary: bool,
        argv: Vec<OsString>,
    ) -> Vec<OsString> {
        wrapped(&self.path, csv, interval, summary, argv)
    }

    /// What it measures, for the record.
    pub(crate) fn counters(&self) -> Vec<Counter> {
        let domains: Vec<Domain> = self.columns.iter().map(|column| column.domain).collect();
        let total = Domain::in_total(&domains);
        let describe = |column: &Column| Counter {
            domain: column.domain,
            counted: total.contains(&column.domain),
            name: column.name.clone(),
            path: self.path.display().to_string(),
            // It does not tell the range; the accounting infers it from the readings.
            range_j: None,
            sensor: Some(Kind::Energibridge),
            column: Some(column.name.clone()),
            update_ms: None,
        };
        self.columns.iter().map(describe).collect()
    }

    /// What to know about its numbers.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "EnergiBridge reads one socket only".to_owned(),
            "its first and last samples lie up to one interval inside the trial".to_owned(),
        ];
        if !self.absent.is_empty() {
            notes.push(format!(
                "no counter behind {}: constant, as this machine has no such register",
                self.absent.join(", ")
            ));
        }
        if !self.columns.iter().any(|c| c.domain == Domain::Dram) {
            notes.push("no DRAM counter: the memory's energy is not in the total".to_owned());
        }
        if self.columns.iter().any(|c| c.quantity == Quantity::Power) {
            notes.push("a power, not a counter, is sampled and integrated over time".to_owned());
        }
        notes
    }
}

fn wrapped(
    path: &Path,
    csv: &Path,
    interval: Duration,
    summary: bool,
    argv: Vec<OsString>,
) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec![path.into(), "-o".into(), csv.into(), "-i".into()];
    line.push(interval.as_millis().to_string().into());
    if summary {
        line.push("--summary".into());
    }
    line.push("--".into());
    line.extend(argv);
    line
}

/// The named binary, or the first of its name in the folders of `search_path`.
pub(super) fn find(
    named: Option<&Path>,
    search_path: Option<&OsStr>,
) -> Result<PathBuf, MeterError> {
    if let Some(path) = named {
        if path.is_file() {
            // An absolute path also means the same file from another working folder.
            return Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        }
        return Err(MeterError::EnergibridgeMissing {
            place: format!("{} is not a file", path.display()),
        });
    }
    let name = format!("energibridge{}", std::env::consts::EXE_SUFFIX);
    let folders = search_path.map(std::env::split_paths).into_iter().flatten();
    folders
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(&name))
        .find(|path| executable(path))
        .ok_or_else(|| MeterError::EnergibridgeMissing { place: format!("no {name} on PATH") })
}

fn executable(path: &Path) -> bool {
    let Ok(about) = path.metadata() else { return false };
    #[cfg(unix)]
    let may_run = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let may_run = true;
    about.is_file() && may_run
}

fn version(path: &Path) -> Result<String, MeterError> {
    let unusable = |what| MeterError::EnergibridgeUnusable { path: path.to_owned(), what };
    let scratch = scratch()?;
    let printed = scratch.path().join("printed");
    let exit = run(&[path.into(), "--version".into()], &printed).map_err(unusable)?;
    let text = judge::tail(&printed);
    let word = text.split_whitespace().last().unwrap_or_default();
    let Some(numbers) = numbers(word).filter(|_| exit == Exit::Code(0)) else {
        let what = format!("'--version' gave no version ({exit}): {}", text.trim());
        return Err(unusable(what));
    };
    if numbers < OLDEST {
        return Err(MeterError::EnergibridgeTooOld { path: path.to_owned(), version: word.into() });
    }
    Ok(word.to_owned())
}

/// The three numbers of a version such as `0.0.7` or `0.1.0-rc1`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let plain = version.strip_prefix('v').unwrap_or(version);
    let plain = plain.split(['-', '+']).next()?;
    let mut parts = plain.split('.').map(|part| part.parse().ok());
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

/// Lets it measure a command that sleeps, and says which energy columns it has here, and which of those it
/// writes have no register behind them.
fn try_out(path: &Path, interval: Duration) -> Result<(Vec<Column>, Vec<String>), MeterError> {
    let unusable = |what| MeterError::EnergibridgeUnusable { path: path.to_owned(), what };
    let scratch = scratch()?;
    let (csv, printed) = (scratch.path().join("try.csv"), scratch.path().join("printed"));
    let interval = interval.min(Duration::from_millis(200));
    let line = wrapped(path, &csv, interval, true, process::sleeper(TRIED));
    let exit = run(&line, &printed).map_err(unusable)?;
    if exit != Exit::Code(0) {
        let said = judge::last_words(&judge::tail(&printed));
        if judge::is_late(&said) {
            return Err(MeterError::EnergibridgeLate { exit, said });
        }
        return Err(MeterError::EnergibridgeFails { path: path.to_owned(), exit, said });
    }
    let accounts = account_file(&csv, &[], &Wrapping::Infer).map_err(|error| {
        unusable(format!("what it measured cannot be used: {}", error.fault.in_line()))
    })?;
    if let Some(why) = accounts.integrity.unknown_energy() {
        return Err(unusable(why));
    }
    let joules = accounts.whole.total_j;
    if joules.is_nan() || joules <= 0.0 {
        let what = format!("it counted {joules} J while a command slept for {TRIED:?}");
        return Err(unusable(what));
    }
    let reader = crate::samples::Reader::open(&csv).map_err(|error| {
        unusable(format!("its samples cannot be read: {}", error.fault.in_line()))
    })?;
    let mut columns = reader.columns().to_vec();
    columns.retain(|column| !accounts.absent.contains(&column.name));
    Ok((columns, accounts.absent))
}

fn scratch() -> Result<crate::store::Scratch, MeterError> {
    crate::store::Scratch::new().map_err(|source| MeterError::Create {
        path: std::env::temp_dir(),
        source: Arc::new(source),
    })
}

/// Runs a command in a process group of its own, both of its streams into a file, and ends the group
/// where it takes too long or leaves something behind.
fn run(line: &[OsString], printed: &Path) -> Result<Exit, String> {
    let open = || File::create(printed).map_err(|error| error.to_string());
    let (out, mut command) = (open()?, Command::new(&line[0]));
    let err = out.try_clone().map_err(|error| error.to_string())?;
    command.args(&line[1..]).stdin(Stdio::null()).stdout(out).stderr(err);
    process::own_group(&mut command);
    let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    let begun = Instant::now();
    let exit = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break Exit::from(status),
            None if begun.elapsed() > PATIENCE => break Exit::Unknown,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    process::kill_group(child.id());
    if exit == Exit::Unknown {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("it did not end within {PATIENCE:?}"));
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert_eq!(numbers("0.0.7"), Some([0, 0, 7]));
        assert_eq!(numbers("v1.2.10-rc1"), Some([1, 2, 10]));
        assert!(numbers("0.0.10") > numbers("0.0.7"));
        for bad in ["", "0.7", "0.0.7.1", "energibridge", "0.0.x"] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_measured_command_stands_behind_two_dashes() {
        let argv = vec!["worker".into(), "-o".into()];
        let interval = Duration::from_millis(200);
        let line = wrapped(Path::new("/eb"), Path::new("t.csv"), interval, true, argv);
        assert_eq!(line, ["/eb", "-o", "t.csv", "-i", "200", "--summary", "--", "worker", "-o"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_first_executable_on_the_path_is_taken() {
        use std::os::unix::fs::PermissionsExt;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &two] {
            std::fs::write(folder.path().join("energibridge"), "").unwrap();
        }
        let binary = two.path().join("energibridge");
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        let search = std::env::join_paths([one.path(), two.path()]).unwrap();
        assert_eq!(find(None, Some(&search)).unwrap(), binary);
        let error = find(None, Some(one.path().as_os_str())).unwrap_err().in_line();
        assert!(error.contains("--energibridge"), "{error}");
        let error = find(Some(Path::new("/no/such")), None).unwrap_err().in_line();
        assert!(error.contains("/no/such"), "{error}");
    }
}
