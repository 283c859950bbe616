//! The unit of `Time`: Unix milliseconds, Unix seconds, or neither.

use super::error::Fault;

/// Rows are milliseconds apart as `Delta` says within this factor; a row that is late or early by chance
/// is outvoted.
const AGREES: std::ops::Range<f64> = 0.5..2.0;

/// Unix times from the year 2000 to 2100, s. In these years no number of one unit could be one of another unit,
/// tenths and hundredths of a second included.
const YEARS: std::ops::Range<f64> = 946_684_800.0..4_102_444_800.0;

/// What a time's size says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clock {
    /// No row was seen.
    Unseen,
    /// Unix milliseconds.
    Milliseconds,
    /// Unix seconds.
    Seconds,
    /// Since some other beginning: milliseconds, if `Delta` agrees in most rows.
    Relative { milliseconds: u64, seconds: u64, rows: u64 },
}

impl Clock {
    /// What the first row's time says.
    pub(crate) fn of(time: f64) -> Result<Clock, Fault> {
        let looks = |looks: &str| Err(Fault::TimeUnit { looks: format!("it looks like {looks}") });
        if YEARS.contains(&(time / 1e3)) {
            Ok(Clock::Milliseconds)
        } else if YEARS.contains(&time) {
            Ok(Clock::Seconds)
        } else if YEARS.contains(&(time / 1e6)) {
            looks("Unix microseconds")
        } else if YEARS.contains(&(time / 1e9)) {
            looks("Unix nanoseconds")
        } else {
            Ok(Clock::Relative { milliseconds: 0, seconds: 0, rows: 0 })
        }
    }

    /// Milliseconds per unit.
    pub(crate) fn scale(self) -> f64 {
        if self == Clock::Seconds { 1000.0 } else { 1.0 }
    }

    /// Holds the time that passed between two rows against `Delta`, milliseconds.
    pub(crate) fn note(&mut self, passed: f64, delta_ms: Option<f64>) {
        let Clock::Relative { milliseconds, seconds, rows } = self else { return };
        *rows += 1;
        let Some(delta) = delta_ms.filter(|delta| *delta > 0.0) else { return };
        *milliseconds += u64::from(AGREES.contains(&(passed / delta)));
        *seconds += u64::from(AGREES.contains(&(1000.0 * passed / delta)));
    }

    /// Says whether the unit is certain, at the end of the file.
    pub(crate) fn certain(self) -> Result<(), Fault> {
        let Clock::Relative { milliseconds, seconds, rows } = self else { return Ok(()) };
        if milliseconds > 0 && 2 * milliseconds >= rows {
            return Ok(());
        }
        let looks = if seconds > 0 && 2 * seconds >= rows {
            "by 'Delta' it looks like seconds since some beginning"
        } else {
            "it counts from some other beginning, and no 'Delta' says in which unit"
        };
        Err(Fault::TimeUnit { looks: looks.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_tells_milliseconds_from_seconds_and_refuses_the_rest() {
        assert_eq!(Clock::of(1_771_500_000_200.0).unwrap(), Clock::Milliseconds);
        assert_eq!(Clock::of(1_771_500_000.2).unwrap(), Clock::Seconds);
        let looks = |time| Clock::of(time).unwrap_err().to_string();
        assert!(looks(1.7715e15).contains("microseconds"));
        assert!(looks(1.7715e18).contains("nanoseconds"));
        assert!(matches!(Clock::of(177_150_000_020.0), Ok(Clock::Relative { .. })), "hundredths");
    }

    #[test]
    fn a_relative_time_needs_delta_to_agree() {
        let rows = |passed: f64, delta: Option<f64>| {
            let mut clock = Clock::of(0.0).unwrap();
            // EnergiBridge's second row follows at once, whatever its Delta.
            clock.note(0.0, delta);
            (0..5).for_each(|_| clock.note(passed, delta));
            clock.certain().map_err(|fault| fault.to_string())
        };
        assert_eq!(rows(210.0, Some(200.0)), Ok(()));
        assert!(rows(0.21, Some(200.0)).unwrap_err().contains("looks like seconds"));
        assert!(rows(3.0, Some(200.0)).unwrap_err().contains("no 'Delta'"));
        assert!(rows(200.0, None).is_err());
    }
}
