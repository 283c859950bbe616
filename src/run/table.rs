//! `trials.csv` of a running experiment.

use super::trial::Bench;
use crate::analysis::scan::scan;
use crate::analysis::{Method, Table, gather};

/// Rewrites `trials.csv` from what lies in the experiment's folder. It can be made again at any
/// time, so a failure is told and stops nothing.
///
/// # Errors
///
/// It cannot be written; said already.
pub fn rewrite(bench: &Bench<'_>) -> std::io::Result<()> {
    let root = bench.folder.root();
    let written = scan(root, &root.join("analysis")).and_then(|found| {
        let trials = gather::gather(&found.inputs, found.source);
        Table::of(trials, found.source, Method::Joulerace, root).write_csv(&bench.folder.trials())
    });
    if let Err(error) = &written {
        tracing::warn!(%error, "trials.csv could not be written; it is tried again after the next trial");
    }
    written
}
