//! Whatever text comes from elsewhere: cleaned for a terminal it does not act, in a cell it is not run, cut
//! it is no longer than it may be, and a home folder is taken out of paths that begin with it alone.
#![no_main]

use joulerace::clean;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let lines = clean::lines(&text);
    assert!(lines.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
    assert_eq!(clean::lines(&lines), lines, "clean text stays as it is");
    let line = clean::line(&text);
    assert!(line.chars().all(|c| !c.is_control()));
    let cell = clean::cell(&text);
    assert!(!cell.trim_start().starts_with(['=', '+', '-', '@']));
    for most in [40, 64, 4096] {
        assert!(clean::cut(&text, most).len() <= most.max(text.len().min(most)));
    }
    let home = "/home/ann";
    let without = clean::without_home(&text, Some(home));
    assert_eq!(clean::without_home(&without, Some(home)), without);
    if !text.contains(home) {
        assert_eq!(without, text);
    }
});
