//! Rows that grow longer than the header, when sensors are found after it was written.
//!
//! EnergiBridge sorts its columns by name. What it finds later are temperatures, `CPU_TEMP_<n>`: their
//! fields come where that name sorts, so that what sorts before keeps its place from the left and what
//! sorts after keeps its place from the right.

use super::column::{Column, Layout, Quantity};

/// Where in the order of names the fields are added.
const FOUND_LATER: &str = "CPU_TEMP_";

/// Readings closer together than this say little about power, s.
const SHORTEST_S: f64 = 0.05;

/// Fields that were added.
#[derive(Debug)]
pub(super) struct Late {
    /// The first line with more of them.
    pub line: u64,
    /// How many by now.
    pub more: usize,
}

impl Late {
    /// Where a column's field is in a row that is longer by `more`.
    pub(crate) fn place(column: &Column, more: usize) -> usize {
        if column.name.as_str() > FOUND_LATER { column.index + more } else { column.index }
    }

    /// Whether counting like this is safe: the header is EnergiBridge's, and the values go on from those of
    /// the row before, `seconds` ago, at a power that can be.
    pub(crate) fn goes_on(layout: &Layout, before: &[f64], now: &[f64], seconds: f64) -> bool {
        let mut values = layout.columns.iter().zip(before.iter().zip(now));
        layout.sorted
            && values.all(|(column, (before, now))| {
                let watts = match column.quantity {
                    Quantity::Counter => (now - before) / seconds.max(SHORTEST_S),
                    Quantity::Power => *now,
                };
                // A wrap cannot be told from another field here.
                (0.0..=column.domain.plausible_watts()).contains(&watts)
            })
    }

    /// What there is to tell.
    pub(crate) fn note(&self) -> String {
        format!(
            "from row {} on, rows have up to {} more field(s) than the header (sensors found later); fields \
             are counted from the right",
            self.line, self.more
        )
    }
}
