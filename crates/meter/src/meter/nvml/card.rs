//! What a card is and how it is set, for the record.

use std::path::Path;

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::Clock;
use serde::{Deserialize, Serialize};

use super::{GpuError, library};

/// A graphics card as its driver describes it. What the driver does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The driver's number.
    pub gpu: u32,
    /// What it is called.
    pub name: String,
    /// By which it is known on any machine.
    pub uuid: Option<String>,
    /// The driver's version.
    pub driver: Option<String>,
    /// The power beyond which it slows down, W.
    pub power_limit_w: Option<f64>,
    /// The limit that it comes with, W.
    pub power_limit_default_w: Option<f64>,
    /// Whether the driver stays awake while nobody uses it.
    pub persistence: Option<bool>,
    /// Present clock of its processors, MHz.
    pub clock_mhz: Option<u32>,
    /// The highest clock of its processors, MHz.
    pub clock_most_mhz: Option<u32>,
    /// Present clock of its memory, MHz.
    pub memory_clock_mhz: Option<u32>,
    /// Whether it is split into several (MIG). Its counter covers all of them.
    pub mig: Option<bool>,
    /// How many processes compute on it.
    pub processes: Option<u32>,
}

impl Card {
    pub(super) fn of(gpu: u32, device: &Device<'_>, driver: Option<String>) -> Card {
        let watts = |milliwatts: u32| f64::from(milliwatts) / 1e3;
        Card {
            gpu,
            name: device.name().unwrap_or_else(|_| "unnamed".to_owned()),
            uuid: device.uuid().ok(),
            driver,
            power_limit_w: device.enforced_power_limit().ok().map(watts),
            power_limit_default_w: device.power_management_limit_default().ok().map(watts),
            persistence: persistence(device),
            clock_mhz: device.clock_info(Clock::SM).ok(),
            clock_most_mhz: device.max_clock_info(Clock::SM).ok(),
            memory_clock_mhz: device.clock_info(Clock::Memory).ok(),
            mig: device.mig_mode().ok().map(|mode| mode.current != 0),
            processes: device.running_compute_processes_count().ok(),
        }
    }
}

/// Every card of this machine as it is now. `library` is NVIDIA's, usually `libnvidia-ml.so.1`.
///
/// # Errors
///
/// Where there is no driver, or it cannot be asked.
pub fn cards(path: &Path) -> Result<Vec<Card>, GpuError> {
    let library = library(path)?;
    let count = library.device_count().map_err(|error| GpuError::of_driver(&error, path))?;
    let driver = library.sys_driver_version().ok();
    let card = |gpu| {
        let device =
            library.device_by_index(gpu).map_err(|error| GpuError::of_card(&error, gpu))?;
        Ok(Card::of(gpu, &device, driver.clone()))
    };
    (0..count).map(card).collect()
}

/// Whether the driver keeps the card awake. Only Linux' driver has such a mode.
fn persistence(device: &nvml_wrapper::Device<'_>) -> Option<bool> {
    #[cfg(target_os = "linux")]
    return device.is_in_persistent_mode().ok();
    #[cfg(not(target_os = "linux"))]
    {
        let _ = device;
        None
    }
}
