//! The ways into this library and out of the process. The library's only unsafe code.

#![expect(unsafe_code, reason = "a C interface has no other")]

use pyo3::ffi;
use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io;
use std::os::raw::c_void;
use std::sync::Mutex;

/// Passes one line, newline included, to the program; false where nobody hears it any more.
pub type Say = extern "C" fn(line: *const u8, length: usize) -> bool;

/// What [`joulerace_worker_main`] was given, until Python asks for it.
static CALL: Mutex<Option<(Vec<u8>, Say)>> = Mutex::new(None);

/// This library's version, for the program to hold against its own.
#[unsafe(no_mangle)]
pub extern "C" fn joulerace_worker_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// What Python is told to run. The module is part of this process, so no file is looked for.
const PROGRAM: &CStr = c"import joulerace_worker; joulerace_worker.serve_program()";

/// Starts Python as if `executable` had been run, serves `request` (one [`joulerace_protocol::Request`]
/// as JSON) and ends the process. Returns an exit status only where Python did not start, and said
/// why on standard error.
///
/// # Safety
///
/// `executable` is a C string, `request` points to `length` bytes, libpython's symbols are open
/// globally, and no Python was started in this process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn joulerace_worker_main(
    executable: *const c_char,
    request: *const u8,
    length: usize,
    say: Say,
) -> c_int {
    // SAFETY: the caller's promise.
    let request = unsafe { std::slice::from_raw_parts(request, length) }.to_vec();
    *CALL.lock().unwrap_or_else(|e| e.into_inner()) = Some((request, say));
    // What Python is started with lives as long as the process.
    let mut arguments = vec![executable];
    arguments.extend([c"-E", c"-s", c"-X", c"utf8", c"-c", PROGRAM].map(CStr::as_ptr));
    // SAFETY: the module is registered before Python starts, its name is static, and the arguments are C
    // strings: the caller's, and static ones.
    unsafe {
        ffi::PyImport_AppendInittab(c"joulerace_worker".as_ptr(), Some(init));
        main(&arguments)
    }
}

/// Python's own `main`.
///
/// # Safety
///
/// The arguments are C strings, and no Python was started in this process.
#[cfg(not(windows))]
unsafe fn main(arguments: &[*const c_char]) -> c_int {
    // Python may change what it is given.
    // SAFETY: the caller's promise.
    let copy =
        |argument: &*const c_char| unsafe { CStr::from_ptr(*argument) }.to_owned().into_raw();
    let mut argv: Vec<*mut c_char> = arguments.iter().map(copy).collect();
    let count = argv.len() as c_int;
    argv.push(std::ptr::null_mut());
    // SAFETY: argv holds `count` C strings and a null.
    unsafe { Py_BytesMain(count, argv.leak().as_mut_ptr()) }
}

/// Windows takes bytes for letters of an old code page, in which not every path can be written.
///
/// # Safety
///
/// As above.
#[cfg(windows)]
unsafe fn main(arguments: &[*const c_char]) -> c_int {
    let wide = |argument: &*const c_char| {
        // SAFETY: the caller's promise.
        let text = unsafe { CStr::from_ptr(*argument) }.to_string_lossy().into_owned();
        text.encode_utf16().chain([0]).collect::<Vec<u16>>().leak().as_mut_ptr()
    };
    let mut argv: Vec<*mut u16> = arguments.iter().map(wide).collect();
    let count = argv.len() as c_int;
    argv.push(std::ptr::null_mut());
    // SAFETY: argv holds `count` strings that end with a 0, and a null.
    unsafe { Py_Main(count, argv.leak().as_mut_ptr()) }
}

// In the stable ABI, `Py_BytesMain` since 3.8; PyO3 does not name them there.
#[cfg_attr(windows, link(name = "python3", kind = "raw-dylib"))]
unsafe extern "C" {
    #[cfg(not(windows))]
    fn Py_BytesMain(argc: c_int, argv: *mut *mut c_char) -> c_int;
    #[cfg(windows)]
    fn Py_Main(argc: c_int, argv: *mut *mut u16) -> c_int;
}

unsafe extern "C" {
    // What `#[pymodule]` makes.
    fn PyInit_joulerace_worker() -> *mut c_void;
}

/// The module's beginning, of the type that Python's table wants.
extern "C" fn init() -> *mut ffi::PyObject {
    // SAFETY: called by Python, with the interpreter attached.
    unsafe { PyInit_joulerace_worker().cast() }
}

/// Takes what [`joulerace_worker_main`] was given.
///
/// # Panics
///
/// Where Python code calls this a second time, or outside the program.
pub(crate) fn call() -> (Vec<u8>, impl FnMut(&[u8]) -> bool + Send + 'static) {
    let call = CALL.lock().unwrap_or_else(|e| e.into_inner()).take();
    let (request, say) = call.expect("only the program that opened this library calls it, once");
    (request, move |line: &[u8]| say(line.as_ptr(), line.len()))
}

/// Both directions of an open file descriptor that this process was started with.
#[cfg(unix)]
pub(crate) fn line(fd: i32) -> io::Result<(File, File)> {
    use std::os::fd::FromRawFd;
    // SAFETY: the number comes from the program, which opened it for this process and for nothing else.
    let file = unsafe { File::from_raw_fd(fd) };
    Ok((file.try_clone()?, file))
}

#[cfg(not(unix))]
pub(crate) fn line(_fd: i32) -> io::Result<(File, File)> {
    Err(io::Error::other(
        "only Unix passes file descriptors on; use a Python with a shared library",
    ))
}

/// Ends the process at once.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: `_exit` ends the process and touches no memory.
    #[cfg(unix)]
    unsafe {
        libc::_exit(status)
    }
    // `exit` would have libraries tidy up while their threads are gone.
    // SAFETY: the pseudo handle is this process's, which ends here.
    #[cfg(windows)]
    unsafe {
        use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};
        TerminateProcess(GetCurrentProcess(), status as u32);
        std::process::abort()
    }
}
