//! Whether the disk holds what is to be installed.

use super::Needed;
use crate::env::{self, EnvError, EnvProgress, Found, PinnedLock, Profile, room};
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::paths::Project;
use crate::prepare::{env_settings, in_background};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Size of installed packages over that of their wheels, compiled modules included, as seen with JAX and
/// TensorFlow.
pub(super) const UNPACKED: f64 = 4.0;

/// The same of CUDA's and PyTorch's, which are compiled libraries: in the study's environment `torch` takes
/// 2.1 times its wheel, CUDA's less.
const LIBRARIES: f64 = 2.1;

/// Compiled modules alone, which every environment has for itself where it shares the rest.
pub(super) const COMPILED: f64 = 0.6;

/// The same for libraries, which hold little Python.
const LIBRARIES_COMPILED: f64 = 0.15;

/// Of a lock that says no sizes.
pub(super) const UNKNOWN: f64 = -1.0;

/// What a version's lock would add to the disk, in bytes: packages that another one brings too lie there
/// once. Negative where the index did not say.
pub(super) fn new_bytes(text: &str, weighed: &mut BTreeSet<(String, u64)>) -> f64 {
    let Ok(lock) = PinnedLock::parse(text) else { return UNKNOWN };
    if lock.wheels.is_empty() {
        return UNKNOWN;
    }
    let bytes = |wheel: (String, u64)| {
        let libraries = wheel.0 == "torch" || wheel.0.starts_with("nvidia-");
        let (size, (unpacked, compiled)) = match libraries {
            true => (wheel.1 as f64, (LIBRARIES, LIBRARIES_COMPILED)),
            false => (wheel.1 as f64, (UNPACKED, COMPILED)),
        };
        size * if weighed.insert(wheel) { unpacked } else { compiled }
    };
    lock.wheels.into_iter().map(bytes).sum()
}

/// An environment that has to be made, and what that takes.
pub(super) struct Missing {
    called: String,
    prefix: PathBuf,
    bytes: f64,
}

/// Those environments that are not there yet.
pub(super) async fn missing(
    needed: &[Needed],
    observer: &dyn Observer,
) -> Result<Vec<Missing>, Error> {
    let mut missing = Vec::new();
    for (key, settings, bytes) in needed {
        let settings = settings.clone();
        let whose = settings.whose();
        let about = room::about(&settings);
        let found = in_background(move |progress| env::find(&settings, progress), observer).await?;
        if let Found::ToMake { prefix, .. } = found {
            let called = key.clone().unwrap_or(whose);
            let bytes = if *bytes < 0.0 { about } else { *bytes };
            missing.push(Missing { called, prefix, bytes });
        }
    }
    Ok(missing)
}

/// The environment of the analysis that follows, where it has to be made. What else may be wrong with it is told
/// when it is: trials do without.
pub(super) async fn of_analysis(project: &Project, observer: &dyn Observer) -> Option<Missing> {
    let settings = env_settings(project, Profile::Analysis, None, false);
    let whose = settings.whose();
    let find = move |progress: &mut dyn FnMut(EnvProgress)| env::find(&settings, progress);
    match in_background(find, observer).await {
        Ok(Found::ToMake { prefix, .. }) => {
            Some(Missing { called: whose, prefix, bytes: room::ANALYSIS })
        }
        _ => None,
    }
}

/// Says what is going to be installed, and refuses where the disk cannot take it.
pub(super) fn enough_space(missing: &[Missing], observer: &dyn Observer) -> Result<(), Error> {
    let Some(first) = missing.first() else { return Ok(()) };
    let bytes: f64 = missing.iter().map(|one| one.bytes).sum();
    let names: Vec<&str> = missing.iter().map(|one| one.called.as_str()).collect();
    let what = match missing.len() {
        1 if names[0].starts_with("the ") => names[0].to_owned(),
        1 => format!("the environment {}", names[0]),
        n => {
            let names: Vec<&str> =
                names.iter().map(|name| name.trim_end_matches(" environment")).collect();
            format!("{n} environments ({})", names.join(", "))
        }
    };
    let (needed_gb, free_gb) = (bytes / 1e9, room::free(&first.prefix).map(|free| free / 1e9));
    let path = first.prefix.parent().unwrap_or(&first.prefix).to_owned();
    if let Some(free_gb) = free_gb.filter(|free| *free < needed_gb) {
        return Err(EnvError::TooSmall { path, what, needed_gb, free_gb }.into());
    }
    let free = free_gb.map_or(String::new(), |free| format!(", {free:.0} GB are free"));
    observer.on(&Event::Preparing(&format!(
        "{what} will be made in {}: about {needed_gb:.1} GB{free}, a minute or a few for each",
        crate::clean::path(&path)
    )));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy as _;
    use crate::prepare::environments::versions::Silent;

    fn missing(called: &str, bytes: f64) -> Missing {
        let prefix = std::env::temp_dir().join("joulerace-none").join(called);
        Missing { called: called.to_owned(), prefix, bytes }
    }

    #[test]
    fn a_disk_that_is_too_small_is_told_before_anything_is_installed() {
        enough_space(&[], &Silent).unwrap();
        enough_space(&[missing("jax@0.4.30", 1.0)], &Silent).unwrap();
        let many = [missing("jax@0.4.30", 1.0), missing("torch@2.4.1", 1e18)];
        let told = enough_space(&many, &Silent).unwrap_err().in_line();
        for word in ["2 environments (jax@0.4.30, torch@2.4.1)", "1000000000.0 GB", "env prune"] {
            assert!(told.contains(word), "{word}: {told}");
        }
    }

    #[test]
    fn what_several_versions_bring_is_weighed_once() {
        let lock = |package: &str| {
            format!(
                "# joulerace lock 1\n# asked: {package}==1\n# python: 3.11\n# platform: {}-{}\n\
                 # wheels: {package}=10 numpy=100\n{package}==1 \\\n    --hash=sha256:00\n",
                std::env::consts::OS,
                std::env::consts::ARCH
            )
        };
        let mut weighed = BTreeSet::new();
        assert_eq!(new_bytes(&lock("a"), &mut weighed), 110.0 * UNPACKED);
        let shared = 10.0 * UNPACKED + 100.0 * COMPILED;
        assert_eq!(new_bytes(&lock("b"), &mut weighed), shared);
        let cuda = lock("torch").replace("numpy=100", "nvidia-cublas-cu12=100");
        let whole = 110.0 * LIBRARIES;
        assert_eq!(new_bytes(&cuda, &mut weighed), whole);
        assert!(new_bytes("", &mut weighed) < 0.0);
    }
}
