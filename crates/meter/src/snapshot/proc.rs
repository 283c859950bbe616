//! What `/proc` counts: processor time, run queue, paging, pressure, processes. See proc_stat(5),
//! proc_vmstat(5), proc_pid_stat(5) and the kernel's `accounting/psi.rst`.
//!
//! The crate `procfs` reads each file whole and refuses it where a line of today's kernels is missing. Here a
//! number or two of it are wanted, and sandboxes and older kernels show less: what is missing is unknown, and the
//! rest is read all the same.

use super::roots::{Roots, text};
use std::collections::HashMap;
use std::path::Path;

/// Scheduler ticks per second in which `/proc` counts processor time.
pub(crate) fn ticks_per_second() -> f64 {
    #[cfg(unix)]
    if let Ok(Some(ticks)) = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK) {
        return ticks as f64;
    }
    100.0
}

/// The sum line of `/proc/stat`, in seconds of all processors together since boot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuTimes {
    /// In processes: user, nice and system.
    pub processes: f64,
    /// In interrupts, hard and soft.
    pub interrupts: f64,
    /// Idle with I/O outstanding.
    pub iowait: f64,
    /// In which the hypervisor ran others.
    pub steal: f64,
    /// How many processors there are.
    pub cpus: usize,
    /// Processes that run or wait for a processor.
    pub running: Option<f64>,
}

/// Reads `/proc/stat`; other systems tell busy time and the number of processors only.
pub fn cpu_times(roots: &Roots) -> Option<CpuTimes> {
    if roots.are_asked() {
        let told = crate::process::processors()?;
        return Some(CpuTimes { processes: told.busy_s, cpus: told.cpus, ..CpuTimes::default() });
    }
    let stat = text(&roots.proc.join("stat"))?;
    let mut times = CpuTimes::default();
    let mut found = false;
    for line in stat.lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        if name == "cpu" {
            let seconds: Vec<f64> = rest
                .split_ascii_whitespace()
                .map_while(|field| field.parse::<f64>().ok())
                .map(|ticks| ticks / ticks_per_second())
                .collect();
            // user nice system idle iowait irq softirq steal guest guest_nice; guests are in user.
            let at = |i: usize| seconds.get(i).copied().unwrap_or(0.0);
            times.processes = at(0) + at(1) + at(2);
            times.iowait = at(4);
            times.interrupts = at(5) + at(6);
            times.steal = at(7);
            found = seconds.len() >= 4;
        } else if name.starts_with("cpu") {
            times.cpus += 1;
        } else if name == "procs_running" {
            times.running = rest.trim().parse().ok();
        }
    }
    times.cpus = times.cpus.max(1);
    found.then_some(times)
}

/// Seconds since boot: to a hundredth on Linux, to a second elsewhere.
pub fn uptime(roots: &Roots) -> Option<f64> {
    if roots.are_asked() {
        return sysinfo::System::uptime().ok().map(|seconds| seconds as f64);
    }
    text(&roots.proc.join("uptime"))?.split_ascii_whitespace().next()?.parse().ok()
}

/// The load averages over 1, 5 and 15 minutes.
pub fn load(roots: &Roots) -> Option<[f64; 3]> {
    if roots.are_asked() {
        // Windows keeps none.
        let load = (!cfg!(windows)).then(sysinfo::System::load_average)?.ok()?;
        return Some([load.one, load.five, load.fifteen]);
    }
    let text = text(&roots.proc.join("loadavg"))?;
    let mut fields = text.split_ascii_whitespace().map_while(|field| field.parse().ok());
    Some([fields.next()?, fields.next()?, fields.next()?])
}

/// Major faults and pages swapped in or out since boot.
pub fn paging(roots: &Roots) -> Option<(u64, u64)> {
    let text = text(&roots.proc.join("vmstat"))?;
    let count = |name: &str| -> Option<u64> {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    };
    let swapped = count("pswpin").unwrap_or(0) + count("pswpout").unwrap_or(0);
    Some((count("pgmajfault")?, swapped))
}

/// Seconds since boot in which some process waited for `resource` (`cpu`, `memory` or `io`).
pub fn pressure(roots: &Roots, resource: &str) -> Option<f64> {
    let text = text(&roots.proc.join("pressure").join(resource))?;
    let some = text.lines().find(|line| line.starts_with("some "))?;
    let micros = some.split("total=").nth(1)?.trim().parse::<f64>().ok()?;
    Some(micros / 1e6)
}

/// One process's name and the processor seconds that it has used.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// Its name, of at most 15 letters (proc_pid_stat(5)).
    pub name: String,
    /// Processor time so far, user and system, in seconds.
    pub cpu_s: f64,
    /// The process that it is a child of.
    pub parent: u32,
}

/// Tells a process from a later one with the same number.
pub type Identity = (u32, u64);

/// A process out of `/proc/<pid>/stat`. The name in parentheses may itself hold parentheses.
pub(crate) fn process(folder: &Path) -> Option<(u64, Process)> {
    let text = text(&folder.join("stat"))?;
    let (head, tail) = text.rsplit_once(')')?;
    // Any process may call itself anything.
    let name = crate::clean::line(head.split_once('(')?.1);
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    // The state, field 3 in the manual's count, is the first here.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)?;
    let cpu_s = ticks as f64 / ticks_per_second();
    Some((field(22)?, Process { name, cpu_s, parent: field(4)? as u32 }))
}

/// Every process that can be seen.
pub fn processes(roots: &Roots) -> HashMap<Identity, Process> {
    if roots.are_asked() {
        return asked();
    }
    let entries = std::fs::read_dir(&roots.proc).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let (started, process) = process(&entry.path())?;
            Some(((pid, started), process))
        })
        .collect()
}

/// Every process that the system tells of.
fn asked() -> HashMap<Identity, Process> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let Ok(mut system) = System::new() else { return HashMap::new() };
    let what = ProcessRefreshKind::nothing().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let all = system.processes().iter().map(|(pid, process)| {
        let found = Process {
            name: crate::clean::line(&process.name().to_string_lossy()),
            cpu_s: process.accumulated_cpu_time() as f64 / 1e3,
            parent: process.parent().map_or(0, |parent| parent.as_u32()),
        };
        ((pid.as_u32(), process.start_time()), found)
    });
    all.collect()
}

/// Processor seconds of this process, all its threads, without its children.
pub fn own_cpu_s(roots: &Roots) -> Option<f64> {
    if roots.are_asked() {
        return crate::process::own_cpu_seconds();
    }
    process(&roots.proc.join("self")).map(|(_, process)| process.cpu_s)
}

/// Names and processor seconds of those processes that used most between two looks, without `but`.
/// Processes that began and ended in between are not seen.
pub fn busiest(
    before: &HashMap<Identity, Process>,
    after: &HashMap<Identity, Process>,
    but: u32,
) -> Vec<(String, f64)> {
    let mut by_name: HashMap<&str, f64> = HashMap::new();
    for (identity, process) in after.iter().filter(|((pid, _), _)| *pid != but) {
        let used = process.cpu_s - before.get(identity).map_or(0.0, |earlier| earlier.cpu_s);
        *by_name.entry(&process.name).or_default() += used;
    }
    let mut sorted: Vec<(String, f64)> =
        by_name.into_iter().map(|(name, seconds)| (name.to_owned(), seconds)).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted
}
