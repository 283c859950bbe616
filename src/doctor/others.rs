//! What else runs: busy processes, daemons that save power, another experiment.

use super::Subject;
use super::finding::{Finding, Level};
use super::movement::Others;
use crate::snapshot::{Machine, proc};
use crate::store::interference::Limits;
use crate::store::lock::holder;
use std::path::Path;

/// Daemons that change frequencies or limits by themselves: as the kernel names their processes (15
/// characters), and what to stop. TLP sets its values and ends; it leaves a folder.
const DAEMONS: [(&str, &str); 9] = [
    ("power-profiles-", "power-profiles-daemon"),
    ("tuned-ppd", "tuned-ppd"),
    ("tuned", "tuned"),
    ("thermald", "thermald"),
    ("auto-cpufreq", "auto-cpufreq"),
    ("laptop_mode", "laptop-mode"),
    ("cpufreqd", "cpufreqd"),
    ("system76-power", "com.system76.PowerDaemon"),
    ("tlp", "tlp"),
];

/// Busy processes, daemons, and the machine-wide lock.
pub(super) fn examine(
    subject: &Subject<'_>,
    watched: Option<&Others>,
    machine: &Machine,
) -> Vec<Finding> {
    let names: Vec<String> =
        proc::processes(&subject.roots).into_values().map(|process| process.name).collect();
    let tlp = subject.roots.root.join("run/tlp").exists();
    vec![
        busy(watched, subject.settings.job.threads, &Limits::default()),
        daemons(&names, tlp, machine.virtualisation.container.is_some()),
        lock(&holder(subject.lock_file.as_deref()), subject.lock_file.as_deref()),
    ]
    .into_iter()
    .chain(share(Allocation::read(|name| std::env::var(name).ok()), machine))
    .collect()
}

/// What Slurm gave the job that this runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Allocation {
    job: String,
    /// Processors of this node; none where it does not say.
    processors: Option<usize>,
}

impl Allocation {
    /// By the variables that Slurm sets; none outside a job.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Allocation> {
        let processors = variable("SLURM_CPUS_ON_NODE").and_then(|n| n.parse().ok());
        Some(Allocation { job: variable("SLURM_JOB_ID")?, processors })
    }
}

/// A job that has a part of a node only has other people's jobs beside it, and the counters are the whole
/// node's.
fn share(allocation: Option<Allocation>, machine: &Machine) -> Option<Finding> {
    // Some clusters count cores, others threads.
    let cpu = &machine.cpu;
    let all = cpu.cores.unwrap_or(cpu.threads).min(cpu.threads);
    let Allocation { job, processors } = allocation?;
    let new = |level, found: String| {
        Finding::new("share", "Share of the node", level, found).with("processors", processors)
    };
    Some(match processors {
        None => new(Level::Unknown, format!("Slurm's job {job} does not say how much of the node it has")),
        Some(n) if n < all => new(
            Level::Failure,
            format!(
                "Slurm's job {job} has {n} of the node's {all} processors; what runs on the others is \
                 measured with it"
            ),
        )
        .remedy("Submit it with --exclusive, to a partition that allows that (not OverSubscribe=FORCE)"),
        Some(_) => new(Level::Ok, format!("Slurm's job {job} has all of its processors")),
    })
}

/// By the same limits by which a trial is flagged later: so much of a core, and so much of what the
/// trial itself will use.
fn busy(watched: Option<&Others>, threads: u32, limits: &Limits) -> Finding {
    let new = |level, found: String| Finding::new("processes", "Busy processes", level, found);
    let Some(others) = watched else {
        return new(Level::Unknown, "processor times cannot be read".to_owned());
    };
    let limit = limits.others_cores.max(limits.others_per_trial * f64::from(threads));
    let mut named: Vec<String> = others
        .busiest
        .iter()
        .map(|(name, cores)| format!("{name} {:.0}%", cores * 100.0))
        .collect();
    let unnamed = others.cores - others.busiest.iter().map(|(_, cores)| cores).sum::<f64>();
    if unnamed >= 0.05 {
        named.push(format!("others, short-lived or not seen from here, {:.0}%", unnamed * 100.0));
    }
    let found = match named.as_slice() {
        [] => format!("{:.0}% of one core in all", others.cores * 100.0),
        named => format!("{:.0}% of one core in all: {}", others.cores * 100.0, named.join(", ")),
    };
    let finding = if others.cores > limit {
        new(Level::Warning, format!("{found}; a trial is flagged above {:.0}%", limit * 100.0))
            .remedy("End them, and look again; what they draw is counted with every trial")
    } else {
        new(Level::Ok, found)
    };
    let busiest: Vec<String> = others.busiest.iter().map(|(name, _)| name.clone()).collect();
    finding.with("cores", others.cores).with("limit_cores", limit).with("busiest", busiest)
}

fn daemons(names: &[String], tlp: bool, in_container: bool) -> Finding {
    let runs =
        |(name, _): &&(&str, &str)| names.iter().any(|n| n == name) || (*name == "tlp" && tlp);
    let units: Vec<&str> = DAEMONS.iter().filter(runs).map(|(_, unit)| *unit).collect();
    let new = |level, found: String| {
        Finding::new("daemons", "Power daemons", level, found).with("running", units.clone())
    };
    match units.as_slice() {
        [] if names.is_empty() => new(Level::Unknown, "no process can be seen".to_owned()),
        [] if in_container => {
            new(Level::Unknown, "none seen, but a container sees its own processes only".to_owned())
        }
        [] => new(Level::Ok, "none runs".to_owned()),
        units => new(
            Level::Warning,
            format!("{}: changes frequencies or limits by itself", units.join(", ")),
        )
        .remedy(format!("Stop it while you measure\n  sudo systemctl stop {}", units.join(" "))),
    }
}

fn lock(holder: &std::io::Result<Option<String>>, path: Option<&Path>) -> Finding {
    let new = |level, found: String| Finding::new("lock", "Other experiments", level, found);
    match holder {
        Ok(None) => new(Level::Ok, "none runs".to_owned()),
        Ok(Some(who)) => new(Level::Failure, format!("another joulerace measures here: {who}"))
            .remedy("Wait for it, or stop it: two at once would measure each other")
            .with("holder", who.clone()),
        Err(error) => new(Level::Unknown, {
            let path = path.map(|path| path.display().to_string()).unwrap_or_default();
            format!("{path} cannot be read: {error}")
        })
        .remedy("Name a file that all who measure here can read: JOULERACE_LOCK_FILE=FILE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::snapshot::{self, Roots};

    #[test]
    fn a_job_with_a_part_of_a_node_is_unfit() {
        let job = |processors: &'static str| {
            Allocation::read(|name| match name {
                "SLURM_JOB_ID" => Some("7".to_owned()),
                _ => Some(processors.to_owned()),
            })
        };
        let mut machine = snapshot::machine(&Roots::default());
        (machine.cpu.cores, machine.cpu.threads) = (Some(8), 16);
        let level = |job| share(job, &machine).map(|finding| finding.level);
        assert_eq!(level(job("4")), Some(Level::Failure));
        assert_eq!((level(job("8")), level(job("16"))), (Some(Level::Ok), Some(Level::Ok)));
        assert_eq!(level(job("?")), Some(Level::Unknown));
        assert_eq!(level(Allocation::read(|_| None)), None);
    }

    fn watched(cores: f64, busiest: &[(&str, f64)]) -> Others {
        let busiest = busiest.iter().map(|(name, cores)| ((*name).to_owned(), *cores)).collect();
        Others { cpus: 8, cores, busiest }
    }

    #[test]
    fn a_machine_is_busy_where_a_trial_would_be_flagged() {
        let level =
            |cores, threads| busy(Some(&watched(cores, &[])), threads, &Limits::default()).level;
        assert_eq!(level(0.09, 1), Level::Ok);
        assert_eq!(level(0.11, 1), Level::Warning);
        // 5% of sixteen threads are 0.8 cores.
        assert_eq!(level(0.7, 16), Level::Ok);
        assert_eq!(busy(None, 1, &Limits::default()).level, Level::Unknown);
    }

    #[test]
    fn the_busiest_are_named_and_the_rest_is_not_hidden() {
        let finding = busy(Some(&watched(1.5, &[("cc1plus", 0.9)])), 2, &Limits::default());
        assert!(finding.found.contains("cc1plus 90%"), "{}", finding.found);
        assert!(finding.found.contains("not seen from here, 60%"), "{}", finding.found);
    }

    #[test]
    fn a_daemon_is_known_by_its_cut_off_name_and_stopped_by_its_whole_one() {
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let found = daemons(&names(&["init", "power-profiles-", "thermald"]), true, false);
        assert_eq!(found.level, Level::Warning);
        let command = "sudo systemctl stop power-profiles-daemon thermald tlp";
        assert!(found.remedy.unwrap().ends_with(command));
        assert_eq!(daemons(&names(&["init"]), false, false).level, Level::Ok);
        assert_eq!(daemons(&names(&["init"]), false, true).level, Level::Unknown);
        assert_eq!(daemons(&[], false, false).level, Level::Unknown);
    }

    #[test]
    fn looking_at_the_lock_tells_its_holder_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let path = Some(path.as_path());
        assert_eq!(holder(path).unwrap(), None);
        assert!(!folder.path().join("lock").exists());
        let held = crate::store::lock::take(path, "process 7, results/a").unwrap();
        assert_eq!(holder(path).unwrap().as_deref(), Some("process 7, results/a"));
        assert_eq!(lock(&holder(path), path).level, Level::Failure);
        drop(held);
        assert_eq!(holder(path).unwrap(), None);
        crate::store::lock::take(path, "process 8").unwrap();
    }
}
