//! One study on many machines: its blocks dealt to shards, Slurm's jobs that run them, and the shards made
//! one experiment again. Nothing here schedules; Slurm does, or people who start the shards by hand.

pub mod error;
pub mod merge;
pub mod script;
pub mod slurm;
pub mod status;
pub mod study;

pub use error::MergeError;
pub use merge::{Merged, merge};
pub use slurm::SlurmError;
pub use status::status;
pub use study::{Jobs, Prepare, Study, StudyError};
