//! Asks the driver what a card is and how it is set.

use std::path::Path;

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::Clock;

use super::{GpuError, library};
use crate::meter::card::Card;

/// A card as its driver describes it now.
pub(super) fn describe(gpu: u32, device: &Device<'_>, driver: Option<String>) -> Card {
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
        Ok(describe(gpu, &device, driver.clone()))
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
