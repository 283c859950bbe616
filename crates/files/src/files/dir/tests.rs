use super::*;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

fn scratch() -> (tempfile::TempDir, Dir) {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let dir = Dir::open(&inside).unwrap();
    (folder, dir)
}

fn refused<T: std::fmt::Debug>(result: io::Result<T>, word: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains("/inside/") && error.contains(word), "{error}");
}

#[test]
fn nothing_is_reached_through_a_link_a_pipe_or_a_second_name() {
    let (folder, dir) = scratch();
    let inside = folder.path().join("inside");
    symlink("../mine", inside.join("link")).unwrap();
    symlink("..", inside.join("folder")).unwrap();
    symlink("nowhere", inside.join("dangling")).unwrap();
    nix::unistd::mkfifo(&inside.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::hard_link(folder.path().join("mine"), inside.join("twin")).unwrap();
    for (name, word) in
        [("link", "symbolic link"), ("dangling", "symbolic link"), ("pipe", "named pipe")]
    {
        let name = OsStr::new(name);
        refused(dir.open_file(name), word);
        refused(dir.append(name), word);
        refused(dir.create(name), word);
        refused(dir.replace(name, b"theirs"), word);
        refused(dir.remove(name), word);
        refused(dir.sub(name), word);
    }
    refused(dir.sub(OsStr::new("folder")), "symbolic link");
    refused(at(&inside.join("folder/x")).map(drop), "symbolic link");
    refused(dir.append(OsStr::new("twin")), "second name");
    // What replaces or removes a name leaves the other name's file as it is.
    dir.replace(OsStr::new("twin"), b"new").unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("mine")).unwrap(), "mine");
    assert!(!inside.join("nowhere").exists());
    refused(only_plain(&inside), "symbolic link");
}

#[test]
fn what_is_replaced_is_whole_and_its_mode_follows_the_umask() {
    let (folder, dir) = scratch();
    let name = OsStr::new("file");
    dir.replace(name, b"one").unwrap();
    let before = std::fs::metadata(folder.path().join("inside/file")).unwrap().ino();
    dir.replace(name, b"two").unwrap();
    let after = std::fs::metadata(folder.path().join("inside/file")).unwrap();
    assert_ne!(before, after.ino());
    assert_eq!(dir.read(name, 3).unwrap(), b"two");
    assert_eq!(dir.read(name, 2).unwrap_err().kind(), io::ErrorKind::InvalidData);
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let mode = |about: std::fs::Metadata| about.permissions().mode();
    assert_eq!(mode(after), mode(std::fs::metadata(plain).unwrap()));
    assert_eq!(dir.names().unwrap(), ["file"]);
    only_plain(dir.path()).unwrap();
}
