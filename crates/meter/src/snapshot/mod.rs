//! What machine this is: read from the kernel's files, never from a driver, and without the names of
//! its user and host.

mod cpu;
mod environment;
mod platform;
pub mod proc;
pub(crate) mod roots;
mod sensors;
mod virtualisation;

pub use crate::clean::without_home;
pub use cpu::Cpu;
pub use environment::{Git, environment, git};
pub(crate) use platform::Board;
pub use platform::{Gpu, Supply};
pub use roots::Roots;
pub use sensors::{Frequencies, Thermometer, throttle_events};
pub use virtualisation::Virtualisation;

use roots::text;
use serde::{Deserialize, Serialize};

/// The machine, as `experiment.json` records it. What could not be read is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Its processors.
    pub cpu: Cpu,
    /// The instruction set, such as `x86_64`.
    pub architecture: String,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Swap space in bytes.
    pub swap_bytes: Option<u64>,
    /// Graphics cards.
    pub gpus: Vec<Gpu>,
    /// The operating system.
    pub os: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// Hypervisor and container.
    pub virtualisation: Virtualisation,
    /// Board and firmware.
    pub board: Board,
    /// Mains or battery.
    pub supply: Supply,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// What the kernel takes the time from, such as `tsc`.
    pub clock_source: Option<String>,
    /// The hottest processor sensor, in °C.
    pub celsius: Option<f64>,
    /// Seconds since boot.
    pub uptime_s: Option<f64>,
}

/// Whether the machine runs on its battery now; none where there is no battery to run on.
pub fn on_battery(roots: &Roots) -> Option<bool> {
    let supply = platform::supply(roots);
    supply.battery.then(|| supply.on_battery())
}

/// Reads the machine. Where there is no `/proc`, the system is asked instead.
pub fn machine(roots: &Roots) -> Machine {
    let bytes = |name: &str| -> Option<u64> {
        let meminfo = text(&roots.proc.join("meminfo"))?;
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    let clock = "devices/system/clocksource/clocksource0/current_clocksource";
    let mut machine = Machine {
        cpu: cpu::read(roots),
        architecture: std::env::consts::ARCH.to_owned(),
        memory_bytes: bytes("MemTotal"),
        swap_bytes: bytes("SwapTotal"),
        gpus: platform::gpus(roots),
        os: platform::os(roots),
        kernel: text(&roots.proc.join("sys/kernel/osrelease")),
        virtualisation: virtualisation::read(roots),
        board: platform::board(roots),
        supply: platform::supply(roots),
        load: proc::load(roots),
        clock_source: text(&roots.sys.join(clock)),
        celsius: Thermometer::open(roots).celsius(),
        uptime_s: proc::uptime(roots),
    };
    if roots.are_asked() {
        ask_the_system(&mut machine);
    }
    machine
}

/// Fills in what other systems do not keep in files.
fn ask_the_system(machine: &mut Machine) {
    use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::everything())
        .with_memory(MemoryRefreshKind::everything());
    machine.os = System::long_os_version().ok();
    machine.kernel = System::kernel_version().ok();
    machine.uptime_s = System::uptime().ok().map(|seconds| seconds as f64);
    machine.load = proc::load(&Roots::default());
    let Ok(system) = System::new_with_specifics(what) else { return };
    machine.memory_bytes = Some(system.total_memory());
    machine.swap_bytes = Some(system.total_swap());
    machine.cpu.threads = system.cpus().len();
    machine.cpu.cores = System::physical_core_count().ok();
    machine.cpu.model = system.cpus().first().map(|cpu| cpu.brand().to_owned());
}
