//! What a terminal can show: colours, and letters beyond ASCII.

use std::borrow::Cow;
use std::io::IsTerminal;

/// Whether colours may go there: to a terminal, unless `NO_COLOR` is set. `CLICOLOR_FORCE` has them
/// everywhere.
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR")
        && (stream.is_terminal() || set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0"))
}

fn is(name: &str, value: &str) -> bool {
    std::env::var_os(name).is_some_and(|found| found == value)
}

/// `text` in letters that the locale has: as it is, or in ASCII where the locale says that it knows
/// no UTF-8. Where no locale is set, as in most containers, terminals show UTF-8 all the same.
pub(crate) fn fitting(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || knows_utf8(|name| std::env::var(name).ok()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(ascii(text))
}

/// The first of these that is set decides, as in setlocale(3).
fn knows_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
    let Some(locale) = locale else { return true };
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The nearest in ASCII. Most are as wide as what they stand for, so that tables keep their columns.
pub(crate) fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_ascii() => plain.push(letter),
            '–' | '−' | '─' | '╌' | '·' => plain.push('-'),
            '═' => plain.push('='),
            '│' | '┆' => plain.push('|'),
            '┼' | '╪' | '┬' | '┴' => plain.push('+'),
            '×' => plain.push('x'),
            'µ' | 'μ' => plain.push('u'),
            '✓' => plain.push('+'),
            '✗' => plain.push('x'),
            '±' => plain.push('~'),
            '→' => plain.push('>'),
            '…' => plain.push_str("..."),
            '°' => plain.push(' '),
            'α' => plain.push('a'),
            'δ' => plain.push('d'),
            '≥' => plain.push_str(">="),
            '≤' => plain.push_str("<="),
            '’' | '‘' => plain.push('\''),
            '“' | '”' => plain.push('"'),
            '₂' | '²' => plain.push('2'),
            _ => plain.push('?'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_says_what_letters_there_are() {
        let with = |list: &'static [(&str, &str)]| {
            knows_utf8(|name| {
                list.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(with(&[]));
        assert!(with(&[("LANG", "de_DE.UTF-8")]));
        assert!(with(&[("LC_ALL", ""), ("LANG", "C.utf8")]));
        assert!(!with(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(!with(&[("LANG", "POSIX")]));
    }

    #[test]
    fn what_is_drawn_and_measured_stays_readable_in_ascii() {
        assert_eq!(ascii("12.0 ± 2.0 µJ · 3 × 2 – …"), "12.0 ~ 2.0 uJ - 3 x 2 - ...");
        assert_eq!(ascii("── ✓ → −1.2"), "-- + > -1.2");
    }
}
