//! What the program carries within itself: scripts, analysis, locks, and the library that runs within Python.
//!
//! It puts them into the user's cache, under a name that follows from their content, before they are
//! used. What lies there is run, so the folder has to be this user's (or root's) and closed to others,
//! nothing in it is reached through a link, and every file is held against the one that is carried. A
//! development build carries nothing: it uses its clone, where a changed script needs no building.

use crate::clean::hex;
use crate::files::Dir;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// `python/` without what only the project's own tests need.
#[derive(rust_embed::RustEmbed)]
#[folder = "python/"]
#[exclude = "tests/*"]
#[exclude = "*__pycache__*"]
#[exclude = "*/target/*"]
#[exclude = ".*"]
struct Python;

/// A file by its path below the folder.
type Carried = (Cow<'static, str>, Cow<'static, [u8]>);

#[cfg(debug_assertions)]
const WORKER: Option<&[u8]> = None;
#[cfg(not(debug_assertions))]
const WORKER: Option<&[u8]> = Some(include_bytes!(env!("JOULERACE_WORKER_LIBRARY")));

/// The carried files could not be put where they can be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("joulerace's own files cannot be put into {folder}: {why}", folder = folder.display())]
#[diagnostic(help("set JOULERACE_CACHE_DIR to a folder of your own"))]
pub(crate) struct NotPlaced {
    /// Where they were to go.
    pub folder: PathBuf,
    /// Why they are not there.
    pub why: String,
}

/// The folder with the carried files, whole; none in a development build, which carries none.
///
/// # Errors
///
/// [`NotPlaced`].
pub(crate) fn folder() -> Result<Option<PathBuf>, NotPlaced> {
    WORKER.map(|worker| place(&super::cache(), &everything(worker))).transpose()
}

/// The worker's library among them; none in a development build.
///
/// # Errors
///
/// [`NotPlaced`].
pub(crate) fn worker() -> Result<Option<PathBuf>, NotPlaced> {
    Ok(folder()?.map(|folder| folder.join(worker_name())))
}

/// The revision that this program was built from, where it was a repository's; `+` at its end stands for
/// files that differed from it.
pub(crate) fn revision() -> Option<&'static str> {
    option_env!("JOULERACE_REVISION")
}

fn worker_name() -> String {
    libloading::library_filename("joulerace_worker").to_string_lossy().into_owned()
}

fn everything(worker: &'static [u8]) -> Vec<Carried> {
    let root: [(&'static str, &'static [u8]); 4] = [
        ("pyproject.toml", include_bytes!("../../pyproject.toml")),
        ("poetry.lock", include_bytes!("../../poetry.lock")),
        ("CITATION.cff", include_bytes!("../../CITATION.cff")),
        ("LICENSE", include_bytes!("../../LICENSE")),
    ];
    let root = root.map(|(name, content)| (name.into(), content.into()));
    let python = Python::iter()
        .filter_map(|name| Some((format!("python/{name}").into(), Python::get(&name)?.data)));
    let worker = (worker_name().into(), worker.into());
    root.into_iter().chain(python).chain([worker]).collect()
}

/// Puts the files into a folder of the cache that is theirs alone, and gives it.
fn place(cache: &Path, files: &[Carried]) -> Result<PathBuf, NotPlaced> {
    let mut digest = Sha256::new();
    for (name, content) in files {
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name.as_bytes());
        digest.update((content.len() as u64).to_le_bytes());
        digest.update(content);
    }
    let name = hex(&digest.finalize())[..16].to_owned();
    let above = cache.join("joulerace").join("program");
    // In a cache that several users share, the first has the plain name.
    let own = format!("{name}-{}", owner());
    let mut failed = None;
    for name in [&name, &own] {
        let folder = above.join(name);
        match put(&above, OsStr::new(name), files) {
            Ok(()) => return Ok(folder),
            Err(error) => failed = failed.or(Some(NotPlaced { folder, why: error.to_string() })),
        }
    }
    Err(failed.unwrap_or(NotPlaced { folder: above, why: "there is no place".to_owned() }))
}

/// Makes the folder, or takes one that nobody else can write to, and writes what is missing or other.
/// Each file is replaced as a whole, and by the same content whoever does it.
fn put(above: &Path, name: &OsStr, files: &[Carried]) -> io::Result<()> {
    std::fs::create_dir_all(above)?;
    closed(&above.join(name))?;
    let root = Dir::open(above)?.sub(name)?;
    for (path, content) in files {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut folder = None;
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder = Some(folder.as_ref().unwrap_or(&root).make(OsStr::new(part))?);
        }
        let (folder, name) = (folder.as_ref().unwrap_or(&root), OsStr::new(name));
        let there = folder.read(name, content.len() as u64);
        if !there.is_ok_and(|there| there == **content) {
            folder.replace(name, content)?;
        }
    }
    Ok(())
}

/// What tells this user from others of the machine.
fn owner() -> String {
    #[cfg(unix)]
    return nix::unistd::geteuid().to_string();
    // The cache is one user's there; only a name is wanted.
    #[cfg(not(unix))]
    "own".to_owned()
}

/// Makes a folder, or accepts one: the cache (`%LOCALAPPDATA%`) is closed to other users as it is.
#[cfg(not(unix))]
fn closed(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Makes a folder that only this user can enter, or accepts one that only this user or root can write to.
#[cfg(unix)]
fn closed(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let about = std::fs::symlink_metadata(path)?;
    let ours = [nix::unistd::geteuid().as_raw(), 0].contains(&about.uid());
    if about.is_dir() && ours && about.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(io::Error::other("it belongs to somebody else, or others can write to it"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::Remedy as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn files() -> Vec<Carried> {
        let file = |name: &'static str, text: &'static str| (name.into(), text.as_bytes().into());
        vec![file("lock", "7"), file("python/a/b.py", "print(7)\n"), file("python/c.py", "")]
    }

    #[test]
    fn what_is_carried_is_whole_wherever_it_was_left_off_or_changed() {
        let cache = tempfile::tempdir().unwrap();
        let folder = place(cache.path(), &files()).unwrap();
        let script = folder.join("python/a/b.py");
        assert_eq!(std::fs::read_to_string(&script).unwrap(), "print(7)\n");
        std::fs::write(&script, "print(8)\n").unwrap();
        std::fs::remove_file(folder.join("lock")).unwrap();
        assert_eq!(place(cache.path(), &files()).unwrap(), folder);
        assert_eq!(std::fs::read_to_string(&script).unwrap(), "print(7)\n");
        assert_eq!(std::fs::read_to_string(folder.join("lock")).unwrap(), "7");
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let mut other = files();
        other[0].1 = b"8".as_slice().into();
        assert_ne!(place(cache.path(), &other).unwrap(), folder, "other files, another folder");
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        let cache = tempfile::tempdir().unwrap();
        let folder = place(cache.path(), &files()).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let own = place(cache.path(), &files()).unwrap();
        assert_ne!(own, folder);
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o720)).unwrap();
        let error = place(cache.path(), &files()).unwrap_err().in_line();
        assert!(
            error.contains("others can write") && error.contains("JOULERACE_CACHE_DIR"),
            "{error}"
        );
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let (cache, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = place(cache.path(), &files()).unwrap();
        std::fs::remove_dir_all(folder.join("python/a")).unwrap();
        symlink(elsewhere.path(), folder.join("python/a")).unwrap();
        let own = place(cache.path(), &files()).unwrap();
        assert_ne!(own, folder);
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_scripts_and_the_analysis_are_carried_and_the_tests_are_not() {
        let names: Vec<String> = everything(b"").into_iter().map(|(name, _)| name.into()).collect();
        let has = |name: &str| names.iter().any(|n| n == name);
        assert!(has("poetry.lock") && has("python/analysis/host.py"), "{names:?}");
        assert!(has("python/analysis/templates/report.html.j2"), "{names:?}");
        assert!(names.iter().any(|n| n.starts_with("python/workloads/") && n.ends_with(".py")));
        let odd = |n: &&String| n.contains("__pycache__") || n.starts_with("python/tests");
        assert_eq!(names.iter().find(odd), None);
    }
}
