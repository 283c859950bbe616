//! `--columns`: which column of a table holds what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A unit of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Microjoules.
    MicroJoules,
    /// Millijoules.
    MilliJoules,
    Joules,
    /// Kilojoules.
    KiloJoules,
    /// Watt-hours, 3600 J.
    WattHours,
    /// Kilowatt-hours, 3.6 MJ.
    KiloWattHours,
}

impl Unit {
    /// Joules in one of it.
    pub(crate) fn joules(self) -> f64 {
        match self {
            Unit::MicroJoules => 1e-6,
            Unit::MilliJoules => 1e-3,
            Unit::Joules => 1.0,
            Unit::KiloJoules => 1e3,
            Unit::WattHours => 3600.0,
            Unit::KiloWattHours => 3.6e6,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::MicroJoules => "uJ",
            Unit::MilliJoules => "mJ",
            Unit::Joules => "J",
            Unit::KiloJoules => "kJ",
            Unit::WattHours => "Wh",
            Unit::KiloWattHours => "kWh",
        })
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Unit, String> {
        Ok(match text {
            "uJ" | "µJ" => Unit::MicroJoules,
            "mJ" => Unit::MilliJoules,
            "J" => Unit::Joules,
            "kJ" => Unit::KiloJoules,
            "Wh" => Unit::WattHours,
            "kWh" | "KWh" => Unit::KiloWattHours,
            other => return Err(format!("unit={other}: expected uJ, mJ, J, kJ, Wh or kWh")),
        })
    }
}

/// What `--columns` names; what it does not name is guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// What is compared; several are joined. `@folder` and `@file` stand for the table's own.
    pub group: Vec<String>,
    /// The total energy.
    pub energy: Option<String>,
    /// Its unit, and that of the parts.
    pub unit: Option<Unit>,
    /// The run's duration.
    pub time: Option<String>,
    /// What repeats over the groups; several are joined.
    pub block: Vec<String>,
    /// When the run began.
    pub start: Option<String>,
    /// The processor's energy, the memory's and the graphics card's.
    pub parts: Vec<(Part, String)>,
    /// The version of what measured.
    pub version: Option<String>,
    pub machine: Option<String>,
}

/// A part of the machine that has a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Processor.
    Cpu,
    /// Memory.
    Ram,
    /// Graphics card.
    Gpu,
}

const KEYS: &str = "group, energy, unit, time, block, start, cpu, ram, gpu, version, machine";

impl FromStr for Columns {
    type Err = String;

    fn from_str(text: &str) -> Result<Columns, String> {
        let mut columns = Columns::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let Some((key, name)) = pair.split_once('=').filter(|(_, name)| !name.is_empty())
            else {
                return Err(format!("expected KEY=COLUMN, not '{pair}'; the keys are {KEYS}"));
            };
            let one = || Some(name.to_owned());
            let several = || name.split('+').map(str::to_owned).collect::<Vec<_>>();
            match key.trim() {
                "group" => columns.group = several(),
                "energy" => columns.energy = one(),
                "unit" => columns.unit = Some(name.parse()?),
                "time" => columns.time = one(),
                "block" => columns.block = several(),
                "start" => columns.start = one(),
                "cpu" => columns.parts.push((Part::Cpu, name.to_owned())),
                "ram" => columns.parts.push((Part::Ram, name.to_owned())),
                "gpu" => columns.parts.push((Part::Gpu, name.to_owned())),
                "version" => columns.version = one(),
                "machine" => columns.machine = one(),
                other => return Err(format!("there is no key '{other}'; the keys are {KEYS}")),
            }
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_columns_and_a_wrong_one_is_told_with_those_that_there_are() {
        let found: Columns = "group=lang+opt, energy=pkg,unit=Wh,time=s,cpu=c".parse().unwrap();
        assert_eq!(found.group, ["lang", "opt"]);
        assert_eq!((found.energy.as_deref(), found.unit), (Some("pkg"), Some(Unit::WattHours)));
        assert_eq!(found.parts, [(Part::Cpu, "c".to_owned())]);
        for bad in ["grup=a", "group", "group=", "unit=cal"] {
            let told = bad.parse::<Columns>().unwrap_err();
            assert!(told.contains("group") || told.contains("kWh"), "{told}");
        }
    }

    #[test]
    fn units_are_those_of_physics() {
        for (text, joules) in [("J", 1.0), ("Wh", 3600.0), ("kWh", 3_600_000.0), ("mJ", 0.001)] {
            assert_eq!(text.parse::<Unit>().unwrap().joules(), joules);
        }
    }
}
