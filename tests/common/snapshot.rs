//! Texts that are held against files in `tests/snapshots`.

use std::path::Path;

/// Compares with the file of that name; with `UPDATE_SNAPSHOTS=1` writes it anew, for you to read.
pub fn snapshot(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    assert!(
        wanted == found,
        "{} differs: {differs:?}; UPDATE_SNAPSHOTS=1 writes it anew",
        path.display()
    );
}
