//! Tables of results with a run in each row, as studies publish them: CodeCarbon's `emissions.csv`,
//! experiment-runner's `run_table.csv`, and tables of one's own. A row becomes a trial like any other.

mod columns;
mod copies;
mod guess;
mod possible;
mod read;
mod row;
mod sheet;

pub(crate) use columns::Columns;
pub(crate) use read::{find, is_table, runs};
pub(crate) use row::{TableRow, Tabled};

use serde::{Deserialize, Serialize};

/// Who wrote a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// CodeCarbon: kilowatt-hours of processor, memory and graphics card.
    CodeCarbon,
    /// experiment-runner: factors, then what profilers measured.
    ExperimentRunner,
    /// Anybody.
    Own,
}

impl Kind {
    /// The name of what wrote it; `None` where that is not known.
    pub(crate) fn tool(self) -> Option<&'static str> {
        match self {
            Kind::CodeCarbon => Some("CodeCarbon"),
            Kind::ExperimentRunner => Some("experiment-runner"),
            Kind::Own => None,
        }
    }
}
