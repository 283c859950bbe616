//! An environment that somebody names or has activated.

use joulerace::Remedy as _;
use std::fs;
use std::os::unix::fs::symlink;

use joulerace::env::{EnvError, EnvProgress, Source};

use crate::bench::{Bench, LOCKED, install};

#[test]
fn a_named_environment_with_the_locked_versions_is_used_as_it_is() {
    let mut bench = Bench::new();
    let packages = [("numpy", "2.0.2"), ("typing.extensions", "4.12"), ("extra", "1")];
    let prefix = bench.foreign("mine", "3.11.4", &packages);
    bench.settings.python_env = Some(prefix.clone());
    let environment = bench.resolve().unwrap();
    assert_eq!(environment.source, Source::Named);
    assert_eq!((environment.prefix, environment.version), (prefix.clone(), "3.11.4".into()));
    assert_eq!(environment.python, prefix.join("bin/python"));
    assert!(environment.locked && environment.differences.is_empty());
    assert_eq!(environment.packages["extra"], "1");
    assert!(!bench.settings.cache.exists(), "nothing is made");
}

#[test]
fn differences_are_listed_package_by_package_and_allowed_on_request() {
    let mut bench = Bench::new();
    bench.settings.python_env = Some(bench.foreign("mine", "3.11.4", &[("numpy", "2.0.2+mkl")]));
    let text = bench.resolve().unwrap_err().in_line();
    assert!(text.contains("numpy: 2.0.2+mkl installed, 2.0.2 locked"), "{text}");
    assert!(text.contains("typing-extensions: not installed, 4.12.0 locked"), "{text}");
    assert!(text.contains("--allow-unlocked"), "{text}");
    bench.settings.allow_unlocked = true;
    let environment = bench.resolve().unwrap();
    assert!(!environment.locked);
    assert_eq!(environment.differences.len(), 2);
}

#[test]
fn what_is_no_virtual_environment_is_refused_with_what_it_lacks() {
    let mut bench = Bench::new();
    let without_config = bench.foreign("a", "3.11.4", &LOCKED);
    fs::remove_file(without_config.join("pyvenv.cfg")).unwrap();
    let conda = bench.foreign("b", "3.11.4", &LOCKED);
    fs::remove_file(conda.join("pyvenv.cfg")).unwrap();
    fs::create_dir(conda.join("conda-meta")).unwrap();
    let dangling = bench.foreign("c", "3.11.4", &LOCKED);
    fs::remove_file(dangling.join("bin/python")).unwrap();
    symlink("/no/such/python", dangling.join("bin/python")).unwrap();
    let silent = bench.foreign("d", "3.11.4", &LOCKED);
    fs::write(silent.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    let file = silent.join("bin/python");
    for (path, words) in [
        (bench.at("nowhere"), "no such folder"),
        (file, "it is a file"),
        (without_config, "no pyvenv.cfg"),
        (conda, "conda"),
        (dangling, "points nowhere"),
        (silent, "which Python"),
    ] {
        bench.settings.python_env = Some(path.clone());
        let error = bench.resolve().unwrap_err();
        assert!(matches!(error, EnvError::NotVirtualEnv { .. }), "{error}");
        let text = error.in_line();
        let flag = format!("--python-env {}", path.display());
        assert!(text.contains(words) && text.contains(&flag), "{words}: {text}");
    }
}

#[test]
fn another_python_is_refused_with_both_versions_and_the_way_out() {
    let mut bench = Bench::new();
    bench.settings.python_env = Some(bench.foreign("mine", "3.12.1", &LOCKED));
    let error = bench.resolve().unwrap_err();
    assert!(matches!(error, EnvError::PythonVersion { .. }), "{error}");
    let text = error.in_line();
    for words in ["Python 3.12.1", "is for Python >=3.11, <3.12", "joulerace then makes one"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    bench.settings.allow_unlocked = true;
    assert_eq!(bench.resolve().unwrap().version, "3.12.1", "what differs is recorded");
    bench.settings.python_env = Some(bench.foreign("old", "3.9.18", &LOCKED));
    let error = bench.resolve().unwrap_err();
    assert!(matches!(error, EnvError::PythonVersion { .. }), "no library for that: {error}");
}

#[test]
fn an_active_environment_is_reused_where_it_satisfies_the_lock() {
    let mut bench = Bench::new();
    bench.settings.active = Some(bench.foreign("mine", "3.11.4", &LOCKED));
    let environment = bench.resolve().unwrap();
    assert_eq!(environment.source, Source::Active);
    assert!(!bench.settings.cache.exists(), "nothing is made");
}

#[test]
fn an_active_environment_that_does_not_is_passed_over_with_the_reason() {
    let bench = Bench::new();
    for (active, words) in [
        (bench.foreign("a", "3.11.4", &[("numpy", "1.0"), LOCKED[1]]), "numpy: 1.0 installed"),
        (bench.foreign("b", "3.12.4", &LOCKED), "3.12.4"),
        (bench.at("nowhere"), "no such folder"),
    ] {
        let mut settings = bench.settings.clone();
        settings.active = Some(active.clone());
        let mut events = Vec::new();
        let environment =
            joulerace::env::resolve(&settings, &mut |event| events.push(event)).unwrap();
        assert_eq!(environment.source, Source::Own);
        match &events[0] {
            EnvProgress::Rejected { prefix, why } if *prefix == active => {
                assert!(why.contains(words), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn packages_of_the_system_count_where_the_environment_sees_them() {
    let mut bench = Bench::new();
    let prefix = bench.foreign("mine", "3.11.4", &LOCKED[..1]);
    install(&bench.at("usr/lib/python3.11/site-packages"), LOCKED[1].0, LOCKED[1].1);
    install(&bench.at("usr/lib/python3.11/site-packages"), "numpy", "1.0");
    let home = bench.at("usr/bin");
    let config = |sees: bool| {
        let home = home.display();
        let text =
            format!("home = {home}\nversion = 3.11.4\ninclude-system-site-packages = {sees}\n");
        fs::write(prefix.join("pyvenv.cfg"), text).unwrap();
    };
    bench.settings.python_env = Some(prefix.clone());
    config(true);
    assert_eq!(bench.resolve().unwrap().packages["numpy"], "2.0.2", "its own hide the system's");
    config(false);
    assert!(matches!(bench.resolve(), Err(EnvError::Differs { .. })));
}

#[test]
fn without_a_usable_lock_nothing_is_used() {
    let mut bench = Bench::new();
    bench.settings.python_env = Some(bench.foreign("mine", "3.11.4", &LOCKED));
    let lock = bench.settings.project.join("poetry.lock");
    fs::write(&lock, "[[package]\n").unwrap();
    let text = bench.resolve().unwrap_err().in_line();
    assert!(text.contains("poetry.lock") && text.contains("TOML"), "{text}");
    fs::remove_file(&lock).unwrap();
    let error = bench.resolve().unwrap_err();
    assert!(matches!(error, EnvError::LockMissing { .. }), "{error}");
    assert!(error.in_line().contains(lock.to_str().unwrap()), "{error}");
}
