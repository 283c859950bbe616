//! What a sampler and its session share while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::MeterError;

/// What the sampler tells the host while it runs.
#[derive(Debug)]
pub(crate) struct Shared {
    watts: AtomicU64,
    fault: Mutex<Option<MeterError>>,
}

impl Shared {
    /// Of a sampler that has read nothing yet.
    pub(crate) fn new() -> Shared {
        // No power is known yet.
        let watts = AtomicU64::new(f64::NAN.to_bits());
        Shared { watts, fault: Mutex::new(None) }
    }

    /// Tells the power of the last interval, in watts.
    pub(crate) fn show(&self, watts: f64) {
        self.watts.store(watts.to_bits(), Ordering::Relaxed);
    }

    /// Records what went wrong; the first fault stands.
    pub(crate) fn fail(&self, error: MeterError) {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.get_or_insert(error);
    }

    /// The fault, if there was one.
    pub(crate) fn health(&self) -> Result<(), MeterError> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.clone().map_or(Ok(()), Err)
    }

    /// The power of the last interval, in watts, where it is known.
    pub(crate) fn latest_watts(&self) -> Option<f64> {
        Some(f64::from_bits(self.watts.load(Ordering::Relaxed))).filter(|watts| !watts.is_nan())
    }
}
