//! Counters that stand still while the processors work.

use std::time::{Duration, Instant};

use crate::meter::machine::Machine;

/// RAPL is updated about every millisecond, also at idle. A counter that shows one value for this
/// long, over this many rows, while the processors work, is frozen.
const STILL_FOR: Duration = Duration::from_millis(500);
const STILL_ROWS: u32 = 3;

/// The same at the very end, where no later row can show it.
pub(super) const STILL_AT_END: Duration = Duration::from_millis(100);

/// Since when, and in how many rows, a counter has shown one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Still {
    value: u64,
    since: Instant,
    rows: u32,
}

impl Still {
    /// Takes in what a counter shows `at` an instant, and says for how long it has been frozen, if it has.
    pub(crate) fn look(
        still: &mut Option<Still>,
        value: u64,
        at: Instant,
        ending: bool,
        machine: &mut Machine,
    ) -> Option<Duration> {
        let fresh = Still { value, since: at, rows: 0 };
        let still = still.get_or_insert(fresh);
        if still.value != value {
            *still = fresh;
            return None;
        }
        still.rows += 1;
        let (least_rows, least) = if ending { (1, STILL_AT_END) } else { (STILL_ROWS, STILL_FOR) };
        let long = at.duration_since(still.since);
        // Where the system does not tell whether the processors worked, they are taken to have.
        let frozen = still.rows >= least_rows
            && long >= least
            && machine.worked_since(still.since, at).unwrap_or(true);
        frozen.then_some(long)
    }
}
