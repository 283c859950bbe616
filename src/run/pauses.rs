//! What lies around the trials: warm-up, cool-downs and idle power, each watched with the meter.
//!
//! A run is warm-up, cool-down, idle power, then the trials with a cool-down after each, then idle
//! power again. So the first trial begins like any other, and idle power is measured twice in the same
//! state: after a load and a cool-down.

use super::gauge::Gauge;
use super::interference::Watch;
use super::settle::{self, CoolDown, Readings, Tick, WarmUp};
use super::trial::Bench;
use crate::Remedy as _;
use crate::events::{Event, IDLE_POWER};
use crate::meter::Meter;
use crate::snapshot::Thermometer;
use crate::stop::Stop;
use crate::store::experiment::Experiment;
use crate::store::journal::{self, Journal};
use crate::store::pauses::{Baseline, Cooldown};
use crate::store::settling::{IdlePower, Overhead, When};
use std::time::Duration;

/// Longer than any pause: a wrapping meter is ended long before.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// One pause.
struct Pause<'p> {
    /// What the terminal calls it.
    what: &'p str,
    /// The name of its samples.
    file: &'p str,
    /// How long it is to take, and how long it may.
    set: Duration,
    longest: Duration,
    meter: &'p Meter,
}

/// The pauses of one run.
pub(crate) struct Pauses<'a, 'b> {
    bench: &'a Bench<'b>,
    thermometer: Thermometer,
    idle_w: Option<f64>,
}

impl<'a, 'b> Pauses<'a, 'b> {
    /// Of this run.
    pub(crate) fn new(bench: &'a Bench<'b>) -> Self {
        let thermometer = Thermometer::open(&bench.roots);
        Pauses { bench, thermometer, idle_w: None }
    }

    /// Idle power before the first trial of this run, in watts.
    pub(crate) fn idle_w(&self) -> Option<f64> {
        self.idle_w
    }

    /// Warms the machine up, lets it cool down as after a trial, and measures idle power. Ends early
    /// when the user stops.
    pub(crate) async fn before(&mut self, experiment: &mut Experiment, journal: &mut Journal) {
        let settings = self.bench.settings;
        if !settings.warmup.is_zero() {
            self.warm_up(experiment, journal).await;
            if self.stopped() {
                return;
            }
            self.cool_down("warm-up").await;
        }
        if settings.baseline.is_zero() || self.stopped() {
            return;
        }
        let idle = self.baseline(When::Before, experiment, journal).await;
        self.idle_w = idle.watts;
        if !self.bench.meter.capabilities().estimates && !self.stopped() {
            let overhead = self.overhead(&idle).await;
            experiment.settling.overhead = overhead;
        }
        self.keep(experiment);
    }

    /// Measures idle power once more, after the last trial and its cool-down.
    pub(crate) async fn after(&mut self, experiment: &mut Experiment, journal: &mut Journal) {
        if self.bench.settings.baseline.is_zero() || self.stopped() {
            return;
        }
        self.baseline(When::After, experiment, journal).await;
        self.keep(experiment);
    }

    async fn warm_up(&self, experiment: &mut Experiment, journal: &mut Journal) {
        let settings = self.bench.settings;
        let plan = WarmUp::new(settings.warmup, settings.warmup_until_stable);
        let pause = Pause {
            what: "warm-up",
            file: "warm-up",
            set: settings.warmup,
            longest: plan.longest,
            meter: self.bench.meter,
        };
        let (report, _) = self
            .watch(&pause, async |readings, tick| {
                settle::warm_up(&plan, readings, self.stop(), tick).await
            })
            .await;
        if report.settled == Some(false) {
            let why =
                format!("the machine had not settled by the end of the warm-up: {}", report.why);
            self.bench.observer.on(&Event::Warning(&why));
        }
        self.note(
            journal,
            journal::EntryKind::WarmedUp { seconds: report.seconds, settled: report.settled },
        );
        experiment.settling.warmups.push(report);
        self.keep(experiment);
    }

    /// Idles as long as is set, after what is named.
    pub(crate) async fn cool_down(&self, after: &str) -> Cooldown {
        let settings = self.bench.settings;
        let plan = CoolDown::new(settings.cooldown, settings.cooldown_until_idle, self.idle_w);
        if plan.duration.is_zero() && plan.until_idle_pct.is_none() {
            return Cooldown::default();
        }
        let pause = Pause {
            what: "cool-down",
            file: &format!("after {after}"),
            set: settings.cooldown,
            longest: plan.longest,
            meter: self.bench.meter,
        };
        let (cooldown, _) = self
            .watch(&pause, async |readings, tick| {
                settle::cool_down(&plan, readings, self.stop(), tick).await
            })
            .await;
        cooldown
    }

    async fn baseline(
        &self,
        when: When,
        experiment: &mut Experiment,
        journal: &mut Journal,
    ) -> Baseline {
        let what = format!("idle power {}", when.word());
        let baseline = self.idle(&what, self.bench.meter).await;
        if let Some(watts) = baseline.watts {
            let kind = journal::EntryKind::Baseline {
                when: when.word().to_owned(),
                watts,
                seconds: baseline.seconds,
            };
            self.note(journal, kind);
        }
        experiment.settling.baselines.push(IdlePower { when, baseline: baseline.clone() });
        baseline
    }

    /// Does nothing for the set time and measures that.
    async fn idle(&self, file: &str, meter: &Meter) -> Baseline {
        let set = self.bench.settings.baseline;
        let pause = Pause { what: IDLE_POWER, file, set, longest: set * 2, meter };
        let others = Watch::start(&self.bench.roots);
        let (baseline, measured) = self
            .watch(&pause, async |readings, tick| {
                settle::baseline(set, readings, self.stop(), tick).await
            })
            .await;
        let other_cores = others.finish(0.0).other_cores;
        let baseline = Baseline { other_cores, ..baseline };
        match measured {
            Some((joules, seconds)) if !baseline.stopped => baseline.measured(joules, seconds),
            _ => baseline,
        }
    }

    /// Idle power once more, with a reading at either end only: what is less is what sampling costs.
    async fn overhead(&self, sampled: &Baseline) -> Option<Overhead> {
        let rarely = self.bench.meter.at_interval(self.bench.settings.baseline.min(DAY));
        let unsampled = self.idle("idle power without samples", &rarely).await;
        let mean_se = sampled.sd_w.map(|sd| sd / (sampled.samples.max(1) as f64).sqrt());
        Some(Overhead {
            watts: Some(sampled.watts? - unsampled.watts?),
            watts_se: mean_se.map(|se| se * std::f64::consts::SQRT_2),
            ..Overhead::default()
        })
    }

    /// Goes through a pause with the meter on. Gives what the pause came to, and its joules and seconds
    /// where they could be measured. Without the meter the pause goes on, and it is said why.
    async fn watch<T>(
        &self,
        pause: &Pause<'_>,
        go: impl AsyncFnOnce(&Readings<'_>, &mut dyn FnMut(Tick)) -> T,
    ) -> (T, Option<(f64, f64)>) {
        let gauge = self.start(pause).await;
        let watts = || gauge.as_ref().and_then(Gauge::watts);
        let celsius = || self.thermometer.celsius();
        let estimated = self.bench.meter.capabilities().estimates;
        let readings = Readings { watts: &watts, celsius: &celsius, estimated };
        let tell = |elapsed: Duration, watts| {
            self.bench.observer.on(&Event::Pause {
                what: pause.what,
                elapsed_s: elapsed.as_secs_f64(),
                total_s: pause.set.as_secs_f64(),
                watts,
            });
        };
        tell(Duration::ZERO, None);
        let came_to = go(&readings, &mut |tick| tell(tick.elapsed, tick.watts)).await;
        let Some(gauge) = gauge else { return (came_to, None) };
        match gauge.finish().await {
            Ok(report) if report.suspended_s > 0.0 => {
                let slept = report.suspended_s;
                let why = format!("the machine was suspended for {slept:.1} s in the middle of it");
                self.unmeasured(pause.file, &why);
                (came_to, None)
            }
            Ok(report) => (came_to, report.total_j.map(|joules| (joules, report.seconds))),
            Err(error) => {
                self.unmeasured(pause.file, &error.in_line());
                (came_to, None)
            }
        }
    }

    /// Starts the meter into `pauses/<file>.csv`.
    async fn start(&self, pause: &Pause<'_>) -> Option<Gauge> {
        let csv = self.bench.folder.pause(pause.file);
        if let Err(error) = self.bench.folder.make_pauses() {
            self.unmeasured(pause.file, &error.to_string());
            return None;
        }
        Gauge::start(pause.meter, &self.bench.program, &csv, pause.longest)
            .await
            .inspect_err(|error| self.unmeasured(pause.file, &error.in_line()))
            .ok()
    }

    fn unmeasured(&self, name: &str, why: &str) {
        let text = format!("the {name} is not measured: {why}");
        self.bench.observer.on(&Event::Warning(&text));
    }

    /// Whether the user wants to stop.
    fn stopped(&self) -> bool {
        self.bench.stopper.level() > Stop::No
    }

    async fn stop(&self) {
        self.bench.stopper.reached(Stop::AfterTrial).await;
    }

    /// A pause that the journal lacks must not cost the trials.
    fn note(&self, journal: &mut Journal, kind: journal::EntryKind) {
        if let Err(error) = journal.write(kind) {
            tracing::warn!(error = error.in_line(), "the journal does not know of a pause");
        }
    }

    fn keep(&self, experiment: &Experiment) {
        if let Err(error) = experiment.write(self.bench.folder) {
            tracing::warn!(error = error.in_line(), "what the pause showed is not on the disk yet");
        }
    }
}
