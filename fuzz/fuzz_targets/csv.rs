//! Whatever a file of samples holds: it is read and accounted for, or refused with a reason; never
//! a panic, and never a power trace that grows with the file.
//!
//!     mkdir -p fuzz/corpus/csv
//!     RUSTC_BOOTSTRAP=1 cargo fuzz run csv fuzz/corpus/csv fuzz/seeds/csv -- -max_total_time=60

#![no_main]

use std::path::Path;

use joulerace::energy::{Accountant, PowerTrace, Wrapping};
use joulerace::phase::{Edge, Phase, PhaseMark};
use joulerace::samples::{Reader, Row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut reader = match Reader::new(Path::new("fuzzed.csv"), data) {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // The marks lie where the seeds' samples do, so that edges fall before, between and after them.
    let mark = |phase, edge, ms: i64| PhaseMark { phase, edge, unix_ns: ms * 1_000_000 };
    let marks = [
        mark(Phase::Train, Edge::Begin, 1_740_653_207_500),
        mark(Phase::Train, Edge::End, 1_740_653_208_100),
        mark(Phase::Evaluate, Edge::Begin, 1_740_653_208_100),
        mark(Phase::Evaluate, Edge::End, i64::MAX / 1_000_000),
    ];
    let mut accountant = Accountant::new(reader.columns(), &marks, Wrapping::Infer);
    let mut row = Row::default();
    let mut rows = 0u64;
    loop {
        match reader.next_row(&mut row) {
            Ok(true) => {
                assert!(row.time_ms.is_finite() && row.values.iter().all(|v| v.is_finite()));
                accountant.push(row.line, row.time_ms, &row.values);
                rows += 1;
            }
            Ok(false) => break,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
    assert!(rows >= 2, "{rows} rows are no measurement");
    let accounts = accountant.finish();
    assert_eq!(accounts.integrity.samples, rows);
    assert!(accounts.power.watts.len() <= PowerTrace::POINTS);
    let known = accounts.whole.total_j.is_finite();
    assert!(!known || accounts.integrity.reset_count == 0, "a reset was guessed over");
});
