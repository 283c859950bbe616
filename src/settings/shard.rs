//! One machine's part of an experiment: whole blocks of the plan that all machines share.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Which part of how many: `2/5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub number: u32,
    /// How many there are in all.
    pub of: u32,
}

impl Shard {
    /// The blocks that this shard runs, of `blocks` in all: neighbours, so that what follows on what is
    /// the plan's own order. Shards differ by one block at most; where the order is balanced over squares
    /// of `square` blocks and there are enough of them, by one square, so that each machine is balanced by
    /// itself.
    pub(crate) fn blocks(self, blocks: u32, square: Option<u32>) -> Range<u32> {
        let unit = square.filter(|square| blocks / square >= self.of).unwrap_or(1);
        let units = u64::from(blocks.div_ceil(unit));
        let (number, of) = (u64::from(self.number), u64::from(self.of.max(1)));
        let begin = |number: u64| {
            let place = (units * number / of) * u64::from(unit);
            u32::try_from(place).unwrap_or(u32::MAX).min(blocks)
        };
        begin(number.saturating_sub(1))..begin(number)
    }

    /// Checks it against the number of blocks.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn check(self, blocks: u32) -> Result<(), String> {
        match self {
            Shard { of, .. } if of > blocks => Err(format!(
                "{of} shards of {blocks} blocks: a shard runs at least one whole block"
            )),
            Shard { number, of } if number == 0 || number > of => {
                Err(format!("{self}: shards are numbered from 1 to {of}"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            Some(Shard { number: number.trim().parse().ok()?, of: of.trim().parse().ok()? })
        });
        let shard = numbers.ok_or("write it like 2/5, the second of five")?;
        if shard.number == 0 || shard.number > shard.of {
            return Err("shards are numbered from 1 to how many there are: 2/5".to_owned());
        }
        Ok(shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shard_is_typed_as_a_fraction() {
        assert_eq!("2/5".parse(), Ok(Shard { number: 2, of: 5 }));
        for wrong in ["", "2", "0/5", "6/5", "2/", "a/b", "-1/5", "2/5/7"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn balanced_squares_stay_whole_where_there_are_enough() {
        let ranges = |blocks, of, square| -> Vec<Range<u32>> {
            (1..=of).map(|number| Shard { number, of }.blocks(blocks, square)).collect()
        };
        assert_eq!(ranges(12, 2, Some(6)), [0..6, 6..12]);
        assert_eq!(ranges(14, 2, Some(6)), [0..6, 6..14], "the rest goes with the last square");
        assert_eq!(ranges(12, 4, Some(6)), [0..3, 3..6, 6..9, 9..12], "too few squares");
        assert_eq!(ranges(7, 3, None), [0..2, 2..4, 4..7]);
    }

    proptest! {
        /// Every block runs in exactly one shard, in the plan's order, and no shard is empty.
        #[test]
        fn shards_split_the_blocks(blocks in 1u32..3000, of in 1u32..1200, square in prop::option::of(1u32..12)) {
            prop_assume!(of <= blocks);
            let dealt: Vec<u32> =
                (1..=of).flat_map(|number| Shard { number, of }.blocks(blocks, square)).collect();
            prop_assert_eq!(dealt, (0..blocks).collect::<Vec<_>>());
            for number in 1..=of {
                let own = Shard { number, of }.blocks(blocks, square);
                prop_assert!(!own.is_empty(), "shard {} is empty", number);
            }
        }
    }
}
