//! The estimate: processor busy time times a stated power, for machines without sensors.
//!
//! Energy since the start is `idle_w · t + (busy_w − idle_w) · busy / n`, with `t` the seconds since
//! the start, `busy` the seconds that all `n` processors were busy, added up. It is linear in the
//! load: it knows nothing of frequency, of instructions or of memory, and never passes for a
//! measurement.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::proc::{cpu_lines, read_at_start, ticks_per_second};
use super::source::{Fault, Named, Source, Tally};
use super::{CpuWatts, MeterError};
use crate::process::Processors;
use crate::samples::Domain;

/// The column's name: it says what it is, so that no analysis takes it for a counter of the machine.
pub(crate) const COLUMN: &str = "ESTIMATED_CPU_ENERGY (J)";

/// Long enough for the first line of `/proc/stat`, ten numbers of 20 digits at most.
const FIRST_LINE: usize = 256;

/// What the system tells of its processors where it has no such files and none are named.
fn asked(proc_root: &Path) -> Option<Processors> {
    let files = cfg!(target_os = "linux") || proc_root != Path::new("/proc");
    if files { None } else { crate::process::processors() }
}

/// Where the processors' times come from.
#[derive(Debug)]
enum Times {
    /// `/proc/stat`, in ticks of so many a second.
    File { file: File, ticks_per_second: f64 },
    /// The system, asked anew each time.
    System,
}

/// Checks that the estimate can be made, and says of how many processors.
///
/// # Errors
///
/// [`MeterError::NoCpuTimes`] where `proc_root/stat` cannot be read.
pub(crate) fn probe(proc_root: &Path) -> Result<usize, MeterError> {
    if let Some(processors) = asked(proc_root) {
        return Ok(processors.cpus);
    }
    let path = proc_root.join("stat");
    let no =
        |source: io::Error| MeterError::NoCpuTimes { path: path.clone(), source: Arc::new(source) };
    let text = std::fs::read(&path).map_err(no)?;
    let mut cpus = 0;
    cpu_lines(&text, |cpu, _| cpus += usize::from(cpu.is_some()));
    if cpus == 0 {
        return Err(no(io::Error::new(io::ErrorKind::InvalidData, "it lists no processor")));
    }
    Ok(cpus)
}

/// The estimate as something that can be sampled.
#[derive(Debug)]
pub(crate) struct Estimate {
    times: Times,
    path: PathBuf,
    watts: CpuWatts,
    cpus: f64,
    /// When it was first read, and the busy seconds until then.
    start: Option<(Instant, f64)>,
}

impl Estimate {
    /// Opens `/proc/stat` under `proc_root`, or asks the system where there is no such file.
    ///
    /// # Errors
    ///
    /// [`MeterError::NoCpuTimes`].
    pub(crate) fn open(proc_root: &Path, watts: CpuWatts) -> Result<Estimate, MeterError> {
        let cpus = probe(proc_root)? as f64;
        let path = proc_root.join("stat");
        let times = if asked(proc_root).is_some() {
            Times::System
        } else {
            let file = File::open(&path).map_err(|source| MeterError::NoCpuTimes {
                path: path.clone(),
                source: Arc::new(source),
            })?;
            Times::File { file, ticks_per_second: ticks_per_second() }
        };
        Ok(Estimate { times, path, watts, cpus, start: None })
    }

    /// Seconds that processors were busy since boot, added up.
    fn busy_s(&self) -> io::Result<f64> {
        let Times::File { file, ticks_per_second } = &self.times else {
            let told = crate::process::processors();
            return told.map(|told| told.busy_s).ok_or_else(io::Error::last_os_error);
        };
        let mut buffer = [0u8; FIRST_LINE];
        let length = read_at_start(file, &mut buffer)?;
        let mut sum = None;
        cpu_lines(&buffer[..length], |cpu, ticks| {
            if cpu.is_none() {
                sum = Some(ticks.busy as f64 / ticks_per_second);
            }
        });
        sum.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no line 'cpu'"))
    }
}

impl Source for Estimate {
    fn columns(&self) -> Vec<Named> {
        vec![Named::counter(COLUMN, Domain::Estimated)]
    }

    fn read(&mut self, at: Instant, _all: bool, joules: &mut [f64]) -> Result<(), Fault> {
        let now = self
            .busy_s()
            .map_err(|source| Fault::File { file: self.path.clone(), source: Arc::new(source) })?;
        let (start, first) = *self.start.get_or_insert((at, now));
        let seconds = at.duration_since(start).as_secs_f64();
        // The kernel counts in whole ticks: over a few milliseconds, more than there were.
        let busy = ((now - first).max(0.0) / self.cpus).min(seconds);
        joules[0] = self.watts.idle_w * seconds + (self.watts.busy_w - self.watts.idle_w) * busy;
        Ok(())
    }

    fn tally(&self) -> Tally {
        Tally::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use joulerace_files::Remedy as _;

    const WATTS: CpuWatts = CpuWatts { idle_w: 10.0, busy_w: 50.0 };

    fn write(root: &Path, busy: u64) {
        let stat = format!("cpu  {busy} 0 0 99 0 0 0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\nintr 0\n");
        std::fs::write(root.join("stat"), stat).unwrap();
    }

    #[test]
    fn idle_power_runs_always_and_the_rest_with_the_busy_share() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), 1000);
        let mut estimate = Estimate::open(root.path(), WATTS).unwrap();
        let (start, mut joules) = (Instant::now(), [f64::NAN]);
        estimate.read(start, true, &mut joules).unwrap();
        assert_eq!(joules, [0.0]);
        // In 2 s, two processors have 4 s; half of that is busy: (10 + 40/2) W · 2 s.
        write(root.path(), 1000 + (2.0 * ticks_per_second()) as u64);
        estimate.read(start + Duration::from_secs(2), true, &mut joules).unwrap();
        assert!((joules[0] - 60.0).abs() < 1e-9, "{joules:?}");
    }

    #[test]
    fn the_power_never_passes_that_of_all_processors_busy() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), 1000);
        let mut estimate = Estimate::open(root.path(), WATTS).unwrap();
        let (start, mut joules) = (Instant::now(), [f64::NAN]);
        estimate.read(start, true, &mut joules).unwrap();
        write(root.path(), 1002); // Two ticks are longer than the millisecond that passed.
        estimate.read(start + Duration::from_millis(1), true, &mut joules).unwrap();
        assert!((joules[0] - 0.050).abs() < 1e-9, "{joules:?}");
    }

    #[test]
    fn a_machine_without_processor_times_is_refused_with_the_file() {
        let root = tempfile::tempdir().unwrap();
        let error = Estimate::open(root.path(), WATTS).unwrap_err();
        assert!(error.in_line().contains(&root.path().join("stat").display().to_string()));
        std::fs::write(root.path().join("stat"), "intr 0\n").unwrap();
        assert!(matches!(probe(root.path()), Err(MeterError::NoCpuTimes { .. })));
    }
}
