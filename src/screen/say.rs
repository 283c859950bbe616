//! What commands print, and how paths and times are written there.

use std::io::IsTerminal;

/// The present local time as a name for a file: `2025-03-01_14-05-09`.
pub(crate) fn now_as_name() -> String {
    jiff::ZonedDateTime::now().strftime("%Y-%m-%d_%H-%M-%S").to_string()
}

/// Prints a result. A terminal that has gone is no reason to fail.
pub(crate) fn say(text: &str) {
    super::out::result(text);
}

/// Columns of the terminal; where standard output is none, `COLUMNS`, or enough.
pub(crate) fn width() -> u16 {
    let terminal = std::io::stdout().is_terminal();
    let stated = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
    if terminal { wide(comfy_table::Table::new().width()) } else { stated().unwrap_or(100) }
}

/// What a terminal says of its width: some say 0, as under `script`, and mean that they do not know.
fn wide(reported: Option<u16>) -> u16 {
    reported.filter(|columns| *columns > 0).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_does_not_know_its_width_is_80_wide() {
        assert_eq!((wide(Some(0)), wide(None), wide(Some(132))), (80, 80, 132));
    }
}
