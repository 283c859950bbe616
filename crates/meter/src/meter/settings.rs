//! Which meter to use and where it finds what it reads.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

/// Where the kernel has its powercap zones.
pub const POWERCAP: &str = "/sys/class/powercap";

/// Where the kernel describes its sources of events.
pub(crate) const EVENTS: &str = "/sys/bus/event_source/devices";

/// Text that names no meter, no cards or no powers. Clap prints one text, what was typed and what may be, so that
/// cause and remedy are one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSetting {
    /// `--meter` names none of the meters.
    #[error(
        "'{0}' is not a meter. --meter takes auto, energibridge, rapl, estimate or nvml, and with a + \
         nvml beside one of the others, such as rapl+nvml"
    )]
    Kind(String),
    /// `--meter` names two for the same thing.
    #[error(
        "'{0}' would read the processor twice. --meter takes one of energibridge, rapl and estimate, \
         and nvml beside it, such as rapl+nvml"
    )]
    TwoForOne(String),
    /// `--gpus` is no choice of cards.
    #[error("'{0}' names no graphics cards. --gpus takes all, none or numbers such as 0,1")]
    Gpus(String),
    /// `--cpu-watts` is not two powers.
    #[error(
        "'{0}' is not an IDLE:BUSY pair of watts. --cpu-watts takes the processor's power at rest and \
         with all cores busy, the second not below the first, such as 10:65"
    )]
    CpuWatts(String),
}

/// One way to read energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The program EnergiBridge, which wraps what is measured.
    Energibridge,
    /// The kernel's RAPL counters, read by this program.
    Rapl,
    /// Processor busy time times a stated power: no measurement.
    Estimate,
    /// NVIDIA's management library: the counters of graphics cards.
    Nvml,
}

impl Kind {
    /// All ways, those for the processor first and in the order in which they are tried.
    pub const ALL: [Kind; 4] = [Kind::Energibridge, Kind::Rapl, Kind::Estimate, Kind::Nvml];

    /// Whether it measures; else its joules are worked out.
    pub fn measures(self) -> bool {
        self != Kind::Estimate
    }

    /// Whether it is a program of its own around what is measured.
    pub fn wraps(self) -> bool {
        self == Kind::Energibridge
    }

    /// Whether it reads graphics cards, and not the processor.
    pub fn reads_cards(self) -> bool {
        self == Kind::Nvml
    }

    /// The ways to read the processor, in the order in which they are tried.
    pub(crate) const OF_PROCESSOR: [Kind; 3] = [Kind::Energibridge, Kind::Rapl, Kind::Estimate];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Energibridge => "energibridge",
            Kind::Rapl => "rapl",
            Kind::Estimate => "estimate",
            Kind::Nvml => "nvml",
        })
    }
}

/// The sensors of one meter, which are read together: at most one for the processor, and the cards'.
///
/// Text form, in JSON as well: their names joined by `+`, such as `rapl+nvml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct Sensors {
    processor: Option<Kind>,
    cards: bool,
}

impl Sensors {
    /// These together; none where there are none, or two for the processor.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Option<Sensors> {
        let mut sensors = Sensors { processor: None, cards: false };
        for kind in kinds {
            match kind {
                Kind::Nvml => sensors.cards = true,
                kind if sensors.processor.is_none_or(|there| there == kind) => {
                    sensors.processor = Some(kind);
                }
                _ => return None,
            }
        }
        (sensors.processor.is_some() || sensors.cards).then_some(sensors)
    }

    /// Each of them, the processor's first.
    pub fn each(self) -> impl Iterator<Item = Kind> {
        self.processor.into_iter().chain(self.cards.then_some(Kind::Nvml))
    }

    /// Whether this one is among them.
    pub fn has(self, kind: Kind) -> bool {
        self.each().any(|each| each == kind)
    }
}

impl From<Kind> for Sensors {
    fn from(kind: Kind) -> Sensors {
        match kind {
            Kind::Nvml => Sensors { processor: None, cards: true },
            kind => Sensors { processor: Some(kind), cards: false },
        }
    }
}

impl fmt::Display for Sensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.each().map(|kind| kind.to_string()).collect();
        f.write_str(&names.join("+"))
    }
}

impl FromStr for Sensors {
    type Err = NoSetting;

    fn from_str(text: &str) -> Result<Sensors, NoSetting> {
        let kind = |name: &str| Kind::ALL.into_iter().find(|kind| kind.to_string() == name);
        let kinds: Option<Vec<Kind>> = text.split('+').map(|name| kind(name.trim())).collect();
        let kinds = kinds.ok_or_else(|| NoSetting::Kind(text.to_owned()))?;
        Sensors::of(kinds).ok_or_else(|| NoSetting::TwoForOne(text.to_owned()))
    }
}

/// What `--meter` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub enum Choice {
    /// The first that works for the processor, and the cards that there are.
    #[default]
    Auto,
    /// These or none.
    These(Sensors),
}

impl Choice {
    /// This one sensor or none.
    pub fn only(kind: Kind) -> Choice {
        Choice::These(kind.into())
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Auto => f.write_str("auto"),
            Choice::These(sensors) => sensors.fmt(f),
        }
    }
}

impl FromStr for Choice {
    type Err = NoSetting;

    fn from_str(text: &str) -> Result<Choice, NoSetting> {
        if text == "auto" { Ok(Choice::Auto) } else { text.parse().map(Choice::These) }
    }
}

/// Which graphics cards are part of what is measured.
///
/// Text form, in JSON as well: `all`, `none`, or their numbers such as `0,1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub enum Gpus {
    /// Every card that there is.
    #[default]
    All,
    /// No card, even if there are some.
    None,
    /// These, by the driver's numbers, and all of them have to work.
    These(Vec<u32>),
}

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gpus::All => f.write_str("all"),
            Gpus::None => f.write_str("none"),
            Gpus::These(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
                f.write_str(&numbers.join(","))
            }
        }
    }
}

impl FromStr for Gpus {
    type Err = NoSetting;

    fn from_str(text: &str) -> Result<Gpus, NoSetting> {
        match text {
            "all" => return Ok(Gpus::All),
            "none" => return Ok(Gpus::None),
            _ => {}
        }
        let numbers: Result<BTreeSet<u32>, _> =
            text.split(',').map(|number| number.trim().parse()).collect();
        let numbers = numbers.map_err(|_| NoSetting::Gpus(text.to_owned()))?;
        Ok(Gpus::These(numbers.into_iter().collect()))
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
    type Err = NoSetting;

    /// Reads `IDLE:BUSY`, as in `10:65`.
    fn from_str(text: &str) -> Result<CpuWatts, NoSetting> {
        let parsed = text.split_once(':').and_then(|(idle, busy)| {
            Some(CpuWatts { idle_w: idle.trim().parse().ok()?, busy_w: busy.trim().parse().ok()? })
        });
        parsed
            .filter(|w| w.idle_w >= 0.0 && w.busy_w >= w.idle_w && w.busy_w > 0.0)
            .filter(|w| w.busy_w.is_finite())
            .ok_or_else(|| NoSetting::CpuWatts(text.to_owned()))
    }
}

/// What `--interval edges` stands for: a reading at the start, at the end and at each mark, and in between
/// only so often that no counter wraps unseen. RAPL's narrowest range, 65 kJ, lasts a socket of 1 kW for 65 s.
pub const EDGES: Duration = Duration::from_secs(30);

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
    /// Where the kernel describes its events, usually `/sys/bus/event_source/devices`: the second way in to
    /// RAPL, for the system's own `powercap`. Another folder was named to be read, and nothing else.
    pub events: PathBuf,
    /// The power that the estimate assumes.
    pub cpu_watts: CpuWatts,
    /// Which graphics cards count.
    pub gpus: Gpus,
    /// NVIDIA's management library, as the system's loader finds it.
    pub nvml: PathBuf,
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
            powercap: POWERCAP.into(),
            events: EVENTS.into(),
            cpu_watts: CpuWatts::default(),
            gpus: Gpus::All,
            nvml: if cfg!(windows) { "nvml.dll" } else { "libnvidia-ml.so.1" }.into(),
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
        for choice in [Choice::Auto].into_iter().chain(Kind::ALL.map(Choice::only)) {
            assert_eq!(choice.to_string().parse::<Choice>().unwrap(), choice);
        }
        let both: Choice = "nvml+rapl".parse().unwrap();
        assert_eq!(both.to_string(), "rapl+nvml");
        let error = "rapl+estimate".parse::<Choice>().unwrap_err().to_string();
        assert!(error.contains("rapl+estimate") && error.contains("twice"), "{error}");
        let error = "sensor".parse::<Choice>().unwrap_err().to_string();
        assert!(error.contains("'sensor'") && error.contains("estimate"), "{error}");
    }

    #[test]
    fn cards_are_all_none_or_numbers_each_once() {
        for (text, shown) in [("all", "all"), ("none", "none"), ("1, 0,1", "0,1")] {
            assert_eq!(text.parse::<Gpus>().unwrap().to_string(), shown);
        }
        for bad in ["", "one", "-1", "0;1"] {
            assert!(bad.parse::<Gpus>().is_err(), "{bad}");
        }
    }

    #[test]
    fn watts_are_two_powers_the_second_not_below_the_first() {
        assert_eq!("10:65".parse::<CpuWatts>().unwrap(), CpuWatts { idle_w: 10.0, busy_w: 65.0 });
        for bad in ["", "10", "65:10", "-1:5", "0:0", "1:x", "1:2:3", "1:inf", "nan:1"] {
            assert!(bad.parse::<CpuWatts>().is_err(), "{bad}");
        }
    }
}
