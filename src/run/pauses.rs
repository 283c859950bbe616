//! What lies around the trials: warm-up, cool-downs and idle power, each watched with the meter.
//!
//! A run is warm-up, cool-down, idle power, then the trials with a cool-down after each, then idle
//! power again. So the first trial begins like any other, and idle power is measured twice in the same
//! state: after a load and a cool-down.

use super::events::Event;
use super::experiment::Experiment;
use super::gauge::Gauge;
use super::journal::{self, Journal};
use super::settle::{self, Baseline, CoolDown, Cooldown, Readings, Tick, WarmUp};
use super::settling::{IdlePower, Overhead, When};
use super::stop::Stop;
use super::trial::Bench;
use crate::meter::Meter;
use crate::snapshot::Thermometer;
use std::time::Duration;

/// Longer than any pause: a wrapping meter is ended long before.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The pauses of one run.
pub struct Pauses<'a, 'b> {
    bench: &'a Bench<'b>,
    thermometer: Thermometer,
    idle_w: Option<f64>,
}

impl<'a, 'b> Pauses<'a, 'b> {
    /// Of this run.
    pub fn new(bench: &'a Bench<'b>) -> Self {
        let thermometer = Thermometer::open(&bench.roots);
        Pauses { bench, thermometer, idle_w: None }
    }

    /// Idle power before the first trial of this run, in watts.
    pub fn idle_w(&self) -> Option<f64> {
        self.idle_w
    }

    /// Warms the machine up, lets it cool down as after a trial, and measures idle power. Ends early
    /// when the user stops.
    pub async fn before(&mut self, experiment: &mut Experiment, journal: &mut Journal) {
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
        if !self.bench.meter.is_estimate() && !self.stopped() {
            let overhead = self.overhead(&idle).await;
            experiment.settling.overhead = overhead;
        }
        self.keep(experiment);
    }

    /// Measures idle power once more, after the last trial and its cool-down.
    pub async fn after(&mut self, experiment: &mut Experiment, journal: &mut Journal) {
        if self.bench.settings.baseline.is_zero() || self.stopped() {
            return;
        }
        self.baseline(When::After, experiment, journal).await;
        self.keep(experiment);
    }

    async fn warm_up(&self, experiment: &mut Experiment, journal: &mut Journal) {
        let settings = self.bench.settings;
        let plan = WarmUp::new(settings.warmup, settings.warmup_until_stable);
        let gauge = self.gauge("warm-up", self.bench.meter, plan.longest).await;
        let watts = || gauge.as_ref().and_then(Gauge::watts);
        let celsius = || self.thermometer.celsius();
        let readings = self.readings(&watts, &celsius);
        self.begins("warm-up", settings.warmup);
        let report = settle::warm_up(&plan, &readings, self.stop(), &mut |tick| {
            self.tell("warm-up", settings.warmup, tick);
        })
        .await;
        self.close(gauge).await;
        if report.settled == Some(false) {
            let why =
                format!("the machine had not settled by the end of the warm-up: {}", report.why);
            self.bench.observer.on(&Event::Warning(&why));
        }
        self.note(
            journal,
            journal::Event::WarmedUp { seconds: report.seconds, settled: report.settled },
        );
        experiment.settling.warmups.push(report);
        self.keep(experiment);
    }

    /// Idles as long as is set, after what is named.
    pub async fn cool_down(&self, after: &str) -> Cooldown {
        let settings = self.bench.settings;
        let plan = CoolDown::new(settings.cooldown, settings.cooldown_until_idle, self.idle_w);
        if plan.duration.is_zero() && plan.until_idle_pct.is_none() {
            return Cooldown::default();
        }
        let gauge = self.gauge(&format!("after {after}"), self.bench.meter, plan.longest).await;
        let watts = || gauge.as_ref().and_then(Gauge::watts);
        let celsius = || self.thermometer.celsius();
        let readings = self.readings(&watts, &celsius);
        self.begins("cool-down", settings.cooldown);
        let cooldown = settle::cool_down(&plan, &readings, self.stop(), &mut |tick| {
            self.tell("cool-down", settings.cooldown, tick);
        })
        .await;
        self.close(gauge).await;
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
            let event = journal::Event::Baseline {
                when: when.word().to_owned(),
                watts,
                seconds: baseline.seconds,
            };
            self.note(journal, event);
        }
        experiment.settling.baselines.push(IdlePower { when, baseline: baseline.clone() });
        baseline
    }

    /// Does nothing for the set time and measures that.
    async fn idle(&self, what: &str, meter: &Meter) -> Baseline {
        let duration = self.bench.settings.baseline;
        let gauge = self.gauge(what, meter, duration * 2).await;
        let watts = || gauge.as_ref().and_then(Gauge::watts);
        let celsius = || self.thermometer.celsius();
        let readings = self.readings(&watts, &celsius);
        self.begins("idle power", duration);
        let baseline = settle::baseline(duration, &readings, self.stop(), &mut |tick| {
            self.tell("idle power", duration, tick);
        })
        .await;
        match self.close(gauge).await {
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

    /// Starts the meter into `pauses/<name>.csv`. Without it the pause goes on, and it is said why.
    async fn gauge(&self, name: &str, meter: &Meter, longest: Duration) -> Option<Gauge> {
        let csv = self.bench.folder.pause(name);
        if let Err(error) = csv.parent().map_or(Ok(()), std::fs::create_dir_all) {
            self.unmeasured(name, &error.to_string());
            return None;
        }
        match Gauge::start(meter, &self.bench.program, &csv, longest).await {
            Ok(gauge) => Some(gauge),
            Err(error) => {
                self.unmeasured(name, &error.to_string());
                None
            }
        }
    }

    /// Joules and seconds of what was measured.
    async fn close(&self, gauge: Option<Gauge>) -> Option<(f64, f64)> {
        match gauge?.finish().await {
            Ok(report) => Some((report.total_j?, report.seconds)),
            Err(error) => {
                self.unmeasured("pause", &error.to_string());
                None
            }
        }
    }

    fn unmeasured(&self, name: &str, why: &str) {
        let text = format!("the {name} is not measured: {why}");
        self.bench.observer.on(&Event::Warning(&text));
    }

    fn readings<'r>(
        &self,
        watts: &'r dyn Fn() -> Option<f64>,
        celsius: &'r dyn Fn() -> Option<f64>,
    ) -> Readings<'r> {
        Readings { watts, celsius, estimated: self.bench.meter.is_estimate() }
    }

    fn begins(&self, what: &str, total: Duration) {
        let total_s = total.as_secs_f64();
        self.bench.observer.on(&Event::Pause { what, elapsed_s: 0.0, total_s, watts: None });
    }

    fn tell(&self, what: &str, total: Duration, tick: Tick) {
        self.bench.observer.on(&Event::Pause {
            what,
            elapsed_s: tick.elapsed.as_secs_f64(),
            total_s: total.as_secs_f64(),
            watts: tick.watts,
        });
    }

    /// Whether the user wants to stop.
    fn stopped(&self) -> bool {
        self.bench.stopper.level() > Stop::No
    }

    async fn stop(&self) {
        self.bench.stopper.reached(Stop::AfterTrial).await;
    }

    /// A pause that is not in the journal is no reason to lose the trials.
    fn note(&self, journal: &mut Journal, event: journal::Event) {
        if let Err(error) = journal.write(event) {
            tracing::warn!(%error, "the journal does not know of a pause");
        }
    }

    fn keep(&self, experiment: &Experiment) {
        if let Err(error) = experiment.write(self.bench.folder) {
            tracing::warn!(%error, "what the pause showed is not on the disk yet");
        }
    }
}
