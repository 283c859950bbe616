//! Windows: a job object that holds this process and all that it starts, console events, and clocks.
//!
//! A job is what Linux' process groups and its adopting of orphans are together: whatever a member starts
//! is born in it and cannot leave, its members can be listed and ended, their processor time is counted,
//! and the system ends them all when the last handle of the job closes, however this program ended.

use super::{INTERRUPTS, Processors, Supply};
use std::mem::{offset_of, size_of, zeroed};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_MORE_DATA, FILETIME, GetLastError, HANDLE,
};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_BASIC_PROCESS_ID_LIST,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicAccountingInformation,
    JobObjectBasicProcessIdList, JobObjectExtendedLimitInformation, QueryInformationJobObject,
    SetInformationJobObject,
};
use windows_sys::Win32::System::Power::{
    ES_CONTINUOUS, ES_SYSTEM_REQUIRED, GetSystemPowerStatus, SYSTEM_POWER_STATUS,
    SetThreadExecutionState,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{
    ALL_PROCESSOR_GROUPS, CREATE_NEW_PROCESS_GROUP, GetActiveProcessorCount, GetCurrentProcess,
    GetCurrentThread, GetProcessTimes, GetSystemTimes, GetThreadTimes, OpenProcess,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE, TerminateProcess,
};
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

/// The job that this program and its children are in. Its handle stays open as long as the program runs.
struct Job(HANDLE);

// SAFETY: a handle of a job may be used by any thread.
unsafe impl Send for Job {}
// SAFETY: as above; the system orders what threads ask of it.
unsafe impl Sync for Job {}

static FAMILY: OnceLock<Option<Job>> = OnceLock::new();

/// The status of what is ended here: 128 and the number of Unix' signal for it, as shells say.
const KILLED: u32 = 137;

/// The job, made when it is first asked for.
fn family() -> Option<HANDLE> {
    let made = FAMILY.get_or_init(|| match make_family() {
        Ok(job) => Some(job),
        Err(error) => {
            tracing::warn!(%error, "no job object: what a trial leaves running will not be found");
            None
        }
    });
    made.as_ref().map(|job| job.0)
}

fn make_family() -> std::io::Result<Job> {
    let last = std::io::Error::last_os_error;
    // SAFETY: no name and default security; the structure is of the kind that is named beside it, and a
    // process's own pseudo handle is always open.
    unsafe {
        let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        if job.is_null() {
            return Err(last());
        }
        let job = Job(job);
        let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = zeroed();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        let size = size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32;
        let place = (&raw const limits).cast();
        if SetInformationJobObject(job.0, JobObjectExtendedLimitInformation, place, size) == 0
            || AssignProcessToJobObject(job.0, GetCurrentProcess()) == 0
        {
            return Err(last());
        }
        // A script that crashes is to end, and not to show a window that nobody answers.
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
        Ok(job)
    }
}

/// The numbers of all that is in the job, this process left out.
fn members() -> Vec<u32> {
    let Some(Some(job)) = FAMILY.get() else { return Vec::new() };
    let first = offset_of!(JOBOBJECT_BASIC_PROCESS_ID_LIST, ProcessIdList) / size_of::<usize>();
    let mut room = 64;
    loop {
        let mut list = vec![0usize; first + room];
        // SAFETY: the place is as large as is said, and aligned for the structure, whose largest part is
        // a usize.
        let (told, error) = unsafe {
            let size = (list.len() * size_of::<usize>()) as u32;
            let place = list.as_mut_ptr().cast();
            let nothing = std::ptr::null_mut();
            let told =
                QueryInformationJobObject(job.0, JobObjectBasicProcessIdList, place, size, nothing);
            (told != 0, GetLastError())
        };
        if !told && error == ERROR_MORE_DATA && room < 1 << 20 {
            room *= 4;
            continue;
        }
        let me = std::process::id();
        let ids = list[first..].iter().map(|id| *id as u32);
        return ids.filter(|id| told && *id != 0 && *id != me).collect();
    }
}

/// Gives a command a process group of its own, so that Ctrl-C reaches this program alone, and has it
/// born in the job, so that it can be ended with all it starts.
pub fn own_group(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    family();
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// Ends a command, and all that it starts, when this program ends, even if that is killed.
pub fn end_with_host(_: &mut Command) {
    family();
}

/// A write beyond a quota fails by itself here; there is no signal.
pub fn ignore_file_size_signal() {}

/// Counts Ctrl-C, Ctrl-Break and the console's closing where they arrive. Call it after whatever else
/// listens for them: those that came last are asked first, and this one lets the others be asked.
///
/// # Errors
///
/// The system's.
pub fn count_interrupts() -> std::io::Result<()> {
    /// Adds to an atomic number, on a thread of the system's.
    unsafe extern "system" fn count(_event: u32) -> i32 {
        INTERRUPTS.fetch_add(1, Ordering::Relaxed);
        0
    }
    static COUNTED: OnceLock<i32> = OnceLock::new();
    // SAFETY: the handler lives as long as the program.
    let done = *COUNTED.get_or_init(|| unsafe { SetConsoleCtrlHandler(Some(count), 1) });
    if done == 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// A process ends by a status alone here, which the caller passes on.
pub fn end_likewise(_: ExitStatus) {}

/// Orphans stay in the job.
pub fn adopt_orphans() {}

/// Processor seconds, user and system, of all that was ever in the job, without this process's.
pub fn children_cpu_seconds() -> f64 {
    let Some(Some(job)) = FAMILY.get() else { return 0.0 };
    // SAFETY: the structure is of the kind that is named, and of the size.
    let all = unsafe {
        let mut counts: JOBOBJECT_BASIC_ACCOUNTING_INFORMATION = zeroed();
        let size = size_of::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>() as u32;
        let place = (&raw mut counts).cast();
        let class = JobObjectBasicAccountingInformation;
        if QueryInformationJobObject(job.0, class, place, size, std::ptr::null_mut()) == 0 {
            return f64::NAN;
        }
        (counts.TotalUserTime + counts.TotalKernelTime) as f64 / 1e7
    };
    own_cpu_seconds().map_or(f64::NAN, |own| (all - own).max(0.0))
}

/// Tenths of microseconds.
fn ticks(time: FILETIME) -> u64 {
    u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)
}

fn used(
    ask: impl FnOnce(&mut FILETIME, &mut FILETIME, &mut FILETIME, &mut FILETIME) -> i32,
) -> Option<f64> {
    let zero = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut begun, mut ended, mut kernel, mut user) = (zero, zero, zero, zero);
    let told = ask(&mut begun, &mut ended, &mut kernel, &mut user) != 0;
    told.then(|| (ticks(kernel) + ticks(user)) as f64 / 1e7)
}

/// Processor seconds of this process, all its threads, without its children.
pub(crate) fn own_cpu_seconds() -> Option<f64> {
    // SAFETY: all four places are of this function's caller.
    used(|begun, ended, kernel, user| unsafe {
        GetProcessTimes(GetCurrentProcess(), begun, ended, kernel, user)
    })
}

/// Processor seconds that this thread used.
pub(crate) fn thread_cpu_seconds() -> Option<f64> {
    // SAFETY: all four places are of this function's caller.
    used(|begun, ended, kernel, user| unsafe {
        GetThreadTimes(GetCurrentThread(), begun, ended, kernel, user)
    })
}

/// Time slept since boot: the count of ticks goes on while the machine sleeps, the unbiased interrupt time
/// does not. The former moves every 16 ms.
pub(crate) fn slept() -> Option<Duration> {
    let mut awake = 0;
    // SAFETY: the place is this function's.
    let (told, all) = unsafe { (QueryUnbiasedInterruptTime(&raw mut awake), GetTickCount64()) };
    let awake = Duration::from_nanos(awake.checked_mul(100)?);
    (told != 0).then(|| Duration::from_millis(all).saturating_sub(awake))
}

/// Processor times since boot: the kernel's hold those of idling.
pub(crate) fn processors() -> Option<Processors> {
    let zero = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut idle, mut kernel, mut user) = (zero, zero, zero);
    // SAFETY: the places are this function's.
    let (told, cpus) = unsafe {
        let told = GetSystemTimes(&raw mut idle, &raw mut kernel, &raw mut user);
        (told, GetActiveProcessorCount(ALL_PROCESSOR_GROUPS))
    };
    let total = ticks(kernel) + ticks(user);
    let busy = total.saturating_sub(ticks(idle));
    (told != 0 && cpus > 0).then(|| Processors { busy_s: busy as f64 / 1e7, cpus: cpus as usize })
}

/// What feeds the machine (`SYSTEM_POWER_STATUS`).
pub(crate) fn supply() -> Option<Supply> {
    const NO_BATTERY: u8 = 128;
    const UNKNOWN: u8 = 255;
    // SAFETY: the place is this function's.
    let status = unsafe {
        let mut status: SYSTEM_POWER_STATUS = zeroed();
        (GetSystemPowerStatus(&raw mut status) != 0).then_some(status)
    }?;
    let battery = status.BatteryFlag != UNKNOWN && status.BatteryFlag & NO_BATTERY == 0;
    let mains = match status.ACLineStatus {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    let percent =
        (battery && status.BatteryLifePercent <= 100).then(|| f64::from(status.BatteryLifePercent));
    Some(Supply { mains, battery, percent })
}

/// Keeps the machine from falling asleep by itself until it is dropped, or this program ends.
#[derive(Debug)]
pub struct Awake {
    /// Its end wakes the thread that asked.
    _asks: Option<std::sync::mpsc::Sender<()>>,
}

/// Asks the system not to fall asleep while nobody types. A thread of its own asks, as the system forgets
/// what was asked when the thread ends that did.
pub fn stay_awake() -> Awake {
    let (awake, over) = std::sync::mpsc::channel::<()>();
    let asking = move || {
        // SAFETY: the call takes flags alone.
        if unsafe { SetThreadExecutionState(ES_CONTINUOUS | ES_SYSTEM_REQUIRED) } == 0 {
            tracing::warn!("the system cannot be asked to stay awake; it may fall asleep");
        }
        let _ = over.recv();
    };
    let begun = std::thread::Builder::new().name("awake".into()).spawn(asking);
    Awake { _asks: begun.is_ok().then_some(awake) }
}

/// Ends all that is in the job but this process. Nothing else is started beside a group, so that its
/// number says only whether there is one.
pub fn kill_group(group: u32) {
    if group > 0 {
        kill_all(&members());
    }
}

/// Asks a process and its group to end, as Ctrl-Break does. Ctrl-C cannot be sent to one group alone.
pub fn interrupt(group: u32) {
    if group > 0 {
        // SAFETY: the call takes numbers alone. Without a console it does nothing, and then the caller's
        // patience ends and the group is ended.
        unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group) };
    }
}

/// A process that its host started ends with the host, by the job.
pub fn end_with_parent() {}

/// Ends these processes, as far as they are in the job: a number may be another process's by now.
pub fn kill_all(pids: &[u32]) {
    let Some(Some(job)) = FAMILY.get() else { return };
    let me = std::process::id();
    for pid in pids.iter().filter(|pid| **pid != me) {
        // SAFETY: the handle is closed once, and stays this process's while it is looked at and ended.
        unsafe {
            let rights = PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION;
            let process = OpenProcess(rights, 0, *pid);
            if process.is_null() {
                continue; // It is gone already.
            }
            let mut ours = 0;
            if IsProcessInJob(process, job.0, &raw mut ours) != 0 && ours != 0 {
                TerminateProcess(process, KILLED);
            }
            CloseHandle(process);
        }
    }
}

/// What is in the job beside this process.
pub fn strays(_group: u32) -> Vec<u32> {
    members()
}

/// Whether anything is in the job beside this process.
pub fn has_children() -> bool {
    !members().is_empty()
}

/// Ends whatever this process started, and what that started in turn, and says how many processes it
/// found; gives up on what cannot be ended within `patience`.
pub fn kill_descendants(patience: Duration) -> usize {
    let begin = Instant::now();
    let mut found = std::collections::HashSet::new();
    loop {
        let members = members();
        if members.is_empty() || begin.elapsed() > patience {
            return found.len();
        }
        kill_all(&members);
        found.extend(members);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Ends this process; what it started is in its host's job.
pub fn kill_own_group() {
    std::process::exit(KILLED as i32);
}

/// Windows has no such request.
pub fn offer_to_out_of_memory() {}
