//! Whatever a journal holds: its whole lines are read, or the first that is none of ours is named;
//! never a panic. Nothing in it can add to a plan, and what was read can be written and read again.
#![no_main]

use joulerace::plan::{self, Plan, Treatment};
use joulerace::store::journal::{Again, Entry, read_from};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let lines = data.iter().filter(|byte| **byte == b'\n').count();
    let read = match read_from(data) {
        Ok(read) => read,
        Err((line, why)) => return assert!((1..=lines + 1).contains(&line) && !why.is_empty()),
    };
    assert_eq!(read.entries.len(), lines);
    assert_eq!(read.torn.is_some(), data.last().is_some_and(|byte| *byte != b'\n'));

    let names = ["a", "b"].map(Treatment::of);
    let plan = Plan::draw(3, &names, 1);
    let left = plan::remaining(&plan, read.outcomes());
    assert!(left.windows(2).all(|pair| pair[0].run_order < pair[1].run_order));
    let attempts = read.attempts();
    for (name, _) in read.unfinished() {
        assert!(attempts[name.as_str()].begun > 0);
    }
    let asked = plan::remaining(&plan, read.outcomes_with(Again::Failed));
    assert!(asked.len() >= left.len(), "asking for more never runs less");
    let _ = read.ended();

    let mut again = Vec::new();
    // As the journal writes them: however long its words were, every line can be read again.
    for entry in read.entries {
        let entry = Entry { event: entry.event.bounded(), ..entry };
        serde_json::to_writer(&mut again, &entry).expect("an entry can be written");
        again.push(b'\n');
    }
    let reread = read_from(&again[..]).expect("what was written can be read");
    assert_eq!(reread.entries.len(), lines);
});
