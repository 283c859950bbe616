//! Ties the binary to the libpython that PyO3 was configured with.
//!
//! Without the run path the loader would pick any other libpython of the same name, and without
//! the interpreter's own path the program could not tell a user which Python it was built for.

fn main() {
    pyo3_build_config::add_libpython_rpath_link_args();
    let config = pyo3_build_config::get();
    if !config.shared() {
        panic!(
            "the Python that would be embedded ({}) has no shared library (libpython{}).\n\
             Name one that has: PYO3_PYTHON=/path/to/python3 cargo build\n\
             (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {}; Debian: apt install python3-dev)",
            config.executable().unwrap_or("unknown"),
            config.version(),
            config.version(),
        );
    }
    let version = config.version();
    println!("cargo:rustc-env=JOULERACE_PYTHON_VERSION={version}");
    println!("cargo:rustc-env=JOULERACE_PYTHON={}", config.executable().unwrap_or("python3"));
    println!("cargo:rerun-if-env-changed=PYO3_PYTHON");
}
