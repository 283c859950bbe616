//! What treatments, environments and files of an experiment may be called.

use crate::clean;
use sha2::{Digest, Sha256};

/// Longest name of a folder or a file, in bytes.
const LONGEST_NAME: usize = 100;

/// Longest name of a treatment's folder: a trial's file adds its block to it.
const LONGEST_FOLDER: usize = LONGEST_NAME - "_4294967295".len();

/// Longest label, in bytes.
const LONGEST_LABEL: usize = 300;

/// Whether `name` can name a folder or a file of an experiment: a word of ASCII letters, digits, `_`,
/// `-`, `@`, `+` and `.` that does not begin with a dot, and not the name of something else there.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.chars().all(|c| is_plain(c) || c == '+')
        && !name.starts_with('.')
        && !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Whether `label` can be a treatment's: one line that a terminal shows as it is.
pub(crate) fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.trim() == label
        && clean::line(label) == label
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '.')
}

/// The folder's name that goes with a label, the same for ever: `torch+compile@2.4.1` for
/// `torch:compile@2.4.1`, `torch+batch-size-64` for `torch[batch-size=64]`. It keeps to what every file
/// system takes; a label that needs more than that gets eight digits of its SHA-256, so that labels that
/// differ do not end in one folder.
pub(crate) fn folder_of(label: &str) -> String {
    let mut lossy = false;
    let mut folder = String::with_capacity(label.len());
    for c in label.chars() {
        match c {
            c if is_plain(c) => folder.push(c),
            ':' | '[' | ',' => folder.push('+'),
            '=' => folder.push('-'),
            ']' => {}
            _ => {
                lossy = true;
                folder.push('-');
            }
        }
    }
    let device = folder.split('.').next().unwrap_or_default();
    let taken = |names: &[&str], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    if folder.starts_with('.') || taken(&RESERVED, &folder) || taken(&DEVICES, device) {
        lossy = true;
        folder.insert(0, '_');
    }
    if !lossy && !folder.ends_with('.') && (1..=LONGEST_FOLDER).contains(&folder.len()) {
        return folder;
    }
    let digits = &clean::hex(&Sha256::digest(label.as_bytes()))[..8];
    // All ASCII by now.
    folder.truncate(LONGEST_FOLDER - digits.len() - 1);
    format!("{folder}-{digits}")
}

/// Names in an experiment's folder that are taken, and those that a treatment's own folder uses. Without
/// regard to case: some file systems have none.
const RESERVED: [&str; 13] = [
    "analysis",
    "pauses",
    "locks",
    "experiment.json",
    "journal.jsonl",
    "journal.jsonl.torn",
    "trials.csv",
    "failed",
    "interrupted",
    "damaged",
    "moved",
    "shards",
    "study.json",
];

/// Windows keeps these for devices, with any ending.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_leave_the_folder_is_no_name() {
        for name in ["torch", "torch-control", "torch@current", "a.b", "torch+compile_0"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", ".", "..", "../x", "a/b", "/etc", ".git", "a b", "a\0", "ä", "analysis", "Pauses",
            "failed", "locks",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn what_a_file_system_keeps_for_itself_is_no_folder() {
        for label in ["con", "NUL.x", "analysis", "Locks", "..", "a/b", "../x", "a ", "x.", "ä", ""]
        {
            let folder = folder_of(label);
            assert!(is_name(&folder) && folder != label, "{label:?}: {folder}");
            assert!(!folder.ends_with('.'), "{folder}");
        }
        assert_ne!(folder_of("ä"), folder_of("ö"));
        assert_ne!(folder_of("torch+compile"), folder_of("torch:compile"));
    }

    proptest! {
        /// Whatever a label holds, its folder is a name, the names of its files too, and it stays the same
        /// where a name of today could be one.
        #[test]
        fn every_label_has_a_folder(label in "\\PC{0,120}", plain in "[a-z][a-z0-9_@-]{0,60}") {
            let folder = folder_of(&label);
            prop_assert!(is_name(&folder) && is_name(&format!("{folder}_4294967295")), "{}", folder);
            prop_assert!(!DEVICES.iter().any(|d| folder.eq_ignore_ascii_case(d)));
            let taken = RESERVED.contains(&plain.as_str()) || DEVICES.contains(&plain.as_str());
            prop_assert!(taken || folder_of(&plain) == plain);
        }
    }
}
