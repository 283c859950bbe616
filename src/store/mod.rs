//! An experiment's folder: what is kept of a run, and how it is read again, as a stranger may have written it.
//!
//! `experiment.json` holds what was known before the first trial, the journal what happened since, and a record
//! each trial. Both running and analysing use this room; it knows neither.

pub(crate) mod audit;
pub(crate) mod conditions;
mod error;
pub mod experiment;
pub mod folder;
pub(crate) mod interference;
pub mod journal;
pub(crate) mod lock;
pub(crate) mod look;
pub(crate) mod machines;
mod part;
pub(crate) mod pauses;
pub(crate) mod protocol;
pub mod record;
pub(crate) mod settling;

pub(crate) use error::ExperimentError;
