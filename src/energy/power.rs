//! Power over time in a bounded number of points.

/// Mean power of the total over consecutive stretches of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PowerTrace {
    /// Middle of each stretch, seconds since the first sample.
    pub t_s: Vec<f64>,
    /// Mean power over each stretch, W.
    pub watts: Vec<f64>,
}

impl PowerTrace {
    /// The most points a trace has, however long the file.
    pub const POINTS: usize = 512;
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    t0: f64,
    t1: f64,
    joules: f64,
}

/// Gathers intervals into at most [`PowerTrace::POINTS`] stretches. When they are full, neighbours are
/// joined two by two and each further stretch takes twice as many samples, so energy is kept
/// exactly and no point is finer than a sample.
pub(super) struct Resampler {
    stretches: Vec<Stretch>,
    samples_per_stretch: u64,
    in_last: u64,
}

impl Resampler {
    pub fn new() -> Resampler {
        let stretches = Vec::with_capacity(PowerTrace::POINTS);
        Resampler { stretches, samples_per_stretch: 1, in_last: 1 }
    }

    /// Takes one more interval, in seconds since the first sample.
    pub fn push(&mut self, t0: f64, t1: f64, joules: f64) {
        if self.in_last < self.samples_per_stretch
            && let Some(last) = self.stretches.last_mut()
        {
            last.t1 = t1;
            last.joules += joules;
            self.in_last += 1;
            return;
        }
        if self.stretches.len() == PowerTrace::POINTS {
            self.halve();
        }
        self.stretches.push(Stretch { t0, t1, joules });
        self.in_last = 1;
    }

    fn halve(&mut self) {
        let joined = self.stretches.chunks(2).map(|pair| Stretch {
            t0: pair[0].t0,
            t1: pair[pair.len() - 1].t1,
            joules: pair.iter().map(|s| s.joules).sum(),
        });
        self.stretches = joined.collect();
        self.stretches.reserve(PowerTrace::POINTS / 2);
        self.samples_per_stretch *= 2;
    }

    /// Adds to the stretch that holds the interval which ends at `t1`; NaN makes it unknown.
    pub fn correct(&mut self, t1: f64, joules: f64) {
        let at = self.stretches.partition_point(|s| s.t1 < t1);
        if let Some(stretch) = self.stretches.get_mut(at) {
            stretch.joules += joules;
        }
    }

    /// The trace. Stretches much shorter than the rest (EnergiBridge's first two samples lie a
    /// millisecond apart, where a counter's own update shows as a burst) are joined with the next.
    pub fn finish(self) -> PowerTrace {
        let mut lengths: Vec<f64> = self.stretches.iter().map(|s| s.t1 - s.t0).collect();
        lengths.sort_by(f64::total_cmp);
        let shortest = lengths.get(lengths.len() / 2).map_or(0.0, |median| median / 4.0);
        let mut trace = PowerTrace::default();
        let mut carried: Option<Stretch> = None;
        for stretch in self.stretches {
            let joined = carried.take().map_or(stretch, |c| Stretch {
                t0: c.t0,
                t1: stretch.t1,
                joules: c.joules + stretch.joules,
            });
            let seconds = joined.t1 - joined.t0;
            if seconds <= 0.0 || seconds < shortest {
                carried = Some(joined);
            } else if joined.joules.is_finite() {
                trace.t_s.push((joined.t0 + joined.t1) / 2.0);
                trace.watts.push(joined.joules / seconds);
            }
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_trace_keeps_its_energy_in_few_points() {
        let mut all = Resampler::new();
        let n = 100_000;
        for i in 0..n {
            let t = f64::from(i) * 0.2;
            all.push(t, t + 0.2, 0.2 * f64::from(i % 100));
        }
        let trace = all.finish();
        assert!((200..=512).contains(&trace.t_s.len()), "{} points", trace.t_s.len());
        let mean = trace.watts.iter().sum::<f64>() / trace.watts.len() as f64;
        assert!((mean - 49.5).abs() < 0.5, "{mean} W");
        assert!(trace.t_s.is_sorted() && *trace.t_s.last().unwrap() < 20_000.0);
    }

    #[test]
    fn a_burst_within_a_millisecond_does_not_become_a_peak() {
        let mut all = Resampler::new();
        all.push(0.0, 0.001, 0.5);
        for i in 0..20 {
            let t = 0.001 + 0.2 * f64::from(i);
            all.push(t, t + 0.2, 10.0);
        }
        let trace = all.finish();
        assert!(trace.watts.iter().all(|w| (49.0..54.0).contains(w)), "{:?}", trace.watts);
    }

    #[test]
    fn what_a_reset_made_unknown_is_left_out() {
        let mut all = Resampler::new();
        for i in 0..10 {
            all.push(f64::from(i), f64::from(i + 1), 5.0);
        }
        all.correct(4.0, f64::NAN);
        all.correct(8.0, 3.0);
        let trace = all.finish();
        assert_eq!(trace.t_s, [0.5, 1.5, 2.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]);
        assert_eq!(trace.watts[6], 8.0);
    }
}
