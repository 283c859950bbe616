//! The machine: its meters, its description, its processes and clocks.

// `pub` says that another crate, a test or a bench needs it, so that the compiler names what is dead.
#![warn(unreachable_pub)]

pub mod clock;
pub mod marks;
pub mod meter;
pub mod process;
pub mod snapshot;

use joulerace_energy::{energy, samples};
use joulerace_files::{clean, files as store};
