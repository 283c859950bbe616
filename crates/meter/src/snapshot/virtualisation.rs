//! Whether this is a whole machine, a virtual one, or a container's view of one.

use super::cpu::has_hypervisor_flag;
use super::roots::{Roots, text};
use serde::{Deserialize, Serialize};

/// What stands between this program and the hardware.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Virtualisation {
    /// The hypervisor's name, or `unknown`; none on a whole machine.
    pub hypervisor: Option<String>,
    /// What runs the container, or `unknown`; none outside one.
    pub container: Option<String>,
}

/// What makers write into the firmware of virtual machines, and what it means.
const FIRMWARE: [(&str, &str); 15] = [
    ("QEMU", "QEMU/KVM"),
    ("KVM", "QEMU/KVM"),
    ("VMware", "VMware"),
    ("innotek", "VirtualBox"),
    ("VirtualBox", "VirtualBox"),
    ("Xen", "Xen"),
    ("Bochs", "Bochs"),
    ("Parallels", "Parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "Hyper-V"),
    ("Virtual Machine", "Hyper-V"),
    ("Google Compute Engine", "Google Compute Engine"),
    ("Amazon EC2", "Amazon EC2"),
    ("OpenStack", "OpenStack"),
    ("Apple Virtualization", "Apple Virtualization"),
];

/// Looks at the processor's flag, the firmware's names, Xen's own folder and the kernel's name.
pub(super) fn read(roots: &Roots) -> Virtualisation {
    Virtualisation { hypervisor: hypervisor(roots), container: container(roots) }
}

fn hypervisor(roots: &Roots) -> Option<String> {
    let flag = has_hypervisor_flag(roots);
    if let Some(kind) = text(&roots.sys.join("hypervisor/type")) {
        // Xen's first domain has the hardware, though not its counters.
        return Some(if kind == "xen" { "Xen".to_owned() } else { kind });
    }
    let kernel = text(&roots.proc.join("sys/kernel/osrelease")).unwrap_or_default();
    if kernel.to_lowercase().contains("microsoft") {
        return Some("WSL (Hyper-V)".to_owned());
    }
    let firmware: String = ["sys_vendor", "product_name", "board_vendor", "bios_vendor"]
        .iter()
        .filter_map(|file| text(&roots.sys.join("class/dmi/id").join(file)))
        .collect::<Vec<_>>()
        .join("\n");
    let named = FIRMWARE.iter().find(|(word, _)| firmware.contains(word)).map(|(_, name)| *name);
    match named {
        // EC2's whole machines name their maker too; there, the processor's flag tells.
        Some("Amazon EC2") if !flag => None,
        Some(name) => Some(name.to_owned()),
        None => flag.then(|| "unknown".to_owned()),
    }
}

fn container(roots: &Roots) -> Option<String> {
    if roots.root.join(".dockerenv").exists() {
        return Some("Docker".to_owned());
    }
    if let Ok(about) = std::fs::read_to_string(roots.root.join("run/.containerenv")) {
        let engine = about.lines().find_map(|line| line.strip_prefix("engine="));
        return Some(engine.map_or("Podman", |name| name.trim_matches('"')).to_owned());
    }
    // What systemd's container interface asks every manager to write.
    if let Some(manager) = text(&roots.root.join("run/systemd/container")) {
        return Some(manager);
    }
    let groups = text(&roots.proc.join("1/cgroup")).unwrap_or_default();
    let known = [
        ("kubepods", "Kubernetes"),
        ("docker", "Docker"),
        ("libpod", "Podman"),
        ("containerd", "containerd"),
        ("lxc", "LXC"),
    ];
    if let Some((_, name)) = known.iter().find(|(word, _)| groups.contains(word)) {
        return Some((*name).to_owned());
    }
    // The manager of processes sees its own name here unless it is itself a guest.
    let environ = text(&roots.proc.join("1/environ")).unwrap_or_default();
    environ.split('\0').find_map(|entry| entry.strip_prefix("container=")).map(str::to_owned)
}
