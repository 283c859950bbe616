//! From a folder of trials to tables, plots and a report.
//!
//! The host [scans](mod@scan) the folder and starts a process of its own that reads the samples, decides on
//! [blocks](pairing) and [domains], writes `trials.csv` and calls `python/analysis`; it listens to that
//! process and reports.

mod aside;
pub mod copies;
pub mod domains;
pub mod error;
pub mod gather;
pub mod grouping;
mod guard;
mod host;
pub mod kinds;
mod names;
pub mod pairing;
pub mod python;
pub mod record;
pub mod scan;
pub mod settings;
pub mod study;
pub mod table;
pub mod tables;
mod walk;

pub use error::AnalysisError;
pub use host::{AnalysisReport, Progress, run, run_with};
pub use settings::{AnalyzeSettings, CarbonIntensity, Method};
pub use study::{Study, Told, study};
pub use table::{Broken, Table};
