//! Stopping an experiment once it is precise enough, at levels that repeated looks do not spoil.
//!
//! The experiment is looked at after whole blocks. At each look every declared comparison has its
//! Student interval on the paired log differences, and a test of no difference; both at a nominal level
//! that is stricter than the experiment's, so that the chance to be wrong at *any* look is the
//! experiment's (repeated confidence intervals: C. Jennison, B. Turnbull, JRSS B 51, 1989, 305–361). They
//! hold whatever the reason for stopping. The error is spent as `alpha (n/N)^1.5` over at most N blocks
//! (K. Kim, D. DeMets, Biometrika 74, 1987, 149–154); the levels are those of the t-test itself, not of
//! its normal approximation: see [`bounds`]. Several comparisons are corrected by Holm's procedure on
//! p-values that count all looks (W. Maurer, F. Bretz, Statistics in Biopharmaceutical Research 5, 2013,
//! 311–320).

pub(crate) mod bounds;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The fewest blocks at which it is looked.
pub(crate) const FIRST_LOOK: u32 = 3;
/// What is spent by `n` of `N` blocks: (n/N) to this power. 1 spends so fast that the last look is at a
/// third of the level, 2 and more so slowly that no difference is found in the first blocks.
const SPENDING: f64 = 1.5;
/// Beyond [`bounds::EXACT`] blocks, each look comes after this share of blocks more.
const FURTHER: f64 = 0.05;
/// Overall levels for which nominal ones are worked out, beside those that decide.
const LEAST: f64 = 1e-6;
const STEPS: u32 = 24;

/// When to look at the experiment and at which levels; fixed before the first trial and written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    /// The rule, in words.
    pub rule: String,
    /// Stop where each comparison is resolved or its interval lies within ± so many percent.
    pub precision_pct: f64,
    /// The most blocks.
    pub most: u32,
    /// The numbers of blocks after which to look; for a pair, how many blocks it has.
    pub looks: Vec<u32>,
    /// Chances, over all looks, of finding a difference where there is none; falling.
    pub overall: Vec<f64>,
    /// For each look the nominal two-sided levels that come to the overall ones.
    pub nominal: Vec<Vec<f64>>,
}

impl Sequential {
    /// For at most `most` blocks and `comparisons` comparisons at `alpha`.
    pub fn new(precision_pct: f64, most: u32, comparisons: usize, alpha: f64) -> Sequential {
        let looks = looks(most);
        let spent: Vec<f64> =
            looks.iter().map(|n| (f64::from(*n) / f64::from(most)).powf(SPENDING)).collect();
        let mut overall: Vec<f64> = (0..=STEPS)
            .map(|i| (0.9f64.ln() + f64::from(i) / f64::from(STEPS) * (LEAST / 0.9).ln()).exp())
            .chain((1..=comparisons.max(1)).map(|holm| alpha / holm as f64))
            .collect();
        overall.sort_by(|a, b| b.total_cmp(a));
        overall.dedup();
        let levels = bounds::levels(&looks, &spent, &overall);
        let nominal = (0..looks.len()).map(|look| levels.iter().map(|own| own[look]).collect());
        Sequential {
            rule: format!(
                "group-sequential paired t-tests on logs with repeated confidence intervals; error \
                 spent as alpha (n/{most})^{SPENDING}, exact for t up to {} blocks; Holm on p-values \
                 over all looks; stop at the first look at which each comparison is resolved or its \
                 interval lies within ±{precision_pct}%",
                bounds::EXACT
            ),
            precision_pct,
            most,
            nominal: nominal.collect(),
            looks,
            overall,
        }
    }

    /// Checks a rule that was read from a file, which anyone may have written.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let rising = |looks: &[u32]| looks.windows(2).all(|pair| pair[0] < pair[1]);
        let falling = |levels: &[f64]| {
            levels.iter().all(|level| *level > 0.0 && *level < 1.0)
                && levels.windows(2).all(|pair| pair[0] > pair[1])
        };
        let whole = !self.looks.is_empty()
            && self.looks[0] >= 2
            && rising(&self.looks)
            && self.nominal.len() == self.looks.len()
            && falling(&self.overall)
            && self.nominal.iter().all(|row| row.len() == self.overall.len() && falling(row));
        if whole && self.precision_pct > 0.0 {
            return Ok(());
        }
        Err("its rule for stopping has looks or levels that cannot be".to_owned())
    }

    /// Whether it is looked after so many blocks.
    pub fn looks_at(&self, blocks: u32) -> bool {
        self.looks.binary_search(&blocks).is_ok()
    }

    /// The last look at or before so many pairs, by its place. Between looks the earlier one's levels
    /// hold, which are the stricter.
    fn look(&self, pairs: u32) -> Option<usize> {
        self.looks.partition_point(|n| *n <= pairs).checked_sub(1)
    }

    /// The chance over all looks that belongs to a p-value of one look with so many pairs; 1 where it is
    /// not looked at so few. Between the worked-out levels the logarithms are interpolated.
    pub(crate) fn overall(&self, p: f64, pairs: u32) -> f64 {
        let Some(nominal) = self.look(pairs).and_then(|look| self.nominal.get(look)) else {
            return 1.0;
        };
        // Both fall from place to place.
        let after = nominal.partition_point(|level| *level > p);
        let at = |place: usize| Some((*self.overall.get(place)?, *nominal.get(place)?));
        match (after.checked_sub(1).and_then(at), at(after)) {
            (None, _) => 1.0,
            // No less than has been worked out.
            (Some((least, _)), None) => least,
            (Some((high, above)), Some((low, below))) => {
                let share = (p / above).ln() / (below / above).ln();
                (high.ln() + share * (low / high).ln()).exp()
            }
        }
    }

    /// The nominal two-sided level of an interval that holds at all looks together with `alpha`.
    pub(crate) fn level(&self, alpha: f64, pairs: u32) -> Option<f64> {
        let nominal = self.nominal.get(self.look(pairs)?)?;
        let place = self.overall.partition_point(|overall| *overall > alpha * (1.0 + 1e-12));
        nominal.get(place).copied()
    }

    /// The nominal level after so many pairs that belongs to an overall one, interpolated as in
    /// [`Sequential::overall`].
    pub fn nominal(&self, overall: f64, pairs: u32) -> Option<f64> {
        let nominal = self.nominal.get(self.look(pairs)?)?;
        let after = self.overall.partition_point(|level| *level > overall);
        let at = |place: usize| Some((*self.overall.get(place)?, *nominal.get(place)?));
        let ((high, above), (low, below)) = (at(after.checked_sub(1)?)?, at(after)?);
        let share = (overall / high).ln() / (low / high).ln();
        Some((above.ln() + share * (below / above).ln()).exp())
    }

    /// One comparison as it looks now: the paired differences of the logs, later less earlier named.
    pub fn judge(&self, differences: &[f64], alpha: f64) -> State {
        let n = differences.len() as u32;
        let mut state = State { blocks: n, pct: None, low_pct: None, high_pct: None, p: 1.0 };
        let Some(level) = self.level(alpha, n) else { return state };
        let (mean, sd) = mean_sd(differences);
        state.pct = Some(percent(mean));
        if !spreads(sd) {
            return state;
        }
        let freedom = f64::from(n.saturating_sub(1));
        let Ok(student) = StudentsT::new(0.0, 1.0, freedom) else { return state };
        let error = sd / f64::from(n).sqrt();
        let half = -student.inverse_cdf(level / 2.0) * error;
        state.low_pct = Some(percent(mean - half));
        state.high_pct = Some(percent(mean + half));
        state.p = self.overall(2.0 * student.cdf(-(mean / error).abs()), n);
        state
    }

    /// Whether each comparison is precise, or resolved after Holm's correction.
    pub fn decide(&self, states: &[State], alpha: f64) -> Vec<Standing> {
        let p: Vec<f64> = states.iter().map(|state| state.p).collect();
        let corrected = holm(&p);
        let standing = |(state, p): (&State, f64)| Standing {
            p_holm: p,
            resolved: p < alpha || (p - alpha).abs() <= 1e-12,
            precise: state.within(self.precision_pct),
        };
        states.iter().zip(corrected).map(standing).collect()
    }

    /// How many blocks it may take in all, were spread and differences as they are now: the least look at
    /// which each comparison is precise, or significant as the first of `comparisons`. None where not even the most do.
    pub(crate) fn forecast(
        &self,
        series: &[Vec<f64>],
        alpha: f64,
        comparisons: usize,
    ) -> Option<u32> {
        let wanted = series.iter().map(|own| self.enough(own, alpha, comparisons));
        wanted.collect::<Option<Vec<u32>>>()?.into_iter().max()
    }

    fn enough(&self, differences: &[f64], alpha: f64, comparisons: usize) -> Option<u32> {
        let (mean, sd) = mean_sd(differences);
        let ahead = self.looks.iter().copied().filter(|n| *n as usize >= differences.len());
        let mut ahead = ahead.filter(|_| spreads(sd));
        ahead.find(|n| {
            let freedom = f64::from(n.saturating_sub(1));
            let Ok(student) = StudentsT::new(0.0, 1.0, freedom) else { return false };
            let error = sd / f64::from(*n).sqrt();
            let critical = |alpha| {
                self.level(alpha, *n)
                    .map_or(f64::INFINITY, |level| -student.inverse_cdf(level / 2.0))
            };
            let half = critical(alpha) * error;
            let (low, high) = (percent(mean - half), percent(mean + half));
            let precise = (high - low) / 2.0 < self.precision_pct;
            precise || mean.abs() > critical(alpha / comparisons.max(1) as f64) * error
        })
    }
}

/// One comparison at one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Blocks in which both trials count.
    pub blocks: u32,
    /// The change, in percent of the first named.
    pub pct: Option<f64>,
    /// Its interval's ends, which hold at all looks together.
    pub low_pct: Option<f64>,
    /// See `low_pct`.
    pub high_pct: Option<f64>,
    /// The p-value over all looks, before Holm's correction.
    pub p: f64,
}

impl State {
    /// Half the interval's width, in percent.
    pub(crate) fn half_width_pct(&self) -> Option<f64> {
        Some((self.high_pct? - self.low_pct?) / 2.0)
    }

    fn within(&self, pct: f64) -> bool {
        self.half_width_pct().is_some_and(|half| half < pct)
    }
}

/// What a look says of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The p-value over all looks, after Holm's correction.
    pub p_holm: f64,
    /// Whether the two differ.
    pub resolved: bool,
    /// Whether the interval is narrow enough.
    pub precise: bool,
}

impl Standing {
    /// Whether more blocks are not needed for it.
    pub fn decided(&self) -> bool {
        self.resolved || self.precise
    }
}

/// After each block while that is exact, then after every twentieth part more; the last is `most`.
fn looks(most: u32) -> Vec<u32> {
    let mut looks: Vec<u32> = Vec::new();
    let mut n = FIRST_LOOK.min(most);
    while n < most {
        looks.push(n);
        n += if n < bounds::EXACT { 1 } else { (f64::from(n) * FURTHER).ceil() as u32 };
    }
    looks.push(most);
    looks
}

/// Holm's correction: S. Holm, Scandinavian Journal of Statistics 6, 1979, 65–70.
pub(crate) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![1.0; p.len()];
    let mut least = 0.0f64;
    for (rank, place) in order.into_iter().enumerate() {
        least = least.max((p.len() - rank) as f64 * p[place]).min(1.0);
        corrected[place] = least;
    }
    corrected
}

fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// Whether there is more than rounding to test by.
fn spreads(sd: f64) -> bool {
    sd > 1e-12 && sd.is_finite()
}

/// A difference of logs as a percentage.
fn percent(log: f64) -> f64 {
    100.0 * log.exp_m1()
}

/// Random numbers for simulations in tests.
#[cfg(test)]
pub(crate) mod simulated {
    use rand_chacha::rand_core::Rng;

    /// A standard normal number (Box and Muller's).
    pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
        let mut unit = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        (-2.0 * unit().ln()).sqrt() * (2.0 * std::f64::consts::PI * unit()).cos()
    }
}

#[cfg(test)]
mod tests;
