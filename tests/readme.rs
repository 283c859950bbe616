//! What the README and the pages below `docs` tell people to type: each command is one that the program
//! takes, and the README's short ones are run as they stand.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::Scratch;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The README's commands that are run, by their beginnings.
const RUN: [&str; 2] = ["joulerace compare 'python a.py'", "joulerace analyze DIR"];

/// Those that are not, each with the reason.
const NOT_RUN: [(&str, &str); 9] = [
    ("podman build", ".ci/container does it, in its own time"),
    ("joulerace --iterations 5", "the smoke run of CI does the same with fewer images"),
    ("joulerace --iterations 30", "it takes hours"),
    ("cargo test", "it is what runs this"),
    ("joulerace --treatments torch,torch:compile", "its environments take gigabytes"),
    ("joulerace --versions", "tests/versions.rs has smaller packages"),
    (
        "joulerace --treatments torch,jax --vary",
        "it takes hours; tests/treatments.rs has stand-ins",
    ),
    ("joulerace submit", "tests/cluster.rs does it where there is Slurm"),
    ("joulerace verify", "its script is the reader's; tests/verify.rs has others"),
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

/// What stands in a page's sentences as a command of joulerace's, each on one line.
fn mentioned(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    // A paragraph at a time: where marks of code are not in pairs, only it is misread.
    let spans = text.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    let spans = spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
    spans.filter(|span| span.starts_with("joulerace ") && !span.contains('…')).collect()
}

/// The examples under each command's help.
fn examples(scratch: &Scratch) -> Vec<String> {
    let help = |command: &str| {
        let output = shell(scratch, &format!("joulerace {command} --help")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = help("");
    let commands = whole.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.trim_start().split(' ').next());
    let mut found = Vec::new();
    for text in std::iter::once(whole.clone()).chain(names.filter(|n| *n != "help").map(help)) {
        let text = text.replace("\\\n      ", "");
        let lines = text.lines().skip_while(|line| !line.starts_with("Examples")).skip(1);
        let lines = lines.filter_map(|line| line.strip_prefix("  "));
        // What it does stands behind it, at some distance.
        let lines = lines.map(|line| match line.find("joulerace ") {
            Some(0) => line.split("   ").next().unwrap().to_owned(),
            _ => String::new(),
        });
        found.extend(lines.filter(|line| !line.is_empty()));
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
    let unquoted = |at: &usize| line[..*at].matches('\'').count().is_multiple_of(2);
    let ends = [" > ", " | ", " # "].into_iter().flat_map(|mark| line.match_indices(mark));
    let end = ends.map(|(at, _)| at).filter(unquoted).min().unwrap_or(line.len());
    let plain = line[..end].trim_end_matches(" …");
    match plain.split_once(" -- ") {
        Some((before, _)) => format!("{before} --help"),
        None => format!("{plain} --help"),
    }
}

/// A shell in the scratch folder that knows `joulerace`.
fn shell(scratch: &Scratch, line: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_joulerace")).parent().unwrap();
    let paths = [program, &scratch.at(".")].map(|path| path.display().to_string()).join(":");
    let path = format!("{paths}:{}", std::env::var("PATH").unwrap());
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
    std::fs::write(scratch.at("race.toml"), "iterations = 2\n").unwrap();
    let mut lines = BTreeMap::new();
    for page in pages() {
        let blocks = commands(&page).into_iter().filter(|line| line.starts_with("joulerace "));
        lines.extend(blocks.chain(mentioned(&page)).map(|line| (line, page.display().to_string())));
    }
    let helped = examples(&scratch);
    assert!(helped.len() >= 50, "{helped:#?}");
    lines.extend(helped.into_iter().map(|line| (line, "--help".to_owned())));
    assert!(lines.len() >= 100, "{lines:#?}");
    for (line, page) in lines {
        let line = asking_for_help(&line).replace(['<', '>'], "").replace("SHELL", "bash");
        let output = shell(&scratch, &line).output().unwrap();
        assert!(output.status.success(), "{page}: {line}\n{}", experiment::text(&output));
    }
}

/// What makes a page's experiment short, behind its own flags.
const SHORT: &str = "--warmup 0s --cooldown 0s --baseline 0s --no-analysis";

/// The lines of a page that begin so, as they stand.
fn lines_of(page: &str, begin: &str) -> Vec<String> {
    let lines = commands(&project().join(page)).into_iter();
    lines.filter(|line| line.starts_with(begin)).collect()
}

/// Runs a line in the scratch folder, and gives what it said.
fn succeeds(scratch: &Scratch, line: &str) -> String {
    let mut command = shell(scratch, line);
    let output = command.env("JOULERACE_CACHE_DIR", scratch.at("cache")).output().unwrap();
    let said = experiment::text(&output);
    assert!(output.status.success(), "{line}\n{said}");
    said
}

#[test]
fn a_comparison_is_saved_and_run_as_its_page_says() {
    let scratch = Scratch::new(&[]);
    for name in ["a", "b"] {
        std::fs::write(scratch.at(&format!("{name}.py")), "pass\n").unwrap();
    }
    std::os::unix::fs::symlink(&joulerace::env::pythons()[0], scratch.at("python")).unwrap();
    let page = "docs/compare.md";
    for line in lines_of(page, "joulerace compare").iter().filter(|line| line.contains("--save")) {
        succeeds(&scratch, line);
    }
    let runs = lines_of(page, "joulerace run");
    assert_eq!(runs.len(), 1, "{runs:?}");
    let said = succeeds(&scratch, &format!("{} --runs 1 --repetitions 1 {SHORT}", runs[0]));
    assert!(said.contains("Results: results/first"), "{said}");
    for line in lines_of(page, "joulerace mark") {
        assert_eq!(succeeds(&scratch, &line), "", "where nobody measures, nothing happens");
    }
    // The page's file, with its commands in place of the programs that the reader has.
    let text = std::fs::read_to_string(project().join(page)).unwrap();
    let file = text.lines().skip_while(|line| !line.starts_with("    commands = ["));
    let file: Vec<&str> = file.take_while(|line| !line.is_empty()).map(str::trim).collect();
    std::fs::write(scratch.at("race.toml"), file.join("\n")).unwrap();
    let line = "joulerace run race.toml --runs 1 --repetitions 1 --output results/second";
    let said = succeeds(&scratch, &format!("{line} {SHORT}"));
    assert!(said.contains("b[n=100]"), "{said}");
}

#[test]
fn a_workload_of_ones_own_runs_as_its_page_says_and_gets_no_images() {
    let scratch = Scratch::new(&[]);
    let page = std::fs::read_to_string(project().join("docs/workloads.md")).unwrap();
    std::fs::create_dir(scratch.at("sums")).unwrap();
    for part in page.split("`sums/").skip(1) {
        let (name, rest) = part.split_once("`:").unwrap();
        let script = rest.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
        std::fs::write(scratch.at("sums").join(name), script).unwrap();
    }
    let lines = lines_of("docs/workloads.md", "joulerace --workload");
    assert_eq!(lines.len(), 1, "{lines:?}");
    // The tests' environment has no NumPy.
    let line = lines[0].replace(",numpy", "");
    let environment = experiment::environment().display();
    let own = format!("--python-env {environment} --allow-unlocked --output results/sums");
    succeeds(&scratch, &format!("{line} --iterations 1 {own} {SHORT}"));
    let read = |file: &str| {
        let text = std::fs::read(scratch.at("results/sums").join(file)).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()
    };
    let experiment = read("experiment.json");
    assert_eq!(experiment["work"]["identical"], true, "{experiment:#}");
    assert!(experiment["dataset"].get("dir").is_none(), "{}", experiment["dataset"]);
    assert!(!scratch.at("cache/data").exists(), "no images were made ready");
}

#[test]
fn the_readmes_short_commands_do_what_it_says() {
    let scratch = Scratch::new(&[]);
    for (name, ends) in [("a", "0.1"), ("b", "0.2")] {
        let script = format!("import time\ntime.sleep({ends})\n");
        std::fs::write(scratch.at(&format!("{name}.py")), script).unwrap();
    }
    // Not every machine calls its Python so.
    std::os::unix::fs::symlink(&joulerace::env::pythons()[0], scratch.at("python")).unwrap();
    let mut ran = Vec::new();
    for line in commands(&project().join("README.md")) {
        if NOT_RUN.iter().any(|(begin, _)| line.starts_with(begin)) {
            continue;
        }
        let known = RUN.iter().find(|begin| line.starts_with(**begin));
        let known =
            known.unwrap_or_else(|| panic!("neither run nor passed over with a reason: {line}"));
        let line = line.replace("DIR", "results/*");
        let output = shell(&scratch, &line).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", experiment::text(&output));
        ran.push(*known);
    }
    assert_eq!(ran, RUN, "each in the README's order");
    let mut results = std::fs::read_dir(scratch.at("results")).unwrap();
    let folder = results.next().unwrap().unwrap().path();
    let report = std::fs::read_to_string(folder.join("analysis/report.md")).unwrap();
    assert!(report.contains("python a.py") && report.contains("python b.py"), "{report}");
}
