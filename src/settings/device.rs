//! Where a job runs, and what that asks of the meter and the machine.

use crate::Remedy as _;
use crate::meter::{Card, Choice, GpuError, Gpus, Kind, MeterDescription};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where scripts place the job: weights, data and arithmetic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// On the processor; scripts see no graphics card.
    #[default]
    Cpu,
    /// On an NVIDIA graphics card: the first that counts (`--gpus`).
    Gpu,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Device::Cpu => "cpu",
            Device::Gpu => "gpu",
        })
    }
}

/// A job that cannot run on a graphics card here, or would not be measured there.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum DeviceError {
    /// No card can be used.
    #[error("--device gpu: {0}")]
    #[diagnostic(help("To train on the processor, leave --device out"))]
    NoCard(String),
    /// The flags leave the card out that does the work.
    #[error(
        "--device gpu: {flag} leaves out the graphics card that is to do the work, whose energy \
         would not be counted"
    )]
    #[diagnostic(help("take --gpus all and --meter auto, or --meter rapl+nvml"))]
    LeftOut {
        /// The flag and its value.
        flag: String,
    },
    /// A script that runs on the processor only.
    #[error("--device {device}: {treatment} cannot run there; its script declares {declared}")]
    #[diagnostic(help("Leave it out of --treatments, or --device"))]
    NotDeclared {
        device: Device,
        /// What was to be compared.
        treatment: String,
        /// Where it can run.
        declared: String,
    },
    /// The meter that was found reads no card.
    #[error(
        "--device gpu: the meter ({meter}) reads no graphics card, so that the work's own energy would not \
         be counted{why}"
    )]
    Unmeasured {
        /// Its sensors.
        meter: String,
        /// Why the cards cannot be read, after a colon, where it is known.
        why: String,
    },
}

impl Device {
    /// Whether the flags let the device be measured.
    ///
    /// # Errors
    ///
    /// [`DeviceError::LeftOut`].
    pub(crate) fn fits(self, gpus: &Gpus, meter: Choice) -> Result<(), DeviceError> {
        let reads_cards = match meter {
            Choice::Auto => true,
            Choice::These(sensors) => sensors.has(Kind::Nvml),
        };
        let left_out = |flag: String| Err(DeviceError::LeftOut { flag });
        match self {
            Device::Gpu if *gpus == Gpus::None => left_out("--gpus none".to_owned()),
            Device::Gpu if !reads_cards => left_out(format!("--meter {meter}")),
            _ => Ok(()),
        }
    }

    /// Whether this machine has such a device; `cards` are those that the driver shows.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoCard`].
    pub(crate) fn is_there(
        self,
        cards: impl FnOnce() -> Result<Vec<Card>, GpuError>,
    ) -> Result<(), DeviceError> {
        if self == Device::Cpu {
            return Ok(());
        }
        let no_card = |error: GpuError| DeviceError::NoCard(error.in_line());
        match cards().map_err(no_card)?.as_slice() {
            [] => Err(no_card(GpuError::NoCards)),
            _ => Ok(()),
        }
    }

    /// Whether the meter that was found reads what the device draws.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Unmeasured`].
    pub(crate) fn is_measured(
        self,
        meter: &MeterDescription,
        rejected: &[(Kind, String)],
    ) -> Result<(), DeviceError> {
        if self == Device::Cpu || !meter.cards.is_empty() {
            return Ok(());
        }
        let why = rejected.iter().find(|(kind, _)| *kind == Kind::Nvml);
        let why = why.map_or(String::new(), |(_, why)| format!(": {why}"));
        Err(DeviceError::Unmeasured { meter: meter.kind.to_string(), why })
    }

    /// The card that scripts are to take, by the driver's number, where one was named.
    pub(crate) fn card(self, gpus: &Gpus) -> Option<u32> {
        match (self, gpus) {
            (Device::Gpu, Gpus::These(numbers)) => numbers.first().copied(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_does_the_work_has_to_count() {
        let fits = |gpus: &str, meter: &str| {
            let meter: Choice = meter.parse().unwrap();
            Device::Gpu.fits(&gpus.parse().unwrap(), meter).map_err(|error| error.in_line())
        };
        assert_eq!(fits("all", "auto"), Ok(()));
        assert_eq!(fits("1", "estimate+nvml"), Ok(()));
        assert!(fits("none", "auto").unwrap_err().contains("--gpus none"));
        assert!(fits("all", "rapl").unwrap_err().contains("--meter rapl "));
        assert!(Device::Cpu.fits(&Gpus::None, Choice::only(Kind::Rapl)).is_ok());
    }

    #[test]
    fn a_machine_without_a_card_is_told_why_and_what_to_do_instead() {
        let absent = || GpuError::Absent { library: "nvml".into(), why: "not found".into() };
        let error = Device::Gpu.is_there(|| Err(absent())).unwrap_err().in_line();
        assert!(error.contains("nvml") && error.contains("leave --device out"), "{error}");
        let error = Device::Gpu.is_there(|| Ok(Vec::new())).unwrap_err().in_line();
        assert!(error.contains("no card"), "{error}");
        assert!(Device::Cpu.is_there(|| panic!("nobody asked for a card")).is_ok());
    }

    #[test]
    fn the_card_that_was_named_is_the_one_to_use() {
        assert_eq!(Device::Gpu.card(&Gpus::These(vec![1, 3])), Some(1));
        assert_eq!(Device::Gpu.card(&Gpus::All), None);
        assert_eq!(Device::Cpu.card(&Gpus::These(vec![1])), None);
    }
}
