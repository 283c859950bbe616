//! Whether a quantity has settled: a straight line through its last readings.
//!
//! The line is fitted by least squares. Its change from one end of the window to the other is held
//! against a limit: 2% of the mean for power, 1 °C for temperature. Both are far below what a cold
//! machine goes through in its first minutes (tens of percent while turbo budgets run out, tens of
//! degrees) and about what a warm one wanders. The window is the last third of all readings, between
//! 10 s and 60 s: Intel's turbo budget runs out after a time constant of 28 s or 56 s on common
//! boards, and a window much shorter than that takes its first plateau for the last.

use crate::store::pauses::Trend;

/// The window's bounds, in seconds.
const WINDOW_S: (f64, f64) = (10.0, 60.0);

/// The fewest readings that a line is drawn through.
const LEAST: usize = 8;

/// How much power may change over the window, as a share of its mean.
const POWER_SHARE: f64 = 0.02;

/// How much temperature may change over the window, in °C.
const DEGREES: f64 = 1.0;

/// Readings of one quantity over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series {
    points: Vec<(f64, f64)>,
}

impl Series {
    /// Adds a reading taken at `seconds`; what could not be read is left out.
    pub(crate) fn add(&mut self, seconds: f64, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.points.push((seconds, value));
        }
    }

    /// How many readings there are.
    pub(crate) fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The last reading.
    pub(crate) fn last(&self) -> Option<f64> {
        self.points.last().map(|(_, value)| *value)
    }

    fn since(&self, start: f64) -> &[(f64, f64)] {
        &self.points[self.points.partition_point(|(seconds, _)| *seconds < start)..]
    }

    /// Mean of the last `seconds`, or of the last third of a shorter series.
    pub(crate) fn tail_mean(&self, seconds: f64) -> Option<f64> {
        let (begin, end) = (self.points.first()?.0, self.points.last()?.0);
        let tail = self.since(end - seconds.min((end - begin) / 3.0));
        Some(tail.iter().map(|(_, value)| value).sum::<f64>() / tail.len() as f64)
    }

    /// The window that is judged: its length in seconds, the change over it by the fitted line, and
    /// its mean. None where there are too few readings or they cover less than 10 s.
    fn window(&self) -> Option<(f64, f64, f64)> {
        let (begin, end) = (self.points.first()?.0, self.points.last()?.0);
        let length = ((end - begin) / 3.0).clamp(WINDOW_S.0, WINDOW_S.1);
        if end - begin < length {
            return None;
        }
        let points = self.since(end - length);
        if points.len() < LEAST {
            return None;
        }
        let n = points.len() as f64;
        let mean_t = points.iter().map(|(t, _)| t).sum::<f64>() / n;
        let mean = points.iter().map(|(_, v)| v).sum::<f64>() / n;
        let spread: f64 = points.iter().map(|(t, _)| (t - mean_t).powi(2)).sum();
        let slope = points.iter().map(|(t, v)| (t - mean_t) * (v - mean)).sum::<f64>() / spread;
        Some((length, slope * length, mean))
    }

    /// What the series came to, if it has any reading.
    pub(crate) fn trend(&self) -> Option<Trend> {
        let values: Vec<f64> = self.points.iter().map(|(_, value)| *value).collect();
        let (mean, sd, _) = crate::units::mean_sd_median(&values);
        let window = self.window();
        Some(Trend {
            first: *values.first()?,
            last: self.tail_mean(super::TAIL_S)?,
            mean,
            sd: Some(sd).filter(|sd| sd.is_finite()),
            highest: values.iter().copied().fold(f64::MIN, f64::max),
            drift: window.map(|(_, drift, _)| drift),
            window_s: window.map(|(length, ..)| length),
        })
    }
}

/// Whether the machine has settled, and how that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judgement {
    /// None where it cannot be told.
    pub settled: Option<bool>,
    /// In words.
    pub why: String,
}

/// Judges by measured power and by temperature, whichever there are; both must have settled.
pub(crate) fn judge(watts: &Series, celsius: &Series, estimated: bool) -> Judgement {
    let power = watts.window().filter(|_| !estimated);
    let heat = celsius.window();
    let mut said = Vec::new();
    let mut settled = None;
    if let Some((length, drift, mean)) = power {
        let limit = POWER_SHARE * mean.abs();
        settled = Some(drift.abs() <= limit);
        said.push(format!(
            "power changed by {drift:+.1} W in the last {length:.0} s (limit {limit:.1} W)"
        ));
    }
    if let Some((length, drift, _)) = heat {
        settled = Some(settled.unwrap_or(true) && drift.abs() <= DEGREES);
        said.push(format!(
            "temperature changed by {drift:+.1} °C in the last {length:.0} s (limit {DEGREES:.0} °C)"
        ));
    }
    if settled.is_none() {
        said.push(if !celsius.is_empty() || (!watts.is_empty() && !estimated) {
            format!("too short to tell: it takes {:.0} s of readings", WINDOW_S.0)
        } else if estimated {
            "no temperature can be read, and the estimated power follows the load, not the machine"
                .to_owned()
        } else {
            "neither power nor temperature can be read".to_owned()
        });
    }
    Judgement { settled, why: said.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(seconds: usize, value: impl Fn(f64) -> f64) -> Series {
        let mut series = Series::default();
        for quarter in 0..=seconds * 4 {
            let t = quarter as f64 / 4.0;
            series.add(t, Some(value(t)));
        }
        series
    }

    const NONE: Series = Series { points: Vec::new() };

    #[test]
    fn power_that_approaches_its_end_settles_when_it_is_near() {
        // 60 W rising to 100 W with a time constant of 30 s: 2 W are left of it after 90 s.
        let rising = |seconds| series(seconds, |t| 100.0 - 40.0 * (-t / 30.0).exp());
        assert_eq!(judge(&rising(40), &NONE, false).settled, Some(false));
        assert_eq!(judge(&rising(240), &NONE, false).settled, Some(true));
    }

    #[test]
    fn noise_around_a_constant_is_settled() {
        let noisy = series(60, |t| 80.0 + 3.0 * (t * 12.9).sin());
        assert_eq!(judge(&noisy, &NONE, false).settled, Some(true));
    }

    #[test]
    fn the_warmer_of_two_judges_has_its_say() {
        let (flat, heating) = (series(60, |_| 80.0), series(60, |t| 40.0 + 0.2 * t));
        let judgement = judge(&flat, &heating, false);
        assert_eq!(judgement.settled, Some(false));
        assert!(judgement.why.contains("temperature changed by +4.0 °C"), "{}", judgement.why);
    }

    #[test]
    fn an_estimate_says_nothing_of_settling() {
        let judgement = judge(&series(60, |_| 65.0), &NONE, true);
        assert_eq!(judgement.settled, None);
        assert!(judgement.why.contains("estimated power follows the load"));
    }

    #[test]
    fn a_few_seconds_are_too_short_to_tell() {
        let judgement = judge(&series(5, |_| 65.0), &NONE, false);
        assert_eq!(judgement.settled, None);
        assert!(judgement.why.contains("too short"), "{}", judgement.why);
    }

    #[test]
    fn the_tail_of_a_short_series_is_its_last_third() {
        let step = series(6, |t| if t < 4.0 { 90.0 } else { 10.0 });
        assert_eq!(step.tail_mean(5.0), Some(10.0));
        assert_eq!(NONE.tail_mean(5.0), None);
    }
}
