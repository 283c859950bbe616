//! An experiment: its trials one after the other, each in a fresh process, and what is kept of them.

pub mod audit;
pub mod clock;
pub mod events;
mod execute;
pub mod experiment;
pub mod folder;
pub mod gate;
mod gauge;
pub mod interference;
pub mod journal;
pub mod lock;
pub mod look;
mod pauses;
pub mod protocol;
pub mod record;
pub mod settle;
pub mod settling;
pub mod stop;
pub mod table;
pub mod trial;

pub use execute::{Ending, execute};
