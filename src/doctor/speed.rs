//! What makes the processors run faster or slower from trial to trial: governor, turbo, SMT, limits,
//! heat.

use super::clock::Ask;
use super::finding::{Finding, Level};
use crate::snapshot::{Cpu, Machine, Roots, throttle_events};

/// At rest, a processor hotter than this (in °C) has not cooled down, or cannot.
const WARM: f64 = 70.0;
/// Frequencies that differ by less than this share count as equal, as the files round.
const SAME: f64 = 0.01;
const CPUFREQ: &str = "/sys/devices/system/cpu/cpu*/cpufreq";

/// How often processors were slowed down for their heat since boot; none where nothing says so.
pub(super) struct Heat(Option<u64>);

impl Heat {
    pub(crate) fn read(roots: &Roots) -> Heat {
        Heat(throttle_events(roots))
    }
}

/// Governor or what other systems have in its place, turbo, SMT, frequency limits and temperature.
pub(super) fn judge(machine: &Machine, heat: &Heat, ask: Ask<'_>) -> Vec<Finding> {
    let cpu = &machine.cpu;
    let guest = machine.virtualisation.hypervisor.is_some();
    vec![
        if cpu.governor.is_empty()
            && let Some(plan) = plan(ask)
        {
            plan
        } else {
            governor(cpu, guest)
        },
        turbo(cpu, guest),
        smt(cpu),
        limits(cpu, guest),
        temperature(machine, heat),
    ]
}

/// Why something is not known.
fn unseen(guest: bool) -> String {
    let why = if guest {
        "the hypervisor keeps it"
    } else if cfg!(windows) {
        "not known on Windows"
    } else if cfg!(target_os = "macos") {
        "not known on macOS"
    } else {
        "the kernel does not show it"
    };
    why.to_owned()
}

/// Windows' plans that keep the processors fast: High performance and Ultimate performance. Their numbers
/// are the same in every language.
const FAST: [&str; 2] =
    ["8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c", "e9a42b02-d5df-448d-aa00-03f14749eb61"];

/// What chooses frequencies where there is no governor: Windows' power plan, macOS' low power mode.
fn plan(ask: Ask<'_>) -> Option<Finding> {
    if let Some(told) = ask(&["powercfg", "/getactivescheme"]) {
        // "Power Scheme GUID: 381b4222-f694-41f0-9685-ff5bb260df2e  (Balanced)"
        let number = told.split_whitespace().find(|word| word.len() == 36 && word.contains('-'))?;
        let name = told.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let name = name.map_or(number, |(name, _)| name);
        let new = |level, found: String| {
            Finding::new("governor", "Power plan", level, found).with("plan", number)
        };
        return Some(if FAST.contains(&number) {
            new(Level::Ok, name.to_owned())
        } else {
            new(Level::Warning, format!("{name}: frequencies follow the load, with a delay"))
                .remedy(format!("While you measure\n  powercfg /setactive {}", FAST[0]))
        });
    }
    let told = ask(&["pmset", "-g"])?;
    let mode = told.lines().find_map(|line| line.trim().strip_prefix("lowpowermode"))?;
    let new = |level, found| Finding::new("governor", "Low power mode", level, found);
    Some(match mode.trim() {
        "0" => new(Level::Ok, "off"),
        _ => new(Level::Warning, "on: the processors are kept slow")
            .remedy("While you measure\n  sudo pmset -a lowpowermode 0"),
    })
}

fn governor(cpu: &Cpu, guest: bool) -> Finding {
    let new = |level, found: String| {
        Finding::new("governor", "Governor", level, found)
            .with("governors", cpu.governor.clone())
            .with("driver", cpu.frequency_driver.clone())
            .with("preferences", cpu.energy_preference.clone())
    };
    let by = cpu.frequency_driver.as_deref().map_or(String::new(), |d| format!(" ({d})"));
    match cpu.governor.as_slice() {
        [] => new(Level::Unknown, unseen(guest)),
        [one] if one == "performance" => new(Level::Ok, format!("performance{by}")),
        several => {
            let differ = if several.len() > 1 { ", not the same for all processors" } else { "" };
            new(
                Level::Warning,
                format!("{}{by}{differ}: it follows the load, with a delay", several.join(" and ")),
            )
            .remedy(format!(
                "Until the next reboot\n  \
                 echo performance | sudo tee {CPUFREQ}/scaling_governor"
            ))
        }
    }
}

fn turbo(cpu: &Cpu, guest: bool) -> Finding {
    let new =
        |level, found: &str| Finding::new("turbo", "Turbo", level, found).with("on", cpu.turbo);
    match cpu.turbo {
        None => new(Level::Unknown, &unseen(guest)),
        Some(false) => new(Level::Ok, "off"),
        Some(true) => {
            let intel =
                cpu.frequency_driver.as_deref().is_some_and(|d| d.starts_with("intel_pstate"));
            let command = if intel {
                "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
            } else {
                "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
            };
            new(
                Level::Warning,
                "on: how fast a trial runs depends on how hot the one before left the processor",
            )
            .remedy(format!("Until the next reboot\n  {command}"))
        }
    }
}

fn smt(cpu: &Cpu) -> Finding {
    let new = |level, found: String| Finding::new("smt", "SMT", level, found).with("on", cpu.smt);
    match (cpu.smt, cpu.cores) {
        (None, _) => new(Level::Unknown, unseen(false)),
        (Some(false), _) => new(Level::Ok, "off: one thread on each core".to_owned()),
        (Some(true), cores) => {
            let of = cores.map_or(String::new(), |c| format!(" on {c} cores"));
            new(Level::Note, format!("on: {} threads{of} share their cores' units", cpu.threads))
                .remedy(
                    "For trials of one thread a core, until the next reboot\n  \
                 echo off | sudo tee /sys/devices/system/cpu/smt/control",
                )
        }
    }
}

fn limits(cpu: &Cpu, guest: bool) -> Finding {
    let new = |level, found: String| {
        Finding::new("frequency", "Frequency limits", level, found)
            .with("min_mhz", cpu.min_mhz)
            .with("max_mhz", cpu.max_mhz)
            .with("hardware_min_mhz", cpu.hardware_min_mhz)
            .with("hardware_max_mhz", cpu.hardware_max_mhz)
    };
    let (Some(min), Some(max)) = (cpu.min_mhz, cpu.max_mhz) else {
        return new(Level::Unknown, unseen(guest));
    };
    if max - min <= SAME * max {
        return new(Level::Ok, format!("held at {max:.0} MHz"));
    }
    match cpu.hardware_max_mhz {
        Some(highest) if max < highest * (1.0 - SAME) => new(
            Level::Warning,
            format!("held below {max:.0} MHz, though the processor has {highest:.0} MHz"),
        )
        .remedy(format!(
            "Where nobody wants it so (a power-saving daemon may), lift it\n  \
             echo {:.0} | sudo tee {CPUFREQ}/scaling_max_freq",
            highest * 1000.0
        )),
        Some(_) => new(Level::Ok, format!("{min:.0} to {max:.0} MHz, all that the processor has")),
        None => new(Level::Ok, format!("{min:.0} to {max:.0} MHz")),
    }
}

fn temperature(machine: &Machine, heat: &Heat) -> Finding {
    let slowed = match heat.0 {
        Some(0) => ", never slowed down for heat since boot".to_owned(),
        Some(times) => format!(", slowed down for heat {times} times since boot"),
        None => String::new(),
    };
    let new = |level, found: String| {
        Finding::new("temperature", "Temperature", level, found + &slowed)
            .with("celsius", machine.celsius)
            .with("throttle_events", heat.0)
    };
    match machine.celsius {
        None => {
            let guest = machine.virtualisation.hypervisor.is_some();
            let finding = new(Level::Unknown, "no processor sensor is shown".to_owned());
            let model = machine.cpu.model.as_deref().unwrap_or_default();
            match (guest, model) {
                (true, _) => finding,
                (_, m) if m.contains("Intel") => {
                    finding.remedy("Load its driver\n  sudo modprobe coretemp")
                }
                (_, m) if m.contains("AMD") => {
                    finding.remedy("Load its driver\n  sudo modprobe k10temp")
                }
                _ => finding,
            }
        }
        Some(celsius) if celsius > WARM => {
            new(Level::Warning, format!("{celsius:.0} °C before the load: it has not cooled down"))
                .remedy("Wait, end what else runs, and see to its fans and dust")
        }
        Some(celsius) => new(Level::Ok, format!("{celsius:.0} °C before the load")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_known_by_its_number_in_every_language() {
        let of = |program: &'static str, text: &'static str| {
            plan(&move |line: &[&str]| (line[0] == program).then(|| text.to_owned()))
        };
        let fast =
            "GUID des Energieschemas: 8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c  (H\u{f6}chstleistung)";
        assert_eq!(of("powercfg", fast).unwrap().level, Level::Ok);
        let slow = "Power Scheme GUID: 381b4222-f694-41f0-9685-ff5bb260df2e  (Balanced)\r\n";
        let slow = of("powercfg", slow).unwrap();
        assert_eq!(slow.level, Level::Warning);
        assert!(slow.found.starts_with("Balanced:"), "{}", slow.found);
        assert_eq!(
            of("pmset", " sleep 1\n lowpowermode         1\n").unwrap().level,
            Level::Warning
        );
        assert!(of("none", "").is_none());
    }

    fn intel() -> Cpu {
        Cpu {
            model: Some("Intel(R) Core(TM)".into()),
            governor: vec!["powersave".into()],
            frequency_driver: Some("intel_pstate".into()),
            turbo: Some(true),
            smt: Some(true),
            cores: Some(4),
            threads: 8,
            hardware_min_mhz: Some(400.0),
            hardware_max_mhz: Some(4700.0),
            min_mhz: Some(400.0),
            max_mhz: Some(4700.0),
            ..Cpu::default()
        }
    }

    #[test]
    fn each_driver_has_its_own_switch_for_turbo() {
        assert!(turbo(&intel(), false).remedy.unwrap().contains("intel_pstate/no_turbo"));
        let amd = Cpu { frequency_driver: Some("acpi-cpufreq".into()), ..intel() };
        assert!(turbo(&amd, false).remedy.unwrap().contains("cpufreq/boost"));
        let off = Cpu { turbo: Some(false), ..intel() };
        assert_eq!(turbo(&off, false).level, Level::Ok);
    }

    #[test]
    fn only_the_performance_governor_everywhere_is_as_it_should_be() {
        let level = |names: &[&str]| {
            let governor = names.iter().map(|name| (*name).to_owned()).collect();
            super::governor(&Cpu { governor, ..intel() }, false).level
        };
        assert_eq!(level(&["performance"]), Level::Ok);
        assert_eq!(level(&["performance", "powersave"]), Level::Warning);
        assert_eq!(level(&["schedutil"]), Level::Warning);
        assert_eq!(level(&[]), Level::Unknown);
    }

    #[test]
    fn a_frequency_that_is_held_is_fine_and_one_that_is_capped_is_not() {
        let level = |min, max| {
            limits(&Cpu { min_mhz: Some(min), max_mhz: Some(max), ..intel() }, false).level
        };
        assert_eq!(level(400.0, 4700.0), Level::Ok);
        assert_eq!(level(2400.0, 2400.0), Level::Ok);
        assert_eq!(level(400.0, 2400.0), Level::Warning);
        let lift = limits(&Cpu { max_mhz: Some(2400.0), ..intel() }, false).remedy.unwrap();
        assert!(lift.contains("echo 4700000 | sudo tee"), "{lift}");
    }

    #[test]
    fn heat_is_judged_at_rest_and_a_missing_sensor_is_unknown_not_cool() {
        let finding = |celsius| {
            let machine = Machine { celsius, cpu: intel(), ..Machine::default() };
            temperature(&machine, &Heat(Some(3)))
        };
        assert_eq!(finding(Some(45.0)).level, Level::Ok);
        assert!(finding(Some(45.0)).found.ends_with("slowed down for heat 3 times since boot"));
        assert_eq!(finding(Some(88.0)).level, Level::Warning);
        assert_eq!(finding(None).level, Level::Unknown);
        assert!(finding(None).remedy.unwrap().contains("coretemp"));
    }
}
