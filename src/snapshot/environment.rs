//! Environment variables that change the work, and the revision of the code that did it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// Beginnings of names: thread pools, compilers, numerical libraries, allocators, the frameworks.
const PREFIXES: [&str; 25] = [
    "OMP_",
    "GOMP_",
    "KMP_",
    "LIBOMP_",
    "MKL_",
    "OPENBLAS_",
    "GOTO_",
    "BLIS_",
    "VECLIB_",
    "NUMEXPR_",
    "NPY_",
    "XLA_",
    "TF_",
    "ONEDNN_",
    "DNNL_",
    "JAX_",
    "KERAS_",
    "TORCH",
    "PYTORCH_",
    "ATEN_",
    "CUDA_",
    "CUDNN_",
    "NVIDIA_",
    "MALLOC_",
    "PYTHON",
];

/// Terraform's variables begin like TensorFlow's, and some of them are secrets.
const TERRAFORM: [&str; 14] = [
    "TF_VAR_",
    "TF_TOKEN_",
    "TF_CLI_",
    "TF_CLOUD_",
    "TF_LOG",
    "TF_INPUT",
    "TF_DATA_DIR",
    "TF_WORKSPACE",
    "TF_IN_AUTOMATION",
    "TF_REGISTRY_",
    "TF_PLUGIN_",
    "TF_STATE_",
    "TF_IGNORE",
    "TF_APPEND_USER_AGENT",
];

/// Whole names.
const NAMES: [&str; 10] = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_BIND_NOW",
    "GLIBC_TUNABLES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "RAYON_NUM_THREADS",
    "TBB_NUM_THREADS",
    "OMPI_COMM_WORLD_SIZE",
    "SLURM_CPUS_PER_TASK",
];

/// This process's variables that change how fast or on what a framework computes. The home folder in
/// their values is written `~`.
pub fn environment() -> BTreeMap<String, String> {
    relevant(std::env::vars_os(), std::env::var("HOME").ok().as_deref())
}

/// As [`environment`], of any variables.
pub fn relevant(
    variables: impl Iterator<Item = (OsString, OsString)>,
    home: Option<&str>,
) -> BTreeMap<String, String> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| !TERRAFORM.iter().any(|p| name.starts_with(p)))
        .filter(|(name, _)| {
            NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|p| name.starts_with(p))
        })
        .map(|(name, value)| (name, without_home(&value.to_string_lossy(), home)))
        .collect()
}

/// `text` with the home folder, which holds the user's name, written `~`.
pub fn without_home(text: &str, home: Option<&str>) -> String {
    match home.map(|home| home.trim_end_matches('/')).filter(|home| home.len() > 1) {
        Some(home) => text.replace(home, "~"),
        None => text.to_owned(),
    }
}

/// The state of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The commit that is checked out, 40 hexadecimal digits.
    pub revision: String,
    /// Whether files differ from it, or are new and not ignored.
    pub dirty: bool,
}

/// Asks `git` for the state of the repository that `root` belongs to. None where `git` is missing or
/// refuses, and where `root` only lies in a repository that does not track it.
pub fn git(root: &Path) -> Option<Git> {
    let revision = ask(root, &["rev-parse", "--verify", "HEAD"])?;
    ask(root, &["ls-files", "--error-unmatch", "--", "."])?;
    let changes = ask(root, &["status", "--porcelain", "--", "."])?;
    Some(Git { revision: revision.trim().to_owned(), dirty: !changes.trim().is_empty() })
}

fn ask(root: &Path, question: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(question)
        // Looking must not write: a refreshed index would be locked meanwhile.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terraforms_variables_are_none_of_tensorflows() {
        let variables =
            ["TF_NUM_INTRAOP_THREADS", "TF_VAR_region", "TF_TOKEN_example_com", "TF_LOG"]
                .map(|name| (OsString::from(name), OsString::from("1")));
        let kept: Vec<String> = relevant(variables.into_iter(), None).into_keys().collect();
        assert_eq!(kept, ["TF_NUM_INTRAOP_THREADS"]);
    }
}
