//! Critical values of a paired t-test that is looked at again and again: the chance that a null
//! difference ever crosses them is spent little by little and known exactly.
//!
//! For normal differences of mean 0 the sequence of t statistics is a Markov chain that knows no spread.
//! With `S` the sum of the first `n` differences and `V` the sum of their squares, `w = S/√V` has
//! `t = w √((n−1)/(n−w²))`; so `w = √n sin ψ` and `t = √(n−1) tan ψ` for an angle ψ whose density is
//! proportional to `cos^(n−2) ψ`. The next difference is, in units of `√V`, `y = tan φ` with a density
//! proportional to `cos^(n−1) φ`, independent of all that went before, and
//! `w' = (w + y)/√(1 + y²) = w cos φ + sin φ`. Both signs are alike, so |ψ| is followed, in cells.
//! Beyond [`EXACT`] blocks t counts as normal, and its scores as a Brownian motion's (C. Jennison,
//! B. Turnbull, Group Sequential Methods, 2000, chapters 11 and 19).

use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;
use std::f64::consts::{FRAC_PI_2, PI};

/// Cells of an angle, or of a normal score.
const CELLS: usize = 256;
/// Up to so many blocks the chain is followed exactly, block by block.
pub(crate) const EXACT: u32 = 60;
/// Points of the table of an angle's distribution function.
const POINTS: usize = 8192;
/// No score beyond this comes about.
const FARTHEST: f64 = 8.5;

/// For each of `spent` (shares of the error that may have been spent by each look) times each of
/// `alphas`, the nominal two-sided levels at which to test at the looks, such that a null difference is
/// ever found with exactly that chance. `looks` are numbers of blocks, from 2 on, rising; up to
/// [`EXACT`] none is left out after the first.
pub(crate) fn levels(looks: &[u32], spent: &[f64], alphas: &[f64]) -> Vec<Vec<f64>> {
    let mut levels = vec![Vec::with_capacity(looks.len()); alphas.len()];
    let mut states: Vec<Vec<f64>> = Vec::new();
    let mut grid = Grid::first(looks.first().copied().unwrap_or(2));
    let mut before = 0.0;
    for (look, share) in looks.iter().zip(spent) {
        if states.is_empty() {
            states = vec![grid.fresh(); alphas.len()];
        } else {
            let next = grid.next(*look);
            grid.step(&next, &mut states);
            grid = next;
        }
        for ((state, alpha), own) in states.iter_mut().zip(alphas).zip(&mut levels) {
            let due = alpha * (share - before);
            // A test at this level alone spends no more than it, whatever was found before.
            let level = grid.level(absorb(state, due)).max(due);
            own.push(level);
        }
        before = *share;
    }
    levels
}

/// Takes the outermost `due` off, and gives where that begins, in cells.
fn absorb(state: &mut [f64], due: f64) -> f64 {
    let mut left = due;
    for cell in (0..state.len()).rev() {
        if state[cell] >= left {
            let kept = if state[cell] > 0.0 { 1.0 - left / state[cell] } else { 1.0 };
            state[cell] -= left;
            return cell as f64 + kept;
        }
        left -= state[cell];
        state[cell] = 0.0;
    }
    0.0
}

/// The cells of |ψ|, or of a score, after so many blocks.
struct Grid {
    blocks: u32,
    kind: Kind,
    /// Of a cell.
    width: f64,
}

#[derive(PartialEq)]
enum Kind {
    Angle,
    Score,
}

impl Grid {
    fn first(blocks: u32) -> Grid {
        match blocks {
            ..=EXACT => Grid::angles(blocks),
            _ => Grid { blocks, kind: Kind::Score, width: FARTHEST / CELLS as f64 },
        }
    }

    fn angles(blocks: u32) -> Grid {
        // An angle's standard deviation is about 1/√n.
        let farthest = (2.0 * FARTHEST / f64::from(blocks).sqrt()).min(FRAC_PI_2);
        Grid { blocks, kind: Kind::Angle, width: farthest / CELLS as f64 }
    }

    fn next(&self, blocks: u32) -> Grid {
        debug_assert!(self.kind == Kind::Score || blocks > EXACT || blocks == self.blocks + 1);
        Grid::first(blocks)
    }

    /// What is in each cell before any test.
    fn fresh(&self) -> Vec<f64> {
        let tails: Vec<f64> = (0..=CELLS).map(|edge| self.level(edge as f64)).collect();
        tails.windows(2).map(|pair| pair[0] - pair[1]).collect()
    }

    /// The two-sided level of a test that rejects beyond `place`, in cells.
    fn level(&self, place: f64) -> f64 {
        let value = place * self.width;
        match self.kind {
            Kind::Angle => {
                let freedom = f64::from(self.blocks - 1);
                beta_reg(freedom / 2.0, 0.5, value.cos().powi(2).clamp(0.0, 1.0))
            }
            Kind::Score => libm::erfc(value / std::f64::consts::SQRT_2),
        }
    }

    /// Moves each state on from this grid's blocks to the next one's.
    fn step(&self, next: &Grid, states: &mut [Vec<f64>]) {
        let reached = match next.kind {
            Kind::Angle => self.angle_steps(next),
            Kind::Score => self.score_steps(next),
        };
        for state in states {
            let mut moved = vec![0.0; CELLS];
            for (mass, row) in state.iter().zip(&reached).filter(|(mass, _)| **mass > 0.0) {
                for (into, share) in moved.iter_mut().zip(row) {
                    *into += mass * share;
                }
            }
            *state = moved;
        }
    }

    /// From the middle of each cell, the chance to get into each of the next one's.
    fn angle_steps(&self, next: &Grid) -> Vec<Vec<f64>> {
        let n = f64::from(self.blocks);
        let table = Angles::new(self.blocks - 1);
        let edges: Vec<f64> =
            (0..=CELLS).map(|e| (n + 1.0).sqrt() * (e as f64 * next.width).sin()).collect();
        let from = |cell: usize| {
            let w = n.sqrt() * ((cell as f64 + 0.5) * self.width).sin();
            let (tilt, longest) = (w.atan(), w.hypot(1.0));
            let within = |x: f64| {
                if x >= longest {
                    return 1.0;
                }
                // w cos φ + sin φ = √(1 + w²) sin(φ + tilt), which both sides of its top reach.
                let b = (x / longest).asin();
                table.below(b - tilt) + 1.0 - table.below(PI - b - tilt) - table.below(-b - tilt)
            };
            let all: Vec<f64> = edges.iter().map(|x| within(*x)).collect();
            all.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0)).collect()
        };
        (0..CELLS).map(from).collect()
    }

    fn score_steps(&self, next: &Grid) -> Vec<Vec<f64>> {
        let kept = f64::from(self.blocks) / f64::from(next.blocks);
        let (kept, spread) = (kept.sqrt(), (1.0 - kept).sqrt());
        let normal = |z: f64| libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0;
        let from = |cell: usize| {
            let middle = kept * self.score(cell as f64 + 0.5);
            let within = |edge: usize| {
                let x = edge as f64 * next.width;
                normal((x - middle) / spread) - normal((-x - middle) / spread)
            };
            let all: Vec<f64> = (0..=CELLS).map(within).collect();
            all.windows(2).map(|pair| pair[1] - pair[0]).collect()
        };
        (0..CELLS).map(from).collect()
    }

    /// The normal score that has the same level.
    fn score(&self, place: f64) -> f64 {
        match self.kind {
            Kind::Score => place * self.width,
            Kind::Angle => {
                let level = self.level(place).max(f64::MIN_POSITIVE);
                (-Normal::standard().inverse_cdf(level / 2.0)).min(FARTHEST)
            }
        }
    }
}

/// The distribution function of an angle whose density is proportional to cos^power, tabulated.
struct Angles(Vec<f64>);

impl Angles {
    fn new(power: u32) -> Angles {
        let step = FRAC_PI_2 / POINTS as f64;
        let density = |x: f64| x.cos().max(0.0).powi(power as i32);
        let mut sum = 0.0;
        let mut table = Vec::with_capacity(POINTS + 1);
        table.push(0.0);
        for i in 0..POINTS {
            let from = i as f64 * step;
            // Simpson's rule; the constant goes in the division.
            sum += density(from) + 4.0 * density(from + step / 2.0) + density(from + step);
            table.push(sum);
        }
        table.iter_mut().for_each(|value| *value = 0.5 + 0.5 * *value / sum);
        Angles(table)
    }

    fn below(&self, angle: f64) -> f64 {
        let place = angle.abs() / FRAC_PI_2 * POINTS as f64;
        let at = place as usize;
        let value = match self.0.get(at..=at + 1) {
            Some(pair) => pair[0] + (place - at as f64) * (pair[1] - pair[0]),
            None => 1.0,
        };
        if angle < 0.0 { 1.0 - value } else { value }
    }
}
