//! Why a meter does not work here, and what to do.

use super::{Context, titled};
use crate::Remedy as _;
use crate::doctor::finding::{Finding, Level};
use crate::meter::{GpuError, Kind, MeterError, PerfError};
use std::path::Path;

/// What the host has to do so that a container may read the counters, and how the container gets them.
const ON_THE_HOST: &str = "On the host, allow it until the next reboot with\n  \
     sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj";
const MOUNTED: &str = "Start the container with the host's counters mounted, and joulerace \
     with --powercap /powercap where its image does not say so; virtual machines have none\n  \
     podman run -v /sys/devices/virtual/powercap/intel-rapl:/powercap:ro IMAGE";

/// What the host of a container has to do, where this is one and its host is what stands in the way.
pub(super) fn of_the_host(error: &MeterError, context: &Context) -> Option<&'static str> {
    match error {
        MeterError::NeitherWay { powercap, .. } => of_the_host(powercap, context),
        MeterError::Permission { .. } if context.in_container => Some(ON_THE_HOST),
        MeterError::NoZones { .. } if context.in_container => Some(MOUNTED),
        _ => None,
    }
}

pub(super) fn refused(kind: Kind, error: &MeterError, wanted: bool, context: &Context) -> Finding {
    let level = if wanted { Level::Failure } else { Level::Note };
    let (found, remedy) = explain(error);
    let remedy = of_the_host(error, context).map(str::to_owned).or(remedy);
    let finding = titled(kind, level, found).with("works", false);
    match remedy {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

/// What is wrong with a meter and what to do, apart.
pub(super) fn explain(error: &MeterError) -> (String, Option<String>) {
    let (found, remedy) = match error {
        // Only Linux has such folders, unless one is mounted elsewhere.
        MeterError::NoZones { powercap }
            if !cfg!(target_os = "linux") && powercap.as_path() == Path::new(crate::meter::POWERCAP) =>
        {
            return ("RAPL is read on Linux only; EnergiBridge measures here".to_owned(), None);
        }
        MeterError::NoZones { powercap } => (
            format!("no package zone (intel-rapl:*) in {}", powercap.display()),
            "Load the driver, or name the folder where it is mounted elsewhere with --powercap DIR; \
             virtual machines and most containers have none\n  sudo modprobe intel_rapl_msr"
                .to_owned(),
        ),
        MeterError::Permission { file, command } => (
            format!("no permission to read {}: the kernel keeps it for root", file.display()),
            format!("Allow it until the next reboot with\n  {command}"),
        ),
        MeterError::NeitherWay { powercap, perf } => {
            let (found, remedy) = explain(powercap);
            let (other, second) = explain_perf(perf);
            let both = remedy.into_iter().chain(second).collect::<Vec<_>>().join("\nOr, for perf events: ");
            return (format!("{found}; nor through perf events: {other}"), Some(both));
        }
        MeterError::Perf(perf) => return explain_perf(perf),
        MeterError::StandsStill { file, value, .. } => (
            format!("{} stands still at {value} µJ: it measures nothing", file.display()),
            "Some virtual machines show such zones; measure on the machine itself".to_owned(),
        ),
        MeterError::Gpu(GpuError::Absent { library, .. }) => {
            return (format!("no NVIDIA driver here ({} is not there)", library.display()), None);
        }
        other => return explain_energibridge(other),
    };
    (found, Some(remedy))
}

/// The same for EnergiBridge; any other error speaks for itself.
fn explain_energibridge(error: &MeterError) -> (String, Option<String>) {
    let (found, remedy) = match error {
        MeterError::EnergibridgeMissing { place } => (
            place.clone(),
            if cfg!(windows) {
                "Take energibridge.exe 0.0.7 or later (https://github.com/tdurieux/EnergiBridge, releases) \
                 with LibreHardwareMonitor.sys beside it, and name it with --energibridge PATH. It needs a \
                 driver and an administrator's rights, which this tells once it is named"
                    .to_owned()
            } else {
                "Build EnergiBridge 0.0.7 or later (https://github.com/tdurieux/EnergiBridge) and name it \
                 with --energibridge PATH"
                    .to_owned()
            },
        ),
        MeterError::EnergibridgeTooOld { path, version } => (
            format!("{} is version {version}; 0.0.7 or later is needed", path.display()),
            "Name another with --energibridge PATH".to_owned(),
        ),
        MeterError::EnergibridgeUnusable { path, what } => (
            format!("{} cannot be used: {what}", path.display()),
            "Name another with --energibridge PATH".to_owned(),
        ),
        MeterError::EnergibridgeFails { path, exit, said } => (
            format!("{} fails here ({exit}): {said}", path.display()),
            crate::meter::needs(path, said),
        ),
        other => return (other.to_string(), other.remedy()),
    };
    (found, Some(remedy))
}

/// The same of RAPL's second way in.
fn explain_perf(error: &PerfError) -> (String, Option<String>) {
    let (found, remedy) = match error {
        PerfError::Absent { folder } => (
            format!("the kernel has none ({} is not there)", folder.display()),
            "load their driver\n  sudo modprobe rapl".to_owned(),
        ),
        PerfError::Paranoid { level, program } => (
            format!(
                "kernel.perf_event_paranoid is {level}, so that they are for privileged programs"
            ),
            format!(
                "allow them until the next reboot\n  sudo sysctl kernel.perf_event_paranoid=0\n\
                 or this program for good\n  sudo setcap cap_perfmon=ep {}",
                program.display()
            ),
        ),
        PerfError::Forbidden { source } => (
            format!("something else than kernel.perf_event_paranoid forbids them ({source})"),
            "a container's filter of system calls lets them through with\n  \
             docker run --cap-add PERFMON IMAGE"
                .to_owned(),
        ),
        other => return (other.to_string(), other.remedy()),
    };
    (found, Some(remedy))
}
