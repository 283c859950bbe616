//! An experiment: its trials one after the other, each in a fresh process, and what is kept of them.

pub mod interference;
pub mod journal;
pub mod record;
pub mod settle;
