//! Counters that are one and the same, shown twice.

use std::time::Duration;

/// How often two counters are held against each other.
const ROUNDS: u32 = 6;

/// Pairs of dies of one package whose counters are one and the same: the first, and its copy.
///
/// Some kernels show a package's only counter once per die. Two counters are taken for one if every
/// reading of the second lies between a reading of the first before and one after it, again and again
/// while they move; counters of their own would have to agree to the count. Counters that count `apart`, from
/// the instant on at which each was opened, may differ by one number, always the same.
///
/// # Errors
///
/// What reading gives.
pub(super) fn mirrored<E>(
    packages: impl Iterator<Item = u32>,
    mut read: impl FnMut(usize) -> Result<u64, E>,
    every: Duration,
    apart: bool,
) -> Result<Vec<(usize, usize)>, E> {
    let packages: Vec<u32> = packages.collect();
    let mut pairs = Vec::new();
    for one in 0..packages.len() {
        for other in one + 1..packages.len() {
            let copied = pairs.iter().any(|(_, copy)| *copy == one || *copy == other);
            if packages[one] != packages[other] || copied {
                continue;
            }
            // By how much the first is ahead of the second.
            let (mut least, mut most) = if apart { (i128::MIN, i128::MAX) } else { (0, 0) };
            for _ in 0..ROUNDS {
                let [before, between, after] =
                    [read(one)?, read(other)?, read(one)?].map(i128::from);
                // Around a wrap nothing can be said; it passes within the next reading.
                if after >= before {
                    least = least.max(before - between);
                    most = most.min(after - between);
                }
                std::thread::sleep(every);
            }
            if least <= most {
                pairs.push((one, other));
            }
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    /// Pairs among the dies of one package: the first counts 1 a reading, the others as `rates` say, each
    /// from a value of its own.
    fn found(starts: &[u64], rates: &[u64], apart: bool) -> Vec<(usize, usize)> {
        let clock = Cell::new(0);
        let read = |index: usize| {
            clock.set(clock.get() + 1);
            Ok::<u64, Infallible>(starts[index] + rates[index] * clock.get())
        };
        mirrored(starts.iter().map(|_| 0), read, Duration::ZERO, apart).unwrap()
    }

    #[test]
    fn one_counter_that_is_shown_twice_is_found_whenever_each_was_opened() {
        assert_eq!(found(&[70, 70], &[10, 10], false), [(0, 1)]);
        assert_eq!(found(&[70, 5], &[10, 10], false), [], "they were not set back");
        assert_eq!(found(&[70, 5], &[10, 10], true), [(0, 1)]);
        assert_eq!(found(&[70, 5, 9], &[10, 12, 10], true), [(0, 2)]);
    }

    #[test]
    fn packages_are_never_taken_for_each_other() {
        let read = |_| Ok::<u64, Infallible>(1);
        assert_eq!(mirrored([0, 1].into_iter(), read, Duration::ZERO, true), Ok(vec![]));
    }
}
