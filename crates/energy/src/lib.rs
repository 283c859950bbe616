//! From samples to joules, without touching the machine: the CSV format, the accounting, phases and
//! units.

pub mod energy;
pub mod phase;
pub mod samples;
pub mod units;
