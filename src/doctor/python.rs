//! The Python that is embedded, and the environments that workers would run in.

use super::finding::{Finding, Level, shown, split};
use crate::env::{self, EnvError, EnvEvent, EnvSettings, Environment, Found, Profile, Source};
use crate::worker::{BUILT_FOR, PYTHON_VERSION};
use std::path::{Path, PathBuf};

/// An environment that was looked for.
pub(super) struct Looked {
    pub profile: Profile,
    pub found: Result<Found, EnvError>,
    passed_over: Option<String>,
}

/// Looks for an environment; makes none.
pub(super) fn look(settings: &EnvSettings) -> Looked {
    let mut passed_over = None;
    let found = env::find(settings, &mut |event| {
        if let EnvEvent::Rejected { prefix, why } = event {
            passed_over = Some(format!("the active {} is passed over: {why}", shown(&prefix)));
        }
    });
    Looked { profile: settings.profile, found, passed_over }
}

/// The embedded Python, and each environment.
pub(super) fn judge(looked: &[Looked]) -> Vec<Finding> {
    let mut findings = vec![embedded(Path::new(BUILT_FOR).exists(), library().as_deref())];
    findings.extend(looked.iter().map(environment));
    findings
}

/// The library that this process has loaded, where the kernel tells.
fn library() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path =
        maps.lines().find_map(|line| line.find('/').map(|at| &line[at..]).filter(is_libpython))?;
    Some(path.into())
}

fn is_libpython(path: &&str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with("libpython"))
}

fn embedded(interpreter_exists: bool, library: Option<&Path>) -> Finding {
    let new = |level, found: String| {
        Finding::new("python", "Python", level, found)
            .with("version", PYTHON_VERSION)
            .with("built_for", BUILT_FOR)
            .with("libpython", library.map(|path| path.display().to_string()))
    };
    if !interpreter_exists {
        return new(
            Level::Failure,
            format!("built for {BUILT_FOR} (Python {PYTHON_VERSION}), which is gone"),
        )
        .remedy(format!(
            "Build again with one that is there\n  \
             PYO3_PYTHON=/path/to/python{PYTHON_VERSION} cargo build --release"
        ));
    }
    match library {
        Some(library) => {
            new(Level::Ok, format!("{PYTHON_VERSION}, embedded from {}", shown(library)))
        }
        None => new(
            Level::Unknown,
            format!("{PYTHON_VERSION} of {BUILT_FOR}; which library is loaded cannot be told here"),
        ),
    }
}

fn environment(Looked { profile, found, passed_over }: &Looked) -> Finding {
    let (id, title) = match profile {
        Profile::Training => ("environment.training", "For training"),
        Profile::Analysis => ("environment.analysis", "For analysis"),
    };
    let new = |level, found: String| {
        let found = passed_over.iter().fold(found, |found, why| format!("{found}; {why}"));
        Finding::new(id, title, level, found)
    };
    match found {
        Ok(Found::Ready(environment)) => ready(environment, new),
        Ok(Found::ToMake { prefix, packages, why }) => {
            // The experiment makes it by itself, but downloading gigabytes is no calm start; the
            // report's is made when all is measured.
            let (level, size) = match profile {
                Profile::Training => (Level::Warning, "some 8 GB"),
                Profile::Analysis => (Level::Note, "some 0.5 GB"),
            };
            new(level, format!("{why}: {}", shown(prefix)))
                .remedy(format!(
                    "Make it beforehand: {packages} packages as locked, {size}\n  \
                     joulerace env sync {profile}"
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
            let (found, remedy) = split(&error.to_string());
            let finding = new(Level::Failure, found).with("ready", false);
            match remedy {
                Some(remedy) => finding.remedy(remedy),
                None => finding,
            }
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
        let found =
            Ok(Found::ToMake { prefix: "/c/envs/t".into(), packages: 97, why: "not made yet" });
        let mut looked = Looked { profile: Profile::Training, found, passed_over: None };
        let training = environment(&looked);
        assert_eq!(training.level, Level::Warning);
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
        let looked = Looked { profile: Profile::Training, found: Err(error), passed_over: None };
        let finding = environment(&looked);
        assert_eq!(finding.level, Level::Failure);
        assert!(finding.found.contains("/p/poetry.lock: no such file"), "{}", finding.found);
        assert!(finding.remedy.unwrap().starts_with("Run joulerace from its repository"));
    }

    #[test]
    fn a_python_that_is_gone_is_a_failure_and_a_library_that_is_not_seen_unknown() {
        let library = Some(Path::new("/lib/libpython3.11.so.1.0"));
        assert_eq!(embedded(true, library).level, Level::Ok);
        assert_eq!(embedded(true, None).level, Level::Unknown);
        assert_eq!(embedded(false, library).level, Level::Failure);
    }
}
