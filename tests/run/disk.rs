//! Disks that are full, read-only or gone, and files that are cut: the run pauses and says so, and
//! nothing that was finished is lost.

use crate::experiment::{Scratch, eventually, send, start, text};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// Reads a program's standard error while it runs, so that a test can wait for a word of it.
struct Listening {
    child: Child,
    heard: Arc<Mutex<String>>,
}

impl Listening {
    fn to(mut child: Child) -> Listening {
        let heard = Arc::new(Mutex::new(String::new()));
        let (into, from) = (Arc::clone(&heard), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut heard = into.lock().unwrap();
                *heard += &line;
                heard.push('\n');
            }
        });
        Listening { child, heard }
    }

    fn await_word(&self, word: &str) {
        eventually(&format!("the program says '{word}'"), || self.said().contains(word));
    }

    fn said(&self) -> String {
        self.heard.lock().unwrap().clone()
    }

    fn status(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

/// A small file system at the experiment's folder. None where this user may not mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: &Path) -> Option<SmallDisk> {
        std::fs::create_dir(path).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(path.to_owned()));
        }
        eprintln!("skipped: a small disk cannot be mounted by this user");
        None
    }

    /// Takes what space is left.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

const SLEEPS: &str = "{'seconds': 0.3}";

#[test]
fn a_full_disk_pauses_the_run_and_space_lets_it_go_on() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let Some(disk) = SmallDisk::at(&scratch.results()) else { return };
    let mut run = Listening::to(start(scratch.experiment("a", &["--iterations", "3"])));
    scratch.await_event("trial-started", 2);
    disk.fill();
    run.await_word("Paused");
    assert!(run.said().contains(scratch.results().to_str().unwrap()), "{}", run.said());
    assert!(run.said().contains("nothing that was finished is lost"), "{}", run.said());
    assert_eq!(scratch.json("a/a_0.json")["status"], "ok");
    disk.free();
    assert_eq!(run.status(), Some(0), "{}", run.said());
    scratch.assert_complete(3);
}

#[test]
fn a_run_that_waits_for_space_can_be_stopped_and_resumed() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let Some(disk) = SmallDisk::at(&scratch.results()) else { return };
    let mut run = Listening::to(start(scratch.experiment("a", &["--iterations", "3"])));
    scratch.await_event("trial-started", 2);
    disk.fill();
    run.await_word("Paused");
    send(&run.child, Signal::SIGINT);
    assert_eq!(run.status(), Some(8), "{}", run.said());
    assert!(run.said().contains("joulerace resume"), "{}", run.said());
    scratch.await_no_process();
    disk.free();
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(3);
}

#[test]
fn a_folder_that_vanishes_is_waited_for() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let mut run = Listening::to(start(scratch.experiment("a", &["--iterations", "3"])));
    scratch.await_event("trial-started", 2);
    std::fs::rename(scratch.results(), scratch.at("elsewhere")).unwrap();
    run.await_word("Paused");
    assert!(!scratch.results().exists(), "nothing is written where the folder was");
    std::fs::rename(scratch.at("elsewhere"), scratch.results()).unwrap();
    assert_eq!(run.status(), Some(0), "{}", run.said());
    scratch.assert_complete(3);
}

/// Makes folders read-only for everyone, root included, where the file system can.
fn lock_folder(folder: &Path, locked: bool) -> bool {
    let flag = if locked { "+i" } else { "-i" };
    Command::new("chattr").arg(flag).arg(folder).output().is_ok_and(|o| o.status.success())
}

#[test]
fn a_read_only_folder_pauses_the_run_until_it_can_be_written() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let mut run = Listening::to(start(scratch.experiment("a", &["--iterations", "3"])));
    scratch.await_event("trial-started", 2);
    let folder = scratch.results().join("a");
    if !lock_folder(&folder, true) {
        eprintln!("skipped: this user or file system cannot make a folder immutable");
        run.status();
        return;
    }
    eventually("it pauses or ends", || {
        run.said().contains("Paused") || run.child.try_wait().unwrap().is_some()
    });
    assert!(lock_folder(&folder, false));
    assert!(run.said().contains("Paused"), "{}", run.said());
    assert_eq!(run.status(), Some(0), "{}", run.said());
    scratch.assert_complete(3);
}

#[test]
fn a_torn_last_line_is_set_aside_and_its_trial_is_run_again() {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let output = scratch.experiment("a", &["--iterations", "2"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    // As if the power had gone while the end of the last trial was written.
    let whole = scratch.journal_text();
    let last_end = whole.rfind("{\"at\"").and_then(|at| whole[..at].rfind("{\"at\"")).unwrap();
    assert!(whole[last_end..].contains("trial-ended"));
    std::fs::write(scratch.results().join("journal.jsonl"), &whole[..last_end + 40]).unwrap();
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("cut off"), "{}", text(&output));
    let torn = std::fs::read_to_string(scratch.results().join("journal.jsonl.torn")).unwrap();
    assert_eq!(torn.trim_end(), &whole[last_end..last_end + 40]);
    scratch.assert_complete(2);
    // The trial had written its files before: they are kept, and named for what they are.
    let kept = scratch.results().join("a/interrupted");
    for ending in ["csv", "json", "log"] {
        assert!(kept.join(format!("a_1-attempt-1.{ending}")).is_file(), "{ending}");
    }
    let told = scratch.journal().into_iter().find(|e| e["event"] == "trial-interrupted").unwrap();
    assert_eq!(told["kept"], "a/interrupted");
}

/// Readers beside a running experiment see whole files only, each time they look.
#[test]
fn files_are_replaced_as_a_whole() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.01}"), ("b", "{'seconds': 0.01}")]);
    let mut run = start(scratch.experiment("a,b", &["--iterations", "4", "-q"]));
    let mut looks = 0;
    while run.try_wait().unwrap().is_none() {
        for name in ["experiment.json", "a/a_0.json", "b/b_3.json"] {
            let Ok(text) = std::fs::read(scratch.results().join(name)) else { continue };
            let read = serde_json::from_slice::<serde_json::Value>(&text);
            assert!(read.is_ok(), "{name} was half written: {}", String::from_utf8_lossy(&text));
            looks += 1;
        }
        if let Ok(rows) = std::fs::read_to_string(scratch.results().join("trials.csv")) {
            let widths: Vec<usize> = rows.lines().map(|line| line.matches(',').count()).collect();
            assert!(rows.ends_with('\n') && widths.iter().all(|w| *w == widths[0]), "{rows}");
        }
    }
    assert!(looks > 10, "only {looks} looks");
    scratch.assert_complete(8);
}
