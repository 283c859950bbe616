//! When a counter falls: did it wrap, and at which range, or was it reset?
//!
//! RAPL's energy registers are 32 bits wide and count in a unit of `2^-ESU` joules (Intel SDM vol. 3B,
//! §"RAPL Interfaces", `MSR_RAPL_POWER_UNIT` bits 12:8; AMD PPR, `MSRC001_0299`), so EnergiBridge's
//! columns wrap at `2^(32-ESU)` J: 65,536 J for 2^-16 (AMD Zen), 262,144 J for 2^-14 (many Intel). The
//! kernel's powercap works in whole nanojoules per count and wraps a little earlier:
//! `max_energy_range_uj` is 65,532,610,987 or 262,143,328,850 there.
//!
//! A range is believed only if every value of the file lies below it and the energy that it implies
//! for the falling interval fits the power around it. Otherwise the fall is a reset: the energy of
//! that interval is unknown, and nothing is put in its place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::samples::Domain;

/// What is known about where counters wrap.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Wrapping {
    /// Nothing: infer the range from the file.
    #[default]
    Infer,
    /// These ranges, in joules per domain; a counter that is not named does not wrap.
    Known(BTreeMap<Domain, f64>),
    /// Whoever wrote the file has undone wraps already; any fall is a reset.
    Never,
}

/// Ranges in joules that `max_energy_range_uj` of Linux's powercap states.
const POWERCAP_RANGES_J: [f64; 2] = [65_532.610_987, 262_143.328_850];

/// Energy units `2^-k` J that RAPL registers are known to have: 2^-14 and 2^-16 widely, the others on
/// single models.
const UNIT_EXPONENTS: [i32; 5] = [16, 14, 15, 13, 17];

/// Readings needed before their common unit says anything: a reading that counts in 2^-16 J is a
/// multiple of 2^-14 J by chance one time in four.
const READINGS_FOR_UNIT: u64 = 8;

/// Readings closer together than this say little about power: the register itself is updated about
/// once a millisecond.
pub(super) const SHORTEST_S: f64 = 0.05;

/// Power around a fall.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Around {
    pub joules: f64,
    pub seconds: f64,
    /// Highest mean power over at least [`SHORTEST_S`], W.
    pub peak_w: f64,
}

impl Around {
    fn with(self, other: Around) -> Around {
        Around {
            joules: self.joules + other.joules,
            seconds: self.seconds + other.seconds,
            peak_w: self.peak_w.max(other.peak_w),
        }
    }

    fn mean_w(self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.joules / self.seconds)
    }
}

/// A counter that fell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fall {
    /// Line of the lower reading.
    pub line: u64,
    /// The interval, in seconds since the first sample.
    pub t0: f64,
    pub t1: f64,
    /// The readings, J.
    pub from: f64,
    pub to: f64,
    pub before: Around,
    pub after: Around,
}

/// The unit that all readings of a counter are multiples of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Readings {
    exponent: i32,
    count: u64,
    highest: f64,
}

impl Readings {
    /// Takes note of one more reading, J.
    pub(crate) fn note(&mut self, joules: f64) {
        self.count += 1;
        self.highest = self.highest.max(joules);
        // Scaling by a power of two is exact, so this asks whether the reading is such a multiple.
        while self.exponent <= 20 && (joules * f64::from(1u32 << self.exponent)).fract() != 0.0 {
            self.exponent += 1;
        }
    }

    /// Whether all readings are whole numbers.
    pub(crate) fn whole(&self) -> bool {
        self.exponent == 0
    }

    /// The range of a 32-bit register in the readings' unit.
    fn range_of_unit(&self) -> Option<f64> {
        let known = self.count >= READINGS_FOR_UNIT && UNIT_EXPONENTS.contains(&self.exponent);
        known.then(|| register_range_j(self.exponent))
    }
}

/// Range in joules of a 32-bit register that counts in `2^-exponent` J.
fn register_range_j(exponent: i32) -> f64 {
    2f64.powi(32 - exponent)
}

/// The range at which a counter wrapped, in joules, or `None` where it was reset.
pub(super) fn resolve(
    fall: &Fall,
    readings: &Readings,
    domain: Domain,
    how: &Wrapping,
) -> Option<f64> {
    let fits = |range: f64| readings.highest < range && jump_fits(fall, range, domain);
    match how {
        Wrapping::Never => None,
        Wrapping::Known(ranges) => {
            let range = *ranges.get(&domain)?;
            // The range is certain here, yet a restart of the counter would look the same but for
            // the power that it implies. Readings may equal the range, which is its largest value.
            (readings.highest <= range && jump_fits(fall, range, domain)).then_some(range)
        }
        Wrapping::Infer => {
            if let Some(range) = readings.range_of_unit().filter(|r| fits(*r)) {
                return Some(range);
            }
            // Rounded readings have lost their unit: of the ranges that fit, the one that implies
            // the power nearest to its neighbours'.
            let near = fall.before.with(fall.after).mean_w()?;
            UNIT_EXPONENTS
                .map(register_range_j)
                .into_iter()
                .chain(POWERCAP_RANGES_J)
                .filter(|range| fits(*range))
                .min_by(|a, b| {
                    let off = |range: f64| (implied_w(fall, range) - near).abs();
                    off(*a).total_cmp(&off(*b))
                })
        }
    }
}

impl Fall {
    /// Energy of the falling interval if the counter wrapped at `range`, J.
    pub(crate) fn joules(&self, range: f64) -> f64 {
        range - self.from + self.to
    }
}

fn implied_w(fall: &Fall, range: f64) -> f64 {
    fall.joules(range) / (fall.t1 - fall.t0).max(SHORTEST_S)
}

/// Whether a wrap at `range` implies a power that the neighbours make plausible: at most three times
/// the highest power within a few seconds, and ten watts for good measure.
fn jump_fits(fall: &Fall, range: f64, domain: Domain) -> bool {
    let around = fall.before.with(fall.after);
    let watts = implied_w(fall, range);
    around.mean_w().is_some()
        && watts >= 0.0
        && watts <= (3.0 * around.peak_w + 10.0).min(domain.plausible_watts())
}

/// A wrap that was corrected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wrap {
    /// The counter's column.
    pub column: String,
    /// The line of the file with the lower reading; the header is line 1.
    pub row: u64,
    /// Reading before, J.
    pub from_j: f64,
    /// Reading after, J.
    pub to_j: f64,
    /// The range that was added, J.
    pub range_j: f64,
    /// Whether the range was inferred from the file rather than known.
    pub inferred: bool,
}

/// A fall that is no plausible wrap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reset {
    /// The counter's column.
    pub column: String,
    /// The line of the file with the lower reading; the header is line 1.
    pub row: u64,
    /// Reading before, J.
    pub from_j: f64,
    /// Reading after, J.
    pub to_j: f64,
}

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "'{}' fell from {:.3} J to {:.3} J in row {}, which is no wrap of a known range at a \
             plausible power: the counter was reset, and the energy of that interval is unknown",
            self.column, self.from_j, self.to_j, self.row
        )
    }
}
