//! What bad input gets: the flag or file by name, a status of its own, and nothing half-written.

use crate::energibridge::{Mode, stand_in};
use crate::experiment::{Scratch, environment, names, text};
use std::ffi::OsString;
use std::process::Command;

const SLEEPS: [(&str, &str); 1] = [("a", "{'seconds': 0.02}")];

/// Expects this command to fail with `status`, to say all `words`, and to leave no results.
fn refused(scratch: &Scratch, mut command: Command, status: i32, words: &[&str]) {
    let around = names(&scratch.at(""));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{command:?}: {said}");
    for word in words {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    let mut after = names(&scratch.at(""));
    after.retain(|name| name != "lock");
    let around: Vec<String> = around.into_iter().filter(|name| name != "lock").collect();
    assert_eq!(after, around, "it left something behind");
}

/// The usual command with another value for a flag that it already has.
fn instead(scratch: &Scratch, flag: &str, value: impl Into<OsString>) -> Command {
    let usual = scratch.experiment("a", &[]);
    let mut arguments: Vec<OsString> = usual.get_args().map(ToOwned::to_owned).collect();
    let place = arguments.iter().position(|argument| argument == flag).unwrap();
    arguments[place + 1] = value.into();
    let mut command = scratch.program();
    command.args(arguments);
    command
}

#[test]
fn bad_values_name_their_flag() {
    let scratch = Scratch::new(&SLEEPS);
    for (flag, value) in [
        ("--treatments", "caffe"),
        ("--dataset", "imagenet"),
        ("--warmup", "soon"),
        ("--cooldown", "9999999999years"),
        ("--epochs", "0"),
        ("--batch-size", "0"),
        ("--interval", "0s"),
        ("--meter", "sundial"),
    ] {
        refused(&scratch, instead(&scratch, flag, value), 2, &[flag, value]);
    }
    let zero = scratch.experiment("a", &["--iterations", "0"]);
    refused(&scratch, zero, 2, &["--iterations", "0"]);
}

#[test]
fn a_folder_with_other_things_in_it_is_not_written_to() {
    let scratch = Scratch::new(&SLEEPS);
    std::fs::create_dir(scratch.results()).unwrap();
    std::fs::write(scratch.results().join("thesis.tex"), "mine").unwrap();
    let results = scratch.results();
    let words = ["--output", results.to_str().unwrap(), "not empty"];
    refused(&scratch, scratch.experiment("a", &[]), 6, &words);
    assert_eq!(names(&results), ["thesis.tex"]);
}

#[test]
fn there_is_nothing_to_resume_where_there_is_no_experiment() {
    let scratch = Scratch::new(&SLEEPS);
    let results = scratch.results();
    let words = [results.to_str().unwrap(), "experiment.json"];
    refused(&scratch, scratch.resume(&[]), 6, &words);
    refused(&scratch, scratch.experiment("a", &["--resume"]), 6, &words);
}

#[test]
fn a_python_of_another_version_is_named_with_the_way_out() {
    let scratch = Scratch::new(&SLEEPS);
    let other = scratch.at("python3.8");
    std::fs::create_dir_all(other.join("bin")).unwrap();
    std::fs::create_dir_all(other.join("lib/python3.8/site-packages")).unwrap();
    std::fs::write(other.join("pyvenv.cfg"), "home = /usr/bin\nversion = 3.8.20\n").unwrap();
    std::os::unix::fs::symlink("/bin/true", other.join("bin/python")).unwrap();
    let words = [other.to_str().unwrap(), "3.8.20", ">=3.11"];
    refused(&scratch, instead(&scratch, "--python-env", &other), 3, &words);
    let none = scratch.at("workloads");
    let words = ["--python-env", none.to_str().unwrap()];
    refused(&scratch, instead(&scratch, "--python-env", &none), 3, &words);
}

#[test]
fn packages_that_differ_from_the_lock_are_named_with_the_way_out() {
    let scratch = Scratch::new(&SLEEPS);
    let usual = scratch.experiment("a", &[]);
    let mut command = scratch.program();
    command.args(usual.get_args().filter(|argument| *argument != "--allow-unlocked"));
    let words = ["--python-env", "--allow-unlocked", environment().to_str().unwrap()];
    refused(&scratch, command, 3, &words);
}

#[test]
fn a_meter_that_does_not_work_is_named_with_its_reason() {
    let scratch = Scratch::new(&SLEEPS);
    let folder = scratch.at("empty");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let rapl = scratch.measured("a", &["--meter", "rapl", "--powercap", folder], &[]);
    refused(&scratch, rapl, 4, &["--powercap", folder]);
    let missing = format!("{folder}/energibridge");
    for (mode, words) in [
        (None, ["--energibridge", missing.as_str()]),
        (Some(Mode::Old), ["0.0.6", "0.0.7"]),
        (Some(Mode::PanicsAtStart), ["panicked", "src/cpu/amd.rs"]),
        (Some(Mode::NoEnergy), ["EnergiBridge", "energy"]),
    ] {
        let own = tempfile::tempdir().unwrap();
        let program = mode.map_or(missing.clone().into(), |mode| stand_in(own.path(), mode));
        let meter = ["--meter", "energibridge", "--energibridge", program.to_str().unwrap()];
        let output = scratch.measured("a", &meter, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{mode:?}: {}", text(&output));
        for word in words {
            let said = text(&output);
            assert!(
                word == "panicked" || said.contains(word),
                "no '{word}' of {mode:?} in: {said}"
            );
        }
        assert!(!scratch.results().exists());
    }
}

#[test]
fn damaged_images_are_named_by_their_file() {
    let scratch = Scratch::new(&SLEEPS);
    let path = scratch.at("data/t10k-images-idx3-ubyte.gz");
    let whole = std::fs::read(&path).unwrap();
    let gzip = |content: &[u8]| {
        use std::io::Write;
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(content).unwrap();
        gz.finish().unwrap()
    };
    let mut flipped = whole.clone();
    let checksum = flipped.len() - 8;
    flipped[checksum] ^= 1;
    let mut short = vec![0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 28, 0, 0, 0, 28];
    short.resize(1000, 0);
    let mut magic = vec![0, 0, 8, 1, 0, 0, 0, 10];
    magic.resize(18, 0);
    for (what, bytes) in [
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("content cut short", gzip(&short)),
        ("of labels", gzip(&magic)),
        ("with a wrong checksum", flipped),
        ("empty", Vec::new()),
        ("not gzipped", b"<html>not found</html>".to_vec()),
    ] {
        std::fs::write(&path, bytes).unwrap();
        eprintln!("images {what}:");
        let command = scratch.experiment("a", &[]);
        refused(&scratch, command, 5, &[path.to_str().unwrap()]);
    }
}

#[test]
fn a_negative_or_empty_value_names_its_flag_and_limits_are_told_by_name() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.02}")]);
    for (flag, value) in [
        ("--iterations", "-1"),
        ("--seed", "-1"),
        ("--learning-rate", "-0.5"),
        ("--warmup", "-1s"),
        ("--trial-timeout", "0s"),
    ] {
        let output = scratch.experiment("a", &[flag, value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag}: {}", text(&output));
        assert!(text(&output).contains(flag), "{flag}: {}", text(&output));
    }
    let experiment = scratch.experiment("a", &["--iterations", "1"]);
    let mut limited = std::process::Command::new("prlimit");
    limited.arg("--nofile=8:8").arg(experiment.get_program()).args(experiment.get_args());
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("ulimit -n"), "{}", text(&output));
    assert!(!scratch.results().exists());
}

#[test]
fn an_argument_that_is_no_text_is_no_reason_to_panic() {
    use std::os::unix::ffi::OsStrExt as _;
    let scratch = Scratch::new(&[("a", "{'seconds': 0.02}")]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let mut command = scratch.program();
    let output = command.arg("analyze").arg(scratch.at("").join(name)).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", text(&output));
    let mut command = scratch.experiment("a", &["--iterations", "1"]);
    // The last one counts, and is where the results go.
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let at = arguments.iter().position(|argument| argument == "--output").unwrap();
    command = scratch.program();
    command.args(&arguments[..at]).arg("--output").arg(scratch.at("").join(name));
    command.args(&arguments[at + 2..]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
