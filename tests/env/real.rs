//! The real lock, the real installers, the user's real cache: made on the first run of the tests
//! and shared with every later one.

use std::path::Path;
use std::process::Command;

use joulerace::env::{EnvSettings, Lock, Profile, Source, resolve};

fn settings() -> EnvSettings {
    EnvSettings {
        python_env: None,
        active: None,
        profile: Profile::Analysis,
        allow_unlocked: false,
        project: env!("CARGO_MANIFEST_DIR").into(),
        cache: joulerace::paths::cache(),
        pythons: joulerace::env::pythons(),
        cancel: Default::default(),
        packages: Default::default(),
        study: env!("CARGO_MANIFEST_DIR").into(),
    }
}

#[test]
fn the_analysis_environment_is_what_the_lock_says_and_nothing_more() {
    let settings = settings();
    let environment = resolve(&settings, &mut |_| {}).unwrap();
    assert_eq!((environment.source, environment.locked), (Source::Own, true));
    let lock = Lock::read(&settings.project.join("poetry.lock")).unwrap();
    // Poetry decided what to export, we decide what to require: the two must agree.
    let required = lock.required(Profile::Analysis, &environment.version);
    let installed: Vec<_> = environment.packages.keys().collect();
    assert_eq!(installed, required.keys().collect::<Vec<_>>());
    let script = "import sys, numpy, scipy; print(sys.prefix, numpy.__version__)";
    let output = Command::new(&environment.python).args(["-I", "-c", script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (prefix, version) = text.trim().rsplit_once(' ').unwrap();
    assert_eq!(Path::new(prefix), environment.prefix);
    assert_eq!(version, environment.packages["numpy"]);
}

#[test]
fn the_lock_names_the_study_s_versions_for_both_pythons() {
    let lock = Lock::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("poetry.lock")).unwrap();
    for python in ["3.11.7", "3.12.1"] {
        let required = lock.required(Profile::Training, python);
        for (name, version) in
            [("tensorflow", "2.18.0"), ("torch", "2.6.0"), ("jax", "0.5.0"), ("keras", "3.8.0")]
        {
            assert_eq!(required.get(name).map(String::as_str), Some(version), "{name}, {python}");
        }
        assert!(!required.contains_key("pandas"));
    }
}
