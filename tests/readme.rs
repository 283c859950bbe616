//! What the README and the pages below `docs` tell people to type: each command is one that the program
//! takes, and the README's short ones are run as they stand.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::Scratch;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The README's commands that are run, by their beginnings.
const RUN: [&str; 4] = [
    "joulerace measure --runs 10 --name old",
    "joulerace measure --runs 10 --name new",
    "joulerace analyze out",
    "joulerace analyze DIR",
];

/// Those that are not, each with the reason.
const NOT_RUN: [(&str, &str); 6] = [
    ("pip install joulerace", "CI's wheel is installed by .ci/wheel"),
    ("podman build", ".ci/container does it, in its own time"),
    ("joulerace --iterations 5", "the smoke run of CI does the same with fewer images"),
    ("joulerace --iterations 30", "it takes hours"),
    ("cargo test", "it is what runs this"),
    (
        "joulerace verify --frameworks torch,<name>",
        "its script is the reader's; tests/verify.rs has others",
    ),
];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands of a page's blocks of code, in their order, each on one line.
fn commands(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            let line = line.trim().replace("cargo run --release --", "joulerace");
            let begins = ["joulerace", "cargo", "sudo", "apt", "pip", "uvx", "podman", "srun"];
            if line.split(' ').next().is_some_and(|word| begins.contains(&word)) {
                found.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    let docs =
        std::fs::read_dir(project().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> =
        docs.filter(|page| page.extension().is_some_and(|ending| ending == "md")).collect();
    pages.extend(["README.md", "python/workloads/README.md"].map(|page| project().join(page)));
    pages
}

/// The line with `--help` behind its flags, which are read first: a wrong one is refused, and nothing
/// is done. What a shell does with the output, and what is measured, is left out.
fn asking_for_help(line: &str) -> String {
    let plain = line.split(" > ").next().unwrap().split(" | ").next().unwrap();
    let plain = plain.split(" # ").next().unwrap().trim_end_matches(" …");
    match plain.split_once(" -- ") {
        Some((before, _)) => format!("{before} --help"),
        None => format!("{plain} --help"),
    }
}

/// A shell in the scratch folder that knows `joulerace`.
fn shell(scratch: &Scratch, line: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_joulerace")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    let theirs = scratch.program();
    for (name, value) in theirs.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(["-c", line]).env("PATH", path).current_dir(scratch.at("."));
    command
}

#[test]
fn every_command_of_the_pages_is_one_that_the_program_takes() {
    let scratch = Scratch::new(&[]);
    let mut tried = 0;
    for page in pages() {
        for line in commands(&page).iter().filter(|line| line.starts_with("joulerace ")) {
            let line = asking_for_help(line).replace(['<', '>'], "");
            let output = shell(&scratch, &line).output().unwrap();
            let said = experiment::text(&output);
            assert!(output.status.success(), "{}: {line}\n{said}", page.display());
            tried += 1;
        }
    }
    assert!(tried >= 12, "{tried} commands were found");
}

#[test]
fn the_readmes_short_commands_do_what_it_says() {
    let scratch = Scratch::new(&[]);
    for (name, ends) in [("old", "0.2"), ("new", "0.1")] {
        let script = scratch.at(name);
        std::fs::write(&script, format!("#!/bin/sh\nsleep {ends}\n")).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut ran = Vec::new();
    for line in commands(&project().join("README.md")) {
        if NOT_RUN.iter().any(|(begin, _)| line.starts_with(begin)) {
            continue;
        }
        let known = RUN.iter().find(|begin| line.starts_with(**begin));
        let known =
            known.unwrap_or_else(|| panic!("neither run nor passed over with a reason: {line}"));
        let line = line.replace("DIR", "out");
        let output = shell(&scratch, &line).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", experiment::text(&output));
        ran.push(*known);
    }
    assert_eq!(ran, RUN, "each in the README's order");
    let report = std::fs::read_to_string(scratch.at("out/analysis/report.md")).unwrap();
    assert!(report.contains("old") && report.contains("new"), "{report}");
}
