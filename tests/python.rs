//! The Python side's own tests, by pytest, in the environments that users get.

use joulerace::env::{EnvSettings, Profile, pythons, resolve};
use std::path::Path;
use std::process::Command;

fn pytest(profile: Profile, selection: &[&str]) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = EnvSettings {
        python_env: None,
        active: None,
        profile,
        allow_unlocked: false,
        project: project.to_owned(),
        cache: joulerace::paths::cache(),
        pythons: pythons(),
        cancel: Default::default(),
        packages: Default::default(),
        study: project.to_owned(),
    };
    let environment = resolve(&settings, &mut |event| eprintln!("{event:?}")).unwrap();
    let status = Command::new(&environment.python)
        .args(["-m", "pytest", "-q", "-rs"])
        .args(selection)
        .current_dir(project)
        .env("JOULERACE_TEST_PROGRAM", env!("CARGO_BIN_EXE_joulerace"))
        .status()
        .unwrap();
    assert!(status.success(), "pytest in {} ended with {status}", environment.prefix.display());
}

#[test]
fn the_workloads_tests_pass_in_the_training_environment() {
    pytest(Profile::Training, &["--ignore-glob=*test_analysis*"]);
}

#[test]
fn the_analysis_tests_pass_in_the_analysis_environment() {
    pytest(Profile::Analysis, &["-k", "analysis"]);
}
