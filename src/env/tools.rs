//! The installers, in an environment of their own: pinned Poetry with its export, pinned uv.
//!
//! A Poetry or uv that the machine happens to have is not used: versions differ in what they
//! export and how they install, and an experiment's environment must not depend on that.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::base::Base;
use super::child::Context;
use super::index::PipSettings;
use super::installed::{python_in, script_in};
use super::lease::lock_file;
use super::lease::{Lease, Turn};
use super::stamp::{self, Stamp};
use super::{EnvError, EnvProgress, Step};
use crate::clean::hex;

/// Exact versions and hashes of the installers and all they need. Made with
/// `uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --no-annotate`
/// from three lines: `poetry`, `poetry-plugin-export` and `uv`.
const PINS: &str = include_str!("tools.txt");

/// The environment that holds the installers.
#[derive(Debug)]
pub(super) struct Tools {
    prefix: PathBuf,
    pip: PipSettings,
    #[expect(dead_code, reason = "held, so that nobody removes the installers meanwhile")]
    lease: Option<Lease>,
}

/// The folder's name; the Python is part of it because the folder depends on it.
pub(super) fn folder_name(base: &Base) -> String {
    let identity = format!("{PINS}\n{}\n{}", base.version, base.base_prefix.display());
    format!("tools-{}", &hex(&Sha256::digest(identity.as_bytes()))[..12])
}

impl Tools {
    /// Finds the installers below `root`, or installs them with pip.
    pub(crate) fn ensure(
        root: &Path,
        base: &Base,
        context: &mut Context,
    ) -> Result<Self, EnvError> {
        let name = folder_name(base);
        let (prefix, lock) = (root.join(&name), lock_file(root, &name));
        let turn = Lease::turn(&lock, context, |lease| Ok(usable(&prefix).then_some(lease)))?;
        let lease = match turn {
            Turn::Ready(lease) => lease,
            Turn::Mine(exclusive) => {
                // Another host may have made it, and ended, between the last look and the lock.
                if !usable(&prefix) {
                    make(&prefix, base, context)?;
                }
                exclusive.into_shared(&lock)?
            }
        };
        let pip = pip_settings(&prefix, context)?;
        Ok(Self { prefix, pip, lease: Some(lease) })
    }

    /// A command line for Poetry that knows no setting but those given here: what the user
    /// configured for other projects must not change what is exported.
    pub(crate) fn poetry(&self, scratch: &Path) -> Command {
        let mut command = Command::new(script_in(&self.prefix, "poetry"));
        clean(&mut command);
        for name in ["POETRY_CONFIG_DIR", "POETRY_CACHE_DIR", "POETRY_DATA_DIR"] {
            command.env(name, scratch.join(name.to_lowercase()));
        }
        command.env("POETRY_VIRTUALENVS_CREATE", "false").current_dir(scratch);
        command
    }

    /// A command line for uv that reaches packages as pip does.
    pub(crate) fn uv(&self, scratch: &Path) -> Command {
        let mut command = Command::new(script_in(&self.prefix, "uv"));
        clean(&mut command);
        // The scratch folder keeps uv from taking settings of a project it happens to run in.
        command.current_dir(scratch).env("UV_PYTHON_DOWNLOADS", "never");
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        command.envs(self.pip.for_uv(&is_set));
        command
    }

    /// A command line for pip, with the user's own settings.
    pub(crate) fn pip(&self) -> Command {
        let mut command = Command::new(python_in(&self.prefix));
        clean(&mut command).args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
        command
    }

    /// Whether pip may use local files only.
    pub(crate) fn no_index(&self) -> bool {
        self.pip.no_index()
    }
}

fn pip_settings(prefix: &Path, context: &mut Context) -> Result<PipSettings, EnvError> {
    let mut pip = Command::new(python_in(prefix));
    let lines = context.lines(Step::Tools, clean(pip.args(["-m", "pip", "config", "list"])))?;
    Ok(PipSettings::parse(&lines))
}

/// The lines of [`PINS`] that are about one package.
fn pin_of(name: &str) -> String {
    let start = format!("{name}==");
    let lines = PINS.lines().skip_while(|line| !line.starts_with(&start));
    let ours = lines.enumerate().take_while(|(i, line)| *i == 0 || line.starts_with(' '));
    ours.map(|(_, line)| format!("{line}\n")).collect()
}

fn usable(prefix: &Path) -> bool {
    Stamp::read(prefix).is_some() && script_in(prefix, "uv").exists() && python_in(prefix).exists()
}

fn make(prefix: &Path, base: &Base, context: &mut Context) -> Result<(), EnvError> {
    base.can_make_environments()?;
    stamp::remove(prefix, context)?;
    (context.progress)(EnvProgress::Step { step: Step::Tools });
    context.run(
        Step::Tools,
        clean(Command::new(&base.python).args([
            OsStr::new("-I"),
            OsStr::new("-m"),
            OsStr::new("venv"),
            prefix.as_os_str(),
        ])),
    )?;
    // pip also reads settings beside its own Python; those of the base Python hold here too.
    let settings = if cfg!(windows) { "pip.ini" } else { "pip.conf" };
    for place in [&base.base_prefix, &base.prefix] {
        if place.join(settings).is_file() {
            let to = prefix.join(settings);
            fs::copy(place.join(settings), &to)
                .map_err(EnvError::io("copy pip's settings to", to))?;
        }
    }
    let (first, pins) = (prefix.join("uv.txt"), prefix.join("tools.txt"));
    fs::write(&first, pin_of("uv")).map_err(EnvError::io("write", &first))?;
    fs::write(&pins, PINS).map_err(EnvError::io("write", &pins))?;
    // pip, which comes with Python, installs uv alone; uv installs the rest many times faster.
    let mut pip = Command::new(python_in(prefix));
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-user"]);
    pip.args(["--progress-bar", "off", "--only-binary", ":all:", "--no-deps"]);
    context.run(Step::Tools, clean(pip.args(["--require-hashes", "-r"]).arg(&first)))?;
    let tools = Tools { prefix: prefix.into(), pip: pip_settings(prefix, context)?, lease: None };
    let mut uv = tools.uv(prefix);
    uv.args(["pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:"]);
    tools.no_index().then(|| uv.arg("--no-index"));
    uv.arg("--python").arg(python_in(prefix)).arg("-r").arg(&pins);
    context.run(Step::Tools, &mut uv)?;
    Stamp::of_tools(base).write(prefix)
}

/// Takes out of a command's environment what would send packages elsewhere or load foreign code.
fn clean(command: &mut Command) -> &mut Command {
    const UNWANTED: [&str; 17] = [
        "PYTHONHOME",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_USER",
        "PIP_REQUIREMENT",
        "PIP_CONSTRAINT",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_NO_DEPS",
        "PIP_NO_BINARY",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "UV_CONSTRAINT",
        "UV_OVERRIDE",
    ];
    for name in UNWANTED {
        command.env_remove(name);
    }
    command.env("PYTHONNOUSERSITE", "1").env("NO_COLOR", "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_of_a_package_is_its_own_lines_and_no_more() {
        let pin = pin_of("uv");
        assert_eq!(pin.lines().filter(|line| line.contains("==")).count(), 1);
        assert!(pin.starts_with("uv==") && pin.contains("--hash=sha256:"));
        assert!(!pin.trim_end().ends_with('\\'), "the last line goes on: {pin}");
    }

    #[test]
    fn every_pinned_installer_has_hashes() {
        let packages = PINS.lines().filter(|line| line.contains("==")).count();
        let without = PINS.lines().filter(|line| line.contains("==") && !line.ends_with('\\'));
        assert!(packages > 3);
        assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
        for name in ["poetry", "poetry-plugin-export", "uv"] {
            assert!(!pin_of(name).is_empty(), "{name} is not pinned");
        }
    }
}
