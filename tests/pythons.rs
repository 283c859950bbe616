//! One build runs in whatever Pythons this machine has, from 3.10 on, opened as a library or started as
//! an executable.
#![cfg(unix)]

#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, text};
use joulerace::env::interpreter;
use joulerace::process::Exit;
use joulerace::worker::protocol::{Arrays, Interpreter, Message, Request};
use joulerace::worker::{Ended, Failure, Launch, Limits, Listener, Seen, Task, run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};

/// A host ends every child of its process that is left after a worker, so one test at a time starts any.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|e| e.into_inner())
}

/// One executable of each minor version from 3.10 on: those on `PATH`, and pyenv's.
fn pythons() -> BTreeMap<String, PathBuf> {
    let mut candidates = joulerace::env::pythons();
    let pyenv = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv/versions"));
    let folders = pyenv.into_iter().flat_map(std::fs::read_dir).flatten().flatten();
    candidates.extend(folders.map(|folder| folder.path().join("bin/python3")));
    let mut found = BTreeMap::new();
    for python in candidates {
        let program =
            "import sys; print('%d.%d' % sys.version_info[:2], sys.version_info >= (3, 10))";
        let Ok(output) = Command::new(&python).args(["-I", "-c", program]).output() else {
            continue;
        };
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some((version, "True")) = answer.trim().split_once(' ') {
            found.entry(version.to_owned()).or_insert(python);
        }
    }
    found
}

fn environment(python: &Path, folder: &Path) {
    let made = Command::new(python).args(["-m", "venv", "--without-pip"]).arg(folder).status();
    assert!(made.unwrap().success(), "{} makes an environment", python.display());
}

/// Calls `function` of a module with this text in a worker, and gives what it emitted.
fn call(
    python: Interpreter,
    module: &str,
    argument: Value,
    arrays: Option<Arrays>,
) -> (Vec<Value>, Option<String>, Ended, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("made.py"), module).unwrap();
    let log = folder.path().join("log");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut events, mut hello) = (Vec::new(), None);
    let ended = runtime.block_on(async {
        let listener = Listener::bind().unwrap();
        let launch = Launch {
            task: Task::Python(Request {
                python,
                sys_path: vec![folder.path().to_owned()],
                module: "made".to_owned(),
                function: "run".to_owned(),
                argument,
                arrays,
            }),
            argv: vec![
                env!("CARGO_BIN_EXE_joulerace").into(),
                "worker".into(),
                "--socket".into(),
                listener.path().into(),
            ],
            log: log.clone(),
            limits: Limits::default(),
        };
        run(launch, &listener, |seen| {
            match seen {
                Seen::Message(Message::Event { event }) => events.push(event.clone()),
                Seen::Message(Message::Hello { python, .. }) => hello = Some(python.clone()),
                _ => {}
            }
            Ok(())
        })
        .await
    });
    (events, hello, ended, std::fs::read_to_string(log).unwrap())
}

/// Both ways into an environment's Python.
fn ways(environment: &Path) -> Vec<Interpreter> {
    let found = interpreter(&environment.join("bin/python")).unwrap();
    let executable = Interpreter { library: None, ..found.clone() };
    if found.library.is_some() { vec![found, executable] } else { vec![executable] }
}

const LOOKS: &str = "\
import os, signal, sys

def run(argument, emit):
    os.environ['SEEN'] = 'x'
    emit({
        'version': '%d.%d' % sys.version_info[:2], 'executable': sys.executable, 'prefix': sys.prefix,
        'path': sys.path, 'argument': argument, 'nan': float('nan'), 'utf8': sys.flags.utf8_mode,
        'interrupt': signal.getsignal(signal.SIGINT) == signal.SIG_DFL,
    })
    print('printed')
";

#[test]
fn one_build_runs_in_every_python_both_ways() {
    let _alone = alone();
    let found = pythons();
    assert!(!found.is_empty(), "there is a Python from 3.10 on");
    for (version, python) in found {
        let folder = tempfile::tempdir().unwrap();
        environment(&python, folder.path());
        for way in ways(folder.path()) {
            let shared = way.library.is_some();
            let (events, hello, ended, log) =
                call(way, LOOKS, json!({ "é": [1, 2.5, null] }), None);
            let what = format!("{version}, library {shared}: {ended:?} {log}");
            assert!(ended.failure.is_none(), "{what}");
            assert!(hello.unwrap().starts_with(&format!("{version}.")), "{what}");
            let said = &events[0];
            assert_eq!(said["version"], version.as_str(), "{what}");
            assert_eq!(said["prefix"], folder.path().to_str().unwrap(), "{what}");
            let executable = folder.path().join("bin/python");
            assert_eq!(said["executable"], executable.to_str().unwrap(), "{what}");
            assert_eq!(said["argument"], json!({ "é": [1, 2.5, null] }), "{what}");
            assert_eq!((&said["nan"], &said["utf8"]), (&Value::Null, &json!(1)), "{what}");
            assert_eq!(said["interrupt"], true, "{what}");
            assert!(!said["path"].as_array().unwrap().contains(&json!("")), "{what}: {said}");
            assert_eq!(log, "printed\n", "{what}");
        }
    }
}

#[test]
fn a_script_that_raises_exits_or_crashes_is_told_from_one_that_ends() {
    let _alone = alone();
    let raises = "def run(argument, emit):\n    emit({'at': 1})\n    raise ValueError('seven')\n";
    let exits = "import sys\ndef run(argument, emit):\n    sys.exit(3)\n";
    let crashes = "import os\ndef run(argument, emit):\n    os.abort()\n";
    for way in ways(experiment::environment()) {
        let (events, _, ended, log) = call(way.clone(), raises, json!({}), None);
        assert_eq!(events, [json!({ "at": 1 })]);
        assert!(ended.traceback.contains("line 3, in run"), "{}", ended.traceback);
        assert_eq!(ended.failure.unwrap().to_string(), "ValueError: seven");
        assert!(log.ends_with("ValueError: seven\n"), "{log}");
        let (_, _, ended, _) = call(way.clone(), exits, json!({}), None);
        assert_eq!(ended.failure.unwrap().to_string(), "the script called sys.exit(3)");
        let (_, _, ended, _) = call(way.clone(), crashes, json!({}), None);
        assert_eq!(ended.exit, Exit::Signal(6), "{way:?}: {ended:?}");
        assert!(!matches!(ended.failure, None | Some(Failure::Raised { .. })), "{ended:?}");
    }
}

#[test]
fn a_python_that_does_not_start_is_named() {
    let _alone = alone();
    let missing = PathBuf::from("/nowhere/bin/python");
    let ways = [Some(PathBuf::from("/nowhere/libpython3.so")), None];
    for library in ways {
        let way = Interpreter { executable: missing.clone(), library };
        let (_, hello, ended, _) = call(way, LOOKS, json!({}), None);
        assert!(hello.is_none());
        let told = ended.failure.unwrap().to_string();
        assert!(told.contains("/nowhere/"), "{told}");
    }
}

/// The same program, in an experiment of an environment each.
#[test]
fn an_experiment_takes_the_python_of_its_environment() {
    let _alone = alone();
    for (version, python) in pythons() {
        let scratch = Scratch::new(&[("a", "{'seconds': 0.01}")]);
        let folder = scratch.at("own");
        environment(&python, &folder);
        let mut command = scratch.experiment("a", &["--iterations", "1"]);
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let usual = experiment::environment().as_os_str();
        command = scratch.program();
        command.args(arguments.iter().map(|a| if a == usual { folder.as_os_str() } else { a }));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{version}: {}", text(&output));
        let recorded = scratch.json("experiment.json")["conditions"]["python"].clone();
        assert!(recorded.as_str().unwrap().starts_with(&format!("{version}.")), "{recorded}");
        scratch.assert_complete(1);
    }
}
