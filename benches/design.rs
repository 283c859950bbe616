//! What `--until-precise` and doctor's smallest difference promise, by simulation.
//!
//!     cargo bench --bench design [-- EXPERIMENTS]
//!
//! Every simulated experiment goes through the code that decides when to stop. Prints the tables of
//! README.md.

use joulerace::plan::detectable::{self, ALPHA, holm_divisor};
use joulerace::plan::sequential::Sequential;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::AddAssign;

/// Pairs of three treatments.
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

/// How experiments are made. Sizes are log ratios; `noise` is one trial's.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    most: u32,
    pct: f64,
    effects: [f64; 3],
    noise: f64,
    spreads: [f64; 3],
    kind: Noise,
    /// Lag-1 correlation of a treatment's trials.
    memory: f64,
    /// Put the last treatment where doctor promises a power of 80%.
    promised: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Noise {
    Normal,
    /// Student's t with 3 degrees of freedom, scaled.
    Heavy,
    /// A lognormal's, scaled: most trials a little below, some far above.
    Skewed,
    /// One trial of fifty stands out by six standard deviations.
    Outliers,
}

const BASE: Scenario = Scenario {
    name: "",
    most: 30,
    pct: 1.0,
    effects: [0.0; 3],
    noise: 0.02,
    spreads: [1.0; 3],
    kind: Noise::Normal,
    memory: 0.0,
    promised: false,
};

fn scenarios() -> Vec<Scenario> {
    let far = [0.0, 0.1, 0.3];
    vec![
        Scenario { name: "no difference, ±1%", ..BASE },
        Scenario { name: "no difference, ±2%", pct: 2.0, ..BASE },
        Scenario { name: "no difference, ±5%", pct: 5.0, ..BASE },
        Scenario { name: "no difference, at most 10", most: 10, ..BASE },
        Scenario { name: "no difference, at most 100", most: 100, pct: 0.5, ..BASE },
        Scenario { name: "no difference, one at 5%", spreads: [1.0, 1.0, 2.5], ..BASE },
        Scenario { name: "no difference, heavy tails", kind: Noise::Heavy, ..BASE },
        Scenario { name: "no difference, skewed", kind: Noise::Skewed, ..BASE },
        Scenario { name: "no difference, outliers", kind: Noise::Outliers, ..BASE },
        Scenario { name: "10% and 30%, ±1%", effects: far, ..BASE },
        Scenario { name: "10% and 30%, ±5%", effects: far, pct: 5.0, ..BASE },
        Scenario {
            name: "10% and 30%, noise 5%, ±5%",
            effects: far,
            noise: 0.05,
            pct: 5.0,
            ..BASE
        },
        Scenario { name: "one at 3%, ±2%", effects: [0.0, 0.0, 0.03], pct: 2.0, ..BASE },
        Scenario {
            name: "one at 3%, skewed",
            effects: [0.0, 0.0, 0.03],
            kind: Noise::Skewed,
            ..BASE
        },
        Scenario { name: "where 80% is promised, 30", promised: true, pct: 0.01, ..BASE },
        Scenario { name: "where 80% is promised, 10", promised: true, pct: 0.01, most: 10, ..BASE },
        Scenario { name: "no difference, memory 0.3", memory: 0.3, ..BASE },
    ]
}

#[derive(Clone, Copy, Default)]
struct Counts {
    experiments: f64,
    false_found: f64,
    ever_found: f64,
    intervals: f64,
    covered: f64,
    differing: f64,
    found: f64,
    early: f64,
    blocks: f64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.experiments += other.experiments;
        self.false_found += other.false_found;
        self.ever_found += other.ever_found;
        self.intervals += other.intervals;
        self.covered += other.covered;
        self.differing += other.differing;
        self.found += other.found;
        self.early += other.early;
        self.blocks += other.blocks;
    }
}

fn unit(rng: &mut ChaCha8Rng) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (-2.0 * unit(rng).ln()).sqrt() * (2.0 * std::f64::consts::PI * unit(rng)).cos()
}

/// A number of mean 0 and standard deviation 1, but for outliers.
fn noise(kind: Noise, rng: &mut ChaCha8Rng) -> f64 {
    let z = normal(rng);
    match kind {
        Noise::Normal => z,
        Noise::Heavy => {
            let chi2: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
            z / (chi2 / 3.0).sqrt() / 3f64.sqrt()
        }
        Noise::Skewed => {
            let s2: f64 = 0.64;
            ((0.8 * z).exp() - (s2 / 2.0).exp()) / ((s2.exp() - 1.0) * s2.exp()).sqrt()
        }
        Noise::Outliers => z + if unit(rng) < 0.02 { 6.0 } else { 0.0 },
    }
}

/// One experiment: blocks until its looks say that it is enough.
fn experiment(s: &Scenario, truth: &[f64; 3], design: &Sequential, rng: &mut ChaCha8Rng) -> Counts {
    let mut series: [Vec<f64>; 3] = Default::default();
    let mut errors = [0.0; 3];
    let mut ever = false;
    for block in 1..=s.most {
        let shared = 0.02 * normal(rng);
        let mut logs = [0.0; 3];
        for (i, log) in logs.iter_mut().enumerate() {
            let fresh = noise(s.kind, rng);
            errors[i] = if block == 1 {
                fresh
            } else {
                s.memory * errors[i] + (1.0 - s.memory * s.memory).sqrt() * fresh
            };
            *log = truth[i] + shared + s.noise * s.spreads[i] * errors[i];
        }
        for (own, (a, b)) in series.iter_mut().zip(PAIRS) {
            own.push(logs[b] - logs[a]);
        }
        if !design.looks_at(block) {
            continue;
        }
        let states: Vec<_> = series.iter().map(|own| design.judge(own, ALPHA)).collect();
        let standings = design.decide(&states, ALPHA);
        let tied = |(a, b): (usize, usize)| truth[a] == truth[b];
        ever |= standings.iter().zip(PAIRS).any(|(one, pair)| one.resolved && tied(pair));
        let stop = standings.iter().all(|standing| standing.decided());
        if !stop && block < s.most {
            continue;
        }
        let mut counts = Counts { experiments: 1.0, blocks: f64::from(block), ..Counts::default() };
        counts.early = f64::from(u8::from(stop && block < s.most));
        let mut wrong = false;
        for ((state, standing), (a, b)) in states.iter().zip(&standings).zip(PAIRS) {
            let difference = truth[b] - truth[a];
            if let (Some(low), Some(high)) = (state.low_pct, state.high_pct) {
                let pct = 100.0 * difference.exp_m1();
                counts.intervals += 1.0;
                counts.covered += f64::from(u8::from((low..=high).contains(&pct)));
            }
            if difference == 0.0 {
                wrong |= standing.resolved;
            } else {
                counts.differing += 1.0;
                counts.found += f64::from(u8::from(standing.resolved));
            }
        }
        counts.false_found = f64::from(u8::from(wrong));
        counts.ever_found = f64::from(u8::from(ever));
        return counts;
    }
    unreachable!("the last block is looked at")
}

fn simulate(s: &Scenario, experiments: u64) -> Counts {
    let design = Sequential::new(s.pct, s.most, PAIRS.len(), ALPHA);
    let mut truth = s.effects;
    if s.promised {
        let level = design.nominal(ALPHA / holm_divisor(PAIRS.len(), 3), s.most).unwrap_or(ALPHA);
        let sd = s.noise * std::f64::consts::SQRT_2;
        truth[2] = (detectable::percent(s.most, sd, level).unwrap_or(0.0) / 100.0).ln_1p();
    }
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut sum = Counts::default();
    std::thread::scope(|scope| {
        let work = |thread: u64| {
            let (design, truth) = (&design, &truth);
            move || {
                let mut sum = Counts::default();
                for number in (thread..experiments).step_by(threads as usize) {
                    let mut rng = ChaCha8Rng::seed_from_u64(2026);
                    rng.set_stream(number);
                    sum += experiment(s, truth, design, &mut rng);
                }
                sum
            }
        };
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
        for thread in all {
            sum += thread.join().expect("a thread of the simulation");
        }
    });
    sum
}

fn main() {
    let given = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let experiments: u64 = given.unwrap_or(10_000);
    println!(
        "{experiments} experiments a scenario, three treatments, shared block effects of 2%\n"
    );
    println!(
        "| scenario | falsely resolved | at any look | coverage at stopping | true differences found | stopped early | blocks, mean |"
    );
    println!("|---|---|---|---|---|---|---|");
    for s in scenarios() {
        let c = simulate(&s, experiments);
        let limits = |part: f64, whole: f64| {
            if whole == 0.0 {
                return "–".to_owned();
            }
            let share = part / whole;
            format!(
                "{:.1} ± {:.1}%",
                100.0 * share,
                196.0 * (share * (1.0 - share) / c.experiments).sqrt()
            )
        };
        println!(
            "| {} | {} | {} | {} | {} | {:.0}% | {:.1} of {} |",
            s.name,
            limits(c.false_found, if truth_has_ties(&s) { c.experiments } else { 0.0 }),
            limits(c.ever_found, if truth_has_ties(&s) { c.experiments } else { 0.0 }),
            limits(c.covered, c.intervals),
            limits(c.found, c.differing),
            100.0 * c.early / c.experiments,
            c.blocks / c.experiments,
            s.most,
        );
    }
}

fn truth_has_ties(s: &Scenario) -> bool {
    s.promised || PAIRS.iter().any(|(a, b)| s.effects[*a] == s.effects[*b])
}
