//! What commands print, and how paths and times are written there.

use std::io::IsTerminal;
use std::path::Path;

/// A path as the user may type it: relative to where they are, where it lies below.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    crate::clean::line(&path.strip_prefix(&here).unwrap_or(path).to_string_lossy())
}

/// The present local time as a name for a file: `2025-03-01_14-05-09`.
pub fn now_as_name() -> String {
    jiff::ZonedDateTime::now().strftime("%Y-%m-%d_%H-%M-%S").to_string()
}

/// Prints a result. A terminal that has gone is no reason to fail.
pub fn say(text: &str) {
    super::out::result(text);
}

/// Columns of the terminal, or enough where standard output is none.
pub fn width() -> u16 {
    if std::io::stdout().is_terminal() {
        comfy_table::Table::new().width().unwrap_or(100)
    } else {
        100
    }
}
