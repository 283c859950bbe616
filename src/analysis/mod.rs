//! From a folder of trials to tables, plots and a report.
//!
//! The host [scans](mod@scan) the folder and starts a process of its own that reads the samples, writes
//! `trials.csv` and calls `python/analysis`; it listens to that process and reports.

mod aside;
pub mod error;
pub mod gather;
mod host;
pub mod python;
pub mod record;
pub mod scan;
pub mod settings;
pub mod table;

pub use error::AnalysisError;
pub use host::{AnalysisReport, Progress, run, run_with};
pub use settings::{AnalyzeSettings, CarbonIntensity, Method};
pub use table::{Broken, Table};
