//! The part of joulerace that runs within Python: it calls one function of one module and passes on
//! what that emits.
//!
//! Built against the stable ABI with no Python at hand, so one file serves every Python from 3.10 on.
//! It gets into a Python in one of two ways, and is the same module `joulerace_worker` in both:
//!
//! - the program opens a shared libpython, then this library, and calls [`entry::joulerace_worker_main`];
//! - a Python without shared library imports it as an extension module and calls `serve_line(fd)`.

// `pub` says that another crate, a test or a bench needs it, so that the compiler names what is dead.
#![warn(unreachable_pub)]

pub mod entry;
mod failure;
mod serve;

use pyo3::prelude::*;
use std::io::{BufRead, BufReader, Write};

/// What Python imports.
#[pymodule]
fn joulerace_worker(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(serve_program, module)?)?;
    module.add_function(wrap_pyfunction!(serve_line, module)?)
}

/// Serves the request of the program that opened this library, and does not return.
#[pyfunction]
fn serve_program(py: Python<'_>) {
    let (request, say) = entry::call();
    leave(py, serve::serve(py, &request, say));
}

/// Reads one request from the file descriptor `fd`, answers there, and does not return.
#[pyfunction]
fn serve_line(py: Python<'_>, fd: i32) -> PyResult<()> {
    let mut line = Vec::new();
    let (read, mut write) = entry::line(fd)?;
    BufReader::new(read).read_until(b'\n', &mut line)?;
    let say = move |message: &[u8]| write.write_all(message).is_ok();
    leave(py, serve::serve(py, &line, say));
}

/// Ends the process at once, with neither Python's nor the C library's clean-up: other threads of the
/// frameworks still run and must not meet a torn-down interpreter.
fn leave(py: Python<'_>, status: i32) -> ! {
    // A closed stream has nothing left to flush.
    let _ = serve::flush(py);
    entry::exit(status)
}
