//! What is compared, by which names, and in which order.

use super::commands::CommandLine;
use super::release::{Place, place};
use crate::clean;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Levels of factors, by the factor's name: `batch-size` at `64`.
pub type Levels = BTreeMap<String, String>;

/// What is compared: a framework's script or a command, in a variant, in an environment, at levels of
/// factors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treatment {
    /// The label that is shown and recorded, and names the rows: `torch`, `torch:compile@current`,
    /// `torch[batch-size=64]`, or `torch-control` for an A/A twin.
    pub name: String,
    /// Whose script runs: `<framework>_<workload>.py`.
    pub framework: String,
    /// Which of the script's ways of doing the work; none for its plain one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Which environment it runs in, or which version of the framework: `current`, `2.4.1`; none for the
    /// experiment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// At which levels of the factors that are varied.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: Levels,
    /// The command that runs instead of a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
}

impl Treatment {
    /// A framework's script as it is, called by the framework's name.
    pub fn of(framework: impl Into<String>) -> Treatment {
        let framework = framework.into();
        Treatment { name: framework.clone(), framework, ..Treatment::default() }
    }

    /// A script in a variant, in an environment, at levels, called by all of these.
    pub fn new(
        framework: impl Into<String>,
        variant: Option<String>,
        environment: Option<String>,
        levels: Levels,
    ) -> Treatment {
        let treatment =
            Treatment { variant, environment, levels, ..Treatment::of(framework.into()) };
        Treatment { name: treatment.label(), ..treatment }
    }

    /// `NAME[:VARIANT][@ENVIRONMENT]`, and the levels in brackets.
    fn label(&self) -> String {
        let mut label = self.framework.clone();
        for (sign, part) in [(':', &self.variant), ('@', &self.environment)] {
            if let Some(part) = part {
                label.push(sign);
                label.push_str(part);
            }
        }
        label + &at_levels(&self.levels)
    }

    /// What it is called without its levels: what is ranked within levels.
    pub fn without_levels(&self) -> String {
        self.name.strip_suffix(&at_levels(&self.levels)).unwrap_or(&self.name).to_owned()
    }

    /// The environment that it runs in, as an experiment's records name it: a folder's name, or the framework
    /// at a version (`jax@0.4.30`), whatever the variant. None for the experiment's own.
    pub fn environment_key(&self) -> Option<String> {
        environment_key(&self.framework, self.environment.as_deref())
    }

    /// What names its files: see [`folder_of`].
    pub fn folder(&self) -> String {
        folder_of(&self.name)
    }
}

/// See [`Treatment::environment_key`].
pub fn environment_key(framework: &str, environment: Option<&str>) -> Option<String> {
    let environment = environment?;
    Some(match place(environment) {
        Some(Place::Version { .. }) => format!("{framework}@{environment}"),
        _ => environment.to_owned(),
    })
}

/// `[batch-size=64,threads=2]`; nothing where nothing is varied.
pub fn at_levels(levels: &Levels) -> String {
    if levels.is_empty() {
        return String::new();
    }
    let levels: Vec<String> = levels.iter().map(|(f, level)| format!("{f}={level}")).collect();
    format!("[{}]", levels.join(","))
}

/// How the order within blocks is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Each block in an order of its own, all orders equally likely.
    #[default]
    Random,
    /// Randomised Williams squares (E. J. Williams, Australian Journal of Scientific Research A 2,
    /// 1949, 149–168): over a whole square every treatment ran equally often at every position, and
    /// equally often just after every other treatment of its block.
    Balanced,
}

/// Longest name of a folder or a file, in bytes.
const LONGEST_NAME: usize = 100;

/// Longest name of a treatment's folder: a trial's file adds its block to it.
const LONGEST_FOLDER: usize = LONGEST_NAME - "_4294967295".len();

/// Longest label, in bytes.
const LONGEST_LABEL: usize = 300;

/// Whether `name` can name a folder or a file of an experiment: a word of ASCII letters, digits, `_`,
/// `-`, `@`, `+` and `.` that does not begin with a dot, and not the name of something else there.
pub fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.chars().all(|c| is_plain(c) || c == '+')
        && !name.starts_with('.')
        && !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Whether `label` can be a treatment's: one line that a terminal shows as it is.
pub fn is_label(label: &str) -> bool {
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
pub fn folder_of(label: &str) -> String {
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

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_treatment_is_called_by_what_makes_it() {
        let levels = |of: &[(&str, &str)]| -> Levels {
            of.iter().map(|(f, l)| ((*f).to_owned(), (*l).to_owned())).collect()
        };
        let called = |t: Treatment| (t.name.clone(), t.folder());
        let plain = Treatment::new("torch", None, None, Levels::new());
        assert_eq!(plain, Treatment::of("torch"));
        let all = Treatment::new("torch", some("compile"), some("2.4.1"), Levels::new());
        assert_eq!(called(all), ("torch:compile@2.4.1".into(), "torch+compile@2.4.1".into()));
        let varied = levels(&[("threads", "2"), ("batch-size", "64")]);
        let varied = Treatment::new("jax", None, None, varied);
        assert_eq!(
            called(varied),
            ("jax[batch-size=64,threads=2]".into(), "jax+batch-size-64+threads-2".into())
        );
    }

    #[test]
    fn an_experiment_of_today_is_read_and_written_as_it_was() {
        let text = r#"{"name":"torch-control","framework":"torch"}"#;
        let twin: Treatment = serde_json::from_str(text).unwrap();
        assert_eq!((twin.folder().as_str(), twin.variant.as_ref()), ("torch-control", None));
        assert_eq!(serde_json::to_string(&twin).unwrap(), text);
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
