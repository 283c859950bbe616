//! What a counter or a power sensor covers.

use std::fmt;
use std::str::FromStr;

use serde_with::{DeserializeFromStr, SerializeDisplay};

/// A part of the machine whose energy is known.
///
/// Text form (also in JSON and in column names of our tables): `package`, `core`, `uncore`, `dram`,
/// `gpu0`, `system`, `platform`, `estimated`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, SerializeDisplay, DeserializeFromStr,
)]
pub enum Domain {
    /// All processor packages: cores, caches, integrated graphics, memory controller.
    Package,
    /// The cores alone; part of the package.
    Core,
    /// Beside the cores within the package, often the integrated graphics; part of the package.
    Uncore,
    /// The memory modules; not part of the package.
    Dram,
    /// One discrete GPU by its index; not part of the package.
    Gpu(u32),
    /// The whole machine, as Apple's firmware reports it.
    System,
    /// The whole platform (`psys`), which holds the package and more.
    Platform,
    /// The processor, estimated from its busy time; not measured.
    Estimated,
}

impl Domain {
    /// The domains out of `present` whose joules are added up to the total.
    ///
    /// Package, DRAM and every GPU lie beside each other and are added. Where there is no package,
    /// the whole machine stands for all of it; where there is neither, the estimate stands for the
    /// package. Core and uncore are part of the package and the platform holds all of it: none of
    /// the three is ever added. The result is in the order of `present`, without repetition, and
    /// empty where nothing can stand for the machine.
    pub fn in_total(present: &[Domain]) -> Vec<Domain> {
        let has = |d| present.contains(&d);
        let keep = |d: &Domain| match d {
            Domain::Package => true,
            Domain::Dram | Domain::Gpu(_) => has(Domain::Package) || !has(Domain::System),
            Domain::System => !has(Domain::Package),
            Domain::Estimated => !has(Domain::Package) && !has(Domain::System),
            Domain::Core | Domain::Uncore | Domain::Platform => false,
        };
        let mut kept = Vec::new();
        for domain in present.iter().filter(|d| keep(d)) {
            if !kept.contains(domain) {
                kept.push(*domain);
            }
        }
        kept
    }

    /// Mean power in watts above which a reading of this domain is not believed.
    ///
    /// Above what one machine of today can draw, so that a value beyond it is a fault of the counter or
    /// another quantity, not a busy machine:
    ///
    /// - packages: eight sockets of 500 W, the most that AMD (EPYC 9965) and Intel (Xeon 6980P) state;
    /// - DRAM: eight sockets with sixteen modules of some 12 W each;
    /// - one graphics card: 1,400 W are stated of the largest (NVIDIA B300, AMD MI355X);
    /// - a whole machine: 14.3 kW are stated of NVIDIA's DGX B200.
    pub fn plausible_watts(self) -> f64 {
        match self {
            Domain::Package | Domain::Core | Domain::Uncore | Domain::Estimated => 4000.0,
            Domain::Dram => 1500.0,
            Domain::Gpu(_) => 2000.0,
            Domain::System | Domain::Platform => 20_000.0,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Package => f.write_str("package"),
            Domain::Core => f.write_str("core"),
            Domain::Uncore => f.write_str("uncore"),
            Domain::Dram => f.write_str("dram"),
            Domain::Gpu(index) => write!(f, "gpu{index}"),
            Domain::System => f.write_str("system"),
            Domain::Platform => f.write_str("platform"),
            Domain::Estimated => f.write_str("estimated"),
        }
    }
}

/// A text that names no [`Domain`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no energy domain. Known are package, core, uncore, dram, gpu0 (gpu1, …), system, \
     platform and estimated"
)]
pub struct UnknownDomain(pub String);

impl FromStr for Domain {
    type Err = UnknownDomain;

    fn from_str(text: &str) -> Result<Domain, UnknownDomain> {
        Ok(match text {
            "package" => Domain::Package,
            "core" => Domain::Core,
            "uncore" => Domain::Uncore,
            "dram" => Domain::Dram,
            "system" => Domain::System,
            "platform" => Domain::Platform,
            "estimated" => Domain::Estimated,
            _ => text
                .strip_prefix("gpu")
                .and_then(|n| n.parse().ok())
                .map(Domain::Gpu)
                .ok_or_else(|| UnknownDomain(text.to_owned()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Domain::*;

    #[test]
    fn core_uncore_and_platform_are_never_added() {
        let present = [Package, Core, Uncore, Dram, Gpu(0), Gpu(1), Platform];
        assert_eq!(Domain::in_total(&present), [Package, Dram, Gpu(0), Gpu(1)]);
        assert_eq!(Domain::in_total(&[Core, Uncore, Platform]), []);
    }

    #[test]
    fn the_whole_machine_stands_in_only_where_there_is_no_package() {
        assert_eq!(Domain::in_total(&[System]), [System]);
        assert_eq!(Domain::in_total(&[System, Gpu(0)]), [System]);
        assert_eq!(Domain::in_total(&[Package, System, Gpu(0)]), [Package, Gpu(0)]);
    }

    #[test]
    fn an_estimate_is_used_only_where_nothing_measured_the_processor() {
        assert_eq!(Domain::in_total(&[Estimated, Gpu(0)]), [Estimated, Gpu(0)]);
        assert_eq!(Domain::in_total(&[Estimated, Package]), [Package]);
    }

    #[test]
    fn names_survive_json_as_values_and_as_keys() {
        let map = std::collections::BTreeMap::from([(Package, 1.0), (Gpu(3), 2.0)]);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"{"package":1.0,"gpu3":2.0}"#);
        let back: std::collections::BTreeMap<Domain, f64> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, map);
        assert!(serde_json::from_str::<Domain>("\"gpux\"").is_err());
    }
}
