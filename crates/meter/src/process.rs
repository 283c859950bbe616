//! Processes as the operating system has them: groups, orphans, processor time. What is unix-only
//! lies here.

#![expect(
    unsafe_code,
    reason = "what runs between fork and exec, and signals, have no other way in"
)]

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody knows.
    Unknown,
}

impl Exit {
    /// Whether somebody asked the process to end: SIGINT or SIGTERM, whose numbers are the same everywhere.
    pub fn is_by_order(self) -> bool {
        matches!(self, Exit::Signal(2 | 15))
    }
}

impl From<std::process::ExitStatus> for Exit {
    fn from(status: std::process::ExitStatus) -> Exit {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Exit::Signal(signal);
        }
        status.code().map_or(Exit::Unknown, Exit::Code)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit status {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
            Exit::Unknown => f.write_str("no exit status"),
        }
    }
}

/// Whether `program` is this program.
pub fn is_self(program: &OsStr) -> bool {
    std::env::current_exe().is_ok_and(|me| me == Path::new(program))
}

/// Gives a command a process group of its own, so that it can be ended with all it starts, and so that
/// Ctrl-C reaches this program alone.
pub fn own_group(command: &mut std::process::Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
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
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigHandler, Signal, signal};
        // SAFETY: ignoring a signal runs no code in its stead.
        let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
    }
}

/// How often this program was asked to stop, since [`count_interrupts`].
static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);

/// How often SIGINT or SIGTERM came, for what runs where no event loop turns: the analysis waits for its
/// process, and output that nobody reads is waited for.
pub fn interrupts() -> usize {
    INTERRUPTS.load(Ordering::Relaxed)
}

/// Counts SIGINT and SIGTERM where they arrive, on whichever thread: a loop that waits for something else
/// still learns of them. Once is enough for the whole program.
///
/// # Errors
///
/// The system's.
#[cfg(unix)]
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
    #[cfg(unix)]
    {
        use nix::sys::signal::{SigHandler, Signal, raise, signal};
        use std::os::unix::process::ExitStatusExt;
        if let Some(number) = status.signal().and_then(|n| Signal::try_from(n).ok()) {
            // SAFETY: the default action is no handler of ours.
            let _ = unsafe { signal(number, SigHandler::SigDfl) };
            let _ = raise(number);
        }
    }
    #[cfg(not(unix))]
    let _ = status;
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
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::sys::time::TimeValLike;
        getrusage(UsageWho::RUSAGE_CHILDREN).map_or(f64::NAN, |usage| {
            let micros =
                usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
            micros as f64 / 1e6
        })
    }
    #[cfg(not(unix))]
    f64::NAN
}

#[cfg(unix)]
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
    #[cfg(unix)]
    if group > 1 {
        kill(group as i32, true);
    }
}

/// Asks a process and its group to end, as Ctrl-C does.
pub fn interrupt(group: u32) {
    #[cfg(unix)]
    if group > 1 {
        use nix::sys::signal::{Signal, kill};
        // Only the leader: what it started is its own to end.
        let _ = kill(nix::unistd::Pid::from_raw(group as i32), Signal::SIGINT);
    }
    #[cfg(not(unix))]
    let _ = group;
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
    #[cfg(unix)]
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
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        waitid(Id::All, look) != Err(Errno::ECHILD)
    }
    #[cfg(not(unix))]
    false
}

/// Ends whatever this process started, and what that started in turn, and says how many processes it
/// found. Complete where this process [adopts orphans](adopt_orphans); gives up on what cannot be ended
/// within `patience`.
pub fn kill_descendants(patience: std::time::Duration) -> usize {
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
        std::thread::sleep(std::time::Duration::from_millis(1));
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
    #[cfg(unix)]
    kill(0, true);
}

/// Asks the kernel to end this process first where memory runs out: never the program that keeps the
/// books. Linux only, and only a request.
pub fn offer_to_out_of_memory() {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// One process, as `/proc` has it.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "there is no /proc to read it from")
)]
struct Process {
    pid: u32,
    zombie: bool,
    parent: u32,
    group: u32,
}

/// The processes that `wanted` picks, without zombies; those of this process are reaped.
fn living(wanted: impl Fn(&Process) -> bool) -> Vec<u32> {
    #[cfg(target_os = "linux")]
    {
        let me = std::process::id();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(process) = pid.and_then(stat) else { continue };
            if !process.zombie {
                found.extend(wanted(&process).then_some(process.pid));
            } else if process.parent == me {
                let pid = nix::unistd::Pid::from_raw(process.pid as i32);
                let _ = nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
            }
        }
        found
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = wanted;
        Vec::new()
    }
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
