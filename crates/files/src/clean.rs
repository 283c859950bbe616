//! Text that came from elsewhere, made safe for where it goes: a terminal, a table that a spreadsheet
//! opens, a folder that is published. Reports and plots are Python's (`python/analysis/files.py`).
//!
//! Names, reasons, commands and columns may come from a stranger's folder or a script's exception. On a
//! terminal an escape sequence moves the cursor or sets the clipboard, a carriage return hides what stood
//! before it, and a direction mark shows another name than the one that is meant; a spreadsheet runs a cell
//! that begins with `=`.

use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;

/// Longest reason that is recorded, in bytes; the whole of it is in the trial's log.
pub(crate) const LONGEST_REASON: usize = 4 << 10;

/// Bytes in hexadecimal digits, two each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Characters that have an effect instead of being shown: controls, direction marks, line and paragraph
/// separators, and what takes no space.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn visible(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) && !kept(c) {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// For a terminal or a log: lines stay lines, everything else that acts is shown as `\u{1b}` and the like.
pub fn lines(text: &str) -> String {
    visible(text, |c| c == '\n' || c == '\t')
}

/// For one line of anything: as [`lines`], and line ends are shown too.
pub fn line(text: &str) -> String {
    visible(text, |_| false)
}

/// For a cell of text in a CSV file: as [`lines`], and what a spreadsheet would run stands behind an
/// apostrophe, which spreadsheets take for "this is text".
pub fn cell(text: &str) -> String {
    let clean = visible(text, |c| c == '\n');
    let runs = clean.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'));
    if runs.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']) {
        format!("'{clean}")
    } else {
        clean
    }
}

/// At most `most` bytes of a text, and a word where more was cut off.
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    const CUT: &str = " … (cut; the log has all of it)";
    let mut end = most.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &text[..end])
}

/// A reason as it is recorded: of bounded length and without the user's home folder.
pub fn reason(text: &str) -> String {
    cut(&private(text), LONGEST_REASON)
}

/// The home folders of this user: `HOME`, and what the system's list of users says.
fn homes() -> &'static [String] {
    static HOMES: OnceLock<Vec<String>> = OnceLock::new();
    HOMES.get_or_init(|| {
        #[cfg(unix)]
        let listed = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        #[cfg(unix)]
        let listed = listed.map(|user| user.dir);
        #[cfg(not(unix))]
        let listed = std::env::var_os("USERPROFILE").map(std::path::PathBuf::from);
        let named = std::env::var_os("HOME").map(std::path::PathBuf::from);
        let mut homes: Vec<String> = named
            .into_iter()
            .chain(listed)
            .filter(|home| home.is_absolute())
            .filter_map(|home| Some(home.to_str()?.trim_end_matches(SEPARATORS).to_owned()))
            .filter(|home| home.len() > 1)
            .collect();
        homes.dedup();
        homes
    })
}

/// What stands between a path's parts.
const SEPARATORS: &[char] = if cfg!(windows) { &['/', '\\'] } else { &['/'] };

/// `text` with this user's home folder, which holds the user's name, written `~` wherever a path begins
/// with it.
pub fn private(text: &str) -> String {
    homes().iter().fold(text.to_owned(), |text, home| without_home(&text, Some(home)))
}

/// A JSON value with [`private`] strings. Names of fields are the program's own and stay.
pub fn private_json(value: Value) -> Value {
    in_strings(value, &|text| private(&text))
}

/// Applies `change` to every string in a JSON value.
pub fn in_strings(value: Value, change: &dyn Fn(String) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.into_iter().map(|item| in_strings(item, change)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, field)| (name, in_strings(field, change))).collect()
        }
        other => other,
    }
}

/// Whether a character may be part of a path's component. What stands before or after a path in a text,
/// such as `=`, `:`, quotes and brackets, is none.
fn in_component(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '+' | '@' | '%')
}

/// `text` with the folder `home` written `~` where a path begins with it: `/root/d` becomes `~/d`, while
/// `/x/root/d` and `/rooted` are other paths and stay.
pub fn without_home(text: &str, home: Option<&str>) -> String {
    let Some(home) =
        home.map(|home| home.trim_end_matches(SEPARATORS)).filter(|home| home.len() > 1)
    else {
        return text.to_owned();
    };
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(home) {
        let (before, found) = rest.split_at(at);
        let after = &found[home.len()..];
        let last = before.chars().next_back().or_else(|| clean.chars().next_back());
        let begins = last.is_none_or(|c| !in_component(c) && !SEPARATORS.contains(&c));
        // `file:///root/d` and `//root/d` are paths of this home as well.
        let begins = begins || slashes_only(before, &clean);
        let ends =
            after.chars().next().is_none_or(|c| !in_component(c) || c == '.' && dot_ends(after));
        clean.push_str(before);
        clean.push_str(if begins && ends { "~" } else { home });
        rest = after;
    }
    clean + rest
}

/// Whether what stands before is nothing but slashes after a colon or nothing: a URL's or a doubled one.
fn slashes_only(before: &str, earlier: &str) -> bool {
    let stripped = before.trim_end_matches('/');
    before.ends_with('/')
        && match stripped.chars().next_back() {
            None => earlier.chars().next_back().is_none_or(|c| !in_component(c) && c != '~'),
            Some(c) => !in_component(c),
        }
}

/// A full stop after a path that ends a sentence.
fn dot_ends(after: &str) -> bool {
    after[1..].chars().next().is_none_or(char::is_whitespace)
}

/// A path as it is shown and recorded: [`private`], on one line.
pub fn path(path: &Path) -> String {
    line(&private(&path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_instead() {
        assert_eq!(lines("a\rb\x1b[2Jc\u{202e}d\u{9b}"), "a\\rb\\u{1b}[2Jc\\u{202e}d\\u{9b}");
        assert_eq!(lines("two\nlines\tänd"), "two\nlines\tänd");
        assert_eq!(line("two\nlines"), "two\\nlines");
    }

    #[test]
    fn a_cell_is_never_run() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\n=1", "'=1", "＝1"] {
            assert!(cell(evil).starts_with('\''), "{evil:?}");
        }
        for good in ["torch", "a=b", "3 - 2", "", "~/x"] {
            assert_eq!(cell(good), good);
        }
        assert_eq!(cell("a\tb\r"), "a\\tb\\r");
    }

    #[test]
    fn a_home_is_matched_by_whole_components_where_a_path_begins() {
        let clean = |text| without_home(text, Some("/root"));
        for (text, wanted) in [
            ("/root", "~"),
            ("/root/d", "~/d"),
            ("--xla_dump_to=/root/x:/root/y", "--xla_dump_to=~/x:~/y"),
            ("file \"/root/a.py\", line 3", "file \"~/a.py\", line 3"),
            ("it lies in /root.", "it lies in ~."),
            ("file:///root/a", "file://~/a"),
            ("/x/root/d", "/x/root/d"),
            ("/rooted", "/rooted"),
            ("/root.old/a", "/root.old/a"),
            ("/root-2", "/root-2"),
            ("/x//root/d", "/x//root/d"),
            ("~/root/a", "~/root/a"),
        ] {
            assert_eq!(clean(text), wanted, "{text}");
        }
        assert_eq!(without_home("/a", Some("/")), "/a");
    }

    proptest! {
        #[test]
        fn any_text_is_cleaned_for_every_output(text in any::<String>(), most in 0usize..200) {
            prop_assert!(!lines(&text).chars().any(|c| acts(c) && c != '\n' && c != '\t'));
            prop_assert!(!line(&text).chars().any(acts));
            let cell = cell(&text);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
            prop_assert!(cut(&text, most).len() <= most.max(text.len().min(most)).max(40));
            let _ = without_home(&text, Some(&text));
        }
    }
}
