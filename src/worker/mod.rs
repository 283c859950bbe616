//! A fresh process that opens a Python, calls one function of one module, and tells its host what happens:
//! for trials, for verification and for the analysis alike.

mod call;
mod channel;
mod error;
mod host;
mod lines;
pub mod protocol;
mod python;
mod serve;

pub use call::{Called, call};
pub use channel::Listener;
pub use error::WorkerError;
pub use host::{Ended, Failure, Launch, Limits, Seen, run};
pub use serve::serve;
