//! What macOS has in calls and programs where Linux has files.

use super::system::Process;
use super::{Processors, Supply};
use std::process::{Command, Stdio};

/// All processes.
pub(super) fn all() -> impl Iterator<Item = Process> {
    use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
    let Ok(mut system) = System::new() else { return Vec::new().into_iter() };
    let what = ProcessRefreshKind::nothing();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let found: Vec<Process> = system
        .processes()
        .iter()
        .map(|(pid, process)| {
            let number = nix::unistd::Pid::from_raw(pid.as_u32() as i32);
            let group = nix::unistd::getpgid(Some(number)).map_or(0, |group| group.as_raw() as u32);
            Process {
                pid: pid.as_u32(),
                zombie: process.status() == ProcessStatus::Zombie,
                parent: process.parent().map_or(0, |parent| parent.as_u32()),
                group,
            }
        })
        .collect();
    found.into_iter()
}

/// `HOST_CPU_LOAD_INFO`: ticks of all processors together, user, system, idle and nice.
pub(super) fn processors() -> Option<Processors> {
    use nix::libc::{
        CPU_STATE_IDLE, HOST_CPU_LOAD_INFO, HOST_CPU_LOAD_INFO_COUNT, KERN_SUCCESS,
        host_cpu_load_info, host_statistics64, integer_t,
    };
    let mut info = host_cpu_load_info { cpu_ticks: [0; 4] };
    let mut count = HOST_CPU_LOAD_INFO_COUNT;
    // SAFETY: the call writes at most `count` integers, which is the size of the structure.
    #[expect(deprecated, reason = "the crate that is to take its place is one more for one call")]
    let told = unsafe {
        let place = (&raw mut info).cast::<integer_t>();
        host_statistics64(nix::libc::mach_host_self(), HOST_CPU_LOAD_INFO, place, &raw mut count)
    };
    if told != KERN_SUCCESS {
        return None;
    }
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten()? as f64;
    let total: f64 = info.cpu_ticks.iter().map(|ticks| f64::from(*ticks)).sum();
    let idle = f64::from(info.cpu_ticks[CPU_STATE_IDLE as usize]);
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Some(Processors { busy_s: (total - idle) / ticks, cpus })
}

/// `pmset -g batt`: "Now drawing from 'AC Power'", and a line for each battery, such as
/// " -InternalBattery-0 (id=1234)  87%; discharging; 3:10 remaining present: true".
pub(super) fn supply() -> Option<Supply> {
    let told = Command::new("/usr/bin/pmset").args(["-g", "batt"]).stdin(Stdio::null()).output();
    let text = String::from_utf8(told.ok()?.stdout).ok()?;
    let percent = text.lines().filter(|line| line.contains("InternalBattery")).find_map(|line| {
        line.split('%').next()?.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    });
    Some(Supply {
        mains: Some(text.contains("'AC Power'")),
        battery: text.contains("InternalBattery"),
        percent,
    })
}

/// Keeps the machine awake until this process ends. A shell starts it and leaves, so that it is nobody's
/// child here and is not taken for one that a trial left.
pub(super) fn caffeinate() {
    let line = format!("/usr/bin/caffeinate -i -w {} >/dev/null 2>&1 &", std::process::id());
    let mut shell = Command::new("/bin/sh");
    let told = shell.args(["-c", &line]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    if let Err(error) = told {
        tracing::warn!(%error, "caffeinate cannot be started: the machine may fall asleep");
    }
}
