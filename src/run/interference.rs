//! What else the machine did during a trial.
//!
//! Other processes' time is what `/proc/stat` counts in processes, less the trial's own, less this
//! program's. Everything is read once before and once after the trial; only run queue, frequency and
//! temperature are looked at in between, at most once a second. Averages over a trial do not show a
//! short burst, and `/proc/stat` counts in hundredths of a second: differences below 0.05 s mean
//! nothing.

use crate::snapshot::proc::{self, CpuTimes, Identity, Process};
use crate::snapshot::{Frequencies, Roots, Thermometer, on_battery, throttle_events};
use crate::store::interference::{Busy, Interference};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often [`Watch::tick`] looks at most. A look reads a file per processor.
const EVERY: Duration = Duration::from_secs(1);

/// What is counted since boot, at one instant.
#[derive(Debug)]
struct Counts {
    at: Instant,
    uptime: Option<f64>,
    cpu: Option<CpuTimes>,
    own: Option<f64>,
    paging: Option<(u64, u64)>,
    throttle: Option<u64>,
    pressure: [Option<f64>; 3],
    processes: HashMap<Identity, Process>,
}

impl Counts {
    fn read(roots: &Roots) -> Counts {
        Counts {
            at: Instant::now(),
            uptime: proc::uptime(roots),
            cpu: proc::cpu_times(roots),
            own: proc::own_cpu_s(roots),
            paging: proc::paging(roots),
            throttle: throttle_events(roots),
            pressure: ["cpu", "memory", "io"].map(|resource| proc::pressure(roots, resource)),
            processes: proc::processes(roots),
        }
    }
}

/// Mean and extremes of what is looked at.
#[derive(Debug, Default)]
struct Looks {
    count: f64,
    sum: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl Looks {
    fn add(&mut self, value: Option<f64>) {
        let Some(value) = value else { return };
        self.count += 1.0;
        self.sum += value;
        self.low = Some(self.low.map_or(value, |low| low.min(value)));
        self.high = Some(self.high.map_or(value, |high| high.max(value)));
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// Watches the machine during one trial.
#[derive(Debug)]
pub(crate) struct Watch {
    roots: Roots,
    begin: Counts,
    load: Option<f64>,
    frequencies: Frequencies,
    thermometer: Thermometer,
    celsius_begin: Option<f64>,
    battery_begin: Option<bool>,
    every: Duration,
    looked: Instant,
    mhz: Looks,
    celsius: Looks,
    queue: Looks,
}

impl Watch {
    /// Begins to watch. Call it just before the trial's worker is started.
    pub(crate) fn start(roots: &Roots) -> Watch {
        Watch::start_every(roots, EVERY)
    }

    /// As [`start`](Watch::start), with another least time between two looks.
    pub(crate) fn start_every(roots: &Roots, every: Duration) -> Watch {
        let thermometer = Thermometer::open(roots);
        let mut watch = Watch {
            begin: Counts::read(roots),
            load: proc::load(roots).map(|load| load[0]),
            frequencies: Frequencies::open(roots),
            celsius_begin: thermometer.celsius(),
            battery_begin: on_battery(roots),
            thermometer,
            every,
            looked: Instant::now(),
            mhz: Looks::default(),
            celsius: Looks::default(),
            queue: Looks::default(),
            roots: roots.clone(),
        };
        watch.celsius.add(watch.celsius_begin);
        watch
    }

    /// Looks at run queue, frequency and temperature, unless it did so less than a second ago. The
    /// machine before the trial is idle, so that only these looks enter the means.
    pub(crate) fn tick(&mut self) {
        if self.looked.elapsed() >= self.every {
            self.looked = Instant::now();
            self.look();
        }
    }

    fn look(&mut self) {
        self.mhz.add(self.frequencies.mean_mhz());
        self.celsius.add(self.thermometer.celsius());
        self.queue.add(proc::cpu_times(&self.roots).and_then(|times| times.running));
    }

    /// Ends the watch. Call it when the worker and all that it started have been waited for.
    ///
    /// `trial_cpu_s` is the processor time of the worker and all that it started, in seconds, a
    /// meter that wraps it included.
    pub(crate) fn finish(mut self, trial_cpu_s: f64) -> Interference {
        let (begin, end) = (&self.begin, Counts::read(&self.roots));
        let seconds = match (begin.uptime, end.uptime) {
            // The kernel's own clock is the one its counts go with.
            (Some(before), Some(after)) => after - before,
            _ => end.at.duration_since(begin.at).as_secs_f64(),
        };
        let trial_cpu_s = if trial_cpu_s.is_finite() { trial_cpu_s.max(0.0) } else { 0.0 };
        let host_cpu_s = since(begin.own, end.own);
        let part = |pick: fn(&CpuTimes) -> f64| {
            since(begin.cpu.as_ref().map(pick), end.cpu.as_ref().map(pick))
        };
        let other_cpu_s = part(|cpu| cpu.processes)
            .map(|all| (all - trial_cpu_s - host_cpu_s.unwrap_or(0.0)).max(0.0));
        let busiest = proc::busiest(&begin.processes, &end.processes, std::process::id())
            .into_iter()
            .take(3)
            .filter(|(_, cpu_s)| *cpu_s > 0.05)
            .map(|(name, cpu_s)| Busy { name, cpu_s })
            .collect();
        let count =
            |pick: fn(&Counts) -> Option<u64>| Some(pick(&end)?.saturating_sub(pick(begin)?));
        let celsius_end = self.thermometer.celsius();
        self.celsius.add(celsius_end);
        if self.mhz.count == 0.0 {
            // A trial of less than a second.
            self.mhz.add(self.frequencies.mean_mhz());
        }
        Interference {
            seconds,
            cpus: end.cpu.map_or(0, |cpu| cpu.cpus),
            other_cpu_s,
            other_cores: other_cpu_s.filter(|_| seconds > 0.0).map(|other| other / seconds),
            trial_cpu_s,
            host_cpu_s,
            interrupt_cpu_s: part(|cpu| cpu.interrupts),
            steal_s: part(|cpu| cpu.steal),
            iowait_s: part(|cpu| cpu.iowait),
            busiest,
            run_queue_mean: self.queue.mean(),
            run_queue_max: self.queue.high,
            load_begin: self.load,
            load_end: proc::load(&self.roots).map(|load| load[0]),
            mhz_mean: self.mhz.mean(),
            mhz_lowest: self.mhz.low,
            battery_begin: self.battery_begin,
            battery_end: on_battery(&self.roots),
            celsius_begin: self.celsius_begin,
            celsius_max: self.celsius.high,
            celsius_end,
            throttle_events: count(|counts| counts.throttle),
            major_faults: count(|counts| counts.paging.map(|paging| paging.0)),
            swapped_pages: count(|counts| counts.paging.map(|paging| paging.1)),
            pressure_cpu_s: since(begin.pressure[0], end.pressure[0]),
            pressure_memory_s: since(begin.pressure[1], end.pressure[1]),
            pressure_io_s: since(begin.pressure[2], end.pressure[2]),
        }
    }
}

/// What was added; the kernel's counts of idle and I/O time may fall by a tick.
fn since(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    Some((after? - before?).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::interference::Limits;

    #[test]
    fn going_from_mains_to_battery_in_the_middle_is_flagged() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, value: &str| {
            let path = root.path().join("sys/class/power_supply").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, value).unwrap();
        };
        put("AC/type", "Mains");
        put("AC/online", "1");
        put("BAT0/type", "Battery");
        put("BAT0/status", "Full");
        let roots = Roots::under(root.path());
        let flags = |watch: Watch| watch.finish(0.0).flags(&Limits::default());
        assert_eq!(flags(Watch::start(&roots)), [""; 0]);
        let watch = Watch::start(&roots);
        put("AC/online", "0");
        put("BAT0/status", "Discharging");
        assert_eq!(flags(watch), ["supply-change"]);
        // A trial that ran on battery throughout saw no change; doctor warns of batteries.
        assert_eq!(flags(Watch::start(&roots)), [""; 0]);
        let desktop = tempfile::tempdir().unwrap();
        let seen = Watch::start(&Roots::under(desktop.path())).finish(0.0);
        assert_eq!((seen.battery_begin, seen.battery_end), (None, None));
    }
}
