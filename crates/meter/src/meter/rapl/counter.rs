//! The arithmetic of one counter that starts anywhere and wraps at a known range, or never.

/// What happened to a counter between two readings, in its own counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It went on by so much, 0 included.
    Rose(u64),
    /// It passed its range and went on by so much in all.
    Wrapped(u64),
    /// It fell, and no wrap explains it, or it leapt further than anything draws: somebody set it back.
    /// What it counted is unknown.
    Reset,
}

/// How far a counter went from `last` to `now`. `most` is the most that can have been drawn meanwhile, in its
/// counts.
///
/// `range` is the largest value that the counter shows, so that the next one is 0 (the kernel's
/// `max_energy_range_uj`); a fall is a wrap only if what it implies can have been drawn. A counter without one
/// was widened to 64 bits by the kernel, which takes every fall of the register below for a wrap: if the
/// register was set back, by a suspend, that counter leaps.
pub(crate) fn step(last: u64, now: u64, range: Option<u64>, most: f64) -> Step {
    let Some(range) = range else {
        let rose = now.checked_sub(last).filter(|rose| *rose as f64 <= most);
        return rose.map_or(Step::Reset, Step::Rose);
    };
    if now >= last {
        return Step::Rose(now - last);
    }
    if last > range {
        return Step::Reset;
    }
    let risen = range - last + 1 + now;
    if risen as f64 <= most { Step::Wrapped(risen) } else { Step::Reset }
}

/// The most counts, `per_j` to a joule, that can be drawn in `seconds` at `most_watts`.
///
/// The register is updated about once a millisecond, and two readings can straddle an update.
pub(crate) fn most_counts(seconds: f64, most_watts: f64, per_j: f64) -> f64 {
    most_watts * seconds.max(0.05) * per_j
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A range that a common Intel package states, in microjoules.
    const RANGE: u64 = 65_532_610_987;

    /// Microjoules in so many seconds at 1 kW.
    fn most(seconds: f64) -> f64 {
        most_counts(seconds, 1000.0, 1e6)
    }

    #[test]
    fn a_fall_at_a_plausible_power_is_a_wrap() {
        // 10 J up to the range and 10 J beyond it, in 0.2 s at 100 W.
        let now = step(RANGE - 10_000_000, 9_999_999, Some(RANGE), most(0.2));
        assert_eq!(now, Step::Wrapped(20_000_000));
    }

    #[test]
    fn a_fall_from_the_middle_is_a_reset() {
        assert_eq!(step(30_000_000_000, 0, Some(RANGE), most(0.2)), Step::Reset);
        assert_eq!(step(RANGE + 5, 0, Some(RANGE), most(0.2)), Step::Reset);
    }

    #[test]
    fn a_counter_that_stands_still_rises_by_nothing() {
        assert_eq!(step(7, 7, Some(RANGE), most(0.2)), Step::Rose(0));
        assert_eq!(step(7, 7, None, most(0.2)), Step::Rose(0));
    }

    #[test]
    fn a_counter_of_64_bits_neither_falls_nor_leaps() {
        // In steps of 2^-32 J, 200 W for 0.2 s are 40 J.
        let counts = |joules: f64| (joules * 4_294_967_296.0) as u64;
        let most = most_counts(0.2, 1000.0, 4_294_967_296.0);
        let start = counts(90_000.0);
        assert_eq!(step(start, start + counts(40.0), None, most), Step::Rose(counts(40.0)));
        assert_eq!(step(start, start - 1, None, most), Step::Reset);
        // A register of 32 bits in steps of 2^-14 J that was set back to 0 seems to go on to its end.
        assert_eq!(step(start, start + counts(172_144.0), None, most), Step::Reset);
    }

    proptest! {
        /// A counter advanced by known amounts from anywhere, shown modulo its range, gives those
        /// amounts back.
        #[test]
        fn known_energy_comes_back_whatever_the_start(
            start in 0..=RANGE,
            rises in prop::collection::vec(0u64..100_000_000, 1..200),
        ) {
            let (mut truth, mut found, mut shown) = (start, 0, start);
            for rise in &rises {
                truth += rise;
                let now = truth % (RANGE + 1);
                match step(shown, now, Some(RANGE), most(0.1)) {
                    Step::Rose(uj) => found += uj,
                    Step::Wrapped(uj) => found += uj,
                    Step::Reset => prop_assert!(false, "{shown} -> {now} taken for a reset"),
                }
                shown = now;
            }
            prop_assert_eq!(found, rises.iter().sum::<u64>());
        }

        /// No pair of readings overflows, and no rise exceeds the range by more than the rise itself.
        #[test]
        fn any_two_readings_are_told_apart(
            last: u64, now: u64, range in 1..u64::MAX, seconds in 0.0..1e6f64,
        ) {
            prop_assume!(now <= range);
            match step(last, now, Some(range), most(seconds)) {
                Step::Rose(uj) => prop_assert_eq!(last.checked_add(uj), Some(now)),
                Step::Wrapped(uj) => prop_assert!(uj <= range && last <= range),
                Step::Reset => prop_assert!(now < last),
            }
        }
    }
}
