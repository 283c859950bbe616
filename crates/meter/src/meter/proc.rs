//! Reading the kernel's text files again and again, and the processor times in `/proc/stat`.

use std::fs::File;
use std::io;

/// Reads from the start of a kept-open file with one system call, without moving a cursor: a file of
/// `/proc` or `/sys` gives its present content anew. Returns the number of bytes read; what does not
/// fit into `buffer` is cut off.
///
/// One call is all it takes for files of one record (`/proc/stat`, `/proc/meminfo`, sensors); a second
/// one to see the end would make the kernel write the whole text again.
///
/// # Errors
///
/// Whatever reading gives, `EIO` of a sensor included.
pub(crate) fn read_at_start(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    read_at(file, buffer, 0)
}

/// The same from `offset` on.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, buffer, offset);
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Busy and total scheduler ticks of one line of `/proc/stat`.
///
/// Busy is user, nice, system, irq and softirq; guests are part of user. Idle, iowait and steal
/// (time in which the hypervisor ran others) are not. See proc_stat(5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub busy: u64,
    pub total: u64,
}

/// Calls `each` for the leading `cpu` lines of `/proc/stat`: `None` for the sum, else the number.
pub(crate) fn cpu_lines(text: &[u8], mut each: impl FnMut(Option<usize>, Ticks)) {
    for line in text.split(|byte| *byte == b'\n') {
        let Some(rest) = line.strip_prefix(b"cpu") else { break };
        let mut fields = rest.split(|byte| *byte == b' ');
        let label = fields.next().unwrap_or_default();
        let cpu = number(label).map(|n| n as usize);
        if cpu.is_none() && !label.is_empty() {
            break;
        }
        let mut ticks = Ticks::default();
        let mut count = 0;
        for value in fields.filter(|field| !field.is_empty()).take(8).map_while(number) {
            // user nice system idle iowait irq softirq steal
            if !matches!(count, 3 | 4 | 7) {
                ticks.busy += value;
            }
            ticks.total += value;
            count += 1;
        }
        if count >= 4 {
            each(cpu, ticks);
        }
    }
}

/// The decimal number that `text` is, if it is one.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Scheduler ticks per second in which `/proc/stat` counts.
pub(crate) fn ticks_per_second() -> f64 {
    #[cfg(unix)]
    if let Ok(Some(ticks)) = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK) {
        return ticks as f64;
    }
    100.0
}
