//! The arithmetic of one counter that starts anywhere and wraps at a known range.

/// What happened to a counter between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It went on by so many microjoules, 0 included.
    Rose(u64),
    /// It passed its range and went on by so many microjoules in all.
    Wrapped(u64),
    /// It fell, and no wrap explains it: somebody set it back. What it counted is unknown.
    Reset,
}

/// How far a counter went from `last` to `now`, both in microjoules.
///
/// `range_uj` is the kernel's `max_energy_range_uj`, the largest value that the counter shows, so that
/// the next one is 0. A fall is a wrap only if what it implies can have been drawn in `seconds` at
/// `most_watts`.
pub(crate) fn step(last: u64, now: u64, range_uj: u64, seconds: f64, most_watts: f64) -> Step {
    if now >= last {
        return Step::Rose(now - last);
    }
    if last > range_uj {
        return Step::Reset;
    }
    let risen = range_uj - last + 1 + now;
    // The register is updated about once a millisecond, and two readings can straddle an update.
    let most_uj = most_watts * seconds.max(0.05) * 1e6;
    if risen as f64 <= most_uj { Step::Wrapped(risen) } else { Step::Reset }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A range that a common Intel package states.
    const RANGE: u64 = 65_532_610_987;

    #[test]
    fn a_fall_at_a_plausible_power_is_a_wrap() {
        // 10 J up to the range and 10 J beyond it, in 0.2 s at 100 W.
        let now = step(RANGE - 10_000_000, 9_999_999, RANGE, 0.2, 1000.0);
        assert_eq!(now, Step::Wrapped(20_000_000));
    }

    #[test]
    fn a_fall_from_the_middle_is_a_reset() {
        assert_eq!(step(30_000_000_000, 0, RANGE, 0.2, 1000.0), Step::Reset);
        assert_eq!(step(RANGE + 5, 0, RANGE, 0.2, 1000.0), Step::Reset);
    }

    #[test]
    fn a_counter_that_stands_still_rises_by_nothing() {
        assert_eq!(step(7, 7, RANGE, 0.2, 1000.0), Step::Rose(0));
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
                match step(shown, now, RANGE, 0.1, 1000.0) {
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
            match step(last, now, range, seconds, 1000.0) {
                Step::Rose(uj) => prop_assert_eq!(last.checked_add(uj), Some(now)),
                Step::Wrapped(uj) => prop_assert!(uj <= range && last <= range),
                Step::Reset => prop_assert!(now < last),
            }
        }
    }
}
