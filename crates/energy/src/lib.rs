//! From samples to joules, without touching the machine: the CSV format, the accounting, phases and
//! units.

// `pub` says that another crate, a test or a bench needs it, so that the compiler names what is dead.
#![warn(unreachable_pub)]

pub mod energy;
pub mod phase;
pub mod samples;
pub mod units;
