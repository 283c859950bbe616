//! The library embeds Python, so its fuzz targets need libpython's run path too.

fn main() {
    pyo3_build_config::add_libpython_rpath_link_args();
}
