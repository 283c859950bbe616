//! A fresh process that opens a Python and calls one function of one module, or runs a command, and tells
//! its host what happens: for trials, for verification and for the analysis alike.

mod call;
mod channel;
mod command;
mod error;
mod host;
mod lines;
pub mod protocol;
mod python;
mod serve;

pub use call::{Called, call};
pub use channel::Listener;
pub use command::{Around, CommandRequest, ended};
pub use error::WorkerError;
pub use host::{Ended, Failure, Launch, Limits, Seen, Task, run};
pub use serve::serve;
