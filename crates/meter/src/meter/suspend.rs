//! Whether the machine was suspended meanwhile.
//!
//! A system keeps two clocks that never are set: one goes on while the machine sleeps, the other does not. Their
//! difference is the time slept since boot ([`crate::process`] reads them).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Both clocks are read one after the other, and a busy machine may come between.
const APART: Duration = Duration::from_millis(100);

/// Time slept since boot; `None` where the system does not tell.
#[derive(Clone)]
pub(crate) struct Slept(Arc<dyn Fn() -> Option<Duration> + Send + Sync>);

impl fmt::Debug for Slept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slept")
    }
}

impl Slept {
    /// This machine's clocks.
    pub(crate) fn of_the_system() -> Slept {
        Slept(Arc::new(crate::process::slept))
    }

    /// A clock that a test sets.
    #[cfg(test)]
    pub(crate) fn made(clock: impl Fn() -> Option<Duration> + Send + Sync + 'static) -> Slept {
        Slept(Arc::new(clock))
    }

    /// Begins to watch.
    pub(crate) fn watch(&self) -> Nap {
        Nap { since: (self.0)(), slept: self.clone() }
    }
}

/// From an instant on, how long the machine slept.
#[derive(Debug, Clone)]
pub(crate) struct Nap {
    slept: Slept,
    since: Option<Duration>,
}

impl Nap {
    /// Seconds slept since then; 0 where it did not sleep or that is not known.
    pub(crate) fn seconds(&self) -> f64 {
        let slept = (self.slept.0)().zip(self.since).map(|(now, then)| now.saturating_sub(then));
        slept.filter(|slept| *slept > APART).map_or(0.0, |slept| slept.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn time_slept_before_does_not_count_and_jitter_is_none() {
        let slept = Arc::new(AtomicU64::new(7000));
        let clock = Arc::clone(&slept);
        let made = Slept::made(move || Some(Duration::from_millis(clock.load(Ordering::SeqCst))));
        let nap = made.watch();
        assert_eq!(nap.seconds(), 0.0);
        slept.store(7080, Ordering::SeqCst);
        assert_eq!(nap.seconds(), 0.0);
        slept.store(52_000, Ordering::SeqCst);
        assert_eq!(nap.seconds(), 45.0);
        assert_eq!(Slept::made(|| None).watch().seconds(), 0.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_is_awake() {
        let nap = Slept::of_the_system().watch();
        assert!(nap.since.is_some());
        assert_eq!(nap.seconds(), 0.0);
    }
}
