//! Whether the disk holds what is to be installed.

use super::Order;
use crate::env::{self, EnvError, Found, PinnedLock};
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::prepare::in_background;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Installed packages take about so many times the size of their wheels, compiled modules included; as
/// wheels of JAX and TensorFlow do.
pub(super) const UNPACKED: f64 = 4.0;

/// Compiled modules alone, which every environment has for itself where it shares the rest.
pub(super) const COMPILED: f64 = 0.6;

/// What an environment of the study's frameworks takes, in bytes; CUDA's libraries are most of it.
pub(super) const WITH_CUDA: f64 = 8e9;

/// What one without CUDA takes, in bytes.
pub(super) const WITHOUT_CUDA: f64 = 3e9;

/// Of a lock that says no sizes.
pub(super) const UNKNOWN: f64 = -1.0;

/// What a version's lock would add to the disk, in bytes: packages that another one brings too lie there
/// once. Negative where the index did not say.
pub(super) fn new_bytes(text: &str, weighed: &mut BTreeSet<(String, u64)>) -> f64 {
    let Ok(lock) = PinnedLock::parse(text) else { return UNKNOWN };
    if lock.wheels.is_empty() {
        return UNKNOWN;
    }
    let times = |new: bool| if new { UNPACKED } else { COMPILED };
    lock.wheels.into_iter().map(|wheel| wheel.1 as f64 * times(weighed.insert(wheel))).sum()
}

/// An environment that has to be made, and what that takes.
pub(super) struct Missing {
    called: String,
    prefix: PathBuf,
    bytes: f64,
}

/// Those environments that are not there yet.
pub(super) async fn missing(
    orders: &[Order],
    observer: &dyn Observer,
) -> Result<Vec<Missing>, Error> {
    let mut missing = Vec::new();
    for (key, settings, bytes) in orders {
        let settings = settings.clone();
        let lock = settings.project.join("poetry.lock");
        let found = in_background(move |progress| env::find(&settings, progress), observer).await?;
        if let Found::ToMake { prefix, .. } = found {
            let called = key.clone().unwrap_or_else(|| "the study's".to_owned());
            let bytes = if *bytes < 0.0 { guess(&lock) } else { *bytes };
            missing.push(Missing { called, prefix, bytes });
        }
    }
    Ok(missing)
}

/// What a Poetry lock's environment takes about, in bytes: locks say no sizes.
fn guess(lock: &Path) -> f64 {
    let text = std::fs::read_to_string(lock).unwrap_or_default();
    if text.contains("name = \"nvidia-") { WITH_CUDA } else { WITHOUT_CUDA }
}

/// Says what is going to be installed, and refuses where the disk cannot take it.
pub(super) fn enough_space(missing: &[Missing], observer: &dyn Observer) -> Result<(), Error> {
    let Some(first) = missing.first() else { return Ok(()) };
    let bytes: f64 = missing.iter().map(|one| one.bytes).sum();
    let names: Vec<&str> = missing.iter().map(|one| one.called.as_str()).collect();
    let what = match missing.len() {
        1 => format!("the environment {}", names[0]),
        n => format!("{n} environments ({})", names.join(", ")),
    };
    let there = first.prefix.ancestors().find(|path| path.is_dir());
    let free = there.and_then(|path| fs4::available_space(path).ok());
    let (needed_gb, free_gb) = (bytes / 1e9, free.map(|free| free as f64 / 1e9));
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
        let told = enough_space(&many, &Silent).unwrap_err().to_string();
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
        assert!(new_bytes("", &mut weighed) < 0.0);
    }
}
