//! Whether the wall clock was set while a trial ran. Samples and phase marks bear its time, so that a
//! step moves energy from one phase to another or stretches what it is divided by.

use std::time::{Duration, Instant, SystemTime};

/// The clocks may drift this far apart, in seconds and as a share of the time that passed: time servers
/// slew at most 500 ppm (adjtimex(8)), and the two clocks are not read in one instant.
const APART_S: f64 = 0.1;
const SLEW: f64 = 500e-6;

/// How long reading both clocks may take before it is tried again, and how often.
const TOGETHER: Duration = Duration::from_millis(1);
const ATTEMPTS: u32 = 20;

/// Both clocks at one instant. A process that is put aside between the two readings would see a step
/// where none was, so they are read again until they lie close together.
pub fn together() -> (SystemTime, Instant) {
    let mut best: Option<(Duration, SystemTime, Instant)> = None;
    for _ in 0..ATTEMPTS {
        let before = Instant::now();
        let wall = SystemTime::now();
        let apart = before.elapsed();
        if best.is_none_or(|(least, ..)| apart < least) {
            best = Some((apart, wall, before + apart / 2));
        }
        if apart < TOGETHER {
            break;
        }
    }
    best.map_or_else(|| (SystemTime::now(), Instant::now()), |(_, wall, steady)| (wall, steady))
}

/// Seconds since an earlier [`together`], by the wall clock and by the steady one.
pub fn since((wall, steady): (SystemTime, Instant)) -> (f64, f64) {
    let (wall_now, steady_now) = together();
    let wall_s = match wall_now.duration_since(wall) {
        Ok(forward) => forward.as_secs_f64(),
        Err(back) => -back.duration().as_secs_f64(),
    };
    (wall_s, steady_now.saturating_duration_since(steady).as_secs_f64())
}

/// Seconds by which the wall clock was set forward (negative: back) while it ran for `wall_s` and the
/// steady clock, which stands still in a suspend, for `steady_s`. None where it only drifted.
pub fn step(wall_s: f64, steady_s: f64) -> Option<f64> {
    let apart = wall_s - steady_s;
    (apart.abs() > APART_S + SLEW * steady_s).then_some(apart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_in_both_directions() {
        assert_eq!(step(61.0, 60.0), Some(1.0));
        assert_eq!(step(-3540.0, 60.0), Some(-3600.0));
    }

    #[test]
    fn both_clocks_are_read_in_one_instant_on_a_busy_machine_too() {
        let busy: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(|| {
                    let until = Instant::now() + Duration::from_millis(400);
                    while Instant::now() < until {}
                })
            })
            .collect();
        let begin = together();
        for _ in 0..200 {
            let (wall_s, steady_s) = since(begin);
            assert_eq!(step(wall_s, steady_s), None, "{wall_s} {steady_s}");
            std::thread::sleep(Duration::from_millis(1));
        }
        busy.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn a_suspend_is_noticed() {
        // The lid was closed for ten minutes.
        assert_eq!(step(660.0, 60.0), Some(600.0));
    }

    proptest! {
        /// Whatever a time server may do without a step passes, however long the trial.
        #[test]
        fn slewing_is_no_step(seconds in 0.0..1e6f64, rate in -500e-6..500e-6f64) {
            prop_assert_eq!(step(seconds * (1.0 + rate), seconds), None);
        }

        /// A step of a second shows through any slewing in a trial of up to a quarter of an hour.
        #[test]
        fn slewing_hides_no_step_of_a_second(seconds in 0.0..900.0f64, rate in -500e-6..500e-6f64) {
            prop_assert!(step(seconds * (1.0 + rate) + 1.0, seconds).is_some());
        }
    }
}
