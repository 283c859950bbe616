//! Whatever lies in a record's place: it is read or refused, and what was read can be written and read
//! again.
#![no_main]

use joulerace::store::record::TrialRecord;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(record) = serde_json::from_slice::<TrialRecord>(data) else { return };
    let text = serde_json::to_vec(&record).expect("a record can be written");
    // Numbers too large for a float are no numbers, in both directions.
    let _ = serde_json::from_slice::<TrialRecord>(&text);
    let _ = (record.power_w(), record.status.word());
});
