//! Starts a Python within this process or beside it, in either of two ways.
//!
//! - With a shared library: it is opened into this process, globally, as C extensions look for its
//!   symbols there; then the worker's library, which starts the interpreter as if the environment's own
//!   executable had been run.
//! - Without: the executable is started, imports the worker's library as an extension module, and
//!   talks through a pair of sockets whose other end this process passes on.

#![expect(
    unsafe_code,
    reason = "a library that is opened at run time is trusted to be what it says"
)]

use super::WorkerError;
use super::protocol::Request;
use crate::paths::shipped;
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Hears each line that Python's side says, newline included; false where it cannot be passed on.
type Hear = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

static HEAR: OnceLock<Hear> = OnceLock::new();

/// Runs Python as `request` says and passes what it says to `hear`. The process ends with Python where
/// that was opened into it, so this returns only where Python did not start, or ran beside it; the
/// value is then the exit status to leave with.
///
/// # Errors
///
/// [`WorkerError::Library`] and [`WorkerError::Start`], where a library or an executable could not be
/// used.
pub(super) fn run(
    request: &Request,
    hear: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
) -> Result<i32, WorkerError> {
    let worker = library()?;
    let text = serde_json::to_vec(request).unwrap_or_default();
    let hear = HEAR.get_or_init(|| Box::new(hear));
    match &request.python.library {
        Some(libpython) => embed(libpython, &request.python.executable, &worker, &text),
        None => start(&request.python.executable, &worker, text, hear),
    }
}

/// What the worker's library calls.
extern "C" fn heard(line: *const u8, length: usize) -> bool {
    // SAFETY: the worker's library passes a slice of its own.
    let line = unsafe { std::slice::from_raw_parts(line, length) };
    HEAR.get().is_some_and(|hear| hear(line))
}

/// The worker's library: the one that this program carries; of a development build, where Cargo leaves it.
fn library() -> Result<PathBuf, WorkerError> {
    if let Some(carried) = shipped::worker()? {
        return Ok(carried);
    }
    let name = libloading::library_filename("joulerace_worker");
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new("."));
    let places = [folder.join("deps"), folder.to_owned()];
    let found = places.iter().map(|place| place.join(&name)).find(|path| path.is_file());
    found.ok_or_else(|| WorkerError::NoLibrary { name: name.into(), folder: folder.to_owned() })
}

fn embed(
    libpython: &Path,
    executable: &Path,
    worker: &Path,
    request: &[u8],
) -> Result<i32, WorkerError> {
    type Version = extern "C" fn() -> *const c_char;
    type Say = extern "C" fn(*const u8, usize) -> bool;
    type Main = unsafe extern "C" fn(*const c_char, *const u8, usize, Say) -> c_int;

    let failed = |path: &Path, why: String| WorkerError::Library { path: path.to_owned(), why };
    let executable_text = CString::new(executable.as_os_str().as_encoded_bytes())
        .map_err(|_| failed(executable, "its path holds a NUL byte".to_owned()))?;
    // SAFETY: both libraries are left open for good, so nothing of theirs is used after they are gone;
    // their start-up code is Python's and Rust's own. The symbols have the types that the worker's
    // library declares, which its version vouches for.
    unsafe {
        let python = global(libpython).map_err(|e| failed(libpython, e.to_string()))?;
        let library = Library::new(worker).map_err(|e| failed(worker, e.to_string()))?;
        let version = library
            .get::<Version>(b"joulerace_worker_version")
            .map(|version| CStr::from_ptr(version()).to_string_lossy().into_owned())
            .unwrap_or_else(|_| "unknown".to_owned());
        if version != env!("CARGO_PKG_VERSION") {
            let why = format!(
                "it is of version {version} and this program of {}; build both anew",
                env!("CARGO_PKG_VERSION")
            );
            return Err(failed(worker, why));
        }
        let main = library
            .get::<Main>(b"joulerace_worker_main")
            .map_err(|e| failed(worker, e.to_string()))?;
        let main = *main;
        std::mem::forget((python, library));
        Ok(main(executable_text.as_ptr(), request.as_ptr(), request.len(), heard))
    }
}

#[cfg(unix)]
unsafe fn global(path: &Path) -> Result<libloading::os::unix::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the caller's.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }
}

/// Windows has no global symbols: extension modules name the library that they need, and one of that name
/// that is open already serves them. The stable ABI's `python3.dll` lies beside `python3XX.dll`, which
/// is opened first, with what lies beside it, as `python3.dll` passes calls on to it.
#[cfg(windows)]
unsafe fn global(path: &Path) -> Result<(Library, Library), libloading::Error> {
    use libloading::os::windows::{LOAD_WITH_ALTERED_SEARCH_PATH, Library as Opened};
    let open = |path: &Path| {
        // SAFETY: the caller's.
        unsafe { Opened::load_with_flags(path, LOAD_WITH_ALTERED_SEARCH_PATH) }
    };
    let python = open(path)?;
    let stable = open(&path.with_file_name("python3.dll"))?;
    Ok((python.into(), stable.into()))
}

/// Imports the worker's library from its file, whatever its name, and serves.
#[cfg(unix)]
const PROGRAM: &str = "\
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
path, fd = sys.argv[1:]
spec = spec_from_file_location('joulerace_worker', path, loader=ExtensionFileLoader('joulerace_worker', path))
module = module_from_spec(spec)
sys.modules['joulerace_worker'] = module
spec.loader.exec_module(module)
module.serve_line(int(fd))";

#[cfg(unix)]
fn start(
    executable: &Path,
    worker: &Path,
    request: Vec<u8>,
    hear: &Hear,
) -> Result<i32, WorkerError> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use std::io::{BufRead, BufReader, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    let failed = |e: std::io::Error| WorkerError::Start {
        python: executable.to_owned(),
        why: e.to_string(),
    };
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    // No other thread starts a process here, so the socket reaches Python and nobody else.
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|e| failed(e.into()))?;
    let fd = theirs.as_raw_fd().to_string();
    let mut child = std::process::Command::new(executable)
        .args(["-E", "-s", "-X", "utf8", "-c", PROGRAM])
        .arg(worker)
        .arg(fd)
        .spawn()
        .map_err(failed)?;
    drop(theirs);
    let mut line = request;
    line.push(b'\n');
    (&ours).write_all(&line).map_err(failed)?;
    let mut lines = BufReader::new(ours);
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(read) if read > 0 && line.ends_with(b"\n") => drop(hear(&line)),
            _ => break,
        }
    }
    let status = child.wait().map_err(failed)?;
    // The host is to see what happened to Python.
    crate::process::end_likewise(status);
    Ok(status.code().unwrap_or(1))
}

/// Windows passes no sockets on by their numbers, and every Python there has its `python3XX.dll`.
#[cfg(not(unix))]
fn start(executable: &Path, _: &Path, _: Vec<u8>, _: &Hear) -> Result<i32, WorkerError> {
    Err(WorkerError::Start {
        python: executable.to_owned(),
        why: "its python3XX.dll is not found beside it; take a Python from python.org".to_owned(),
    })
}
