//! Unix: advisory locks on an open file (flock(2)).

use super::super::Dir;
use super::Taken;
use std::ffi::OsStr;
use std::fs::TryLockError;
use std::io;

/// Opens the file and locks it.
pub(super) fn take(dir: &Dir, name: &OsStr) -> io::Result<Taken> {
    let file = dir.append(name)?;
    Ok(match file.try_lock() {
        Ok(()) => Taken::Mine(file),
        Err(TryLockError::WouldBlock) => Taken::Theirs(file),
        Err(TryLockError::Error(_)) => Taken::NoLocks(file),
    })
}

/// What is drawn anew when the machine starts; empty where that is not known.
pub(super) fn boot() -> String {
    #[cfg(not(target_os = "macos"))]
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    #[cfg(target_os = "macos")]
    let boot = {
        let mut ask = std::process::Command::new("/usr/sbin/sysctl");
        let told = ask.args(["-n", "kern.bootsessionuuid"]).output();
        told.map_or_else(|_| String::new(), |told| String::from_utf8_lossy(&told.stdout).into())
    };
    boot.trim().to_owned()
}

/// Whether there is a process of this number.
pub(super) fn lives(process: u32) -> bool {
    use nix::errno::Errno;
    let Ok(number) = i32::try_from(process) else { return false };
    // No signal is sent; another user's process lives as well.
    let asked = nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), None);
    number > 0 && matches!(asked, Ok(()) | Err(Errno::EPERM))
}
