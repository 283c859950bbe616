//! `trials.csv` of a running experiment.

use super::trial::Bench;

/// Rewrites `trials.csv` from what lies in the experiment's folder. It can be made again at any
/// time, so a failure is told and stops nothing.
pub fn rewrite(_bench: &Bench<'_>) {}
