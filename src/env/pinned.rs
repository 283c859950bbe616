//! A version on the spot: uv locks one framework at a version, with hashes, once; the lock is a file of
//! requirements that says in its head for what it was made.
//!
//! What the framework needs is taken as it was a month after its release (`uv --exclude-newer`): an old
//! release does not meet packages that it never knew, and a lock that is made again is the same lock.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr as _;

use serde::Deserialize;

use super::base::Base;
use super::child::Context;
use super::lock::{Lock, can_run, minor_version};
use super::tools::Tools;
use super::{EnvError, EnvEvent, EnvSettings, Step};

/// The first line of a lock, and with it its format.
const FORMAT: &str = "# joulerace lock 1";

/// So long after its release a framework's own dependencies have followed it.
const FOLLOWED: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// A framework at a version, as it is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What it is called: `jax@0.4.30`.
    pub name: String,
    /// The same as the name of a file.
    pub file: String,
    /// The package whose version it is.
    pub package: String,
    /// That version.
    pub version: String,
    /// What else is installed with it, without versions.
    pub others: Vec<String>,
}

impl Version {
    /// What uv is asked to lock, a line each: the package at its version, then the others by name.
    pub fn requirements(&self) -> Vec<String> {
        let mut others: Vec<&String> = self.others.iter().filter(|o| **o != self.package).collect();
        others.sort();
        others.dedup();
        let first = format!("{}=={}", self.package, self.version);
        std::iter::once(first).chain(others.into_iter().cloned()).collect()
    }
}

/// A lock of one version, and what its head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedLock {
    /// The whole file.
    pub text: String,
    /// Of which Python: `3.11`.
    pub python: String,
    /// What was asked for: see [`Version::requirements`].
    pub asked: Vec<String>,
    /// What the wheels of each package take, in bytes, as far as the index says so.
    pub wheels: BTreeMap<String, u64>,
}

impl PinnedLock {
    /// Reads a lock's text; an error is the reason in words.
    pub fn parse(text: &str) -> Result<PinnedLock, String> {
        if text.lines().next() != Some(FORMAT) {
            return Err(format!("it does not begin with {FORMAT:?}"));
        }
        let head = |name: &str| {
            let prefix = format!("# {name}: ");
            text.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
        };
        let python = head("python").ok_or("it does not say for which Python it is")?;
        let asked = head("asked").ok_or("it does not say what was asked for")?;
        let size = |word: &str| {
            let (name, bytes) = word.split_once('=')?;
            Some((name.to_owned(), bytes.parse().ok()?))
        };
        let wheels = head("wheels").unwrap_or_default();
        let (platform, here) = (head("platform").unwrap_or_default(), platform());
        if platform != here {
            return Err(format!("it is for {platform}, and this machine is {here}"));
        }
        Lock::pinned(text, &python)?;
        Ok(PinnedLock {
            text: text.to_owned(),
            python,
            asked: asked.split_whitespace().map(str::to_owned).collect(),
            wheels: wheels.split_whitespace().filter_map(size).collect(),
        })
    }

    /// Reads the lock at `path`.
    ///
    /// # Errors
    ///
    /// [`EnvError::PinnedInvalid`] or [`EnvError::Io`].
    pub fn read(path: &Path) -> Result<PinnedLock, EnvError> {
        let text = fs::read_to_string(path).map_err(EnvError::io("read the lock", path))?;
        PinnedLock::parse(&text)
            .map_err(|reason| EnvError::PinnedInvalid { path: path.to_owned(), reason })
    }
}

/// What a wheel has to be for, as far as the lock depends on it.
fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Where the user's locks of versions are.
pub(super) fn folder(settings: &EnvSettings) -> PathBuf {
    settings.cache.join("joulerace").join("locks")
}

fn file(settings: &EnvSettings, version: &Version, python: &str) -> PathBuf {
    let python = minor_version(python);
    folder(settings).join(format!("{}-py{python}-{}.txt", version.file, platform()))
}

/// The lock of a version: the one in the user's cache, else one that is made now and kept there. The
/// first Python that has wheels for it is taken, the study's before others.
///
/// # Errors
///
/// [`EnvError::NoVersion`] with what each Python's attempt came to; whatever keeps uv from trying.
pub fn lock(
    settings: &EnvSettings,
    version: &Version,
    anew: bool,
    progress: &mut dyn FnMut(EnvEvent),
) -> Result<(PathBuf, PinnedLock), EnvError> {
    let bases = bases(settings)?;
    for base in &bases {
        let path = file(settings, version, &base.version);
        match PinnedLock::read(&path) {
            Ok(lock) if !anew && lock.asked == version.requirements() => return Ok((path, lock)),
            _ => {}
        }
    }
    let root = settings.root();
    let folder = folder(settings);
    for folder in [&root, &folder] {
        fs::create_dir_all(folder).map_err(EnvError::io("make the folder", folder))?;
    }
    let context = &mut Context {
        progress,
        cancel: &settings.cancel,
        log: folder.join(format!("{}.log", version.file)),
        target: folder.clone(),
    };
    context.open_log()?;
    let mut tried = Vec::new();
    for base in &bases {
        let tools = Tools::ensure(&root, base, context)?;
        (context.progress)(EnvEvent::Locking {
            name: version.name.clone(),
            python: base.version.clone(),
        });
        match compile(version, base, &tools, context) {
            Ok(text) => {
                let path = file(settings, version, &base.version);
                let lock = PinnedLock::parse(&text)
                    .map_err(|reason| EnvError::PinnedInvalid { path: path.clone(), reason })?;
                crate::files::replace(&path, text.as_bytes())
                    .map_err(EnvError::io("write the lock", &path))?;
                return Ok((path, lock));
            }
            Err(EnvError::Failed { tail, .. }) => {
                tried.push((base.version.clone(), because(&tail)));
            }
            Err(other) => return Err(other),
        }
    }
    let known = match bases.first() {
        Some(base) => releases_with(&root, base, &version.package, context).unwrap_or_default(),
        None => Vec::new(),
    };
    Err(EnvError::NoVersion {
        name: version.name.clone(),
        package: version.package.clone(),
        version: version.version.clone(),
        tried,
        known: around(&version.version, known),
    })
}

/// Those releases that come next before and after a version.
fn around(version: &str, known: Vec<String>) -> Vec<String> {
    const EACH: usize = 8;
    let order = |text: &str| pep508_rs::pep440_rs::Version::from_str(text).ok();
    let wanted = order(version);
    let place = known.iter().position(|one| order(one) > wanted).unwrap_or(known.len());
    let from = place.saturating_sub(EACH);
    known.into_iter().skip(from).take(2 * EACH).collect()
}

/// How a lock from elsewhere stands to the user's own of the same version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none here.
    New,
    /// It is the one here.
    Same,
    /// Another is used here.
    Other,
}

/// Looks at a lock from elsewhere, of the version `called` so (`jax@0.4.30`); an error is in words why it
/// is of no use here.
pub fn standing(settings: &EnvSettings, called: &str, text: &str) -> Result<Standing, String> {
    let lock = PinnedLock::parse(text)?;
    let path = place(settings, called, &lock)?;
    let own = all_of(settings, called);
    match &own[..] {
        [] => Ok(Standing::New),
        [one] if *one == path && PinnedLock::read(&path).is_ok_and(|own| own == lock) => {
            Ok(Standing::Same)
        }
        _ => Ok(Standing::Other),
    }
}

/// Makes a lock from elsewhere the user's own of that version, in place of any other.
///
/// # Errors
///
/// As [`standing`], or the system's in words.
pub fn take(settings: &EnvSettings, called: &str, text: &str) -> Result<PathBuf, String> {
    let path = place(settings, called, &PinnedLock::parse(text)?)?;
    let said = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let folder = folder(settings);
    fs::create_dir_all(&folder).map_err(|error| said(&folder, error))?;
    for other in all_of(settings, called).into_iter().filter(|other| *other != path) {
        fs::remove_file(&other).map_err(|error| said(&other, error))?;
    }
    crate::files::replace(&path, text.as_bytes()).map_err(|error| said(&path, error))?;
    Ok(path)
}

/// Where a lock of the version `called` so goes. Name and Python may be a stranger's words.
fn place(settings: &EnvSettings, called: &str, lock: &PinnedLock) -> Result<PathBuf, String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    if !called.contains('@') || called.starts_with('.') || !called.chars().all(letter) {
        return Err(format!("{called:?} is no framework at a version"));
    }
    Ok(folder(settings).join(format!("{called}-py{}-{}.txt", lock.python, platform())))
}

/// The user's locks of a version, each for another Python.
fn all_of(settings: &EnvSettings, called: &str) -> Vec<PathBuf> {
    let (begin, end) = (format!("{called}-py"), format!("-{}.txt", platform()));
    let entries = fs::read_dir(folder(settings)).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let python = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end));
        python.is_some_and(|python| python.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    entries.map(|entry| entry.path()).filter(is_one).collect()
}

/// The Pythons that a version can be locked for: the study's first, one of each minor version.
fn bases(settings: &EnvSettings) -> Result<Vec<Base>, EnvError> {
    let study = Lock::read(&settings.study.join("poetry.lock"))?;
    let (all, tried) = Base::all(&settings.pythons);
    let mut bases: Vec<Base> = Vec::new();
    let fit = all.iter().filter(|base| study.is_for(&base.version));
    let others = all.iter().filter(|base| !study.is_for(&base.version) && can_run(&base.version));
    for base in fit.chain(others) {
        let minor = minor_version(&base.version);
        if !bases.iter().any(|other| minor_version(&other.version) == minor) {
            bases.push(base.clone());
        }
    }
    if bases.is_empty() {
        return Err(EnvError::NoPython { wanted: study.python_versions(), tried });
    }
    Ok(bases)
}

/// The final releases of a package that have wheels here, the oldest first, as the index lists them.
///
/// # Errors
///
/// The index cannot be reached, or knows no such package.
pub fn releases(
    settings: &EnvSettings,
    package: &str,
    progress: &mut dyn FnMut(EnvEvent),
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

fn releases_with(
    root: &Path,
    base: &Base,
    package: &str,
    context: &mut Context,
) -> Result<Vec<String>, EnvError> {
    let tools = Tools::ensure(root, base, context)?;
    (context.progress)(EnvEvent::Step { step: Step::Releases });
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

/// Why uv found no way, on one line.
fn because(tail: &[String]) -> String {
    let from = tail.iter().position(|line| line.contains('×')).unwrap_or(0);
    let words: Vec<&str> = tail[from..]
        .iter()
        .flat_map(|line| line.split_whitespace())
        .filter(|word| !matches!(*word, "×" | "╰─▶" | "│" | "error:" | "cause:"))
        .collect();
    words.join(" ")
}

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
fn compile(
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

/// uv's resolution as a pylock.toml, which has sizes and times.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn text(platform: &str) -> String {
        format!(
            "{FORMAT}\n# asked: a==1 b\n# python: 3.11\n# platform: {platform}\n# as of: now\n\
             # wheels: a=100 b=20\na==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\nb==2.0 \\\n    --hash=sha256:02\n"
        )
    }

    #[test]
    fn a_lock_says_what_it_is_for() {
        let lock = PinnedLock::parse(&text(&platform())).unwrap();
        assert_eq!((lock.python.as_str(), lock.asked.join(" ")), ("3.11", "a==1 b".to_owned()));
        assert_eq!(lock.wheels.values().sum::<u64>(), 120);
        let other = PinnedLock::parse(&text("plan9-vax")).unwrap_err();
        assert!(other.contains("plan9-vax"), "{other}");
        assert!(PinnedLock::parse("a==1\n").is_err());
        assert!(PinnedLock::parse(&text(&platform()).replace("--hash", "#")).is_err());
    }

    #[test]
    fn a_version_asks_for_its_package_first_and_for_nothing_twice() {
        let version = Version {
            name: "keras@3.8.0".into(),
            file: "keras@3.8.0".into(),
            package: "keras".into(),
            version: "3.8.0".into(),
            others: ["tensorflow", "numpy", "keras", "numpy"].map(str::to_owned).to_vec(),
        };
        assert_eq!(version.requirements(), ["keras==3.8.0", "numpy", "tensorflow"]);
    }

    #[test]
    fn what_uv_says_is_one_sentence() {
        let tail = [
            "  × No solution found:",
            "  ╰─▶ Because there is no version",
            "      of jax==9,",
            "      we stop.",
        ];
        let told = because(&tail.map(str::to_owned));
        assert_eq!(told, "No solution found: Because there is no version of jax==9, we stop.");
    }
}
