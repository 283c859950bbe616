//! What people see: forty mistakes with the message that each is met with, and the screens at three widths,
//! with and without colours and UTF-8. Each stands in `tests/snapshots`; after a wanted change,
//! `UPDATE_SNAPSHOTS=1 cargo test --test messages` writes them anew, for you to read. (`insta` keeps snapshots too;
//! these are plain text as it is shown, many to a file, and need no program to be looked at.)
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;
#[path = "common/powercap.rs"]
mod powercap;
#[path = "common/snapshot.rs"]
mod snapshot;

use experiment::{Scratch, environment};
use powercap::Powercap;
use snapshot::snapshot;
use std::process::{Command, Output};

/// What a program said, with the folders of this run named.
fn said(scratch: &Scratch, output: &Output) -> String {
    let text = experiment::text(output);
    [(scratch.at("."), "SCRATCH"), (environment().to_owned(), "ENV")]
        .iter()
        .map(|(path, name)| (path.display().to_string().trim_end_matches("/.").to_owned(), *name))
        .chain([(env!("CARGO_MANIFEST_DIR").to_owned(), "PROJECT")])
        .fold(text, |text, (path, name)| text.replace(&path, name))
}

/// A mistake: what is typed, the status, and words of what, where and the remedy.
type Mistake = (&'static str, i32, [&'static str; 3]);

const MISTAKES: [Mistake; 60] = [
    ("run --iterations 3", 2, ["FILE", "run", "joulerace --iterations 3"]),
    ("run nowhere.toml", 2, ["cannot be read", "nowhere.toml", "No such file"]),
    ("run full/notes", 2, ["cannot be read", "full/notes", "parse error"]),
    ("start --iterations 3", 2, ["unrecognized", "'start'", "write: joulerace --iterations 3"]),
    ("compare", 2, ["required", "COMMAND", "--help"]),
    ("compare 'nosuchprogram -x' true", 127, ["no program", "'nosuchprogram'", "give its path"]),
    ("compare true true", 2, ["twice", "'true'", "--control 'true'"]),
    ("compare 'true {n}' -L m 1,2", 2, ["no command", "--parameter-list", "{m}"]),
    ("mark sort start", 2, ["'start'", "begin|end", "write begin or end"]),
    ("mark 'two words' begin", 2, ["two words", "PHASE", "use up to 32"]),
    ("analyse x", 2, ["unrecognized", "'analyse'", "analyze"]),
    ("-iterations 3", 2, ["unexpected", "'-i'", "two dashes: --iterations"]),
    ("--iteratons 3", 2, ["unexpected", "'--iteratons'", "--iterations"]),
    (
        "--treatments keras torch jax",
        2,
        ["cannot be used", "--treatments", "--treatments keras,torch,jax"],
    ),
    ("--frameworks a,c", 2, ["no framework 'c'", "--treatments", "there are: a, b"]),
    ("--treatments a,a", 2, ["twice", "--treatments", "--control a"]),
    ("--treatments ,", 2, ["at least one", "--treatments", "name"]),
    ("--treatments a,a@study", 2, ["the same", "'a@study'", "--control"]),
    ("--treatments a:fast", 2, ["no variant 'fast'", "--treatments", "it has: none"]),
    ("--treatments a@newest", 2, ["no environment 'newest'", "--environment NAME=DIR", "a@1.2.3"]),
    ("--environment mine=/nowhere", 2, ["no pyproject.toml", "--environment", "poetry init"]),
    ("--vary batch-size=8,0", 2, ["0 is out of range", "--vary batch-size", "1 to 60000"]),
    ("--vary colour=1,2", 2, ["no such factor", "--vary colour", "batch-size, epochs"]),
    ("--versions a=1", 2, ["write it like", "--versions a=1", "jax=0.4.30..0.6.2"]),
    ("--control c", 2, ["not among", "--control", "(a, b)"]),
    ("--compare-to c", 2, ["not among", "--compare-to", "(a, b)"]),
    ("--iterations 0", 2, ["not in", "--iterations", "1..=100000"]),
    ("--iterations -3", 2, ["not in", "--iterations", "1..=100000"]),
    ("--iterations many", 2, ["invalid", "--iterations", "digit"]),
    ("--epochs 1.5", 2, ["invalid", "--epochs", "digit"]),
    ("--learning-rate -0.1", 2, ["out of range", "--learning-rate", "above 0"]),
    ("--learning-rate 0,1", 2, ["invalid", "--learning-rate", "float"]),
    ("--batch-size 0", 2, ["not in", "--batch-size", "1..=60000"]),
    ("--threads 100000", 2, ["out of range", "--threads", "at most the processors"]),
    ("--warmup soon", 2, ["invalid", "--warmup", "90s, 5m or 200ms"]),
    ("--warmup 90", 2, ["invalid", "--warmup", "90s, 5m or 200ms"]),
    ("--interval 0ms", 2, ["out of range", "--interval", "at least 1ms"]),
    ("--meter sensor", 2, ["invalid", "--meter", "rapl"]),
    (
        "--meter rapl --powercap nowhere --dry-run --iterations",
        2,
        ["value is required", "--iterations", "--help"],
    ),
    ("--cpu-watts 65:10", 2, ["invalid", "--cpu-watts", "65:10"]),
    ("--dataset imagenet", 2, ["invalid", "--dataset", "mnist, digits"]),
    ("--train-samples 60001", 2, ["more than there is", "--train-samples", "leave it out"]),
    ("--data-dir nowhere", 2, ["no folder", "--data-dir", "mkdir -p"]),
    ("--resume", 2, ["required", "--output", "--help"]),
    ("--output full", 6, ["not empty", "--output", "name a new folder"]),
    ("resume full", 6, ["no experiment", "full", "experiment.json"]),
    ("resume", 2, ["required", "<DIR>", "--help"]),
    ("analyze nowhere", 10, ["cannot be read", "nowhere", "Name"]),
    ("analyze full", 10, ["no trials", "full", "<name>_<number>.csv"]),
    ("analyze full --price-per-kwh -1", 2, ["-1", "--price-per-kwh", "0"]),
    ("audit", 2, ["required", "PATH", "--help"]),
    ("audit full --columns grup=a", 2, ["no key 'grup'", "--columns", "group, energy"]),
    ("measure", 2, ["required", "<COMMAND>", "--help"]),
    ("measure --intervall 10ms sleep 1", 2, ["no flag", "'--intervall'", "--interval?"]),
    ("measure 'sleep 1'", 127, ["no program", "'sleep 1'", "joulerace measure -- sleep 1"]),
    ("measure -- nosuchprogram", 127, ["no program", "'nosuchprogram'", "give its path"]),
    (
        "measure -q --meter estimate -- full/notes",
        126,
        ["cannot be run", "'full/notes'", "chmod +x"],
    ),
    ("measure -o full -- true", 2, ["is a folder", "--output", "--name NAME"]),
    ("measure --name a/b -- true", 2, ["cannot name", "--name", "use letters"]),
    ("completions csh", 2, ["invalid", "SHELL", "bash"]),
];

/// Words as a shell would split them; quotes are single.
fn split(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    quoted
        .flat_map(|(n, part)| match n % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

fn scratch() -> Scratch {
    let scratch = Scratch::new(&[("a", "{}"), ("b", "{}")]);
    std::fs::create_dir(scratch.at("full")).unwrap();
    std::fs::write(scratch.at("full/notes"), "mine\n").unwrap();
    scratch
}

/// An experiment's flags get the scripts of the scratch folder; they come last but for those of the line.
fn command(scratch: &Scratch, line: &str) -> Command {
    let words = split(line);
    let mut command = scratch.program();
    command.current_dir(scratch.at(".")).env("COLUMNS", "80").env("LC_ALL", "C.UTF-8");
    if words[0].starts_with('-') {
        let lists = ["--frameworks", "--treatments", "--versions"];
        let list = words.iter().any(|word| lists.iter().any(|list| word.starts_with(list)));
        command.arg("--workloads").arg(scratch.at("workloads"));
        if !list {
            command.args(["--frameworks", "a,b"]);
        }
    }
    command.args(words);
    command
}

#[test]
fn forty_mistakes_are_each_met_with_what_where_and_the_remedy() {
    let scratch = scratch();
    let mut table = String::new();
    for (line, status, words) in MISTAKES {
        let output = command(&scratch, line).output().unwrap();
        let text = said(&scratch, &output);
        table += &format!("$ joulerace {line}\n{text}=> {}\n\n", output.status.code().unwrap());
        assert_eq!(output.status.code(), Some(status), "{line}: {text}");
        for word in words {
            assert!(text.contains(word), "{line}: '{word}' is not in: {text}");
        }
    }
    snapshot("messages.txt", &table);
}

#[test]
fn of_a_flag_that_is_repeated_the_last_counts() {
    let scratch = scratch();
    let line = "--iterations 3 --iterations 4 --iterations 9x";
    let output = command(&scratch, line).output().unwrap();
    assert!(said(&scratch, &output).contains("'9x'"), "the last one is read");
    let output = command(&scratch, "measure --runs 3 --runs 1 --json -- true").output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["runs"].as_array().unwrap().len(), 1);
}

/// Screens that are the same each time, or become so with numbers taken out.
const SCREENS: [&str; 13] = [
    "--help",
    "measure --help",
    "compare --help",
    "run --help",
    "mark --help",
    "analyze --help",
    "audit --help",
    "resume --help",
    "verify --help",
    "doctor --help",
    "env --help",
    "completions --help",
    "--frameworks keras torch jax",
];

#[test]
fn screens_fit_their_width_with_and_without_colours_and_utf8() {
    let scratch = scratch();
    for columns in [60, 80, 120] {
        for (name, locale, colour) in
            [("plain", "C.UTF-8", false), ("colour", "C.UTF-8", true), ("ascii", "C", false)]
        {
            let mut screens = String::new();
            for line in SCREENS {
                let mut command = command(&scratch, line);
                command.env("COLUMNS", columns.to_string()).env("LC_ALL", locale);
                command.env(if colour { "CLICOLOR_FORCE" } else { "NO_COLOR" }, "1");
                let text = said(&scratch, &command.output().unwrap());
                assert_eq!(text.contains('\x1b'), colour, "{line} in {name}: {text}");
                if name == "ascii" {
                    assert!(text.is_ascii(), "{line}: {text}");
                }
                screens += &format!("$ joulerace {line}\n{text}\n");
            }
            snapshot(&format!("screens-{columns}-{name}.txt"), &screens.replace('\x1b', "\\e"));
        }
    }
}

/// What is said there stands word by word in `src/commands/screens.rs`; here a real run's is held to its width.
#[test]
fn a_runs_screens_fit_their_width_and_a_log_has_clock_place_and_what_is_left() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.05}"), ("b", "{'seconds': 0.05}")]);
    let mut command = scratch.experiment("a,b", &["--iterations", "2"]);
    let output = command.env("COLUMNS", "60").env("CLICOLOR", "1").output().unwrap();
    assert!(output.status.success(), "{}", experiment::text(&output));
    let (out, log) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!log.contains('\x1b') && !out.contains('\x1b'), "a log has no colours: {log}");
    let wide = out.lines().find(|line| line.chars().count() > 60);
    assert!(wide.is_none(), "{wide:?}");
    let begin =
        log.lines().find(|line| line.starts_with("4 trials")).unwrap_or_else(|| panic!("{log}"));
    for part in ["roughly", "done about", "meter: estimate", "NOT a measurement", "data: mnist"] {
        assert!(begin.contains(part), "{part}: {begin}");
    }
    let first = log.lines().find(|line| line.contains("[1/4]")).unwrap();
    let (clock, rest) = first.split_at(8);
    assert!(
        clock.bytes().enumerate().all(|(n, b)| if n % 3 == 2 {
            b == b':'
        } else {
            b.is_ascii_digit()
        }),
        "{first}"
    );
    assert!(rest.contains("left)"), "from the first trial on: {first}");
    assert!(log.contains("[4/4]"), "{log}");
    assert!(!log.contains("block"), "one way to number: {log}");
}

#[test]
fn doctor_and_a_dry_run_end_with_what_to_fix_first() {
    let scratch = scratch();
    let tree = Powercap::two_sockets();
    for columns in [60usize, 80, 120] {
        for locale in ["C.UTF-8", "C"] {
            let mut command = scratch.program();
            command.args(["doctor", "--dataset", "digits", "--cooldown", "0s", "--powercap"]);
            command.arg(tree.root()).env("COLUMNS", columns.to_string()).env("LC_ALL", locale);
            let text = experiment::text(&command.output().unwrap());
            let end = text.split_once("Fix first").unwrap_or_else(|| panic!("{text}")).1;
            assert!(end.contains("Pauses"), "{end}");
            // Commands stay in one line, so that they can be copied.
            let prose = |line: &&str| !line.contains("sudo ") && !line.contains("docker run");
            let wide = end.lines().filter(prose).find(|line| line.chars().count() > columns);
            assert!(wide.is_none(), "{wide:?}");
            assert_eq!(locale == "C", text.is_ascii(), "{text}");
        }
    }
    let line = "--dry-run --iterations 2 --cooldown 0s --meter estimate";
    let output = command(&scratch, line).output().unwrap();
    let text = said(&scratch, &output);
    assert!(output.status.success() && text.contains("Fix first"), "{text}");
    assert!(text.contains("2 blocks of a, b = 4 trials"), "{text}");
}

#[test]
fn completions_and_man_pages_name_every_command() {
    let scratch = scratch();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = command(&scratch, &format!("completions {shell}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for word in ["resume", "analyze", "measure", "iterations"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    let output = command(&scratch, "man pages").output().unwrap();
    assert!(output.status.success(), "{}", experiment::text(&output));
    let pages = experiment::names(&scratch.at("pages"));
    for page in ["joulerace.1", "joulerace-measure.1", "joulerace-env-sync.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    assert!(!pages.iter().any(|name| name.contains("worker")), "{pages:?}");
}
