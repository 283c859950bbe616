//! Makes an environment from the lock: Poetry exports it with hashes, uv installs that.
//!
//! The folder is made in place, because a virtual environment cannot be moved (its scripts name
//! its path), under an exclusive lock; the stamp that is written last makes it count.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::base::Base;
use super::child::Context;
use super::installed::{VirtualEnv, differences};
use super::lock::Lock;
use super::stamp::{self, Stamp};
use super::tools::Tools;
use super::{EnvError, EnvProgress, Profile, Step};

/// What to make, and from what.
pub(super) struct Wanted<'a> {
    pub profile: Profile,
    pub project: &'a Path,
    /// The lock of a version, which does not come from Poetry.
    pub pinned: Option<&'a Path>,
    pub lock: &'a Lock,
    /// Poetry's groups that are installed.
    pub groups: Vec<&'static str>,
    pub lock_hash: &'a str,
    pub base: &'a Base,
    /// The folder below which everything of joulerace's lies.
    pub root: &'a Path,
    pub prefix: &'a Path,
}

/// Makes the environment; the caller holds its exclusive lock.
pub(super) fn make(wanted: &Wanted, context: &mut Context) -> Result<(), EnvError> {
    let began = Instant::now();
    context.open_log()?;
    wanted.base.can_make_environments()?;
    stamp::remove(wanted.prefix, context)?;
    let tools = Tools::ensure(wanted.root, wanted.base, context)?;
    let scratch = Scratch::make(wanted)?;
    export(wanted, &tools, &scratch.0, context)?;
    create(wanted, &tools, &scratch.0, context)?;
    install(wanted, &tools, &scratch.0, context)?;

    (context.progress)(EnvProgress::Step { step: Step::Check });
    let made = VirtualEnv::open(wanted.prefix)
        .map_err(|why| EnvError::NotVirtualEnv { path: wanted.prefix.into(), why })?;
    let packages = made.packages().map_err(EnvError::io("list the packages of", wanted.prefix))?;
    let differences = differences(&wanted.lock.required(wanted.profile, &made.version), &packages);
    if !differences.is_empty() {
        return Err(EnvError::Differs {
            prefix: wanted.prefix.into(),
            profile: wanted.profile,
            differences,
            remedy: format!(
                "They were just installed, so the lock and its export disagree: write the lock \
                 anew (poetry lock). The whole output is in {}",
                context.log.display()
            ),
        });
    }
    let seconds = began.elapsed().as_secs_f64();
    Stamp::of_environment(wanted.base, wanted.profile, wanted.lock_hash, packages, seconds)
        .with_lock(wanted.pinned.map_or_else(|| wanted.project.join("poetry.lock"), Path::to_owned))
        .write(wanted.prefix)?;
    (context.progress)(EnvProgress::Made { prefix: wanted.prefix.into(), seconds });
    Ok(())
}

/// A folder for files in between. Its name follows from the environment's, so the next attempt
/// clears away what a killed host left.
struct Scratch(PathBuf);

impl Scratch {
    fn make(wanted: &Wanted) -> Result<Self, EnvError> {
        let name = wanted.prefix.file_name().unwrap_or_default().to_string_lossy();
        let path = wanted.root.join(format!(".{name}.making"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(EnvError::io("make the folder", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes `requirements.txt` into `scratch`, from copies: the project is never written to.
fn export(
    wanted: &Wanted,
    tools: &Tools,
    scratch: &Path,
    context: &mut Context,
) -> Result<(), EnvError> {
    if let Some(pinned) = wanted.pinned {
        let to = scratch.join("requirements.txt");
        return fs::copy(pinned, &to).map(drop).map_err(EnvError::io("read", pinned));
    }
    (context.progress)(EnvProgress::Step { step: Step::Export });
    for name in ["pyproject.toml", "poetry.lock"] {
        let from = wanted.project.join(name);
        fs::copy(&from, scratch.join(name)).map_err(EnvError::io("read", from))?;
    }
    let mut groups = wanted.groups.clone();
    groups.retain(|group| *group != "main");
    let mut poetry = tools.poetry(scratch);
    poetry.args(["export", "--no-interaction", "--no-ansi", "--format", "requirements.txt"]);
    poetry.args(["--output", "requirements.txt"]);
    if !groups.is_empty() {
        poetry.args(["--with", &groups.join(",")]);
    }
    context.run(Step::Export, &mut poetry)
}

fn create(
    wanted: &Wanted,
    tools: &Tools,
    scratch: &Path,
    context: &mut Context,
) -> Result<(), EnvError> {
    (context.progress)(EnvProgress::Step { step: Step::Create });
    let mut uv = tools.uv(scratch);
    uv.args(["venv", "--no-project", "--prompt", "joulerace", "--python"]).arg(&wanted.base.python);
    context.run(Step::Create, uv.arg(wanted.prefix))
}

fn install(
    wanted: &Wanted,
    tools: &Tools,
    scratch: &Path,
    context: &mut Context,
) -> Result<(), EnvError> {
    (context.progress)(EnvProgress::Step { step: Step::Install });
    let mut uv = tools.uv(scratch);
    uv.args(["pip", "install", "--require-hashes", "--no-deps"]);
    // Compiled now, or the first trial of each framework would pay for it while it is measured.
    (wanted.profile == Profile::Training).then(|| uv.arg("--compile-bytecode"));
    tools.no_index().then(|| uv.arg("--no-index"));
    uv.arg("--python").arg(super::installed::python_in(wanted.prefix));
    context.run(Step::Install, uv.args(["-r", "requirements.txt"]))
}
