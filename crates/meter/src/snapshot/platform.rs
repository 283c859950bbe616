//! The rest of the machine: board, graphics cards, power supply, operating system.

use super::roots::{Roots, entries, number, text};
use serde::{Deserialize, Serialize};

/// The board and its firmware, where they can be read. Serial numbers are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Board {
    /// The machine's maker.
    pub vendor: Option<String>,
    /// Its product name.
    pub product: Option<String>,
    /// The firmware's maker.
    pub bios_vendor: Option<String>,
    pub bios_version: Option<String>,
    /// Its date, as its maker writes it.
    pub bios_date: Option<String>,
}

/// A graphics card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Its model, or its PCI vendor and device numbers where no driver names it.
    pub name: String,
    /// The kernel's driver, where one drives it.
    pub driver: Option<String>,
    /// That driver's version.
    pub version: Option<String>,
}

/// What feeds the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Supply {
    /// Whether a mains supply is connected; none where there is nothing that says so.
    pub mains: Option<bool>,
    /// Whether there is a battery.
    pub battery: bool,
    /// What the battery does: `Discharging`, `Charging`, `Full` …
    pub battery_status: Option<String>,
    /// How full it is, in percent.
    pub battery_percent: Option<f64>,
}

impl Supply {
    /// Whether the machine runs on its battery.
    pub fn on_battery(&self) -> bool {
        self.battery
            && (self.mains == Some(false) || self.battery_status.as_deref() == Some("Discharging"))
    }
}

pub(super) fn board(roots: &Roots) -> Board {
    let dmi = |file: &str| text(&roots.sys.join("class/dmi/id").join(file));
    Board {
        vendor: dmi("sys_vendor"),
        product: dmi("product_name"),
        bios_vendor: dmi("bios_vendor"),
        bios_version: dmi("bios_version"),
        bios_date: dmi("bios_date"),
    }
}

pub(super) fn supply(roots: &Roots) -> Supply {
    let mut supply = Supply::default();
    if let Some(told) = roots.are_asked().then(crate::process::supply).flatten() {
        (supply.mains, supply.battery) = (told.mains, told.battery);
        supply.battery_percent = told.percent;
        return supply;
    }
    for device in entries(&roots.sys.join("class/power_supply")) {
        match text(&device.join("type")).as_deref() {
            Some("Mains" | "USB" | "USB_C" | "USB_PD") => {
                if let Some(online) = number::<u8>(&device.join("online")) {
                    supply.mains = Some(online != 0 || supply.mains == Some(true));
                }
            }
            // A mouse has a battery too; it says that it feeds a device only.
            Some("Battery") if text(&device.join("scope")).as_deref() != Some("Device") => {
                supply.battery = true;
                supply.battery_status = text(&device.join("status"));
                supply.battery_percent = number(&device.join("capacity"));
            }
            _ => {}
        }
    }
    supply
}

/// Graphics cards: NVIDIA's by what its driver writes to `/proc`, the others by their PCI class (3,
/// display) and their driver's name. No driver is called.
pub(super) fn gpus(roots: &Roots) -> Vec<Gpu> {
    let nvidia = roots.proc.join("driver/nvidia");
    let version = text(&nvidia.join("version")).and_then(|text| nvidia_version(&text));
    let mut gpus = Vec::new();
    let mut seen = Vec::new();
    for card in entries(&nvidia.join("gpus")) {
        let about = text(&card.join("information")).unwrap_or_default();
        let model = about.lines().find_map(|line| line.strip_prefix("Model:"));
        let name = model.map_or("NVIDIA", str::trim).to_owned();
        gpus.push(Gpu { name, driver: Some("nvidia".to_owned()), version: version.clone() });
        seen.push(card.file_name().unwrap_or_default().to_owned());
    }
    for device in entries(&roots.sys.join("bus/pci/devices")) {
        let class = text(&device.join("class")).unwrap_or_default();
        if !class.starts_with("0x03")
            || seen.contains(&device.file_name().unwrap_or_default().into())
        {
            continue;
        }
        let id = |file: &str| text(&device.join(file)).unwrap_or_else(|| "?".to_owned());
        let vendor = match id("vendor").as_str() {
            "0x10de" => "NVIDIA".to_owned(),
            "0x1002" => "AMD".to_owned(),
            "0x8086" => "Intel".to_owned(),
            other => format!("vendor {other}"),
        };
        let driver = std::fs::read_link(device.join("driver"))
            .ok()
            .and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
        gpus.push(Gpu { name: format!("{vendor} {}", id("device")), driver, version: None });
    }
    gpus
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu …` → `550.54.14`.
fn nvidia_version(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let is_version =
        |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    line.split_ascii_whitespace().find(is_version).map(str::to_owned)
}

/// The operating system's name and version, as it presents itself.
pub(super) fn os(roots: &Roots) -> Option<String> {
    let release = text(&roots.root.join("etc/os-release"))
        .or_else(|| text(&roots.root.join("usr/lib/os-release")))?;
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}
