//! What was found, how bad it is, and what to do about it.

use crate::error::Status;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::Path;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Neither good nor bad for this experiment, but worth knowing.
    Note,
    /// It cannot be found out here; that never counts as good.
    Unknown,
    /// The experiment can run, and its numbers are worse for this.
    Warning,
    /// The experiment cannot run, or measures nothing.
    Failure,
}

impl Level {
    /// As it is shown.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Unknown => "unknown",
            Level::Warning => "warning",
            Level::Failure => "failure",
        }
    }

    /// The status to end with, where this is the worst; none for success. What is unknown ends well:
    /// often nothing can be done about it.
    pub(crate) fn status(self) -> Option<Status> {
        match self {
            Level::Ok | Level::Note | Level::Unknown => None,
            Level::Warning => Some(Status::Warnings),
            Level::Failure => Some(Status::Unfit),
        }
    }
}

/// Findings that are shown together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// What reads the energy.
    Meters,
    /// Python and its environments.
    Software,
    /// The data set and disk space.
    Data,
    /// Processors, supply, virtualisation, graphics card, clock.
    Machine,
    /// Other processes and other experiments.
    Others,
    /// Duration and resolution of the planned experiment.
    Plan,
}

impl Group {
    /// As it is shown.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Group::Meters => "Meters",
            Group::Software => "Python",
            Group::Data => "Data and disk",
            Group::Machine => "Machine",
            Group::Others => "What else runs",
            Group::Plan => "The planned experiment",
        }
    }
}

/// One check's outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Names the check; stable from release to release.
    pub id: &'static str,
    /// Where it is shown.
    pub group: Group,
    /// What was checked, for people.
    pub title: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do, where something can be done. Lines that begin with two spaces are commands.
    pub remedy: Option<String>,
    /// The numbers and words behind it, for programs: each check has its own. Units are in the names.
    pub details: Map<String, Value>,
}

impl Finding {
    /// A finding; `examine` says to which group it belongs.
    pub(crate) fn new(
        id: &'static str,
        title: &'static str,
        level: Level,
        found: impl Into<String>,
    ) -> Finding {
        let (group, details) = (Group::Machine, Map::new());
        Finding { id, group, title, level, found: found.into(), remedy: None, details }
    }

    /// With what to do about it.
    pub(crate) fn remedy(self, remedy: impl Into<String>) -> Finding {
        Finding { remedy: Some(remedy.into()), ..self }
    }

    /// Whether it has a detail of this name that is true.
    pub(super) fn says(&self, name: &str) -> bool {
        self.details.get(name) == Some(&Value::Bool(true))
    }

    /// Whether it has a detail of this name that is known.
    pub(super) fn tells(&self, name: &str) -> bool {
        self.details.get(name).is_some_and(|value| !value.is_null())
    }

    /// With a number or word for programs.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Finding {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// All findings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of this layout.
    pub schema: u32,
    /// joulerace's own version.
    pub version: &'static str,
    /// The worst of all levels.
    pub worst: Level,
    /// How long the checks took, in seconds.
    pub seconds: f64,
    /// In the order in which they are shown.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Version of the layout that `--json` prints.
    pub(crate) const SCHEMA: u32 = 1;

    /// Sums findings up.
    pub(crate) fn new(findings: Vec<Finding>, seconds: f64) -> Report {
        let worst = findings.iter().map(|f| f.level).max().unwrap_or(Level::Ok);
        let version = env!("CARGO_PKG_VERSION");
        Report { schema: Report::SCHEMA, version, worst, seconds, findings }
    }

    /// How many findings are of a level.
    pub(crate) fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// The finding of a check.
    pub fn get(&self, id: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.id == id)
    }
}

/// A path as it is shown: the home folder, which holds the user's name, is written `~`.
pub(super) fn shown(path: &Path) -> String {
    let home = std::env::var("HOME").ok();
    crate::snapshot::without_home(&path.display().to_string(), home.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_how_it_ends_and_the_unknown_ends_well() {
        let of = |levels: &[Level]| {
            let findings = levels.iter().map(|l| Finding::new("x", "X", *l, "")).collect();
            Report::new(findings, 0.0).worst
        };
        assert_eq!(of(&[Level::Ok, Level::Unknown, Level::Note]).status(), None);
        assert_eq!(of(&[Level::Warning, Level::Ok]).status(), Some(Status::Warnings));
        assert_eq!(of(&[Level::Warning, Level::Failure]).status(), Some(Status::Unfit));
        assert_eq!(of(&[]), Level::Ok);
    }
}
