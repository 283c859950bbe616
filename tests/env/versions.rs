//! Versions on the spot: locked once with hashes, kept, used again, and told why they cannot be had.

use joulerace::Remedy as _;
use std::fs;

use joulerace::env::{
    EnvError, EnvSettings, Packages, PinnedLock, Profile, Prune, Version, lock, prune, releases,
    resolve, status,
};

use crate::bench::Bench;

fn version(number: &str) -> Version {
    Version {
        name: format!("thing@{number}"),
        file: format!("thing@{number}"),
        package: "thing".into(),
        version: number.into(),
        others: vec!["numpy".into(), "thing".into()],
    }
}

fn locked(bench: &Bench, number: &str, anew: bool) -> Result<PinnedLock, EnvError> {
    lock(&bench.settings, &version(number), anew, &mut |_| {}).map(|(_, lock)| lock)
}

/// What a version's environment is made with.
fn settings(bench: &Bench, number: &str) -> EnvSettings {
    let (lock, _) = lock(&bench.settings, &version(number), false, &mut |_| {}).unwrap();
    let packages = Packages::Version { called: format!("thing@{number}"), lock };
    EnvSettings { packages, profile: Profile::Training, ..bench.settings.clone() }
}

#[test]
fn a_version_is_locked_once_with_hashes_as_it_was_a_month_after_its_release() {
    let bench = Bench::new();
    let first = locked(&bench, "2.0", false).unwrap();
    assert_eq!(first.asked, ["thing==2.0", "numpy"]);
    assert!(first.text.contains("thing==2.0 \\\n    --hash=sha256:00"), "{}", first.text);
    assert_eq!(first.wheels.get("numpy"), Some(&1000));
    let calls = bench.calls("uv", "pip compile").len();
    assert!(calls > 0);
    let only = bench.calls("uv", "--only-binary :all:");
    assert!(only.len() >= calls, "what has no wheel is found out now: {only:?}");
    assert!(!bench.calls("uv", "--exclude-newer 2024-07-18T14:47:10Z").is_empty());
    assert_eq!(locked(&bench, "2.0", false).unwrap(), first);
    assert_eq!(bench.calls("uv", "pip compile").len(), calls, "the lock that is there is used");
    assert_eq!(locked(&bench, "2.0", true).unwrap(), first, "made again it is the same");
    assert!(bench.calls("uv", "pip compile").len() > calls);
}

#[test]
fn where_nothing_of_its_time_fits_the_newest_is_taken_and_the_lock_says_so() {
    let bench = Bench::new();
    bench.mode("too-old");
    let lock = locked(&bench, "2.0", false).unwrap();
    assert!(lock.text.contains("# as of: when it was locked; what it needs had no wheels"));
}

#[test]
fn two_clean_caches_come_to_the_same_lock() {
    let texts = [0, 1].map(|_| locked(&Bench::new(), "2.0", false).unwrap().text);
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn a_version_that_cannot_be_had_is_told_with_the_reason_and_what_there_is() {
    let bench = Bench::new();
    let told = locked(&bench, "9.0", false).unwrap_err().in_line();
    for word in
        ["thing@9.0", "Python 3.11.9", "no version of thing==9.0 and you require", "2.0, 3.0"]
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(
        !bench.settings.cache.join("joulerace/locks/thing@9.0-py3.11-linux-x86_64.txt").exists()
    );
}

#[test]
fn releases_come_from_the_index_the_oldest_first() {
    let bench = Bench::new();
    let found = releases(&bench.settings, "thing", &mut |_| {}).unwrap();
    assert_eq!(found, ["1.0", "2.0", "3.0rc1", "3.0"]);
}

#[test]
fn its_environment_holds_what_the_lock_says_and_is_called_by_it() {
    let bench = Bench::new();
    let settings = settings(&bench, "2.0");
    let made = resolve(&settings, &mut |_| {}).unwrap();
    let name = made.prefix.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("thing@2.0-py3.11-"), "{name}");
    assert_eq!((made.packages["thing"].as_str(), made.packages["numpy"].as_str()), ("2.0", "7.0"));
    assert!(made.locked && bench.calls("poetry", "export").is_empty());
    let install = &bench.calls("uv", "requirements.txt")[0];
    assert!(install.contains("--require-hashes"), "{install}");
    let other = resolve(&self::settings(&bench, "1.0"), &mut |_| {}).unwrap();
    assert_ne!(other.lock_hash, made.lock_hash);
}

#[test]
fn a_lock_that_was_changed_is_refused_or_gives_another_hash() {
    let bench = Bench::new();
    let settings = settings(&bench, "2.0");
    let before = resolve(&settings, &mut |_| {}).unwrap().lock_hash;
    let Packages::Version { lock, .. } = &settings.packages else { unreachable!() };
    let text = fs::read_to_string(lock).unwrap();
    fs::write(lock, text.replace("sha256:01", "sha256:02")).unwrap();
    assert_ne!(resolve(&settings, &mut |_| {}).unwrap().lock_hash, before);
    fs::write(lock, "thing==2.0\n").unwrap();
    let refused = resolve(&settings, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, EnvError::PinnedInvalid { .. }), "{refused}");
}

#[test]
fn list_and_prune_know_environments_of_versions() {
    let bench = Bench::new();
    resolve(&settings(&bench, "2.0"), &mut |_| {}).unwrap();
    let find = || {
        let all = status(&bench.settings).unwrap();
        all.into_iter().find(|info| info.name.starts_with("thing@2.0"))
    };
    let info = find().unwrap();
    assert!(info.current && info.of_version);
    assert_eq!(prune(&bench.settings, Prune::Outdated).unwrap().removed, []);
    let gone = prune(&bench.settings, Prune::Versions).unwrap().removed;
    assert_eq!(gone.len(), 1);
    assert!(find().is_none() && !bench.settings.cache.join("joulerace/locks").exists());
}

#[test]
fn a_folder_of_ones_own_is_made_under_its_name_with_the_groups_and_the_python_that_it_asks_for() {
    let bench = Bench::new();
    let folder = bench.at("mine");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("pyproject.toml"), "[project]\nname = \"mine\"\n").unwrap();
    fs::write(folder.join("poetry.lock"), crate::bench::lock(&[("thing", "2.0")])).unwrap();
    let settings = EnvSettings {
        project: folder.clone(),
        packages: Packages::Folder("mine".into()),
        profile: Profile::Training,
        ..bench.settings.clone()
    };
    let made = resolve(&settings, &mut |_| {}).unwrap();
    assert!(made.prefix.file_name().unwrap().to_str().unwrap().starts_with("mine-py3.11-"));
    // Poetry refuses to export a group that a lock does not have.
    assert!(bench.calls("poetry", "--with").is_empty());
    let kept = status(&bench.settings).unwrap();
    assert!(kept.iter().any(|info| info.name.starts_with("mine-") && info.current));
    let lock = fs::read_to_string(folder.join("poetry.lock")).unwrap();
    fs::write(folder.join("poetry.lock"), lock.replace("<3.12", "<4").replace("3.11", "3.14"))
        .unwrap();
    let told = resolve(&settings, &mut |_| {}).unwrap_err().in_line();
    for word in ["no Python >=3.14", "it is Python 3.11.9", "uv python install 3.14"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    fs::write(folder.join("poetry.lock"), crate::bench::lock(&[("thing", "2.1")])).unwrap();
    let kept = status(&bench.settings).unwrap();
    assert!(kept.iter().any(|info| info.name.starts_with("mine-") && !info.current));
}
