//! An experiment's folder: what is kept of a run, and how it is read again by whoever may trust it or not.
//!
//! `experiment.json` holds what was known before the first trial, the journal what happened since, and a
//! record each trial. Running and analysing both stand on this room; it knows neither.

pub mod audit;
pub mod conditions;
mod error;
pub mod experiment;
pub mod folder;
pub mod interference;
pub mod journal;
pub mod lock;
pub mod look;
pub mod pauses;
pub mod protocol;
pub mod record;
pub mod settling;

pub use error::ExperimentError;
