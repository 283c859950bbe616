//! A training seed for every block, from the job's own.

/// Names the rule, as written into `experiment.json`.
pub(crate) const RULE: &str = "seed of block b (from 0) = SplitMix64's output number b + 1 from the state \
                        job.seed, shifted right by 11 (53 bits)";

/// The seed that every treatment of a block trains from: output `block + 1` of SplitMix64 (Steele, Lea,
/// Flood: Fast splittable pseudorandom number generators, OOPSLA 2014) begun at the job's seed. Of its
/// 64 bits the upper 53 are kept, which every JSON reader holds exactly.
pub(crate) fn of_block(seed: u64, block: u32) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = seed.wrapping_add(STEP.wrapping_mul(u64::from(block) + 1));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The first outputs of SplitMix64 from the state 0, as its authors' reference code gives them.
    #[test]
    fn the_rule_is_splitmix64s() {
        for (block, output) in
            [(0, 0xe220_a839_7b1d_cdaf_u64), (1, 0x6e78_9e6a_a1b9_65f4), (2, 0x06c4_5d18_8009_454f)]
        {
            assert_eq!(of_block(0, block), output >> 11);
        }
    }

    #[test]
    fn no_two_blocks_share_a_seed_and_neighbouring_jobs_do_not_either() {
        let seeds: BTreeSet<u64> =
            (40..45).flat_map(|seed| (0..10_000).map(move |block| of_block(seed, block))).collect();
        assert_eq!(seeds.len(), 50_000);
        assert!(seeds.iter().all(|seed| *seed < 1 << 53));
    }
}
