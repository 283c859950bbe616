//! Whether a program keeps the wall clock right. A clock that is set during a trial moves samples that are
//! stamped with it.

use super::finding::{Finding, Level};
use crate::process;
use crate::snapshot::{Machine, Roots, proc};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Asks one of the system's programs and gives what it printed; none where it cannot say.
pub(crate) type Ask<'a> = &'a dyn Fn(&[&str]) -> Option<String>;

/// How long a program may think.
const PATIENCE: Duration = Duration::from_secs(2);

/// Programs that keep the clock, as the kernel names processes.
const KEEPERS: [&str; 7] =
    ["chronyd", "systemd-timesyn", "ntpd", "ntpd-rs", "openntpd", "ptp4l", "phc2sys"];

/// Runs a program of this machine, for two seconds at most.
pub(crate) fn ask(line: &[&str]) -> Option<String> {
    let mut printed = tempfile::tempfile().ok()?;
    let (program, arguments) = line.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    command.stdout(printed.try_clone().ok()?);
    process::own_group(&mut command);
    let mut child = command.spawn().ok()?;
    let begun = Instant::now();
    let ended = loop {
        match child.try_wait().ok()? {
            Some(status) => break status.success(),
            None if begun.elapsed() > PATIENCE => break false,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    if !ended {
        // Gone already, or too slow.
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    use std::io::{Read, Seek};
    printed.rewind().ok()?;
    let mut text = String::new();
    printed.read_to_string(&mut text).ok()?;
    Some(text)
}

/// What is known of the wall clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    synchronised: Option<bool>,
    keeper: Option<String>,
    source: Option<String>,
}

/// systemd asks the kernel (`adjtimex`, the flag `STA_UNSYNC`), whichever program keeps the clock. Without
/// systemd, chrony is asked; systemd's own program leaves a file.
pub(super) fn read(roots: &Roots, ask: Ask<'_>, machine: &Machine) -> Clock {
    let by_systemd =
        || match ask(&["timedatectl", "show", "-p", "NTPSynchronized", "--value"])?.trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
    let by_chrony = || {
        let told = ask(&["chronyc", "-n", "tracking"])?;
        let status =
            told.lines().find_map(|line| line.strip_prefix("Leap status")?.split_once(':'))?;
        Some(status.1.trim() != "Not synchronised")
    };
    // Windows: the leap indicator is 3 where it is not synchronised; its name differs by language.
    let by_windows = || {
        let told = ask(&["w32tm", "/query", "/status"])?;
        let (_, leap) = told.lines().next()?.split_once(':')?;
        Some(leap.trim().chars().next()?.to_digit(10)? < 3)
    };
    let by_file = || roots.root.join("run/systemd/timesync/synchronized").exists().then_some(true);
    let running = proc::processes(roots);
    let keeper = KEEPERS.iter().find(|name| running.values().any(|p| p.name == **name));
    Clock {
        synchronised: by_systemd().or_else(by_chrony).or_else(by_windows).or_else(by_file),
        keeper: keeper.map(|name| (*name).to_owned()),
        source: machine.clock_source.clone(),
    }
}

/// The command that has the clock kept.
const SYNCHRONISE: &str = if cfg!(windows) {
    "w32tm /resync"
} else if cfg!(target_os = "macos") {
    "sudo systemsetup -setusingnetworktime on"
} else {
    "sudo timedatectl set-ntp true"
};

pub(super) fn judge(clock: &Clock) -> Finding {
    let new = |level, found: String| {
        let source = clock.source.as_deref().map_or(String::new(), |s| format!(" (source: {s})"));
        Finding::new("clock", "Clock", level, found + &source)
            .with("synchronised", clock.synchronised)
            .with("keeper", clock.keeper.clone())
            .with("source", clock.source.clone())
    };
    match (clock.synchronised, &clock.keeper) {
        (Some(true), Some(keeper)) => new(Level::Ok, format!("synchronised by {keeper}")),
        (Some(true), None) => new(Level::Ok, "synchronised".to_owned()),
        (Some(false), _) => new(
            Level::Warning,
            "not synchronised: it may be set while a trial runs, and does not compare with other \
             instruments"
                .to_owned(),
        )
        .remedy(format!("Synchronise it, and wait a minute\n  {SYNCHRONISE}")),
        (None, Some(keeper)) => {
            new(Level::Unknown, format!("{keeper} runs; whether it is synchronised cannot be told"))
        }
        (None, None) => {
            new(Level::Unknown, "nothing here says whether it is synchronised".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answer: impl Fn(&str) -> Option<&'static str>) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        let ask = |line: &[&str]| answer(line[0]).map(str::to_owned);
        read(&Roots::under(folder.path()), &ask, &Machine::default()).synchronised
    }

    #[test]
    fn systemd_is_asked_first_then_chrony() {
        let chrony = "Reference ID    : A29FC87B\nLeap status     : Not synchronised\n";
        assert_eq!(told(|_| None), None);
        assert_eq!(told(|program| (program == "timedatectl").then_some("no\n")), Some(false));
        assert_eq!(told(|program| (program == "chronyc").then_some(chrony)), Some(false));
        let both = |program: &str| Some(if program == "timedatectl" { "yes\n" } else { chrony });
        assert_eq!(told(both), Some(true));
        let windows =
            |line: &'static str| told(move |program| (program == "w32tm").then_some(line));
        assert_eq!(windows("Leap Indicator: 0(no warning)\r\nStratum: 4\r\n"), Some(true));
        assert_eq!(windows("Sprungindikator: 3(nicht synchronisiert)\r\n"), Some(false));
        assert_eq!(told(|program| (program == "timedatectl").then_some("")), None);
    }

    #[test]
    fn a_keeper_alone_does_not_make_a_clock_right() {
        let clock = |synchronised, keeper: Option<&str>| Clock {
            synchronised,
            keeper: keeper.map(str::to_owned),
            source: None,
        };
        assert_eq!(judge(&clock(Some(true), None)).level, Level::Ok);
        assert_eq!(judge(&clock(Some(false), Some("chronyd"))).level, Level::Warning);
        assert_eq!(judge(&clock(None, Some("chronyd"))).level, Level::Unknown);
        assert_eq!(judge(&clock(None, None)).level, Level::Unknown);
    }

    #[test]
    fn a_program_that_fails_hangs_or_is_missing_says_nothing() {
        assert_eq!(ask(&["echo", "yes"]).as_deref(), Some("yes\n"));
        assert_eq!(ask(&["false"]), None);
        assert_eq!(ask(&["no-such-program-here"]), None);
        assert_eq!(ask(&["sleep", "60"]), None);
    }
}
