//! Machines as the kernel shows them: small `/proc` and `/sys` trees below one folder, each after what
//! such a machine really shows.
#![allow(dead_code, reason = "each test file uses its own part")]

use joulerace::snapshot::Roots;
use std::fs;
use std::path::Path;

/// A tree that is removed when this is dropped.
pub struct Tree {
    folder: tempfile::TempDir,
}

/// Processors by package and core, one entry per thread.
struct Cpus<'a> {
    model: &'a str,
    flags: &'a str,
    threads: &'a [(u32, u32)],
}

impl Tree {
    fn new(cpus: &Cpus<'_>) -> Tree {
        let tree = Tree { folder: tempfile::tempdir().unwrap() };
        let mut stat = "cpu  4000 0 1000 95000 0 0 0 0 0 0\n".to_owned();
        let mut cpuinfo = String::new();
        let intel = cpus.model.starts_with("Intel");
        let vendor = if intel { "GenuineIntel" } else { "AuthenticAMD" };
        for (n, (package, core)) in cpus.threads.iter().enumerate() {
            stat += &format!("cpu{n} 500 0 125 11875 0 0 0 0 0 0\n");
            cpuinfo += &format!(
                "processor\t: {n}\nvendor_id\t: {vendor}\nmodel name\t: {}\nphysical id\t: {package}\n\
                 core id\t\t: {core}\nflags\t\t: {}\n\n",
                cpus.model, cpus.flags
            );
            let topology = format!("sys/devices/system/cpu/cpu{n}/topology");
            tree.put(&format!("{topology}/physical_package_id"), package);
            tree.put(&format!("{topology}/core_id"), core);
        }
        tree.put("proc/stat", stat + "procs_running 1\n");
        tree.put("proc/cpuinfo", cpuinfo);
        tree.put("proc/uptime", "3600.00 7000.00");
        tree.put("proc/loadavg", "0.02 0.05 0.01 1/180 4242");
        tree.put("proc/meminfo", "MemTotal:       16000000 kB\nSwapTotal:             0 kB\n");
        tree.put("proc/sys/kernel/osrelease", "6.8.0-45-generic");
        tree.put("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"");
        tree.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc");
        tree.process(1, "systemd");
        tree
    }

    /// A desktop set up for measuring: performance governor, no turbo, nothing else running.
    pub fn intel_one_socket() -> Tree {
        let tree = Tree::new(&Cpus {
            model: "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz",
            flags: "fpu vme msr",
            threads: &[(0, 0), (0, 1), (0, 0), (0, 1)],
        });
        tree.put("sys/class/dmi/id/sys_vendor", "Dell Inc.");
        tree.put("sys/devices/system/cpu/intel_pstate/no_turbo", 1);
        tree.put("sys/devices/system/cpu/smt/active", 1);
        tree.policy(0, "intel_pstate", "performance", (800, 3200), (800, 3200));
        tree.hwmon("coretemp", 41_000);
        tree
    }

    /// A server of two sockets with turbo, as it was delivered.
    pub fn intel_two_sockets() -> Tree {
        let tree = Tree::new(&Cpus {
            model: "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz",
            flags: "fpu vme msr",
            threads: &[(0, 0), (0, 1), (1, 0), (1, 1)],
        });
        tree.put("sys/devices/system/cpu/intel_pstate/no_turbo", 0);
        tree.put("sys/devices/system/cpu/smt/active", 0);
        tree.policy(0, "intel_pstate", "powersave", (1000, 3700), (1000, 3700));
        tree.hwmon("coretemp", 38_000);
        tree
    }

    /// An AMD desktop with boost and schedutil.
    pub fn amd() -> Tree {
        let tree = Tree::new(&Cpus {
            model: "AMD Ryzen 7 3700X 8-Core Processor",
            flags: "fpu vme msr",
            threads: &[(0, 0), (0, 0), (0, 1), (0, 1)],
        });
        tree.put("sys/devices/system/cpu/cpufreq/boost", 1);
        tree.put("sys/devices/system/cpu/smt/active", 1);
        tree.policy(0, "acpi-cpufreq", "schedutil", (2200, 3600), (2200, 3600));
        tree.hwmon("k10temp", 44_500);
        tree
    }

    /// A laptop on its battery, held back by the powersave governor and a daemon.
    pub fn laptop() -> Tree {
        let tree = Tree::intel_one_socket();
        tree.put("sys/devices/system/cpu/intel_pstate/no_turbo", 0);
        tree.policy(0, "intel_pstate", "powersave", (400, 1800), (400, 4700));
        tree.put("sys/class/power_supply/AC/type", "Mains");
        tree.put("sys/class/power_supply/AC/online", 0);
        tree.put("sys/class/power_supply/BAT0/type", "Battery");
        tree.put("sys/class/power_supply/BAT0/status", "Discharging");
        tree.put("sys/class/power_supply/BAT0/capacity", 63);
        tree.process(700, "power-profiles-");
        tree.hwmon("coretemp", 83_000);
        tree
    }

    /// A guest of KVM: no frequencies, no sensors.
    pub fn virtual_machine() -> Tree {
        let tree = Tree::new(&Cpus {
            model: "Intel Xeon Processor (Skylake, IBRS)",
            flags: "fpu vme msr hypervisor",
            threads: &[(0, 0), (0, 1)],
        });
        tree.put("sys/class/dmi/id/sys_vendor", "QEMU");
        tree
    }

    /// A container on the desktop: the machine's files, its own processes.
    pub fn container() -> Tree {
        let tree = Tree::intel_one_socket();
        tree.put(".dockerenv", "");
        tree
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn roots(&self) -> Roots {
        Roots::under(self.path())
    }

    /// Writes a file, and the folders above it.
    pub fn put(&self, path: &str, value: impl std::fmt::Display) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{value}\n")).unwrap();
    }

    /// A process that is there and does nothing.
    pub fn process(&self, pid: u32, name: &str) {
        let stat = format!("{pid} ({name}) S 1 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 10 0 0");
        self.put(&format!("proc/{pid}/stat"), stat);
    }

    /// Frequencies in MHz: what may be chosen, and what the hardware has.
    fn policy(
        &self,
        number: u32,
        driver: &str,
        governor: &str,
        now: (u32, u32),
        hardware: (u32, u32),
    ) {
        let policy = format!("sys/devices/system/cpu/cpufreq/policy{number}");
        self.put(&format!("{policy}/scaling_driver"), driver);
        self.put(&format!("{policy}/scaling_governor"), governor);
        self.put(&format!("{policy}/scaling_min_freq"), now.0 * 1000);
        self.put(&format!("{policy}/scaling_max_freq"), now.1 * 1000);
        self.put(&format!("{policy}/cpuinfo_min_freq"), hardware.0 * 1000);
        self.put(&format!("{policy}/cpuinfo_max_freq"), hardware.1 * 1000);
    }

    fn hwmon(&self, chip: &str, millidegrees: u32) {
        self.put("sys/class/hwmon/hwmon1/name", chip);
        self.put("sys/class/hwmon/hwmon1/temp1_input", millidegrees);
    }
}
