//! An experiment: its trials one after the other, each in a fresh process, and what is kept of them.

pub mod commands;
mod execute;
mod gauge;
pub mod interference;
pub mod look;
mod pauses;
mod session;
pub mod settle;
pub mod table;
pub mod trial;

pub use execute::Ending;
pub use session::{Outcome, Session};
