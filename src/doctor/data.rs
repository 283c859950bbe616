//! The data set, and room for what will be written.

use super::Subject;
use super::finding::{Finding, Level, shown};
use super::python::Looked;
use crate::Remedy as _;
use crate::dataset::{self, Choice, Dataset, DatasetError, Found};
use crate::env::{self, Profile};
use crate::plan::duration::Expected;
use std::path::{Path, PathBuf};

/// What the training environment takes, in bytes, installers included.
const TRAINING_BYTES: u64 = 8_500_000_000;
/// A trial's record and log, and an experiment's report with its plots.
const TRIAL_BYTES: u64 = 50_000;
const REPORT_BYTES: u64 = 20_000_000;

/// Looks at the files and at the disks.
pub(super) fn examine(subject: &Subject<'_>, looked: &[Looked], cpus: usize) -> Vec<Finding> {
    let choice = subject.dataset.name;
    let mut findings = Vec::new();
    if subject.images {
        findings.push(data(choice, &dataset::find(&subject.dataset)));
    }
    let expected = Expected::of(&subject.settings);
    let interval_s = subject.settings.interval.as_secs_f64();
    let needed = results_bytes(&expected, interval_s, cpus);
    findings.push(space("disk.results", "Disk: results", &subject.results, needed));
    let bytes = |looked: &Looked| match (&looked.found, looked.profile) {
        (Ok(env::Found::ToMake { .. }), Profile::Training) => TRAINING_BYTES,
        (Ok(env::Found::ToMake { .. }), Profile::Analysis) => env::room::ANALYSIS as u64,
        _ => 0,
    };
    let to_make: u64 = looked.iter().map(bytes).sum();
    if let Some(settings) = subject.environments.first().filter(|_| to_make > 0) {
        findings.push(space("disk.cache", "Disk: cache", &settings.cache, to_make));
    }
    findings
}

fn data(choice: Choice, found: &Result<Found, DatasetError>) -> Finding {
    let new = |level, found: String| {
        Finding::new("dataset", "Data set", level, found).with("asked", choice.to_string())
    };
    match found {
        Ok(Found::Ready(Dataset { name, dir, warning: None, train_images, .. })) => {
            let what = match name {
                dataset::Name::Mnist => "MNIST as it was published",
                dataset::Name::Digits => "digits, ready-made",
            };
            new(Level::Ok, format!("{what}: {}", shown(dir)))
                .with("dir", dir.display().to_string())
                .with("train_images", *train_images)
        }
        Ok(Found::Ready(Dataset { dir, files, .. })) => {
            let other: Vec<&str> =
                files.iter().filter(|f| !f.published).map(|f| f.name.as_str()).collect();
            let found = format!(
                "{}: {} not as published, but used as it is, and the checksum recorded",
                shown(dir),
                other.join(", ")
            );
            new(Level::Warning, found)
                .remedy("Name a folder with the published files: --data-dir DIR")
                .with("unpublished", other)
        }
        Ok(Found::ToFetch { dir, files, bytes }) => {
            let otherwise = match choice {
                Choice::Auto => "where that fails, digits take its place",
                _ => "where that fails, the experiment does not start",
            };
            let found = format!(
                "{} of MNIST's 4 files not in {}: {:.1} MB are downloaded at the start (whether a \
                 mirror can be reached was not tried); {otherwise}",
                files.len(),
                shown(dir),
                *bytes as f64 / 1e6,
            );
            new(Level::Warning, found)
                .remedy(
                    "Name a folder that holds them: --data-dir DIR; or do without MNIST: \
                     --dataset digits",
                )
                .with("missing", files.clone())
        }
        Ok(Found::ToMake { dir }) => {
            new(Level::Note, format!("digits are made at the start, in {}", shown(dir)))
        }
        Err(error) => {
            let finding = new(Level::Failure, error.to_string().replace('\n', " "));
            error.remedy().into_iter().fold(finding, Finding::remedy)
        }
    }
}

/// What an experiment writes, in bytes: a row of samples holds a time, usage and frequency of each
/// processor, memory and counters, some 14 characters each.
fn results_bytes(expected: &Expected, interval_s: f64, cpus: usize) -> u64 {
    let row = 14 * (2 * cpus as u64 + 10);
    let rows = expected.training_s() / interval_s;
    (rows * row as f64) as u64 + expected.trials as u64 * TRIAL_BYTES + REPORT_BYTES
}

fn space(id: &'static str, title: &'static str, path: &Path, needed: u64) -> Finding {
    let place = existing(path);
    let free = place.as_deref().and_then(|place| fs4::available_space(place).ok());
    room(id, title, place.as_deref().unwrap_or(path), needed, free)
}

/// The folder itself, or the one in which it would be made.
fn existing(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find(|folder| folder.exists()).map(Path::to_owned)
}

fn room(
    id: &'static str,
    title: &'static str,
    place: &Path,
    needed: u64,
    free: Option<u64>,
) -> Finding {
    let place = shown(place);
    let new = |level, found: String| {
        Finding::new(id, title, level, found).with("needed_bytes", needed).with("free_bytes", free)
    };
    let Some(free) = free else {
        return new(Level::Unknown, format!("{place} does not say how much is free"));
    };
    let found = format!("{} free, about {} needed, in {place}", size(free), size(needed));
    let elsewhere = match id {
        "disk.results" => "Free some, or write elsewhere: --output DIR",
        _ => {
            "Free some (joulerace env prune removes environments that no lock needs), or put the cache \
             elsewhere: JOULERACE_CACHE_DIR=DIR"
        }
    };
    match free {
        free if free < needed => new(Level::Failure, found).remedy(elsewhere),
        free if free < 2 * needed => new(Level::Warning, found).remedy(elsewhere),
        _ => new(Level::Ok, found),
    }
}

fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes < 1e9 { format!("{:.0} MB", bytes / 1e6) } else { format!("{:.1} GB", bytes / 1e9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_a_failure_and_hardly_enough_a_warning() {
        let level = |free| room("disk.results", "", Path::new("/r"), 1_000_000, free).level;
        assert_eq!(level(None), Level::Unknown);
        assert_eq!(level(Some(999_999)), Level::Failure);
        assert_eq!(level(Some(1_500_000)), Level::Warning);
        assert_eq!(level(Some(2_000_000)), Level::Ok);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_where_it_would_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results/2025");
        assert_eq!(existing(&path).unwrap(), folder.path());
        assert!(fs4::available_space(folder.path()).unwrap() > 0);
    }

    #[test]
    fn samples_take_more_room_the_more_often_and_the_more_processors() {
        let expected = Expected { trials: 90, pauses_s: 0.0, trial_s: 312.0 };
        let bytes = results_bytes(&expected, 0.2, 8);
        assert!((70_000_000..90_000_000).contains(&bytes), "{bytes}");
        assert!(results_bytes(&expected, 0.01, 8) > 10 * (bytes - REPORT_BYTES));
        assert!(results_bytes(&expected, 0.2, 128) > bytes);
    }

    #[test]
    fn mnist_that_is_missing_names_both_ways_out() {
        let found = Found::ToFetch { dir: "/d".into(), files: vec!["a".into()], bytes: 11_600_000 };
        let auto = data(Choice::Auto, &Ok(found.clone()));
        assert_eq!(auto.level, Level::Warning);
        assert!(auto.found.contains("digits take its place"), "{}", auto.found);
        let remedy = auto.remedy.unwrap();
        assert!(remedy.contains("--data-dir") && remedy.contains("--dataset digits"), "{remedy}");
        assert!(data(Choice::Mnist, &Ok(found)).found.contains("does not start"));
    }
}
