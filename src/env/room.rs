//! Whether the disk holds an environment that is to be made.

use super::{EnvError, EnvSettings, Packages, Profile};
use std::path::Path;

/// What an environment of the study's frameworks takes, in bytes; CUDA's libraries are most of it.
const WITH_CUDA: f64 = 8e9;

/// What one without CUDA takes, in bytes.
const WITHOUT_CUDA: f64 = 3e9;

/// What the analysis's takes, in bytes, installers included.
pub const ANALYSIS: f64 = 6e8;

/// About how much an environment takes, in bytes; Poetry's locks do not say.
pub fn about(settings: &EnvSettings) -> f64 {
    if settings.profile == Profile::Analysis {
        return ANALYSIS;
    }
    let text = std::fs::read_to_string(settings.lock()).unwrap_or_default();
    if text.contains("name = \"nvidia-") { WITH_CUDA } else { WITHOUT_CUDA }
}

/// What is free where `path` is or will be, in bytes; none where the system does not say.
pub fn free(path: &Path) -> Option<f64> {
    let there = path.ancestors().find(|path| path.is_dir())?;
    fs4::available_space(there).ok().map(|free| free as f64)
}

/// Refuses to begin with an environment that the disk cannot take. A version's lock knows the sizes of its
/// wheels, and was weighed with the others of its experiment.
pub(super) fn suffices(settings: &EnvSettings, prefix: &Path) -> Result<(), EnvError> {
    if matches!(settings.packages, Packages::Version { .. }) {
        return Ok(());
    }
    let needed = about(settings);
    match free(prefix) {
        Some(free) if free < needed => Err(EnvError::TooSmall {
            path: prefix.parent().unwrap_or(prefix).to_owned(),
            what: settings.whose(),
            needed_gb: needed / 1e9,
            free_gb: free / 1e9,
        }),
        _ => Ok(()),
    }
}
