//! Which releases of a package there are.

use super::bases;
use crate::env::base::Base;
use crate::env::child::Context;
use crate::env::tools::Tools;
use crate::env::{EnvError, EnvProgress, EnvSettings, Step};
use std::fs;
use std::path::Path;
use std::str::FromStr as _;

/// The final releases of a package that have wheels here, the oldest first, as the index lists them.
///
/// # Errors
///
/// The index cannot be reached, or knows no such package.
pub fn releases(
    settings: &EnvSettings,
    package: &str,
    progress: &mut dyn FnMut(EnvProgress),
) -> Result<Vec<String>, EnvError> {
    let bases = bases(settings)?;
    let root = settings.root();
    fs::create_dir_all(&root).map_err(EnvError::io("make the folder", &root))?;
    let context = &mut Context {
        progress,
        cancel: &settings.cancel,
        log: root.join("releases.log"),
        target: root.clone(),
    };
    context.open_log()?;
    releases_with(&root, &bases[0], package, context)
}

pub(super) fn releases_with(
    root: &Path,
    base: &Base,
    package: &str,
    context: &mut Context,
) -> Result<Vec<String>, EnvError> {
    let tools = Tools::ensure(root, base, context)?;
    (context.progress)(EnvProgress::Step { step: Step::Releases });
    let mut lines = Vec::new();
    let mut pip = tools.pip();
    pip.args(["index", "versions", "--only-binary", ":all:", package]);
    context.hear(Step::Releases, &mut pip, |line| lines.push(line.to_owned()))?;
    let list = lines.iter().find_map(|line| line.trim().strip_prefix("Available versions:"));
    let mut found: Vec<String> =
        list.unwrap_or_default().split(',').map(|v| v.trim().to_owned()).collect();
    found.retain(|version| !version.is_empty());
    found.reverse();
    Ok(found)
}

/// Those releases that come next before and after a version.
pub(crate) fn around(version: &str, known: Vec<String>) -> Vec<String> {
    const EACH: usize = 8;
    let order = |text: &str| pep508_rs::pep440_rs::Version::from_str(text).ok();
    let wanted = order(version);
    let place = known.iter().position(|one| order(one) > wanted).unwrap_or(known.len());
    let from = place.saturating_sub(EACH);
    known.into_iter().skip(from).take(2 * EACH).collect()
}
