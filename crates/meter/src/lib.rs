//! The machine: its meters, its description, its processes and clocks.

pub mod clock;
pub mod marks;
pub mod meter;
pub mod process;
pub mod snapshot;

use joulerace_energy::{energy, samples};
use joulerace_files::{clean, files as store};
