//! Makes an environment from the lock: Poetry exports it with hashes, uv installs that.
//!
//! The folder is made in place, because a virtual environment cannot be moved (its scripts name
//! its path), under an exclusive lock; the record that is written last makes it count.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::base::Base;
use super::child::Context;
use super::installed::{VirtualEnv, differences};
use super::lock::Lock;
use super::record::{self, Record};
use super::tools::Tools;
use super::{EnvError, EnvEvent, Profile, Step};

/// What to make, and from what.
pub(super) struct Order<'a> {
    pub profile: Profile,
    pub project: &'a Path,
    /// The lock of a version, where it is one that Poetry has no part in.
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
pub(super) fn make(order: &Order, context: &mut Context) -> Result<(), EnvError> {
    let began = Instant::now();
    context.open_log()?;
    order.base.can_make_environments()?;
    record::remove(order.prefix, context)?;
    let tools = Tools::ensure(order.root, order.base, context)?;
    let scratch = Scratch::make(order)?;
    export(order, &tools, &scratch.0, context)?;
    create(order, &tools, &scratch.0, context)?;
    install(order, &tools, &scratch.0, context)?;

    (context.progress)(EnvEvent::Step { step: Step::Check });
    let made = VirtualEnv::open(order.prefix)
        .map_err(|why| EnvError::NotVirtualEnv { path: order.prefix.into(), why })?;
    let packages = made.packages().map_err(EnvError::io("list the packages of", order.prefix))?;
    let differences = differences(&order.lock.required(order.profile, &made.version), &packages);
    if !differences.is_empty() {
        return Err(EnvError::Differs {
            prefix: order.prefix.into(),
            profile: order.profile,
            differences,
            remedy: format!(
                "They were just installed, so the lock and its export disagree: write the lock \
                 anew (poetry lock). The whole output is in {}",
                context.log.display()
            ),
        });
    }
    let seconds = began.elapsed().as_secs_f64();
    Record::of_environment(order.base, order.profile, order.lock_hash, packages, seconds)
        .with_lock(order.pinned.map_or_else(|| order.project.join("poetry.lock"), Path::to_owned))
        .write(order.prefix)?;
    (context.progress)(EnvEvent::Made { prefix: order.prefix.into(), seconds });
    Ok(())
}

/// A folder for files in between. Its name follows from the environment's, so the next attempt
/// clears away what a killed host left.
struct Scratch(PathBuf);

impl Scratch {
    fn make(order: &Order) -> Result<Self, EnvError> {
        let name = order.prefix.file_name().unwrap_or_default().to_string_lossy();
        let path = order.root.join(format!(".{name}.making"));
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
    order: &Order,
    tools: &Tools,
    scratch: &Path,
    context: &mut Context,
) -> Result<(), EnvError> {
    if let Some(pinned) = order.pinned {
        let to = scratch.join("requirements.txt");
        return fs::copy(pinned, &to).map(drop).map_err(EnvError::io("read", pinned));
    }
    (context.progress)(EnvEvent::Step { step: Step::Export });
    for name in ["pyproject.toml", "poetry.lock"] {
        let from = order.project.join(name);
        fs::copy(&from, scratch.join(name)).map_err(EnvError::io("read", from))?;
    }
    let mut groups = order.groups.clone();
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
    order: &Order,
    tools: &Tools,
    scratch: &Path,
    context: &mut Context,
) -> Result<(), EnvError> {
    (context.progress)(EnvEvent::Step { step: Step::Create });
    let mut uv = tools.uv(scratch);
    uv.args(["venv", "--no-project", "--prompt", "joulerace", "--python"]).arg(&order.base.python);
    context.run(Step::Create, uv.arg(order.prefix))
}

fn install(
    order: &Order,
    tools: &Tools,
    scratch: &Path,
    context: &mut Context,
) -> Result<(), EnvError> {
    (context.progress)(EnvEvent::Step { step: Step::Install });
    let mut uv = tools.uv(scratch);
    uv.args(["pip", "install", "--require-hashes", "--no-deps"]);
    // Compiled now, or the first trial of each framework would pay for it while it is measured.
    (order.profile == Profile::Training).then(|| uv.arg("--compile-bytecode"));
    tools.no_index().then(|| uv.arg("--no-index"));
    uv.arg("--python").arg(super::installed::python_in(order.prefix));
    context.run(Step::Install, uv.args(["-r", "requirements.txt"]))
}
