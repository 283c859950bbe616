//! What the scripts of a workload are told: the argument of `harness.run` and `verify.collect`.

use crate::settings::Job;
use serde::Serialize;
use std::path::Path;

/// Whose script runs, and what it has to do.
#[derive(Debug, Serialize)]
pub(crate) struct Argument<'a> {
    /// The framework of the script.
    pub framework: &'a str,
    /// The workload's name.
    pub workload: &'a str,
    pub job: Work<'a>,
    /// The variant of the script, where it is not run as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<&'a str>,
}

/// The job with what it is done on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Work<'a> {
    /// What was asked for.
    #[serde(flatten)]
    pub job: Job,
    /// The data set's name, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<&'a str>,
    /// Where its files are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<&'a Path>,
    /// The graphics card that is to be taken, by the driver's number, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<u32>,
}
