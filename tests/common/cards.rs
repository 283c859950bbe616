//! Graphics cards of a known power: a library in the place of NVIDIA's, built with the C compiler.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder that holds the library, for `LD_LIBRARY_PATH`; none, and a word on why, where there is no C
/// compiler.
pub fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/nvml.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "cards-{}-{}",
            env!("CARGO_CRATE_NAME"),
            std::process::id()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&folder.join("libnvidia-ml.so.1"), &source])
            .status();
        match compiled {
            Ok(status) => {
                assert!(status.success(), "cc: {status}");
                Some(folder)
            }
            Err(error) => {
                eprintln!(
                    "skipped: the stand-in for NVIDIA's library needs a C compiler (cc: {error})"
                );
                None
            }
        }
    });
    built.as_deref()
}
