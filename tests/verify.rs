//! `joulerace verify`: a framework added in another folder, through the program itself.
//!
//! Needs the locked training environment for NumPy; says so and passes where there is none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// MNIST, where this machine has it beside the project.
fn mnist() -> Option<PathBuf> {
    let folder = project().join("../shared/mnist");
    let there = folder.join("train-images-idx3-ubyte.gz").is_file();
    if !there {
        println!("skipped: {} has no MNIST", folder.display());
    }
    there.then_some(folder)
}

/// A few steps on few images, with the scripts in `workloads` beside the project's own.
fn verify(workloads: &Path, frameworks: &str, data: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_joulerace"))
        .args(["verify", "--frameworks", frameworks, "--steps", "4", "--batch-size", "30"])
        .args(["--train-samples", "130", "--test-samples", "50", "--dataset", "mnist"])
        .args(more)
        .arg("--workloads")
        .arg(workloads)
        .arg("--data-dir")
        .arg(data)
        .env_remove("VIRTUAL_ENV")
        .env_remove("JOULERACE_DATA_DIR")
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// NumPy's script under two names, the second with `change` made to it.
fn two_scripts(change: (&str, &str)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script =
        std::fs::read_to_string(project().join("python/tests/later/numpy_cnn.py")).unwrap();
    assert!(script.contains(change.0), "the script has what is to be changed");
    std::fs::write(folder.path().join("numpy_cnn.py"), &script).unwrap();
    std::fs::write(folder.path().join("other_cnn.py"), script.replace(change.0, change.1)).unwrap();
    folder
}

#[test]
fn frameworks_in_another_folder_are_compared() {
    let Some(data) = mnist() else { return };
    let scripts = two_scripts(("", ""));
    let output = verify(scripts.path(), "numpy,other", &data, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("numpy") && table.contains("other"), "{table}");
    assert!(table.contains("The work is the same."), "{table}");
}

#[test]
fn other_work_fails_and_the_reason_names_the_framework() {
    let Some(data) = mnist() else { return };
    // The last, partial batch is left out of training.
    let scripts = two_scripts((
        "return one_pass(train_step, network, train_set, order)",
        "return one_pass(train_step, network, train_set, order[: len(order) // 30 * 30 or None])",
    ));
    let output = verify(scripts.path(), "numpy,other", &data, &["--json"]);
    assert!(!output.status.success());
    let told = stderr(&output);
    assert!(told.contains("the frameworks do not do the same work"), "{told}");
    assert!(told.contains("other: images is 120, where the job has 130"), "{told}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["identical"], false);
}

#[test]
fn an_unknown_framework_is_named_beside_those_of_both_folders() {
    let scripts = two_scripts(("", ""));
    let output = verify(scripts.path(), "numpy,caffe", Path::new("/nowhere"), &[]);
    assert!(!output.status.success());
    let told = stderr(&output);
    assert!(told.contains("--treatments: there is no framework 'caffe'"), "{told}");
    for known in ["jax", "keras", "numpy", "other", "torch"] {
        assert!(told.contains(known), "{known}: {told}");
    }
}
