//! Watches the machine for a second at rest and a second under load: what every meter shows meanwhile,
//! and who else works.

use super::tried::{Movement, Tried};
use crate::meter::{Meter, MeterError, Run};
use crate::process;
use crate::run::settle::Load;
use crate::snapshot::{Roots, proc};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the machine is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// At rest.
    pub rest: Duration,
    /// With all processors loaded.
    pub load: Duration,
}

impl Default for Effort {
    /// A second each: a thousand updates of RAPL, a hundred ticks of the scheduler.
    fn default() -> Effort {
        Effort { rest: Duration::from_secs(1), load: Duration::from_secs(1) }
    }
}

/// How much longer than its command a wrapping meter may take before it is ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// What other processes did while this program rested.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Others {
    /// Processors.
    pub cpus: usize,
    /// How many of them others kept busy.
    pub cores: f64,
    /// The busiest by name, and how many cores each kept busy.
    pub busiest: Vec<(String, f64)>,
}

impl Others {
    /// The share of all processors that others kept busy; none where there are no processors.
    pub(crate) fn share(&self) -> Option<f64> {
        (self.cpus > 0).then(|| self.cores / self.cpus as f64)
    }
}

/// Watches; fills in what each meter that works showed. None where processor times cannot be read.
pub(super) fn observe(tried: &mut [Tried], roots: &Roots, effort: Effort) -> Option<Others> {
    let Ok(scratch) = tempfile::tempdir() else { return None };
    let watch = Watch::begin(roots);
    let rest = powers(tried, effort.rest, scratch.path());
    let others = watch.and_then(|watch| watch.end(roots));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let load = Load::start(threads);
    let loaded = powers(tried, effort.load, scratch.path());
    load.end();
    for (meter, (rest, loaded)) in tried.iter_mut().zip(rest.into_iter().zip(loaded)) {
        let (Some(rest), Some(loaded)) = (rest, loaded) else { continue };
        let fault = [&rest, &loaded].into_iter().find_map(|r| r.as_ref().err());
        meter.movement = Movement {
            fault: fault.map(ToString::to_string),
            rest_w: rest.ok().flatten(),
            load_w: loaded.ok().flatten(),
        };
    }
    others
}

type Power = Result<Option<f64>, MeterError>;

/// Mean power that each meter shows over `time`, all at once; none for those that do not work.
fn powers(tried: &[Tried], time: Duration, scratch: &Path) -> Vec<Option<Power>> {
    let running: Vec<_> = tried
        .iter()
        .map(|tried| {
            let meter = tried.outcome.as_ref().ok()?;
            let csv = scratch.join(format!("{}.csv", tried.kind));
            Some(Running::start(meter, &csv, time))
        })
        .collect();
    std::thread::sleep(time);
    running.into_iter().map(|running| Some(running?.and_then(Running::end))).collect()
}

/// A meter that measures: by itself, or wrapped around a command that sleeps.
struct Running {
    run: Run,
    wrapped: Option<Child>,
}

impl Running {
    fn start(meter: &Meter, csv: &Path, time: Duration) -> Result<Running, MeterError> {
        let run = meter.run(csv, process::sleeper(time))?;
        if !run.needs_its_command() {
            return Ok(Running { run, wrapped: None });
        }
        let line = run.line();
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        process::own_group(&mut command);
        process::end_with_host(&mut command);
        let wrapped = command.spawn().map_err(|error| MeterError::EnergibridgeUnusable {
            path: (&line[0]).into(),
            what: format!("it cannot be started: {error}"),
        })?;
        Ok(Running { run, wrapped: Some(wrapped) })
    }

    fn end(mut self) -> Power {
        if let Some(child) = &mut self.wrapped {
            let begun = Instant::now();
            while matches!(child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(5));
            }
            // Also what a meter that died left running.
            process::kill_group(child.id());
            let _ = child.wait();
        }
        let report = self.run.finish()?;
        Ok(report.total_j.map(|joules| joules / report.seconds).filter(|watts| watts.is_finite()))
    }
}

/// Processor times at one instant.
struct Watch {
    at: Instant,
    busy: f64,
    own: f64,
    processes: std::collections::HashMap<proc::Identity, proc::Process>,
}

impl Watch {
    fn begin(roots: &Roots) -> Option<Watch> {
        Some(Watch {
            at: Instant::now(),
            busy: proc::cpu_times(roots)?.processes,
            own: proc::own_cpu_s(roots).unwrap_or(0.0),
            processes: proc::processes(roots),
        })
    }

    fn end(self, roots: &Roots) -> Option<Others> {
        let (now, cpus) = (Watch::begin(roots)?, proc::cpu_times(roots)?.cpus);
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        let others = (now.busy - self.busy) - (now.own - self.own);
        let mut busiest = proc::busiest(&self.processes, &now.processes, std::process::id());
        busiest.retain(|(_, cpu_s)| *cpu_s / seconds >= 0.01);
        busiest.truncate(3);
        busiest.iter_mut().for_each(|(_, cpu_s)| *cpu_s /= seconds);
        Some(Others { cpus, cores: (others / seconds).max(0.0), busiest })
    }
}
