//! The worker's side of a trial: one fresh process that opens a Python, calls one function of one
//! module, and tells its host what happens.

mod channel;
mod error;
mod host;
mod lines;
pub mod protocol;
mod python;
mod serve;

pub use channel::Listener;
pub use error::WorkerError;
pub use host::{Ended, Failure, Launch, Limits, Seen, run};
pub use python::run as run_python;
pub use serve::serve;
