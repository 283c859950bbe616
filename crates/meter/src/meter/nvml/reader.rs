//! A session's card: its counter from the first reading on, held against its power.

use std::time::{Duration, Instant};

use nvml_wrapper::Device;

use super::GpuError;
use crate::meter::MeterError;
use crate::meter::machine::Machine;
use crate::meter::source::{Disagreement, Fault, Named, Source, Tally};
use crate::samples::{Domain, Quantity};

/// A counter that shows one value for so many of its periods, and at least so long, is frozen: a card
/// draws power whatever it does.
const STILL_PERIODS: u32 = 10;
const STILL_FOR: Duration = Duration::from_millis(500);

/// The share of a processor that reading a counter may take between the edges, and the longest time for
/// which it is not read, whatever it takes.
pub(super) const SHARE: u32 = 100;
const READ_AT_LEAST: Duration = Duration::from_secs(1);

/// The shortest time between two readings of power: the driver averages it over 20 ms to a second.
const POWER_EVERY: Duration = Duration::from_millis(19);

/// Counter and integrated power may differ by this share of the larger, beside what their delays explain:
/// NVIDIA states 5% of a power reading's accuracy, and 5 W of older ones.
pub(crate) const AGREE_WITHIN: f64 = 0.1;

/// The longest time over which a card averages the power that it tells (Hopper: a second).
const AVERAGED_OVER: Duration = Duration::from_secs(1);

/// A power that is read less often than this is not integrated: too much may happen in between.
const POWER_AT_LEAST: Duration = Duration::from_secs(1);

/// With fewer periods or less time than this, counter and power are not compared.
const COMPARE_PERIODS: u32 = 10;
const COMPARE_FROM: Duration = Duration::from_secs(1);

pub(super) fn energy_column(gpu: u32) -> String {
    format!("GPU{gpu}_ENERGY (J)")
}

/// Power integrated by the trapezoidal rule.
#[derive(Debug, Default)]
struct Integrated {
    first: Option<Instant>,
    readings: u32,
    last: Option<(Instant, f64)>,
    joules: f64,
    least_w: f64,
    most_w: f64,
    /// The counter's joules at the first and the last reading of power.
    counted: (f64, f64),
}

impl Integrated {
    fn add(&mut self, at: Instant, watts: f64, counted_j: f64) {
        self.readings += 1;
        match self.last.replace((at, watts)) {
            None => {
                (self.first, self.least_w, self.most_w) = (Some(at), watts, watts);
                self.counted.0 = counted_j;
            }
            Some((then, before)) => {
                self.joules += 0.5 * (before + watts) * at.duration_since(then).as_secs_f64();
                self.least_w = self.least_w.min(watts);
                self.most_w = self.most_w.max(watts);
            }
        }
        self.counted.1 = counted_j;
    }

    /// Counter and power, where they disagree by more than their delays and accuracy explain.
    fn disagreement(&self, domain: Domain, period: Duration) -> Option<Disagreement> {
        let seconds = self.last?.0.duration_since(self.first?);
        let seldom = seconds > POWER_AT_LEAST * self.readings;
        if seldom || seconds < COMPARE_FROM.max(period * COMPARE_PERIODS) {
            return None;
        }
        let (power_j, counter_j) = (self.joules, self.counted.1 - self.counted.0);
        // At either end the counter lags by up to a period; a power that is averaged lags behind a change.
        let steps_j = self.most_w.max(self.least_w) * period.as_secs_f64();
        let lag_j = (self.most_w - self.least_w) * (AVERAGED_OVER + period).as_secs_f64();
        let limit_j = AGREE_WITHIN * power_j.max(counter_j) + steps_j + lag_j;
        ((power_j - counter_j).abs() > limit_j).then_some(Disagreement {
            domain,
            counter_j,
            power_j,
            limit_j,
        })
    }
}

/// One card that is sampled.
pub(crate) struct CardReader {
    gpu: u32,
    domain: Domain,
    device: Device<'static>,
    period: Duration,
    /// Its counter is read no more often between the edges.
    every: Duration,
    tells_power: bool,
    /// When the counter was read, and what it said.
    last: Option<(Instant, u64)>,
    moved: bool,
    sum_mj: u64,
    /// What it fell by is unknown, once it fell.
    reset: Vec<Domain>,
    /// Since when it shows one value.
    still: Option<(Instant, u64)>,
    milliwatts: u32,
    integrated: Integrated,
    tally: Tally,
}

impl CardReader {
    pub(super) fn new(
        gpu: u32,
        device: Device<'static>,
        period: Duration,
        cost: Duration,
    ) -> CardReader {
        CardReader {
            gpu,
            domain: Domain::Gpu(gpu),
            tells_power: device.power_usage().is_ok(),
            device,
            period,
            // More often than it moves there is nothing new.
            every: (cost * SHARE).max(period).min(READ_AT_LEAST),
            last: None,
            moved: false,
            sum_mj: 0,
            reset: Vec::new(),
            still: None,
            milliwatts: 0,
            integrated: Integrated::default(),
            tally: Tally::default(),
        }
    }

    /// The counter in millijoules, asked a second time where the first attempt fails.
    fn counter(&mut self) -> Result<u64, Fault> {
        let read = self.device.total_energy_consumption().or_else(|_| {
            self.tally.read_errors += 1;
            self.device.total_energy_consumption()
        });
        read.map_err(|error| {
            self.tally.read_errors += 1;
            Fault::Gpu(GpuError::of_card(&error, self.gpu))
        })
    }
}

impl CardReader {
    fn read_counter(&mut self, at: Instant) -> Result<(), Fault> {
        let now = self.counter()?;
        match self.last.replace((at, now)) {
            Some((_, last)) if now < last => {
                self.tally.resets += 1;
                self.reset = vec![self.domain];
                // The column starts again, so that the file itself shows that energy is missing here.
                self.sum_mj = 0;
            }
            Some((_, last)) => {
                self.moved |= now != last;
                self.sum_mj += now - last;
            }
            None => {}
        }
        if self.still.is_none_or(|(_, value)| value != now) {
            self.still = Some((at, now));
        }
        Ok(())
    }
}

impl Source for CardReader {
    fn columns(&self) -> Vec<Named> {
        let (domain, quantity) = (self.domain, Quantity::Counter);
        let mut columns = vec![Named { name: energy_column(self.gpu), domain, quantity }];
        if self.tells_power {
            let name = format!("GPU{}_POWER (mWatts)", self.gpu);
            columns.push(Named { name, domain, quantity: Quantity::Power });
        }
        columns
    }

    fn read(&mut self, at: Instant, all: bool, values: &mut [f64]) -> Result<(), Fault> {
        let waited = self.last.is_none_or(|(then, _)| at.duration_since(then) >= self.every);
        if all || waited {
            self.read_counter(at)?;
        }
        let joules = self.sum_mj as f64 / 1e3;
        let due =
            self.integrated.last.is_none_or(|(then, _)| at.duration_since(then) >= POWER_EVERY);
        if self.tells_power
            && (all || due)
            && let Ok(milliwatts) = self.device.power_usage()
        {
            self.milliwatts = milliwatts;
            self.integrated.add(at, f64::from(milliwatts) / 1e3, joules);
        }
        values[0] = joules;
        if let Some(power) = values.get_mut(1) {
            *power = f64::from(self.milliwatts);
        }
        Ok(())
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn reset(&self) -> &[Domain] {
        &self.reset
    }

    fn frozen(&mut self, at: Instant, _machine: &mut Machine, ending: bool) -> Option<MeterError> {
        let (since, _) = self.still?;
        let long = at.duration_since(since);
        let limit = (self.period * STILL_PERIODS).max(self.every * 3);
        (long >= if ending { limit } else { limit.max(STILL_FOR) }).then(|| {
            let period_ms = self.period.as_secs_f64() * 1e3;
            GpuError::Frozen { gpu: self.gpu, seconds: long.as_secs_f64(), period_ms }.into()
        })
    }

    fn unmeasured(&self, seconds: f64) -> Option<MeterError> {
        let period_ms = self.period.as_secs_f64() * 1e3;
        let error = || GpuError::TooShort { gpu: self.gpu, seconds, period_ms }.into();
        (!self.moved && self.reset.is_empty()).then(error)
    }

    fn disagreement(&self) -> Option<Disagreement> {
        if !self.reset.is_empty() {
            return None;
        }
        self.integrated.disagreement(self.domain, self.period)
    }

    fn update_period(&self) -> Option<Duration> {
        Some(self.period)
    }
}
