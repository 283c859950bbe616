//! Power over time in a bounded number of points.

use crate::samples::Domain;

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

/// Mean power over time of every domain that could be part of a total. Not finite where it is unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ByDomain {
    t_s: Vec<f64>,
    watts: Vec<(Domain, Vec<f64>)>,
}

impl ByDomain {
    /// The trace of a total; stretches in which one of its domains is unknown are left out.
    pub(crate) fn total(&self, domains: &[Domain]) -> PowerTrace {
        let of = |domain: &Domain| self.watts.iter().find(|(d, _)| d == domain).map(|(_, w)| w);
        let Some(parts) = domains.iter().map(of).collect::<Option<Vec<_>>>() else {
            return PowerTrace::default();
        };
        let mut trace = PowerTrace::default();
        for (at, t_s) in self.t_s.iter().enumerate() {
            let watts: f64 = parts.iter().map(|part| part[at]).sum();
            if watts.is_finite() && !parts.is_empty() {
                trace.t_s.push(*t_s);
                trace.watts.push(watts);
            }
        }
        trace
    }
}

#[derive(Debug, Clone, Copy)]
struct Stretch {
    t0: f64,
    t1: f64,
}

/// Gathers intervals into at most [`PowerTrace::POINTS`] stretches. When they are full, neighbours are
/// joined two by two and each further stretch takes twice as many samples, so energy is kept
/// exactly and no point is finer than a sample.
pub(super) struct Resampler {
    domains: Vec<Domain>,
    stretches: Vec<Stretch>,
    /// Joules of every domain in every stretch, one stretch after the other.
    joules: Vec<f64>,
    samples_per_stretch: u64,
    in_last: u64,
}

impl Resampler {
    pub(crate) fn new(domains: Vec<Domain>) -> Resampler {
        let stretches = Vec::with_capacity(PowerTrace::POINTS);
        let joules = Vec::with_capacity(PowerTrace::POINTS * domains.len());
        Resampler { domains, stretches, joules, samples_per_stretch: 1, in_last: 1 }
    }

    /// Where a domain stands in what is pushed.
    pub(crate) fn place(&self, domain: Domain) -> Option<usize> {
        self.domains.iter().position(|d| *d == domain)
    }

    /// Takes one more interval, in seconds since the first sample, with the joules of every domain.
    pub(crate) fn push(&mut self, t0: f64, t1: f64, joules: &[f64]) {
        let width = self.domains.len();
        if self.in_last < self.samples_per_stretch
            && let Some(last) = self.stretches.last_mut()
        {
            last.t1 = t1;
            let from = self.joules.len() - width;
            for (sum, joules) in self.joules[from..].iter_mut().zip(joules) {
                *sum += joules;
            }
            self.in_last += 1;
            return;
        }
        if self.stretches.len() == PowerTrace::POINTS {
            self.halve();
        }
        self.stretches.push(Stretch { t0, t1 });
        self.joules.extend_from_slice(joules);
        self.in_last = 1;
    }

    fn halve(&mut self) {
        let width = self.domains.len();
        let half = self.stretches.len() / 2;
        for at in 0..half {
            let t1 = self.stretches[2 * at + 1].t1;
            self.stretches[at] = Stretch { t0: self.stretches[2 * at].t0, t1 };
            for column in 0..width {
                let (one, other) = (2 * at * width + column, (2 * at + 1) * width + column);
                self.joules[at * width + column] = self.joules[one] + self.joules[other];
            }
        }
        self.stretches.truncate(half);
        self.joules.truncate(half * width);
        self.samples_per_stretch *= 2;
    }

    /// Adds to the stretch that holds the interval which ends at `t1`; NaN makes it unknown.
    pub(crate) fn correct(&mut self, t1: f64, domain: Domain, joules: f64) {
        let at = self.stretches.partition_point(|s| s.t1 < t1);
        if let Some(column) = self.place(domain).filter(|_| at < self.stretches.len()) {
            self.joules[at * self.domains.len() + column] += joules;
        }
    }

    /// The trace. Stretches much shorter than the rest (EnergiBridge's first two samples lie a
    /// millisecond apart, where a counter's own update shows as a burst) are joined with the next.
    pub(crate) fn finish(self) -> ByDomain {
        let width = self.domains.len();
        let mut lengths: Vec<f64> = self.stretches.iter().map(|s| s.t1 - s.t0).collect();
        lengths.sort_by(f64::total_cmp);
        let shortest = lengths.get(lengths.len() / 2).map_or(0.0, |median| median / 4.0);
        let with_room = |domain| (domain, Vec::with_capacity(self.stretches.len()));
        let watts = self.domains.into_iter().map(with_room).collect();
        let mut trace = ByDomain { t_s: Vec::with_capacity(self.stretches.len()), watts };
        let mut carried: Option<f64> = None;
        let mut sums = vec![0.0; width];
        for (at, stretch) in self.stretches.iter().enumerate() {
            let t0 = *carried.get_or_insert(stretch.t0);
            for (sum, joules) in sums.iter_mut().zip(&self.joules[at * width..][..width]) {
                *sum += joules;
            }
            let seconds = stretch.t1 - t0;
            if seconds <= 0.0 || seconds < shortest {
                continue;
            }
            trace.t_s.push((t0 + stretch.t1) / 2.0);
            for ((_, watts), joules) in trace.watts.iter_mut().zip(&mut sums) {
                watts.push(std::mem::take(joules) / seconds);
            }
            carried = None;
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_trace_keeps_its_energy_in_few_points() {
        let mut all = Resampler::new(vec![Domain::Package]);
        let n = 100_000;
        for i in 0..n {
            let t = f64::from(i) * 0.2;
            all.push(t, t + 0.2, &[0.2 * f64::from(i % 100)]);
        }
        let trace = all.finish().total(&[Domain::Package]);
        assert!((200..=512).contains(&trace.t_s.len()), "{} points", trace.t_s.len());
        let mean = trace.watts.iter().sum::<f64>() / trace.watts.len() as f64;
        assert!((mean - 49.5).abs() < 0.5, "{mean} W");
        assert!(trace.t_s.is_sorted() && *trace.t_s.last().unwrap() < 20_000.0);
    }

    #[test]
    fn a_burst_within_a_millisecond_does_not_become_a_peak() {
        let mut all = Resampler::new(vec![Domain::Package]);
        all.push(0.0, 0.001, &[0.5]);
        for i in 0..20 {
            let t = 0.001 + 0.2 * f64::from(i);
            all.push(t, t + 0.2, &[10.0]);
        }
        let trace = all.finish().total(&[Domain::Package]);
        assert!(trace.watts.iter().all(|w| (49.0..54.0).contains(w)), "{:?}", trace.watts);
    }

    #[test]
    fn what_a_reset_made_unknown_is_left_out() {
        let mut all = Resampler::new(vec![Domain::Package]);
        for i in 0..10 {
            all.push(f64::from(i), f64::from(i + 1), &[5.0]);
        }
        all.correct(4.0, Domain::Package, f64::NAN);
        all.correct(8.0, Domain::Package, 3.0);
        let trace = all.finish().total(&[Domain::Package]);
        assert_eq!(trace.t_s, [0.5, 1.5, 2.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]);
        assert_eq!(trace.watts[6], 8.0);
    }
}
