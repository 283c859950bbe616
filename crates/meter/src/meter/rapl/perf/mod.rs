//! RAPL through performance events: the kernel's `power` events, for machines whose powercap files cannot
//! be read.
//!
//! The kernel adds the registers up to 64 bits, in steps of 2^-32 J, and undoes their wraps itself. An event
//! counts for a whole package (or die), on whichever of its processors it is opened; `cpumask` names one of
//! each. All events of a package are one group, so that one call reads them at one instant.
//!
//! See perf_event_open(2) and the kernel's `arch/x86/events/rapl.c`.

mod open;
mod pmu;
mod probe;

use std::io;
use std::sync::Arc;

pub(crate) use crate::meter::PerfError;
#[cfg(test)]
pub(crate) use crate::meter::settings::EVENTS;

pub(crate) use open::kernel;
pub(crate) use probe::Perf;

/// The open counters of one package.
pub(crate) trait Group: Send {
    /// Reads all of them, in the order in which they were asked for.
    fn read(&mut self, counts: &mut [u64]) -> io::Result<()>;
}

/// Counters to be opened together.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can be asked"))]
pub(crate) struct Asked<'a> {
    /// The kernel's number for this source of events.
    pub pmu: u32,
    /// The processor that reads them.
    pub cpu: usize,
    /// Which events.
    pub configs: &'a [u64],
}

/// How counters are opened; tests put others in the kernel's place.
pub(crate) type Opener = Arc<dyn Fn(&Asked<'_>) -> io::Result<Box<dyn Group>> + Send + Sync>;

#[cfg(test)]
mod tests;
