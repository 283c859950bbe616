//! CPython in this process, in an environment of the caller's choice. The only unsafe code.

use super::WorkerError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

/// The minor version of the libpython in this program, such as `3.11`.
pub const PYTHON_VERSION: &str = env!("JOULERACE_PYTHON_VERSION");

/// The interpreter this program was built for.
pub const BUILT_FOR: &str = env!("JOULERACE_PYTHON");

/// Starts CPython as if `python` (an environment's `bin/python`) had been run, puts `sys_path`
/// first on `sys.path`, and runs `f` on this thread with the interpreter attached.
///
/// Python is never finalised: frameworks leave threads behind that make that unsafe, so a worker
/// that is done leaves with [`exit`].
///
/// # Errors
///
/// [`WorkerError::Start`] where CPython does not start; [`WorkerError::Environment`] where it
/// started somewhere else, which CPython itself passes over in silence; [`WorkerError::Python`]
/// with `f`'s exception.
pub fn with_interpreter<R>(
    python: &Path,
    sys_path: &[PathBuf],
    f: impl FnOnce(Python<'_>) -> PyResult<R>,
) -> Result<R, WorkerError> {
    start(python)?;
    Python::attach(|py| {
        check_prefix(py, python)?;
        let call = || {
            let path = py.import("sys")?.getattr("path")?;
            for folder in sys_path.iter().rev() {
                // As text: a `pathlib.Path` on `sys.path` is passed over by the import system.
                path.call_method1("insert", (0, folder.as_os_str()))?;
            }
            f(py)
        };
        call().map_err(|e| WorkerError::of_exception(py, &e))
    })
}

/// Flushes what Python has buffered and leaves at once, with neither Python's nor the C library's
/// clean-up: other threads of the frameworks still run and must not meet a torn-down interpreter.
pub fn exit(status: i32) -> ! {
    // SAFETY: plain query; it may be called at any time.
    if unsafe { ffi::Py_IsInitialized() } != 0 {
        Python::attach(|py| {
            for stream in ["stdout", "stderr"] {
                // A closed or missing stream has nothing left to flush.
                let _ = py
                    .import("sys")
                    .and_then(|sys| sys.getattr(stream))
                    .and_then(|stream| stream.call_method0("flush"));
            }
        });
    }
    // SAFETY: `_exit` ends the process and touches no memory.
    #[cfg(unix)]
    unsafe {
        nix::libc::_exit(status)
    }
    #[cfg(not(unix))]
    std::process::exit(status)
}

fn start(python: &Path) -> Result<(), WorkerError> {
    let failed = |why: String| WorkerError::Start { python: python.to_owned(), why };
    let executable = CString::new(python.as_os_str().as_encoded_bytes())
        .map_err(|_| failed("its path holds a NUL byte".to_owned()))?;

    // SAFETY: the structures are initialised by CPython's own functions before any other use, the
    // strings outlive the calls that copy them, and this runs once, before any other Python call.
    unsafe {
        let mut pre = std::mem::zeroed::<ffi::PyPreConfig>();
        ffi::PyPreConfig_InitPythonConfig(&mut pre);
        pre.parse_argv = 0;
        pre.use_environment = 0; // PYTHONPATH and PYTHONHOME would change what is measured
        pre.utf8_mode = 1;
        check(ffi::Py_PreInitialize(&pre)).map_err(failed)?;

        let mut config = std::mem::zeroed::<ffi::PyConfig>();
        ffi::PyConfig_InitPythonConfig(&mut config);
        config.parse_argv = 0;
        config.use_environment = 0;
        config.user_site_directory = 0;
        config.install_signal_handlers = 0; // signals are the host's
        let argument = executable.as_ptr();
        let status =
            check(ffi::PyConfig_SetBytesString(&mut config, &mut config.executable, argument))
                .and_then(|()| {
                    check(ffi::PyConfig_SetBytesString(
                        &mut config,
                        &mut config.program_name,
                        argument,
                    ))
                })
                .and_then(|()| {
                    let mut argv = [c"joulerace-worker".as_ptr()];
                    check(ffi::PyConfig_SetBytesArgv(&mut config, 1, argv.as_mut_ptr()))
                })
                .and_then(|()| check(ffi::Py_InitializeFromConfig(&config)));
        ffi::PyConfig_Clear(&mut config);
        status.map_err(failed)?;
        ffi::PyEval_SaveThread(); // `Python::attach` takes it up again
    }
    Ok(())
}

fn check(status: ffi::PyStatus) -> Result<(), String> {
    // SAFETY: the status comes from CPython; its message is null or a static C string.
    unsafe {
        if ffi::PyStatus_Exception(status) == 0 {
            Ok(())
        } else if status.err_msg.is_null() {
            Err(format!("it asked to exit with status {}", status.exitcode))
        } else {
            Err(CStr::from_ptr(status.err_msg).to_string_lossy().into_owned())
        }
    }
}

/// A missing executable makes CPython fall back to the Python it was built as, and an environment
/// of another minor version has no packages for this one; neither says so by itself.
fn check_prefix(py: Python<'_>, python: &Path) -> Result<(), WorkerError> {
    let found: PathBuf = py
        .import("sys")
        .and_then(|sys| sys.getattr("prefix"))
        .and_then(|prefix| prefix.extract())
        .map_err(|e| WorkerError::of_exception(py, &e))?;
    let wanted = python.parent().and_then(Path::parent).unwrap_or(python);
    let same = |a: &Path, b: &Path| match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    };
    if same(&found, wanted) {
        Ok(())
    } else {
        Err(WorkerError::Environment { wanted: wanted.to_owned(), found })
    }
}
