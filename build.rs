//! Tells the program where the worker's library lies while it is compiled, and which revision it is made of.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    // What a development build uses of the clone is read as it is when it runs: see `src/paths/shipped.rs`.
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        println!("cargo:rerun-if-changed=build.rs");
        return;
    }
    for carried in ["build.rs", "src", "crates", "python", "pyproject.toml", "poetry.lock"] {
        println!("cargo:rerun-if-changed={carried}");
    }
    // Cargo has a dependency's cdylib there before it compiles what depends on it.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets it"));
    let profile = out.ancestors().nth(3).expect("OUT_DIR is <profile>/build/<package>/out");
    let (prefix, ending) = match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("windows") => ("", ".dll"),
        Ok("macos") => ("lib", ".dylib"),
        _ => ("lib", ".so"),
    };
    let library = profile.join("deps").join(format!("{prefix}joulerace_worker{ending}"));
    println!("cargo:rustc-env=JOULERACE_WORKER_LIBRARY={}", library.display());
    if let Some((revision, dirty)) = revision() {
        println!("cargo:rustc-env=JOULERACE_REVISION={revision}{}", if dirty { "+" } else { "" });
    }
}

/// The commit that is built, and whether files differ from it; none outside a repository of ours.
fn revision() -> Option<(String, bool)> {
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).is_file() {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["ls-files", "--error-unmatch", "--", "build.rs"])?;
    let revision = git(&["rev-parse", "--verify", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--", "."])?;
    Some((revision, !changed.is_empty()))
}

fn git(question: &[&str]) -> Option<String> {
    let output = Command::new("git").env("GIT_OPTIONAL_LOCKS", "0").args(question).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
