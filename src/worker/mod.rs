//! The worker's side of a trial: one fresh process that embeds CPython, calls one function of one
//! module, and tells its host what happens.

mod channel;
mod error;
mod host;
mod interpreter;
mod lines;
pub mod protocol;
mod serve;

pub use channel::Listener;
pub use error::WorkerError;
pub use host::{Ended, Failure, Launch, Limits, Seen, run};
pub use interpreter::{BUILT_FOR, PYTHON_VERSION, exit, with_interpreter};
pub use serve::serve;
