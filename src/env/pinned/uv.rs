//! How uv is asked to resolve and to lock a version.

use super::{FORMAT, Version, platform};
use crate::env::base::Base;
use crate::env::child::Context;
use crate::env::names::minor_version;
use crate::env::tools::Tools;
use crate::env::{EnvError, Step};
use serde::Deserialize;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// How long after its release a framework's dependencies have caught up with it.
const FOLLOWED: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

#[derive(Deserialize)]
struct Pylock {
    #[serde(default)]
    packages: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    #[serde(default)]
    wheels: Vec<Wheel>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wheel {
    size: Option<u64>,
    upload_time: Option<toml::value::Datetime>,
}

/// The lock's text, as uv resolves it for one Python.
pub(super) fn compile(
    version: &Version,
    base: &Base,
    tools: &Tools,
    context: &mut Context,
) -> Result<String, EnvError> {
    let scratch =
        tempfile::tempdir().map_err(EnvError::io("make a folder in", std::env::temp_dir()))?;
    let scratch = scratch.path();
    let alone = pylock(&version.requirements()[..1], None, true, base, tools, scratch, context)?;
    // A month after its first file: what is uploaded later for new Pythons changes nothing.
    let uploaded = alone.packages.iter().flat_map(|p| &p.wheels).filter_map(|w| w.upload_time);
    let uploaded =
        uploaded.filter_map(|time| time.to_string().parse::<jiff::Timestamp>().ok()).min();
    let limit = uploaded.and_then(|time| time.checked_add(FOLLOWED).ok()).map(|t| t.to_string());
    let asked = version.requirements();
    let (mut limit, mut unlimited) = (limit, "the index does not say when files were uploaded");
    let resolved = match pylock(&asked, limit.as_deref(), false, base, tools, scratch, context) {
        // What it needs may have had no wheels for this Python then.
        Err(EnvError::Failed { .. }) if limit.is_some() => {
            (limit, unlimited) = (None, "what it needs had no wheels for this Python then");
            pylock(&asked, None, false, base, tools, scratch, context)?
        }
        resolved => resolved?,
    };
    let mut uv = uv_compile(&asked, limit.as_deref(), base, tools, scratch)?;
    uv.args(["--generate-hashes", "--no-header", "--no-annotate", "--output-file", "locked.txt"]);
    context.run(Step::Lock, &mut uv)?;
    let locked = scratch.join("locked.txt");
    let body = fs::read_to_string(&locked).map_err(EnvError::io("read", &locked))?;
    let mut wheels = String::new();
    for package in &resolved.packages {
        if let Some(bytes) = package.wheels.first().and_then(|wheel| wheel.size) {
            // Writing to a string cannot fail.
            let _ = write!(wheels, " {}={bytes}", package.name);
        }
    }
    Ok(format!(
        "{FORMAT}\n# asked: {}\n# python: {}\n# platform: {}\n# as of: {}\n# wheels:{wheels}\n{body}",
        asked.join(" "),
        minor_version(&base.version),
        platform(),
        limit.unwrap_or_else(|| format!("when it was locked; {unlimited}")),
    ))
}

/// uv's resolution as a pylock.toml, which has sizes and times. (It is not what is kept: the lock's text is the
/// requirements with hashes that Poetry's lock is exported to as well, so that both are installed in one way.)
fn pylock(
    asked: &[String],
    limit: Option<&str>,
    alone: bool,
    base: &Base,
    tools: &Tools,
    scratch: &Path,
    context: &mut Context,
) -> Result<Pylock, EnvError> {
    let mut uv = uv_compile(asked, limit, base, tools, scratch)?;
    alone.then(|| uv.arg("--no-deps"));
    uv.args(["--format", "pylock.toml", "--output-file", "pylock.toml"]);
    let path = scratch.join("pylock.toml");
    let _ = fs::remove_file(&path);
    context.run(Step::Lock, &mut uv)?;
    let text = fs::read_to_string(&path).map_err(EnvError::io("read", &path))?;
    toml::from_str(&text)
        .map_err(|error| EnvError::PinnedInvalid { path, reason: error.to_string() })
}

fn uv_compile(
    asked: &[String],
    limit: Option<&str>,
    base: &Base,
    tools: &Tools,
    scratch: &Path,
) -> Result<Command, EnvError> {
    let input = scratch.join("asked.in");
    fs::write(&input, asked.join("\n") + "\n").map_err(EnvError::io("write", &input))?;
    let mut uv = tools.uv(scratch);
    uv.args(["pip", "compile", "asked.in", "--quiet", "--only-binary", ":all:", "--python"]);
    uv.arg(&base.python);
    tools.no_index().then(|| uv.arg("--no-index"));
    if let Some(limit) = limit {
        uv.args(["--exclude-newer", limit]);
    }
    Ok(uv)
}

/// Why uv found no way, on one line.
pub(super) fn because(tail: &[String]) -> String {
    let from = tail.iter().position(|line| line.contains('×')).unwrap_or(0);
    let words: Vec<&str> = tail[from..]
        .iter()
        .flat_map(|line| line.split_whitespace())
        .filter(|word| !matches!(*word, "×" | "╰─▶" | "│" | "error:"))
        .collect();
    // "X: Because" in uv's older layout, "X" and "cause: Because" in the newer.
    words.join(" ").replace(" cause:", ":").replace("::", ":")
}
