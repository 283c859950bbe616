//! A fresh process that opens a Python and calls one function of one module, or runs a command, and tells
//! its host what happens: for trials, for verification and for the analysis alike.

mod call;
mod channel;
mod command;
mod error;
mod failure;
mod host;
mod launch;
mod lines;
mod listen;
pub mod protocol;
mod python;
mod serve;

pub(crate) use call::{Called, call};
pub use channel::Listener;
pub(crate) use command::{Around, CommandRequest};
pub(crate) use error::WorkerError;
pub use failure::Failure;
pub use host::{Ended, run};
pub use launch::{Launch, Limits, Seen, Task};
pub(crate) use serve::serve;
