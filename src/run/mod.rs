//! An experiment: its trials one after the other, each in a fresh process, and what is kept of them.

mod execute;
pub mod gate;
mod gauge;
pub mod interference;
pub mod look;
mod pauses;
pub mod settle;
pub mod table;
pub mod trial;

pub use execute::{Ending, execute};
