//! What `joulerace env` shows and clears.

use std::fs;

use joulerace::env::{EnvInfo, Profile, Prune, prune, status, sync};

use crate::bench::{Bench, LOCKED};

fn names(infos: &[EnvInfo]) -> Vec<String> {
    infos.iter().map(|info| info.name.clone()).collect()
}

#[test]
fn an_empty_cache_has_nothing_to_show_or_clear() {
    let bench = Bench::new();
    assert_eq!(status(&bench.settings).unwrap(), []);
    assert_eq!(prune(&bench.settings, Prune::All).unwrap().removed, []);
    assert!(!bench.settings.cache.exists());
}

#[test]
fn environments_are_shown_with_size_state_and_use() {
    let bench = Bench::new();
    let old = bench.resolve().unwrap();
    bench.lock(&[("numpy", "2.0.3"), LOCKED[1]]);
    let new = bench.resolve().unwrap();
    drop(old);
    let infos = status(&bench.settings).unwrap();
    assert_eq!(infos.len(), 3, "two environments and the installers");
    let current = infos.iter().find(|info| info.prefix == new.prefix).unwrap();
    assert!(current.current && current.complete && current.in_use && current.bytes > 0);
    assert_eq!(current.profile, Some(Profile::Analysis));
    assert_eq!(current.python.as_deref(), Some("3.11.9"));
    let old = infos.iter().find(|info| info.profile.is_some() && !info.current).unwrap();
    assert!(old.complete && !old.in_use);
    let tools = infos.iter().find(|info| info.name.starts_with("tools-")).unwrap();
    assert!(tools.current && tools.profile.is_none());
    drop(new);
    assert!(status(&bench.settings).unwrap().iter().all(|info| !info.in_use));
}

#[test]
fn pruning_removes_what_no_lock_needs_and_nothing_in_use() {
    let bench = Bench::new();
    let first = bench.resolve().unwrap();
    bench.lock(&[("numpy", "2.0.3"), LOCKED[1]]);
    let second = bench.resolve().unwrap();
    bench.lock(&[("numpy", "2.0.4"), LOCKED[1]]);
    let third = bench.resolve().unwrap();
    let half_made = first.prefix.with_file_name("training-py3.11-000000000000");
    fs::create_dir(&half_made).unwrap();
    let (first_prefix, second_prefix) = (first.prefix.clone(), second.prefix.clone());
    drop((first, third));

    let pruned = prune(&bench.settings, Prune::Outdated).unwrap();
    assert_eq!(pruned.removed.len(), 2, "{:?}", names(&pruned.removed));
    assert!(!first_prefix.exists() && !half_made.exists());
    assert_eq!(pruned.in_use.len(), 1);
    assert!(second_prefix.exists(), "an experiment is using it");
    drop(second);
    assert_eq!(prune(&bench.settings, Prune::Outdated).unwrap().removed.len(), 1);
    assert_eq!(prune(&bench.settings, Prune::Outdated).unwrap().removed, []);
    bench.resolve().unwrap();
    assert_eq!(bench.calls("uv", "requirements.txt").len(), 3, "the present one was kept");
    assert_eq!(prune(&bench.settings, Prune::All).unwrap().removed.len(), 2);
    assert_eq!(status(&bench.settings).unwrap(), []);
}

#[test]
fn an_environment_of_the_same_lock_for_another_python_is_kept() {
    let bench = Bench::new();
    bench.resolve().unwrap();
    bench.answer("3.11.10", "[]");
    let removed = prune(&bench.settings, Prune::Outdated).unwrap().removed;
    let removed = names(&removed);
    assert!(removed.iter().all(|name| name.starts_with("tools-")), "{removed:?}");
}

#[test]
fn syncing_makes_our_own_whatever_is_active() {
    let mut bench = Bench::new();
    bench.settings.active = Some(bench.foreign("mine", "3.11.4", &LOCKED));
    let environment = sync(&bench.settings, &mut |_| {}).unwrap();
    assert!(environment.prefix.starts_with(&bench.settings.cache));
}
