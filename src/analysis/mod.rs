//! From a folder of trials to tables, plots and a report.
//!
//! The host [scans](mod@scan) the folder, reads the samples on all cores, decides on blocks and
//! domains, writes `trials.csv`, and has a [worker](crate::worker) call `python/analysis`.

mod aside;
pub(crate) mod copies;
pub(crate) mod domains;
pub(crate) mod error;
pub mod gather;
pub(crate) mod grouping;
mod guard;
mod host;
pub(crate) mod kinds;
mod names;
pub mod pairing;
pub(crate) mod record;
mod request;
pub mod scan;
pub(crate) mod settings;
pub mod study;
pub(crate) mod table;
pub(crate) mod tables;
mod walk;

pub(crate) use error::AnalysisError;
pub use host::run;
pub(crate) use host::{ASKED, AnalysisReport, Progress};
pub use request::AnalysisMessage;
pub(crate) use settings::CarbonIntensity;
pub use settings::{AnalyzeSettings, Method};
pub(crate) use study::Told;
pub use study::{Study, study};
pub use table::Table;
