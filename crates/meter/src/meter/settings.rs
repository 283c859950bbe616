//! Which meter to use and where it finds what it reads.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::MeterError;

/// A meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The program EnergiBridge, which wraps what is measured.
    Energibridge,
    /// The kernel's RAPL counters, read by this program.
    Rapl,
    /// Processor busy time times a stated power: no measurement.
    Estimate,
}

impl Kind {
    /// All meters, in the order in which they are tried.
    pub const ALL: [Kind; 3] = [Kind::Energibridge, Kind::Rapl, Kind::Estimate];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Energibridge => "energibridge",
            Kind::Rapl => "rapl",
            Kind::Estimate => "estimate",
        })
    }
}

/// What `--meter` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Choice {
    /// The first that works.
    #[default]
    Auto,
    /// This one or none.
    Only(Kind),
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Auto => f.write_str("auto"),
            Choice::Only(kind) => kind.fmt(f),
        }
    }
}

impl FromStr for Choice {
    type Err = MeterError;

    fn from_str(text: &str) -> Result<Choice, MeterError> {
        if text == "auto" {
            return Ok(Choice::Auto);
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.to_string() == text);
        kind.map(Choice::Only).ok_or_else(|| MeterError::UnknownKind(text.to_owned()))
    }
}

impl TryFrom<String> for Choice {
    type Error = MeterError;

    fn try_from(text: String) -> Result<Choice, MeterError> {
        text.parse()
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> String {
        choice.to_string()
    }
}

/// The power that the estimate assumes of all processors together, in watts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CpuWatts {
    /// At rest.
    pub idle_w: f64,
    /// With every core busy.
    pub busy_w: f64,
}

impl Default for CpuWatts {
    /// A middling desktop processor; state your own machine's for anything that matters.
    fn default() -> CpuWatts {
        CpuWatts { idle_w: 10.0, busy_w: 65.0 }
    }
}

impl fmt::Display for CpuWatts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.idle_w, self.busy_w)
    }
}

impl FromStr for CpuWatts {
    type Err = MeterError;

    /// Reads `IDLE:BUSY`, as in `10:65`.
    fn from_str(text: &str) -> Result<CpuWatts, MeterError> {
        let parsed = text.split_once(':').and_then(|(idle, busy)| {
            Some(CpuWatts { idle_w: idle.trim().parse().ok()?, busy_w: busy.trim().parse().ok()? })
        });
        parsed
            .filter(|w| w.idle_w >= 0.0 && w.busy_w >= w.idle_w && w.busy_w > 0.0)
            .filter(|w| w.busy_w.is_finite())
            .ok_or_else(|| MeterError::CpuWatts(text.to_owned()))
    }
}

/// Everything a meter has to be told. Its roots are settings so that containers and tests can name
/// their own.
#[derive(Debug, Clone, PartialEq)]
pub struct MeterSettings {
    /// Which meter.
    pub choice: Choice,
    /// Between two samples; at least a millisecond.
    pub interval: Duration,
    /// The EnergiBridge binary; `None` searches `search_path`.
    pub energibridge: Option<PathBuf>,
    /// Folders to search for EnergiBridge, written as in `PATH`.
    pub search_path: Option<OsString>,
    /// Where RAPL's zones are, usually `/sys/class/powercap`.
    pub powercap: PathBuf,
    /// The power that the estimate assumes.
    pub cpu_watts: CpuWatts,
    /// Where `stat`, `meminfo` and `cpuinfo` are, usually `/proc`.
    pub proc_root: PathBuf,
    /// Where `cpu<n>/cpufreq` is, usually `/sys/devices/system/cpu`.
    pub cpu_root: PathBuf,
}

impl Default for MeterSettings {
    /// The first meter that works, every 200 ms, with the machine's own files and `PATH`.
    fn default() -> MeterSettings {
        MeterSettings {
            choice: Choice::Auto,
            interval: Duration::from_millis(200),
            energibridge: None,
            search_path: std::env::var_os("PATH"),
            powercap: "/sys/class/powercap".into(),
            cpu_watts: CpuWatts::default(),
            proc_root: "/proc".into(),
            cpu_root: "/sys/devices/system/cpu".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_reads_back_as_it_is_shown() {
        for choice in [Choice::Auto].into_iter().chain(Kind::ALL.map(Choice::Only)) {
            assert_eq!(choice.to_string().parse::<Choice>().unwrap(), choice);
        }
        let error = "sensor".parse::<Choice>().unwrap_err().to_string();
        assert!(error.contains("'sensor'") && error.contains("estimate"), "{error}");
    }

    #[test]
    fn watts_are_two_powers_the_second_not_below_the_first() {
        assert_eq!("10:65".parse::<CpuWatts>().unwrap(), CpuWatts { idle_w: 10.0, busy_w: 65.0 });
        for bad in ["", "10", "65:10", "-1:5", "0:0", "1:x", "1:2:3", "1:inf", "nan:1"] {
            assert!(bad.parse::<CpuWatts>().is_err(), "{bad}");
        }
    }
}
