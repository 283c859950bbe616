//! Which columns a table has, and in which order.

use super::cells::Cells;
use crate::analysis::record::WATCHED;
use crate::phase::Phase;
use std::collections::BTreeSet;

/// Columns of text, in the order of `trials.csv`.
pub(crate) const TEXTS: [&str; 10] = [
    "trial",
    "group",
    "file",
    "meter",
    "estimated",
    "status",
    "reason",
    "flags",
    "predecessor",
    "domains",
];

/// What only rows of published tables have, and trials of an experiment on several machines.
pub(super) const OF_ROWS: [&str; 5] =
    ["tool", "tool_version", "machine", "tracking", "table_block"];

/// Where the trials that come out of sessions have them.
pub(super) const SESSION: &str = "session";

/// The number columns in order: those that every table has, and beside them whatever domains, GPUs
/// and conditions there are.
pub(crate) fn names<'a>(rows: impl IntoIterator<Item = &'a Cells>) -> Vec<String> {
    let present: BTreeSet<&str> =
        rows.into_iter().flat_map(|r| r.numbers.keys().map(String::as_str)).collect();
    let mut names: Vec<String> = [
        "block",
        "position",
        "run_order",
        "start_unix_s",
        "time_s",
        "energy_j",
        "power_w",
        "edp_js",
        "ed2p_js2",
        "coverage",
        "energy_package_j",
        "energy_core_j",
        "energy_dram_j",
        "energy_gpu_j",
    ]
    .map(String::from)
    .into();
    let mut gpus: Vec<&str> = present
        .iter()
        .filter(|n| n.starts_with("energy_gpu") && **n != "energy_gpu_j")
        .copied()
        .collect();
    gpus.sort_by_key(|n| (n.len(), *n));
    names.extend(gpus.into_iter().map(String::from));
    names.push("energy_system_j".into());
    let rare = ["energy_uncore_j", "energy_platform_j", "energy_estimated_j"];
    names.extend(rare.iter().filter(|n| present.contains(**n)).map(|n| (*n).to_owned()));
    names.extend(["trial_energy_j", "trial_time_s"].map(String::from));
    let phases = Phase::ALL.iter().flat_map(|p| [format!("phase_{p}_j"), format!("phase_{p}_s")]);
    let phases: Vec<String> = phases.collect();
    let own = |n: &&&str| n.starts_with("phase_") && !phases.iter().any(|known| known == **n);
    names.extend(phases.iter().cloned());
    names.extend(present.iter().filter(own).map(|n| (*n).to_owned()));
    names.extend(["accuracy", "loss"].map(String::from));
    names.extend(present.contains("seed").then(|| "seed".to_owned()));
    names.extend(
        [
            "samples",
            "wraps",
            "wrap_range_j",
            "resets",
            "gaps",
            "max_gap_s",
            "published_energy_j",
            "published_time_s",
            "above_idle_j",
        ]
        .map(String::from),
    );
    let of_rows = |n: &&&str| {
        ["table_", "stated_", "other_"].iter().any(|p| n.starts_with(p)) && !WATCHED.contains(*n)
    };
    names.extend(present.iter().filter(of_rows).map(|n| (*n).to_owned()));
    names.extend(WATCHED.iter().filter(|n| present.contains(**n)).map(|n| (*n).to_owned()));
    names
}
