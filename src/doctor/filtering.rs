//! Whether the processor blurs its energy counters.
//!
//! Intel's answer to reading secrets out of them (INTEL-SA-00389, CVE-2020-8694) is energy filtering: noise on
//! the counters, which change less often as well. Firmware that enables SGX turns it on, and so does bit 0
//! of `IA32_MISC_PACKAGE_CTLS` (0xBC), where a processor has that register. A Linux kernel shows `sgx` among
//! the flags of `/proc/cpuinfo` where the firmware enabled it.

use super::finding::{Finding, Level};
use crate::snapshot::Roots;
use std::io;
use std::path::Path;

/// `IA32_MISC_PACKAGE_CTLS`; bit 0 is `ENERGY_FILTERING_ENABLE`.
const MISC_PACKAGE_CTLS: u64 = 0xbc;

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filtering {
    /// Whether the processor is Intel's; `None` where nothing says so.
    intel: Option<bool>,
    /// Whether a hypervisor stands before the registers.
    guest: bool,
    /// Whether SGX is on; `None` where nothing says so.
    sgx: Option<bool>,
    register: Register,
}

/// The register that turns it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Register {
    /// It says so.
    Says(bool),
    /// This processor has none.
    Lacks,
    /// It cannot be read.
    Unreadable,
}

impl Filtering {
    /// Looks at the first processor.
    pub(crate) fn read(roots: &Roots) -> Filtering {
        let cpuinfo = std::fs::read(roots.proc.join("cpuinfo")).unwrap_or_default();
        let cpuinfo = String::from_utf8_lossy(&cpuinfo);
        let field = |key: &str| {
            let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
        };
        let flags = field("flags");
        let has = |flag: &str| flags.map(|flags| flags.split(' ').any(|f| f == flag));
        Filtering {
            // Arm's processors name an implementer by number instead.
            intel: field("vendor_id").or(field("CPU implementer")).map(|v| v == "GenuineIntel"),
            guest: has("hypervisor") == Some(true),
            sgx: has("sgx"),
            register: register(&roots.root.join("dev/cpu/0/msr")),
        }
    }
}

/// The kernel's `msr` module gives a register's eight bytes at its number (msr(4)), and an I/O error where
/// the processor lacks it.
fn register(msr: &Path) -> Register {
    let read = || -> io::Result<u64> {
        let file = std::fs::File::open(msr)?;
        let mut value = [0; 8];
        read_at(&file, &mut value, MISC_PACKAGE_CTLS)?;
        Ok(u64::from_le_bytes(value))
    };
    match read() {
        Ok(value) => Register::Says(value & 1 == 1),
        // EIO: reading it raised a fault.
        Err(error) if error.raw_os_error() == Some(5) => Register::Lacks,
        Err(_) => Register::Unreadable,
    }
}

#[cfg(unix)]
fn read_at(file: &std::fs::File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(not(unix))]
fn read_at(_: &std::fs::File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The finding.
pub(super) fn judge(found: &Filtering) -> Finding {
    let on = match (found.sgx, found.register) {
        (_, Register::Says(true)) | (Some(true), _) => Some(true),
        (Some(false), Register::Says(false) | Register::Lacks) => Some(false),
        _ => None,
    };
    let new = |level, text: &str| {
        let known = if found.intel == Some(false) { Some(false) } else { on };
        Finding::new("energy_filtering", "Energy filtering", level, text)
            .with("on", known)
            .with("sgx", found.sgx)
    };
    if found.intel == Some(false) {
        return new(Level::Ok, "not with this processor: it is Intel's way");
    }
    match on {
        None if found.intel.is_none() => new(Level::Unknown, "the processor's maker is not known"),
        Some(true) => {
            let by = if found.register == Register::Says(true) {
                "set in IA32_MISC_PACKAGE_CTLS"
            } else {
                "as SGX is on"
            };
            let text = format!(
                "on ({by}): the processor adds noise to its energy counters. It evens out over minutes; \
                 trials and phases of a few seconds or less scatter more for it"
            );
            let remedy = "Make trials longer, or disable SGX and energy filtering in the firmware's \
                          settings";
            new(Level::Warning, &text).remedy(remedy)
        }
        Some(false) => new(Level::Ok, "off: the counters show what they count"),
        None if found.guest => new(Level::Unknown, "the hypervisor keeps the register"),
        None => new(
            Level::Unknown,
            "the register that says so cannot be read; if it is on, trials of a few seconds or less \
             scatter more",
        )
        .remedy(
            "As root, bit 0 of this says so\n  sudo modprobe msr\n  sudo rdmsr --bitfield 0:0 0xbc",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these flags and, if given, this value in the register.
    fn level(vendor: &str, flags: &str, register: Option<u64>) -> (Level, Finding) {
        let root = tempfile::tempdir().unwrap();
        let (proc, cpu) = (root.path().join("proc"), root.path().join("dev/cpu/0"));
        std::fs::create_dir_all(&proc).unwrap();
        std::fs::create_dir_all(&cpu).unwrap();
        let text = format!("processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n");
        std::fs::write(proc.join("cpuinfo"), text).unwrap();
        if let Some(value) = register {
            let mut file = vec![0; MISC_PACKAGE_CTLS as usize];
            file.extend_from_slice(&value.to_le_bytes());
            std::fs::write(cpu.join("msr"), file).unwrap();
        }
        let finding = judge(&Filtering::read(&Roots::under(root.path())));
        (finding.level, finding)
    }

    #[test]
    fn it_is_on_with_sgx_or_by_the_register_and_short_trials_suffer() {
        for (flags, register) in [("fpu sgx", None), ("fpu sgx", Some(0)), ("fpu", Some(1))] {
            let (level, finding) = level("GenuineIntel", flags, register);
            assert_eq!(level, Level::Warning, "{flags} {register:?}");
            assert!(finding.found.contains("few seconds"), "{}", finding.found);
        }
        assert_eq!(level("GenuineIntel", "fpu", Some(0)).0, Level::Ok);
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_other_makers_have_none() {
        assert_eq!(level("GenuineIntel", "fpu", None).0, Level::Unknown);
        assert_eq!(level("GenuineIntel", "fpu hypervisor", None).0, Level::Unknown);
        assert_eq!(level("AuthenticAMD", "fpu", None).0, Level::Ok);
    }
}
