//! How the treatments of each block are ordered: at random, or balanced by design.
//!
//! Every draw comes from ChaCha8 seeded with the order's seed: streams 0, 1, 2, … are the random order's
//! blocks, and streams from [`SQUARES`] on the balanced order's squares.

use crate::settings::Order;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// The first stream of the balanced order; a random order has fewer blocks.
const SQUARES: u64 = 1 << 32;

impl Order {
    /// Names the generator and the way it is used, as written into `experiment.json`.
    pub(crate) fn generator(self) -> &'static str {
        match self {
            Order::Random => {
                "ChaCha8 (seed_from_u64, stream = block), Fisher-Yates from the end, rejection sampling"
            }
            Order::Balanced => {
                "Williams squares with labels, rows and the order of an odd number's two halves drawn \
                 anew for each by ChaCha8 (seed_from_u64, stream = 2^32 + square), Fisher-Yates from \
                 the end, rejection sampling"
            }
        }
    }

    /// The blocks over which `treatments` are balanced: none for a random order; as many as there are
    /// treatments where their number is even (or there is one alone), else twice as many.
    pub(crate) fn square(self, treatments: usize) -> Option<u32> {
        let one_square = treatments.is_multiple_of(2) || treatments == 1;
        let blocks = if one_square { treatments } else { 2 * treatments };
        (self == Order::Balanced).then_some(blocks.max(1) as u32)
    }

    /// The design in words, for `blocks` blocks. What a part of a square leaves unbalanced is said.
    pub(crate) fn describe(self, blocks: u32, treatments: usize) -> String {
        let Some(square) = self.square(treatments) else {
            return "randomised complete blocks; a block is one iteration".to_owned();
        };
        let begin = format!(
            "complete blocks in randomised Williams squares of {square} blocks: position and \
             predecessor within a block are balanced over each whole square; a block is one iteration"
        );
        match blocks % square {
            0 => begin,
            rest => format!(
                "{begin}; the last square has {rest} of its {square} blocks, which are not balanced \
                 by themselves"
            ),
        }
    }

    /// The order of `treatments` numbers in each of `blocks` blocks. A longer experiment begins as a
    /// shorter one with the same seed does.
    #[cfg(test)]
    fn draw(self, blocks: u32, treatments: usize, seed: u64) -> Vec<Vec<usize>> {
        self.draw_part(0..blocks, treatments, seed)
    }

    /// The same of a part of the blocks, at the cost of that part: blocks and squares have streams of
    /// their own.
    pub(super) fn draw_part(
        self,
        blocks: Range<u32>,
        treatments: usize,
        seed: u64,
    ) -> Vec<Vec<usize>> {
        match self {
            Order::Random => blocks
                .map(|block| permutation(treatments, &mut generator(seed, u64::from(block))))
                .collect(),
            Order::Balanced => {
                let length = self.square(treatments).unwrap_or(1);
                let begin = blocks.start / length;
                let squares = begin..blocks.end.div_ceil(length).max(begin);
                let rows = squares.flat_map(|number| {
                    square(treatments, &mut generator(seed, SQUARES + u64::from(number)))
                });
                rows.skip((blocks.start - begin * length) as usize).take(blocks.len()).collect()
            }
        }
    }
}

/// A randomised Williams square, row by row. Of an odd number of treatments it takes two Latin squares,
/// the second the first read backwards; each is balanced for position by itself, and they stay whole, so
/// that positions are balanced after either.
fn square(k: usize, rng: &mut impl Rng) -> Vec<Vec<usize>> {
    let labels = permutation(k, rng);
    // 0, 1, k-1, 2, k-2, …: neighbours differ by every number once (k even), or by half of them twice.
    let first: Vec<usize> =
        (0..k).map(|j| if j % 2 == 1 { j.div_ceil(2) } else { (k - j / 2) % k }).collect();
    let rows = |rng: &mut _| -> Vec<Vec<usize>> {
        let shifts = permutation(k, rng);
        shifts.into_iter().map(|s| first.iter().map(|j| labels[(j + s) % k]).collect()).collect()
    };
    let mut whole = rows(rng);
    if k % 2 == 1 && k > 1 {
        let mut mirrored = rows(rng);
        mirrored.iter_mut().for_each(|row| row.reverse());
        if below(2, rng) == 1 {
            std::mem::swap(&mut whole, &mut mirrored);
        }
        whole.extend(mirrored);
    }
    whole
}

fn permutation(n: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut items: Vec<usize> = (0..n).collect();
    shuffle(&mut items, rng);
    items
}

fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Fisher–Yates. Written out because `rand` reserves the right to change what its `shuffle` draws
/// between releases, and a recorded seed has to give the same order for as long as results exist.
fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last as u64 + 1, rng) as usize);
    }
}

/// A uniform integer in `0..bound`, without modulo bias: draws from the incomplete last multiple
/// of `bound` are thrown away.
fn below(bound: u64, rng: &mut impl Rng) -> u64 {
    let excess = (u64::MAX % bound + 1) % bound;
    loop {
        let draw = rng.next_u64();
        if draw <= u64::MAX - excess {
            return draw % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// How often each pair of numbers came about.
    type Counts = BTreeMap<(usize, usize), u32>;

    /// How often each treatment stands at each position, and just after each other one.
    fn counts(rows: &[Vec<usize>]) -> (Counts, Counts) {
        let (mut places, mut after) = (BTreeMap::new(), BTreeMap::new());
        for row in rows {
            for (place, treatment) in row.iter().enumerate() {
                *places.entry((*treatment, place)).or_default() += 1;
            }
            for pair in row.windows(2) {
                *after.entry((pair[0], pair[1])).or_default() += 1;
            }
        }
        (places, after)
    }

    proptest! {
        /// Over whole squares all counts are equal, and none is missing.
        #[test]
        fn whole_squares_balance_position_and_predecessor(k in 1usize..10, squares in 1u32..5, seed: u64) {
            let length = Order::Balanced.square(k).unwrap();
            let rows = Order::Balanced.draw(squares * length, k, seed);
            let (places, after) = counts(&rows);
            let each = squares * length / k as u32;
            prop_assert_eq!(places.len(), k * k);
            prop_assert!(places.values().all(|n| *n == each), "{:?}", places);
            prop_assert_eq!(after.len(), k * (k - 1));
            prop_assert!(after.values().all(|n| *n == each), "{:?}", after);
        }

        /// Wherever it ends, every block is complete, and no count is further from another than the
        /// rows of one square allow: by one at a position, by two after another treatment.
        #[test]
        fn a_part_of_a_square_is_nearly_balanced(k in 2usize..9, blocks in 1u32..40, seed: u64) {
            let rows = Order::Balanced.draw(blocks, k, seed);
            prop_assert_eq!(rows.len(), blocks as usize);
            for row in &rows {
                let mut sorted = row.clone();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..k).collect::<Vec<_>>());
            }
            let (places, after) = counts(&rows);
            let spread = |counts: &BTreeMap<_, u32>, all: usize| {
                let least = if counts.len() < all { 0 } else { *counts.values().min().unwrap() };
                counts.values().max().unwrap() - least
            };
            prop_assert!(spread(&places, k * k) <= 1);
            prop_assert!(spread(&after, k * (k - 1)) <= 2);
        }

        #[test]
        fn a_longer_experiment_begins_like_a_shorter_one(k in 1usize..7, short in 1u32..20, seed: u64) {
            for order in [Order::Random, Order::Balanced] {
                let long = order.draw(short + 13, k, seed);
                prop_assert_eq!(&order.draw(short, k, seed)[..], &long[..short as usize]);
                let part = order.draw_part(short..short + 13, k, seed);
                prop_assert_eq!(&part[..], &long[short as usize..]);
            }
        }
    }

    #[test]
    fn a_recorded_seed_gives_the_same_squares_in_every_release() {
        let told = |k| -> Vec<String> {
            let rows = Order::Balanced.draw(Order::Balanced.square(k).unwrap(), k, 42);
            rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
        };
        assert_eq!(told(3), THREE);
        assert_eq!(told(4), FOUR);
    }
    const THREE: [&str; 6] = ["201", "012", "120", "210", "102", "021"];
    const FOUR: [&str; 4] = ["0213", "1032", "3120", "2301"];

    /// Over many squares each treatment comes first in the first block equally often: chi-square with
    /// 3 degrees of freedom stays below its 99.9% point, 16.3. The same for the second block's.
    #[test]
    fn labels_and_rows_are_random() {
        for block in [0, 1] {
            let mut count = [0.0f64; 4];
            for seed in 0..4000 {
                count[Order::Balanced.draw(2, 4, seed)[block][0]] += 1.0;
            }
            let chi2: f64 = count.iter().map(|n| (n - 1000.0).powi(2) / 1000.0).sum();
            assert!(chi2 < 16.3, "{count:?}");
        }
        // A square does not tell the next one's.
        let same = (0..3000)
            .filter(|seed| {
                let rows = Order::Balanced.draw(12, 3, *seed);
                rows[0] == rows[6]
            })
            .count();
        assert!((400..=600).contains(&same), "{same} of 3000, expected a sixth");
    }

    #[test]
    fn what_is_left_of_a_square_is_said() {
        assert!(!Order::Balanced.describe(12, 3).contains("last square"));
        assert!(Order::Balanced.describe(14, 3).contains("has 2 of its 6 blocks"));
        assert!(Order::Balanced.describe(30, 4).contains("has 2 of its 4 blocks"));
        assert!(Order::Random.describe(7, 3).starts_with("randomised complete blocks"));
    }
}
