//! The Python that trains, and the environments that workers would run in.

use super::finding::{Finding, Level, shown};
use crate::Remedy as _;
use crate::env::{
    self, EnvError, EnvProgress, EnvSettings, Environment, Found, Packages, Profile, Source,
};
use crate::worker::protocol::Interpreter;

/// An environment that was looked for.
pub(super) struct Looked {
    pub profile: Profile,
    /// What treatments call it, where it is not the study's own.
    pub called: Option<String>,
    pub found: Result<Found, EnvError>,
    passed_over: Option<String>,
}

/// Looks for an environment; makes none.
pub(super) fn look(settings: &EnvSettings) -> Looked {
    let mut passed_over = None;
    let found = env::find(settings, &mut |event| {
        if let EnvProgress::Rejected { prefix, why } = event {
            passed_over = Some(format!("the active {} is passed over: {why}", shown(&prefix)));
        }
    });
    let called = match &settings.packages {
        Packages::Study => None,
        Packages::Folder(name) | Packages::Version { called: name, .. } => Some(name.clone()),
    };
    Looked { profile: settings.profile, called, found, passed_over }
}

/// The Python that trains, and each environment.
pub(super) fn judge(looked: &[Looked]) -> Vec<Finding> {
    let training = looked.iter().find(|l| l.profile == Profile::Training);
    let mut findings: Vec<Finding> = training.and_then(python).into_iter().collect();
    findings.extend(looked.iter().map(environment));
    findings
}

/// Which Python it is and how it is had; nothing where the environment itself is the trouble.
fn python(looked: &Looked) -> Option<Finding> {
    let new = |level, version: &str, found: String| {
        Finding::new("python", "Python", level, found).with("version", version)
    };
    match looked.found.as_ref().ok()? {
        Found::ToMake { python, version, .. } => {
            Some(new(Level::Ok, version, format!("{version}, {}", shown(python))))
        }
        Found::Ready(environment) => {
            let version = &environment.version;
            Some(match environment.interpreter() {
                Ok(Interpreter { library: Some(library), .. }) => {
                    new(Level::Ok, version, format!("{version}, opened from {}", shown(&library)))
                        .with("libpython", library.display().to_string())
                }
                Ok(Interpreter { executable, library: None }) => {
                    let found = format!(
                        "{version} without shared library: each trial starts {}",
                        shown(&executable)
                    );
                    new(Level::Ok, version, found)
                }
                Err(error) => {
                    let found = error.to_string().replace('\n', " ");
                    let finding = new(Level::Failure, version, found);
                    error.remedy().into_iter().fold(finding, Finding::remedy)
                }
            })
        }
    }
}

fn environment(Looked { profile, called, found, passed_over }: &Looked) -> Finding {
    let (id, title) = match (called, profile) {
        (Some(_), _) => ("environment.named", "Environment"),
        (None, Profile::Training) => ("environment.training", "For training"),
        (None, Profile::Analysis) => ("environment.analysis", "For analysis"),
    };
    let new = |level, found: String| {
        let unnamed = called.iter().find(|name| !found.contains(name.as_str()));
        let found = unnamed.map_or(found.clone(), |name| format!("{name}, {found}"));
        let found = passed_over.iter().fold(found, |found, why| format!("{found}; {why}"));
        Finding::new(id, title, level, found)
    };
    match found {
        Ok(Found::Ready(environment)) => ready(environment, new),
        Ok(Found::ToMake { prefix, packages, why, .. }) => {
            // The experiment makes it by itself, but downloading gigabytes is no calm start; the
            // report's is made when all is measured.
            let (level, size) = match profile {
                Profile::Training => (Level::Warning, "some 8 GB"),
                Profile::Analysis => (Level::Note, "some 0.5 GB"),
            };
            new(level, format!("{why}: {}", shown(prefix)))
                .remedy(format!(
                    "Make it beforehand: {packages} packages as locked, {size}\n  \
                     joulerace env sync {}",
                    called.clone().unwrap_or_else(|| profile.to_string())
                ))
                .with("ready", false)
                .with("packages", *packages)
        }
        Err(EnvError::Differs { prefix, differences, remedy, .. }) => {
            let few: Vec<String> = differences.iter().take(3).map(ToString::to_string).collect();
            let more = differences.len().saturating_sub(few.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let found = format!("{} is not as locked: {}{more}", shown(prefix), few.join("; "));
            new(Level::Failure, found).remedy(remedy.clone()).with("ready", false)
        }
        Err(error) => {
            let found = error.to_string().replace('\n', " ");
            let finding = new(Level::Failure, found).with("ready", false);
            error.remedy().into_iter().fold(finding, Finding::remedy)
        }
    }
}

fn ready(environment: &Environment, new: impl Fn(Level, String) -> Finding) -> Finding {
    let Environment { prefix, version, packages, differences, source, .. } = environment;
    let whose = match source {
        Source::Named => "named",
        Source::Active => "active",
        Source::Own => "own",
    };
    let finding = if differences.is_empty() {
        new(Level::Ok, format!("complete and as locked: {} ({whose})", shown(prefix)))
    } else {
        let found = format!(
            "{} of its packages differ from the lock, as allowed: {}",
            differences.len(),
            shown(prefix)
        );
        new(Level::Warning, found)
            .remedy("Leave --python-env and --allow-unlocked out for the study's own versions")
    };
    finding
        .with("ready", true)
        .with("prefix", prefix.display().to_string())
        .with("python", version.clone())
        .with("packages", packages.len())
        .with("differences", differences.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_that_is_missing_names_the_command_that_makes_it() {
        let found = Ok(Found::ToMake {
            prefix: "/c/envs/t".into(),
            python: "/usr/bin/python3".into(),
            version: "3.11.2".into(),
            packages: 97,
            why: "not made yet",
        });
        let mut looked =
            Looked { profile: Profile::Training, called: None, found, passed_over: None };
        let training = environment(&looked);
        assert_eq!(training.level, Level::Warning);
        assert!(python(&looked).unwrap().found.starts_with("3.11.2"));
        assert!(training.remedy.unwrap().contains("\n  joulerace env sync training"));
        looked.profile = Profile::Analysis;
        looked.passed_over = Some("the active x is not it".into());
        let analysis = environment(&looked);
        assert_eq!(analysis.level, Level::Note);
        assert!(analysis.found.ends_with("the active x is not it"), "{}", analysis.found);
    }

    #[test]
    fn an_environment_that_cannot_be_had_is_a_failure_with_its_remedy_apart() {
        let error = EnvError::LockMissing { path: "/p/poetry.lock".into() };
        let looked = Looked {
            profile: Profile::Training,
            called: None,
            found: Err(error),
            passed_over: None,
        };
        let finding = environment(&looked);
        assert_eq!(finding.level, Level::Failure);
        assert!(finding.found.contains("/p/poetry.lock: no such file"), "{}", finding.found);
        assert!(finding.remedy.unwrap().starts_with("Run joulerace from its repository"));
    }
}
