//! joulerace: which way of doing a job costs less energy?
//!
//! A host plans an [experiment](store::experiment), runs each [trial](plan::Trial) in a fresh [worker] process
//! that opens CPython, samples the machine's energy with a [meter] while it runs, and hands the
//! [samples] to [energy] accounting and then to the [analysis].

// `pub` says that another crate, a test or a bench needs it, so that the compiler names what is dead.
#![warn(unreachable_pub)]

mod account;
pub mod analysis;
mod cli;
pub mod cluster;
pub mod commands;
pub mod dataset;
pub mod doctor;
pub mod env;
mod error;
mod events;
mod gate;
mod here;
mod pack;
pub mod paths;
pub mod plan;
mod prepare;
mod race;
mod run;
mod screen;
pub mod settings;
mod stop;
pub mod store;
pub mod worker;
mod workload;

pub use joulerace_energy::phase;
pub use joulerace_energy::{energy, samples, units};
pub(crate) use joulerace_files::files;
pub use joulerace_files::{Remedy, clean};
pub use joulerace_meter::{meter, process, snapshot};
