//! Which columns carry energy or power, and what they cover.
//!
//! Names as EnergiBridge 0.0.7 writes them (`src/cpu/{amd,intel,apple}.rs`, `src/gpu/{nvidia,apple}.rs`
//! of its sources), and as our own meters do:
//!
//! | column | domain |
//! |---|---|
//! | `PACKAGE_ENERGY (J)` (Intel), `CPU_ENERGY (J)` (AMD) | package |
//! | `CPU_POWER (Watts)` (Apple) | package, a power |
//! | `PP0_ENERGY (J)` (Intel), `CORE<n>_ENERGY (J)` (AMD, added up) | core |
//! | `PP1_ENERGY (J)` | uncore |
//! | `DRAM_ENERGY (J)` | dram |
//! | `GPU<n>_ENERGY (J)`, `GPU<n>_POWER (mWatts)`, `GPU_POWER (Watts)` | gpu |
//! | `SYSTEM_POWER (Watts)` (Apple) | system, a power |
//! | `PSYS_ENERGY (J)`, `PLATFORM_ENERGY (J)` | platform |
//! | `ESTIMATED_CPU_ENERGY (J)` (ours) | estimated |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::domain::Domain;
use super::error::Fault;

/// What a column's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// Energy since some unknown start; differences count, and it may wrap.
    Counter,
    /// Power at the instant of the sample; it is integrated over time.
    Power,
}

/// One column that carries energy or power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the header, as written there.
    pub name: String,
    /// What it covers.
    pub domain: Domain,
    /// Counter or power.
    pub quantity: Quantity,
    /// Factor from the column's unit to joules or watts.
    pub scale: f64,
    /// Where it stands in a row, from 0.
    pub index: usize,
}

/// Where in a row the time and the energy stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Index of `Time`.
    pub time: usize,
    /// Index of `Delta`, where there is one.
    pub delta: Option<usize>,
    /// Whether the names stand as EnergiBridge writes them: `Delta`, `Time`, and then sorted.
    pub sorted: bool,
    /// Number of fields that every row has.
    pub width: usize,
    /// The columns that are read, in the header's order.
    pub columns: Vec<Column>,
}

impl Layout {
    /// Finds the columns of a header by name, in any order.
    ///
    /// Where several columns cover one domain, a counter wins over a power, and Intel's one core
    /// counter over a column per core, so that nothing is counted twice; AMD's counters per core are
    /// all kept, to be added up.
    ///
    /// # Errors
    ///
    /// [`Fault::NoTime`], [`Fault::NoEnergy`] where no column can stand for the machine's energy (core
    /// counters alone cannot), and [`Fault::DuplicateColumn`] where a needed name occurs twice.
    pub fn of(names: &[String]) -> Result<Layout, Fault> {
        let names: Vec<&str> = names.iter().map(|n| n.trim()).collect();
        let time = names.iter().position(|n| *n == "Time").ok_or(Fault::NoTime)?;
        if names.iter().filter(|n| **n == "Time").count() > 1 {
            return Err(Fault::DuplicateColumn { column: "Time".into() });
        }
        let mut best: BTreeMap<Domain, u8> = BTreeMap::new();
        let mut found = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let Some((domain, quantity, scale, rank)) = meaning(name) else { continue };
            if found.iter().any(|(c, _): &(Column, u8)| c.name == *name) {
                return Err(Fault::DuplicateColumn { column: (*name).into() });
            }
            let least = best.entry(domain).or_insert(rank);
            *least = rank.min(*least);
            found.push((Column { name: (*name).into(), domain, quantity, scale, index }, rank));
        }
        let columns: Vec<Column> = found
            .into_iter()
            .filter(|(c, rank)| best[&c.domain] == *rank)
            .map(|(c, _)| c)
            .collect();
        let domains: Vec<Domain> = columns.iter().map(|c| c.domain).collect();
        if Domain::in_total(&domains).is_empty() {
            return Err(Fault::NoEnergy { partial: columns.into_iter().map(|c| c.name).collect() });
        }
        let delta = names.iter().position(|n| *n == "Delta");
        let sorted = names.starts_with(&["Delta", "Time"]) && names[2..].is_sorted();
        Ok(Layout { time, delta, sorted, width: names.len(), columns })
    }
}

/// What a column of this name covers; `None` where it carries no energy.
pub(crate) fn domain_of(name: &str) -> Option<Domain> {
    meaning(name.trim()).map(|(domain, ..)| domain)
}

/// What a column's name says: domain, quantity, factor to joules or watts, and rank among the
/// columns of its domain (the lowest is used). `None` where it carries no energy.
fn meaning(name: &str) -> Option<(Domain, Quantity, f64, u8)> {
    let (stem, unit) = name.strip_suffix(')')?.split_once(" (")?;
    let (part, quantity) = if let Some(part) = stem.strip_suffix("_ENERGY") {
        (part, Quantity::Counter)
    } else {
        (stem.strip_suffix("_POWER")?, Quantity::Power)
    };
    let scale = match (quantity, unit) {
        (Quantity::Counter, "J") | (Quantity::Power, "Watts" | "W") => 1.0,
        (Quantity::Counter, "mJ") | (Quantity::Power, "mWatts" | "mW") => 1e-3,
        (Quantity::Counter, "uJ") | (Quantity::Power, "uWatts" | "uW") => 1e-6,
        _ => return None,
    };
    let (domain, rank) = match part {
        "PACKAGE" => (Domain::Package, 0),
        "CPU" => (Domain::Package, 1),
        "PP0" | "CORE" => (Domain::Core, 0),
        "PP1" => (Domain::Uncore, 0),
        "DRAM" => (Domain::Dram, 0),
        "GPU" => (Domain::Gpu(0), 1),
        "SYSTEM" => (Domain::System, 0),
        "PLATFORM" => (Domain::Platform, 0),
        "PSYS" => (Domain::Platform, 1),
        "ESTIMATED_CPU" => (Domain::Estimated, 0),
        _ => {
            if let Some(n) = part.strip_prefix("CORE") {
                n.parse::<u32>().ok()?;
                (Domain::Core, 1)
            } else {
                (Domain::Gpu(part.strip_prefix("GPU")?.parse().ok()?), 0)
            }
        }
    };
    // A counter of any rank is better than a power: it misses nothing between two samples.
    let rank = if quantity == Quantity::Counter { rank } else { rank + 10 };
    Some((domain, quantity, scale, rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(header: &str) -> Result<Layout, Fault> {
        Layout::of(&header.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    fn names(header: &str) -> Vec<String> {
        layout(header).unwrap().columns.into_iter().map(|c| c.name).collect()
    }

    #[test]
    fn columns_are_found_in_any_order() {
        let there = layout("Delta,Time,CPU_USAGE_0,PACKAGE_ENERGY (J)").unwrap();
        assert_eq!((there.time, there.columns[0].index), (1, 3));
        let back = layout("PACKAGE_ENERGY (J),USED_SWAP,Time").unwrap();
        assert_eq!((back.time, back.columns[0].index), (2, 0));
    }

    #[test]
    fn a_domain_that_several_columns_cover_is_counted_once() {
        assert_eq!(names("Time,GPU0_ENERGY (J),GPU0_POWER (mWatts)"), ["GPU0_ENERGY (J)"]);
        assert_eq!(names("Time,CPU_ENERGY (J),CPU_POWER (Watts)"), ["CPU_ENERGY (J)"]);
        assert_eq!(
            names("Time,CPU_ENERGY (J),CORE0_ENERGY (J),CORE11_ENERGY (J)"),
            ["CPU_ENERGY (J)", "CORE0_ENERGY (J)", "CORE11_ENERGY (J)"]
        );
        assert_eq!(
            names("Time,PACKAGE_ENERGY (J),PP0_ENERGY (J),CORE0_ENERGY (J)"),
            ["PACKAGE_ENERGY (J)", "PP0_ENERGY (J)"]
        );
    }

    #[test]
    fn units_are_brought_to_joules_and_watts() {
        let found = layout("Time,GPU1_POWER (mWatts),SYSTEM_POWER (Watts)").unwrap();
        assert_eq!(found.columns[0].scale, 1e-3);
        assert_eq!(found.columns[0].domain, Domain::Gpu(1));
        assert_eq!(found.columns[1].scale, 1.0);
        assert_eq!(found.columns[1].quantity, Quantity::Power);
    }

    #[test]
    fn a_header_without_what_is_needed_says_what_is_missing() {
        assert!(matches!(layout("Delta,CPU_ENERGY (J)"), Err(Fault::NoTime)));
        assert!(matches!(layout("Delta,Time,CPU_USAGE_0"), Err(Fault::NoEnergy { .. })));
        let Err(Fault::NoEnergy { partial }) = layout("Time,CORE0_ENERGY (J)") else { panic!() };
        assert_eq!(partial, ["CORE0_ENERGY (J)"]);
        assert!(matches!(
            layout("Time,CPU_ENERGY (J),CPU_ENERGY (J)"),
            Err(Fault::DuplicateColumn { .. })
        ));
    }
}
