//! What the machine is: its processors, what feeds it, what stands before the hardware, graphics cards.

use super::finding::{Finding, Level};
use crate::snapshot::{Gpu, Machine, Supply, Virtualisation};

/// The machine, its supply, hypervisor, container and graphics cards.
pub(super) fn judge(machine: &Machine) -> Vec<Finding> {
    vec![
        processor(machine),
        hypervisor(&machine.virtualisation),
        container(&machine.virtualisation),
        supply(&machine.supply, &machine.virtualisation),
        gpu(&machine.gpus),
    ]
}

fn processor(machine: &Machine) -> Finding {
    let cpu = &machine.cpu;
    let count = |n: Option<usize>, what: &str| match n {
        Some(1) => format!("1 {what}"),
        Some(n) => format!("{n} {what}s"),
        None => format!("an unknown number of {what}s"),
    };
    let known = cpu.model.is_some();
    let found = format!(
        "{}, {}, {}, {}{}",
        cpu.model.as_deref().unwrap_or("unknown model"),
        count(cpu.sockets, "socket"),
        count(cpu.cores, "core"),
        count(Some(cpu.threads), "thread"),
        machine.kernel.as_deref().map_or(String::new(), |kernel| format!(", kernel {kernel}")),
    );
    let level = if known { Level::Ok } else { Level::Unknown };
    Finding::new("cpu", "Processor", level, found)
        .with("model", cpu.model.clone())
        .with("sockets", cpu.sockets)
        .with("cores", cpu.cores)
        .with("threads", cpu.threads)
}

/// A name in parentheses, where it is known.
fn of(name: &str) -> String {
    if name == "unknown" { String::new() } else { format!(" ({name})") }
}

fn hypervisor(virtualisation: &Virtualisation) -> Finding {
    let new = |level, found: String| {
        Finding::new("virtual_machine", "Virtual machine", level, found)
            .with("hypervisor", virtualisation.hypervisor.clone())
    };
    match virtualisation.hypervisor.as_deref() {
        None => new(Level::Ok, "no sign of one".to_owned()),
        Some(name) => new(
            Level::Warning,
            format!(
                "this is one{}: energy counters are hidden, or hold the other guests' work as \
                     well, and the hypervisor may take processors away in the middle of a trial",
                of(name)
            ),
        )
        .remedy("Measure on the machine itself"),
    }
}

fn container(virtualisation: &Virtualisation) -> Finding {
    let new = |level, found: String| {
        Finding::new("container", "Container", level, found)
            .with("manager", virtualisation.container.clone())
    };
    match virtualisation.container.as_deref() {
        None => new(Level::Ok, "no sign of one".to_owned()),
        Some(name) => new(
            Level::Warning,
            format!(
                "this runs in one{}: the counters, where it is given them, are the whole \
                     machine's, and what works outside goes into them unnamed",
                of(name)
            ),
        )
        .remedy("Let nothing else run on the machine while it measures, or run outside"),
    }
}

fn supply(supply: &Supply, virtualisation: &Virtualisation) -> Finding {
    let new = |level, found: String| {
        Finding::new("power_supply", "Power supply", level, found)
            .with("mains", supply.mains)
            .with("battery", supply.battery)
            .with("battery_percent", supply.battery_percent)
    };
    let full = supply.battery_percent.map_or(String::new(), |p| format!(" at {p:.0}%"));
    if supply.on_battery() {
        return new(
            Level::Warning,
            format!(
                "on the battery{full}: the firmware holds the processor back, more as it empties"
            ),
        )
        .remedy("Plug it in, and let the battery fill up before you measure");
    }
    match (supply.mains, supply.battery) {
        (Some(true), true) if supply.battery_status.as_deref() == Some("Charging") => {
            new(Level::Note, format!("mains; the battery charges{full}, which warms the machine"))
        }
        (Some(true), _) => new(Level::Ok, "mains".to_owned()),
        (_, true) => {
            new(Level::Unknown, format!("a battery{full}, and nothing says whether mains is there"))
        }
        _ if virtualisation.hypervisor.is_some() => {
            new(Level::Unknown, "the host's, which is not seen from here".to_owned())
        }
        (Some(false), false) => {
            new(Level::Unknown, "mains is off and there is no battery".to_owned())
        }
        (None, false) => new(Level::Ok, "mains, as there is no battery".to_owned()),
    }
}

fn gpu(gpus: &[Gpu]) -> Finding {
    let new = |level, found: String| {
        let names: Vec<&str> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        Finding::new("gpu", "Graphics card", level, found).with("names", names)
    };
    if gpus.is_empty() {
        return new(Level::Ok, "none seen".to_owned());
    }
    let told: Vec<String> = gpus
        .iter()
        .map(|gpu| {
            let version = gpu.version.as_deref().map_or(String::new(), |v| format!(" {v}"));
            let driver = gpu.driver.as_deref().unwrap_or("no driver");
            format!("{} ({driver}{version})", gpu.name)
        })
        .collect();
    new(
        Level::Note,
        format!(
            "{}. NVIDIA's are measured where Meters says so; one within the processor is part of its \
             package; what any other draws is in no counter here",
            told.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_battery_means_mains_except_in_a_guest() {
        let guest = Virtualisation { hypervisor: Some("KVM".into()), container: None };
        let none = Supply::default();
        assert_eq!(supply(&none, &Virtualisation::default()).level, Level::Ok);
        assert_eq!(supply(&none, &guest).level, Level::Unknown);
    }

    #[test]
    fn a_battery_that_feeds_the_machine_is_a_warning_and_one_that_charges_worth_knowing() {
        let level = |mains, status: &str| {
            let battery = Supply {
                mains,
                battery: true,
                battery_status: Some(status.into()),
                battery_percent: Some(71.0),
            };
            supply(&battery, &Virtualisation::default()).level
        };
        assert_eq!(level(Some(false), "Discharging"), Level::Warning);
        assert_eq!(level(Some(true), "Charging"), Level::Note);
        assert_eq!(level(Some(true), "Full"), Level::Ok);
        assert_eq!(level(None, "Not charging"), Level::Unknown);
    }

    #[test]
    fn a_graphics_card_is_named_with_its_driver_and_with_who_would_measure_it() {
        let card = Gpu {
            name: "NVIDIA H100".into(),
            driver: Some("nvidia".into()),
            version: Some("550.54.14".into()),
        };
        let finding = gpu(&[card]);
        assert_eq!(finding.level, Level::Note);
        let named = "NVIDIA H100 (nvidia 550.54.14). NVIDIA's are measured where Meters says so";
        assert!(finding.found.starts_with(named), "{}", finding.found);
    }
}
