//! What else the machine did during a trial, and the limits beyond which a trial is flagged for it.

use serde::{Deserialize, Serialize};

/// Beyond what a trial is flagged.
///
/// Others' processor time is held against the trial's own, because that bounds the error: of the
/// energy above idle, others take about their share of the processor time. 5% is well below the
/// differences of tens of percent that such studies report, and above what a quiet desktop does. The
/// second limit keeps a trial that itself hardly works from being flagged for the system's own few
/// hundredths of a core; a trial is flagged only beyond both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Others' processor seconds per processor second of the trial.
    pub others_per_trial: f64,
    /// Others' processor seconds per second, that is cores kept busy by them.
    pub others_cores: f64,
    /// Times that a processor or package was slowed down for its heat.
    pub throttle_events: u64,
    /// Pages swapped in or out; 256 of 4 KiB are 1 MiB.
    pub swapped_pages: u64,
    /// Share of the machine's capacity that the hypervisor gave to others.
    pub steal_share: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            others_per_trial: 0.05,
            others_cores: 0.10,
            throttle_events: 0,
            swapped_pages: 256,
            steal_share: 0.02,
        }
    }
}

/// A process outside the trial that kept processors busy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Busy {
    /// Its short name, as the kernel has it; processes of one name are one entry.
    pub name: String,
    /// Processor seconds during the trial.
    pub cpu_s: f64,
}

/// What was seen of the machine beside the trial. What could not be read is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interference {
    /// How long the machine was watched, in seconds.
    pub seconds: f64,
    /// How many processors it has.
    pub cpus: usize,
    /// Processor seconds of processes outside the trial, this program excepted.
    pub other_cpu_s: Option<f64>,
    /// How many cores that kept busy: 1 is one core all the time.
    pub other_cores: Option<f64>,
    /// Processor seconds of the trial.
    pub trial_cpu_s: f64,
    /// Processor seconds of this program, the sampler of a built-in meter included.
    pub host_cpu_s: Option<f64>,
    /// Processor seconds in interrupts, the trial's own included.
    pub interrupt_cpu_s: Option<f64>,
    /// Processor seconds that the hypervisor gave to others.
    pub steal_s: Option<f64>,
    /// Processor seconds idle with I/O outstanding.
    pub iowait_s: Option<f64>,
    /// The busiest processes outside the trial that lived to its end, at most three.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub busiest: Vec<Busy>,
    /// Processes that ran or waited for a processor: mean of the looks, the trial's included.
    pub run_queue_mean: Option<f64>,
    /// The same, the most.
    pub run_queue_max: Option<f64>,
    /// Load average over 1 min before the trial.
    pub load_begin: Option<f64>,
    /// And after.
    pub load_end: Option<f64>,
    /// Mean frequency of all processors over all looks, in MHz.
    pub mhz_mean: Option<f64>,
    /// Of the looks, the one with the lowest mean over the processors, in MHz.
    pub mhz_lowest: Option<f64>,
    /// The hottest processor sensor before the trial, in °C.
    pub celsius_begin: Option<f64>,
    /// The highest of all looks.
    pub celsius_max: Option<f64>,
    /// And after.
    pub celsius_end: Option<f64>,
    /// Times that a processor or package was slowed down for its heat.
    pub throttle_events: Option<u64>,
    /// Page faults of the whole machine that had to read from disk.
    pub major_faults: Option<u64>,
    /// Pages of the whole machine that were swapped in or out.
    pub swapped_pages: Option<u64>,
    /// Seconds in which some process waited for a processor.
    pub pressure_cpu_s: Option<f64>,
    /// Seconds in which some process waited for memory.
    pub pressure_memory_s: Option<f64>,
    /// Seconds in which some process waited for I/O.
    pub pressure_io_s: Option<f64>,
    /// Whether the machine ran on its battery before the trial; none where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_begin: Option<bool>,
    /// And after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub battery_end: Option<bool>,
}

impl Interference {
    /// The words for what lies beyond the limits: `interference`, `throttled`, `swapped`, `steal`, and
    /// `supply-change` where the machine went from mains to battery or back: its firmware then drives the
    /// processor another way.
    pub(crate) fn flags(&self, limits: &Limits) -> Vec<&'static str> {
        let mut flags = Vec::new();
        let others = self.other_cpu_s.unwrap_or(0.0);
        if others > limits.others_per_trial * self.trial_cpu_s
            && others > limits.others_cores * self.seconds
        {
            flags.push("interference");
        }
        if self.throttle_events.is_some_and(|events| events > limits.throttle_events) {
            flags.push("throttled");
        }
        if self.swapped_pages.is_some_and(|pages| pages > limits.swapped_pages) {
            flags.push("swapped");
        }
        let capacity = self.seconds * self.cpus as f64;
        if self.steal_s.is_some_and(|steal| steal > limits.steal_share * capacity) {
            flags.push("steal");
        }
        if self.battery_begin.zip(self.battery_end).is_some_and(|(begin, end)| begin != end) {
            flags.push("supply-change");
        }
        flags
    }
}
