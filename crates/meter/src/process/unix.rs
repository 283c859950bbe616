//! Unix: process groups, signals, and on Linux a process that adopts orphans.

use super::{INTERRUPTS, Processors, Supply};
use nix::time::{ClockId, clock_gettime};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Gives a command a process group of its own, so that it can be ended with all it starts, and so that
/// Ctrl-C reaches this program alone.
pub fn own_group(command: &mut std::process::Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Ends a command when the thread that started it ends, even if this program is killed. Linux only.
///
/// A program that changes its privileges as it starts (setuid) is not reached.
pub fn end_with_host(command: &mut std::process::Command) {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::{prctl, signal::Signal};
        let host = nix::unistd::Pid::this();
        // SAFETY: the closure runs between fork and exec; prctl and getppid are async-signal-safe, and
        // neither they nor making an error from a number allocates.
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(command, move || {
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                if nix::unistd::Pid::parent() != host {
                    return Err(nix::errno::Errno::ESRCH.into()); // It died in between.
                }
                Ok(())
            });
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// A write beyond `ulimit -f` then fails as one to a full disk does, instead of ending the program.
pub fn ignore_file_size_signal() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring a signal runs no code in its stead.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Counts SIGINT and SIGTERM where they arrive, on whichever thread: a loop that waits for something else
/// still learns of them. Once is enough for the whole program.
///
/// # Errors
///
/// The system's.
pub fn count_interrupts() -> std::io::Result<()> {
    use std::sync::OnceLock;
    static COUNTED: OnceLock<Result<(), i32>> = OnceLock::new();
    let counted = COUNTED.get_or_init(|| {
        for signal in [nix::libc::SIGINT, nix::libc::SIGTERM] {
            // SAFETY: the handler adds to an atomic number and does nothing else, which is
            // async-signal-safe.
            let registered = unsafe {
                signal_hook_registry::register(signal, || {
                    INTERRUPTS.fetch_add(1, Ordering::Relaxed);
                })
            };
            if let Err(error) = registered {
                return Err(error.raw_os_error().unwrap_or(nix::libc::EINVAL));
            }
        }
        Ok(())
    });
    counted.map_err(std::io::Error::from_raw_os_error)
}

/// Ends this process by the signal that a child ended by, so that whoever waits sees the same; returns
/// where there was none, or where it does not end a process.
pub fn end_likewise(status: std::process::ExitStatus) {
    use nix::sys::signal::{SigHandler, Signal, raise, signal};
    use std::os::unix::process::ExitStatusExt;
    if let Some(number) = status.signal().and_then(|n| Signal::try_from(n).ok()) {
        // SAFETY: the default action is no handler of ours.
        let _ = unsafe { signal(number, SigHandler::SigDfl) };
        let _ = raise(number);
    }
}

/// Makes orphans of this process's children its own children, so that none gets away. Linux only;
/// elsewhere a process that leaves its group is not found.
pub fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        tracing::warn!(%error, "orphans of workers will not be found");
    }
}

/// Processor seconds, user and system, of all children that ended and were waited for.
pub fn children_cpu_seconds() -> f64 {
    used(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap_or(f64::NAN)
}

/// Processor seconds of this process, all its threads, without its children.
pub(crate) fn own_cpu_seconds() -> Option<f64> {
    used(nix::sys::resource::UsageWho::RUSAGE_SELF)
}

fn used(who: nix::sys::resource::UsageWho) -> Option<f64> {
    use nix::sys::time::TimeValLike;
    let usage = nix::sys::resource::getrusage(who).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Some(micros as f64 / 1e6)
}

/// Processor seconds that this thread used, where the system says.
pub(crate) fn thread_cpu_seconds() -> Option<f64> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
    Some(Duration::from(time).as_secs_f64())
}

/// Time slept since boot; `None` where the system does not tell.
///
/// Linux keeps two clocks that never are set: `CLOCK_BOOTTIME` goes on while the machine sleeps,
/// `CLOCK_MONOTONIC` does not (clock_gettime(2)). On macOS `CLOCK_MONOTONIC` goes on (`mach_continuous_time`) and
/// `CLOCK_UPTIME_RAW` does not (`mach_absolute_time`). Their difference is the time slept.
pub(crate) fn slept() -> Option<Duration> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clocks = Some((ClockId::CLOCK_MONOTONIC, ClockId::CLOCK_BOOTTIME));
    #[cfg(target_os = "macos")]
    let clocks = Some((ClockId::from_raw(nix::libc::CLOCK_UPTIME_RAW), ClockId::CLOCK_MONOTONIC));
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
    let clocks: Option<(ClockId, ClockId)> = None;
    let (stands_still, goes_on) = clocks?;
    let read = |clock| clock_gettime(clock).ok().map(Duration::from);
    // Reads the one that stands still first, so that the time between the two readings does not make the
    // difference smaller.
    let awake = read(stands_still)?;
    read(goes_on)?.checked_sub(awake)
}

/// Processor times, where no file has them; `None` on Linux, whose `/proc/stat` has them.
pub(crate) fn processors() -> Option<Processors> {
    #[cfg(target_os = "macos")]
    return super::macos::processors();
    #[cfg(not(target_os = "macos"))]
    None
}

/// What feeds the machine, where no file says so; `None` on Linux, whose `/sys` does.
pub(crate) fn supply() -> Option<Supply> {
    #[cfg(target_os = "macos")]
    return super::macos::supply();
    #[cfg(not(target_os = "macos"))]
    None
}

/// Keeps the machine from falling asleep by itself until it is dropped, or this program ends.
#[derive(Debug)]
pub struct Awake(());

/// Asks the system not to fall asleep while nobody types: macOS by `caffeinate`, which ends with this
/// process. On Linux nothing is asked: a suspend is noticed, and spoils the trial that it falls into.
pub fn stay_awake() -> Awake {
    #[cfg(target_os = "macos")]
    super::macos::caffeinate();
    Awake(())
}

fn kill(pid: i32, group: bool) {
    use nix::sys::signal::{Signal, kill, killpg};
    use nix::unistd::Pid;
    // A process that is gone already is what is wanted.
    let _ = if group {
        killpg(Pid::from_raw(pid), Signal::SIGKILL)
    } else {
        kill(Pid::from_raw(pid), Signal::SIGKILL)
    };
}

/// Ends every process of a group.
pub fn kill_group(group: u32) {
    if group > 1 {
        kill(group as i32, true);
    }
}

/// Asks a process and its group to end, as Ctrl-C does.
pub fn interrupt(group: u32) {
    if group > 1 {
        use nix::sys::signal::{Signal, kill};
        // Only the leader: what it started is its own to end.
        let _ = kill(nix::unistd::Pid::from_raw(group as i32), Signal::SIGINT);
    }
}

/// Ends this process when its parent ends. Linux only.
pub fn end_with_parent() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        tracing::warn!(%error, "this process may outlive its parent");
    }
}

/// Ends these processes.
pub fn kill_all(pids: &[u32]) {
    for pid in pids.iter().filter(|pid| **pid > 1) {
        kill(*pid as i32, false);
    }
}

/// The processes that a worker left: members of its group, and this process's own children, all of
/// which are the worker's as nothing else is started beside it. Zombies are reaped and not counted.
///
/// A look at all processes takes a while, and a chain whose members each start the next and end can slip
/// past it. Whether there is any child left is asked of the kernel, which no process can get around: see
/// [`has_children`].
pub fn strays(group: u32) -> Vec<u32> {
    living(|process| process.parent == std::process::id() || (group > 1 && process.group == group))
}

/// Whether this process has any child, alive or not yet waited for. Where it [adopts
/// orphans](adopt_orphans), all that its children started and left become its own as their parents end,
/// so that "none" means that none is left: a process can change its group, its session, its name and its
/// environment, and not this.
pub fn has_children() -> bool {
    #[cfg(target_os = "linux")]
    {
        use nix::errno::Errno;
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        waitid(Id::All, look) != Err(Errno::ECHILD)
    }
    // Nothing is adopted there, so that a look at the processes shows as much.
    #[cfg(not(target_os = "linux"))]
    !living(|process| process.parent == std::process::id()).is_empty()
}

/// Ends whatever this process started, and what that started in turn, and says how many processes it
/// found. Complete where this process [adopts orphans](adopt_orphans); gives up on what cannot be ended
/// within `patience`.
pub fn kill_descendants(patience: Duration) -> usize {
    let begin = std::time::Instant::now();
    let mut found = std::collections::HashSet::new();
    while has_children() && begin.elapsed() < patience {
        let mut family = vec![std::process::id()];
        loop {
            let next = living(|process| {
                family.contains(&process.parent) && !family.contains(&process.pid)
            });
            if next.is_empty() {
                break;
            }
            // At once, before one that starts the next and ends has done so.
            kill_all(&next);
            family.extend(next);
        }
        found.extend(family.into_iter().skip(1));
        kill_newest(&mut found);
        std::thread::sleep(Duration::from_millis(1));
    }
    found.len()
}

/// Ends those of this process's descendants that were started last, without a look at all processes: a
/// chain that starts the next and ends within a millisecond is gone when a long look reaches it.
fn kill_newest(found: &mut std::collections::HashSet<u32>) {
    #[cfg(target_os = "linux")]
    for _ in 0..50 {
        // The number given last, in loadavg's last field (proc_loadavg(5)).
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let Some(last) = load.split_whitespace().last().and_then(|n| n.parse::<u32>().ok()) else {
            return;
        };
        let me = std::process::id();
        let mut any = false;
        for pid in (last.saturating_sub(16)..=last).rev() {
            let Some(process) = stat(pid).filter(|p| !p.zombie) else { continue };
            if process.parent == me || found.contains(&process.parent) {
                kill_all(&[pid]);
                found.insert(pid);
                any = true;
            }
        }
        if !any {
            return;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = found;
}

/// Ends every process of this one's group, this one included.
pub fn kill_own_group() {
    kill(0, true);
}

/// Asks the kernel to end this process first where memory runs out: never the program that keeps the
/// books. Linux only, and only a request.
pub fn offer_to_out_of_memory() {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// One process.
pub(super) struct Process {
    pub pid: u32,
    pub zombie: bool,
    pub parent: u32,
    pub group: u32,
}

/// The processes that `wanted` picks, without zombies; those of this process are reaped.
fn living(wanted: impl Fn(&Process) -> bool) -> Vec<u32> {
    let me = std::process::id();
    let mut found = Vec::new();
    for process in all() {
        if !process.zombie {
            found.extend(wanted(&process).then_some(process.pid));
        } else if process.parent == me {
            let pid = nix::unistd::Pid::from_raw(process.pid as i32);
            let _ = nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
        }
    }
    found
}

/// All processes.
#[cfg(target_os = "linux")]
fn all() -> impl Iterator<Item = Process> {
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        stat(pid)
    })
}

#[cfg(target_os = "macos")]
use super::macos::all;

/// Elsewhere they are not asked for.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn all() -> impl Iterator<Item = Process> {
    std::iter::empty()
}

/// Out of `/proc/<pid>/stat` (proc_pid_stat(5)); the name in parentheses may itself hold parentheses,
/// so fields count from the last one.
#[cfg(target_os = "linux")]
fn stat(pid: u32) -> Option<Process> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let zombie = fields.next()? == "Z";
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Process { pid, zombie, parent, group })
}
