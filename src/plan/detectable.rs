//! The smallest difference that a planned experiment can see: the power of its paired t-test on logs.
//!
//! A difference of `100 (exp(δ·s) − 1)` percent, where `s` is the standard deviation of the paired
//! differences of log energy, and `δ` the standardised mean difference at which the two-sided paired
//! t-test has the wanted power. Under it, t follows the non-central t distribution with `n − 1` degrees
//! of freedom and non-centrality `δ√n` (J. Cohen, Statistical Power Analysis for the Behavioral
//! Sciences, 2nd ed., 1988, chapter 2). The analysis has the same from statsmodels' `TTestPower`.

/// Significance level, two-sided.
pub const ALPHA: f64 = 0.05;
/// Chance of seeing a difference that is there.
pub(crate) const POWER: f64 = 0.8;
/// With fewer blocks the exact two-sided Wilcoxon signed-rank test cannot reach [`ALPHA`], whatever
/// the data: its smallest p is 2/2ⁿ.
pub(crate) const FEWEST_BLOCKS: u32 = 6;

/// Points at which the distribution of the spread is summed up.
const POINTS: u32 = 4000;

/// The smallest standardised mean difference that `blocks` pairs show with [`POWER`] at `alpha`; none
/// below two pairs.
pub(crate) fn standardised(blocks: u32, alpha: f64) -> Option<f64> {
    if blocks < 2 {
        return None;
    }
    let spread = Spread::of(blocks - 1);
    // P(T > t) of the central distribution falls with t, and the power rises with δ.
    let critical = bisect(|t| alpha / 2.0 - spread.above(t, 0.0));
    let root = f64::from(blocks).sqrt();
    Some(bisect(|effect| spread.beyond(critical, effect * root) - POWER))
}

/// What alpha is divided by, on the average of Holm's steps, to find one of the differences that there
/// are where one treatment differs from all others. Of all pairs of `k` treatments `k − 1` then differ:
/// the steps divide by `m`, `m − 1`, … `m − k + 2`. Of the comparisons with one treatment only one
/// differs, and has to pass the first step.
///
/// That this keeps the power at 80 to 84% is shown by a simulation below.
pub fn holm_divisor(comparisons: usize, treatments: usize) -> f64 {
    let all = treatments * treatments.saturating_sub(1) / 2;
    let steps = if comparisons == all { treatments.saturating_sub(2) as f64 / 2.0 } else { 0.0 };
    (comparisons as f64 - steps).max(1.0)
}

/// The smallest difference in percent, for paired log differences that scatter by `sd`.
pub fn percent(blocks: u32, sd: f64, alpha: f64) -> Option<f64> {
    Some(100.0 * (standardised(blocks, alpha)? * sd).exp_m1())
}

/// The estimated standard deviation over the true one, `sqrt(χ²/ν)`: values and their weights, which
/// sum to 1. Its density is proportional to `x^(ν−1) exp(−ν x²/2)`.
struct Spread(Vec<(f64, f64)>);

impl Spread {
    fn of(freedom: u32) -> Spread {
        let freedom = f64::from(freedom);
        // Around 1, about 1/√(2ν) wide.
        let reach = 10.0 / (2.0 * freedom).sqrt();
        let (from, to) = ((1.0 - reach).max(0.0), 1.0 + reach);
        let step = (to - from) / f64::from(POINTS);
        let mut points: Vec<(f64, f64)> = (0..POINTS)
            .map(|i| from + (f64::from(i) + 0.5) * step)
            .map(|x| (x, ((freedom - 1.0) * x.ln() - freedom * (x * x - 1.0) / 2.0).exp()))
            .collect();
        let sum: f64 = points.iter().map(|(_, weight)| weight).sum();
        points.iter_mut().for_each(|(_, weight)| *weight /= sum);
        Spread(points)
    }

    /// P(T > t) for t of non-centrality `shift`: T is (Z + shift) over the spread, Z standard normal.
    fn above(&self, t: f64, shift: f64) -> f64 {
        self.0.iter().map(|(x, weight)| weight * normal(shift - t * x)).sum()
    }

    /// P(|T| > t).
    fn beyond(&self, t: f64, shift: f64) -> f64 {
        self.above(t, shift) + self.above(t, -shift)
    }
}

/// The standard normal distribution function.
fn normal(z: f64) -> f64 {
    libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

/// Where `f`, which rises, is 0: between 0 and 1000, to a billionth.
fn bisect(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1000.0);
    while high - low > 1e-9 {
        let middle = (low + high) / 2.0;
        if f(middle) < 0.0 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sequential::{holm, simulated};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use statrs::distribution::{ContinuousCDF, StudentsT};

    /// statsmodels 0.14, `TTestPower().solve_power(nobs=n, alpha=alpha, power=0.8)`.
    #[test]
    fn the_effect_is_the_one_that_statsmodels_finds() {
        for (blocks, alpha, expected) in [
            (3, 0.05, 3.264_043_55),
            (6, 0.05, 1.434_544_46),
            (6, 0.05 / 3.0, 1.876_768_38),
            (10, 0.05, 0.996_001_91),
            (30, 0.05, 0.529_235_75),
            (30, 0.05 / 3.0, 0.621_797_17),
            (100, 0.05 / 3.0, 0.328_328_15),
        ] {
            let found = standardised(blocks, alpha).unwrap();
            assert!((found - expected).abs() < 2e-5, "{blocks} at {alpha}: {found}");
        }
    }

    /// Experiments in which one treatment of some differs by what is said to be seen with 80% power, each
    /// decided as the report does: paired t on logs, Holm over the comparisons.
    #[test]
    fn a_difference_of_the_size_that_is_told_is_found_in_four_of_five_experiments() {
        const TIMES: usize = 4000;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (treatments, blocks, to_one) in [
            (2, 6, false),
            (3, 6, false),
            (3, 10, false),
            (3, 30, false),
            (3, 10, true),
            (5, 10, false),
        ] {
            let pairs: Vec<(usize, usize)> = (0..treatments)
                .flat_map(|a| (a + 1..treatments).map(move |b| (a, b)))
                .filter(|(a, _)| !to_one || *a == 0)
                .collect();
            let sd = 0.02;
            let alpha = ALPHA / holm_divisor(pairs.len(), treatments);
            let effect = (percent(blocks, sd, alpha).unwrap() / 100.0).ln_1p();
            let student = StudentsT::new(0.0, 1.0, f64::from(blocks - 1)).unwrap();
            let (mut found, mut there) = (0, 0);
            for _ in 0..TIMES {
                let mut block = || {
                    let mut row: Vec<f64> = (0..treatments)
                        .map(|_| sd / std::f64::consts::SQRT_2 * simulated::normal(&mut rng))
                        .collect();
                    *row.last_mut().unwrap() += effect;
                    row
                };
                let logs: Vec<Vec<f64>> = (0..blocks).map(|_| block()).collect();
                let p: Vec<f64> = pairs
                    .iter()
                    .map(|(a, b)| {
                        let own: Vec<f64> = logs.iter().map(|row| row[*b] - row[*a]).collect();
                        let n = own.len() as f64;
                        let mean = own.iter().sum::<f64>() / n;
                        let squares: f64 = own.iter().map(|x| (x - mean).powi(2)).sum();
                        2.0 * student.cdf(-(mean / (squares / (n - 1.0) / n).sqrt()).abs())
                    })
                    .collect();
                for (p, _) in
                    holm(&p).iter().zip(&pairs).filter(|(_, pair)| pair.1 == treatments - 1)
                {
                    there += 1;
                    found += u32::from(*p < ALPHA);
                }
            }
            let power = 100.0 * f64::from(found) / f64::from(there);
            eprintln!("{treatments} treatments, {blocks} blocks, to one {to_one}: {power:.1}%");
            assert!((78.0..84.0).contains(&power), "{treatments}, {blocks}: {power}");
        }
    }

    #[test]
    fn one_block_shows_nothing_and_a_scatter_scales_the_percentage() {
        assert_eq!(standardised(1, ALPHA), None);
        let small = percent(30, 0.01, ALPHA).unwrap();
        assert!((small - 0.530_6).abs() < 1e-3, "{small}");
        assert!(percent(30, 0.05, ALPHA).unwrap() > 5.0 * small);
    }

    #[test]
    fn six_blocks_are_the_fewest_that_the_exact_test_can_use() {
        let smallest = |blocks: u32| 2.0 / 2f64.powi(blocks as i32);
        assert!(smallest(FEWEST_BLOCKS) < ALPHA && smallest(FEWEST_BLOCKS - 1) > ALPHA);
    }
}
