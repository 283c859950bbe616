//! The Windows program, linked by `.ci/cross` and run by Wine: what of it runs there is run here.
//!
//! Skipped where there is no such program (`JOULERACE_WINDOWS_PROGRAM` names it, else it lies where
//! `.ci/cross windows` leaves it), no Wine, or no compiler for the stand-ins. What Wine lacks, a kernel with drivers
//! and a Python of Windows, is not seen here.
#![cfg(target_os = "linux")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// No command takes a tenth of this; Wine itself has stood still, and a test that waits for ever says nothing.
const LIMIT: Duration = Duration::from_secs(240);

/// What is needed for a look, made once.
#[derive(Clone)]
struct Wine {
    program: PathBuf,
    /// Where Wine keeps its Windows, the stand-ins lie and the tests write.
    folder: PathBuf,
}

/// One test has it at a time: on one machine, one joulerace measures, and another is refused.
struct Turn {
    wine: Wine,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Turn {
    type Target = Wine;

    fn deref(&self) -> &Wine {
        &self.wine
    }
}

fn wine() -> Option<Turn> {
    static TURN: Mutex<()> = Mutex::new(());
    static MADE: OnceLock<Result<Wine, String>> = OnceLock::new();
    // A test that failed leaves nothing that the next one needs.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    match MADE.get_or_init(make) {
        Ok(wine) => Some(Turn { wine: wine.clone(), _turn: turn }),
        Err(why) => {
            eprintln!("skipped: {why}");
            None
        }
    }
}

fn runs(program: &str) -> bool {
    let mut tried = Command::new(program);
    tried.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

fn make() -> Result<Wine, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = std::env::var_os("JOULERACE_WINDOWS_PROGRAM").map_or_else(
        || root.join("target/cross/x86_64-pc-windows-gnu/debug/joulerace.exe"),
        PathBuf::from,
    );
    if !program.is_file() {
        return Err(format!("{} is not there; .ci/cross links it", program.display()));
    }
    for (tool, package) in [("wine", "wine"), ("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64")] {
        if !runs(tool) {
            return Err(format!("{tool} does not run here (apt install {package})"));
        }
    }
    // Of this build and made anew; no static is dropped, so a temporary folder would be left in each run.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for (name, ending, kind) in
        [("energibridge", "exe", "-s"), ("bcryptprimitives", "dll", "-shared")]
    {
        let made = Command::new("x86_64-w64-mingw32-gcc")
            .args(["-O1", kind, "-o"])
            .arg(folder.join(format!("{name}.{ending}")))
            .arg(root.join(format!("tests/common/{name}.c")))
            .arg("-ladvapi32")
            .status();
        assert!(made.unwrap().success(), "{name}.c");
    }
    let wine = Wine { program, folder };
    // The first start makes Wine's own folders.
    let first = wine
        .bounded("wine")
        .arg("cmd")
        .args(["/C", "exit 0"])
        .output()
        .map_err(|e| e.to_string())?;
    match first.status.success() {
        true => Ok(wine),
        false => Err(format!("wine does not start: {}", String::from_utf8_lossy(&first.stderr))),
    }
}

impl Wine {
    /// A program with Wine's surroundings.
    fn around(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("WINEPREFIX", self.folder.join("wine"))
            .env("WINEDEBUG", "-all")
            // Where it looks for libraries as well.
            .env("WINEPATH", windows(&self.folder))
            .env("JOULERACE_HOME", windows(Path::new(env!("CARGO_MANIFEST_DIR"))))
            .env_remove("JOULERACE_CACHE_DIR")
            .env_remove("JOULERACE_LOCK_FILE")
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// A program under `timeout`, whose status is 124 where it had to end it.
    fn bounded(&self, program: &str) -> Command {
        let mut command = self.around("timeout");
        command.arg("--kill-after=10").arg(LIMIT.as_secs().to_string()).arg(program);
        command
    }

    fn joulerace(&self, arguments: &[&str]) -> Command {
        let mut command = self.bounded("wine");
        command.arg(&self.program).args(arguments);
        command
    }

    fn stand_in(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Ended with the test, however that ends: the next one is refused beside it.
struct Running(Child);

impl Running {
    fn status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A path as Wine's programs know it.
fn windows(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "")
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Processes of this machine whose command line holds `word`.
fn with(word: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&line).contains(word).then_some(pid)
        })
        .collect()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const ESTIMATE: [&str; 3] = ["measure", "--meter", "estimate"];

#[test]
fn it_says_its_version_and_plans_an_experiment() {
    let Some(wine) = wine() else { return };
    let version = succeeded(&wine.joulerace(&["--version"]).output().unwrap());
    assert_eq!(version.trim(), concat!("joulerace ", env!("CARGO_PKG_VERSION")));
    let plan = wine.joulerace(&["--dry-run", "--iterations", "3", "--seed", "7"]).output().unwrap();
    let plan = succeeded(&plan);
    assert!(plan.contains("torch") && plan.contains("keras"), "{plan}");
}

#[test]
fn a_command_is_measured_by_the_estimate_and_its_status_passed_on() {
    let Some(wine) = wine() else { return };
    let measured = |status: &str| {
        let command = ["--json", "-o", "m.csv", "--interval", "50ms", "--", "cmd", "/C"];
        let exit = format!("ping -n 2 127.0.0.1 >NUL & exit {status}");
        wine.joulerace(&ESTIMATE).args(command).arg(exit).output().unwrap()
    };
    let told: Value = serde_json::from_str(&succeeded(&measured("0"))).unwrap();
    assert_eq!(told["estimated"], true, "{told}");
    assert_eq!(measured("7").status.code(), Some(7));
    let samples = std::fs::read_to_string(wine.folder.join("m.csv")).unwrap();
    assert!(samples.lines().count() > 3, "{samples}");
}

#[test]
fn energibridge_wraps_a_command_and_says_what_it_lacks() {
    let Some(wine) = wine() else { return };
    let bridge = windows(&wine.stand_in("energibridge.exe"));
    let measure = |fault: Option<&str>| {
        let flags = ["measure", "--meter", "energibridge", "--energibridge", &bridge, "--json"];
        let mut command = wine.joulerace(&flags);
        command.args(["-o", "eb.csv", "--", "ping", "-n", "3", "127.0.0.1"]);
        fault.map(|fault| command.env("STAND_IN_FAULT", fault));
        command.output().unwrap()
    };
    let told: Value = serde_json::from_str(&succeeded(&measure(None))).unwrap();
    assert_eq!(told["estimated"], false, "{told}");
    let report = std::fs::read_to_string(wine.folder.join("eb.csv")).unwrap();
    let rows: Vec<Vec<f64>> = report
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|field| field.trim().parse().unwrap()).collect())
        .collect();
    let (first, last) = (&rows[0], rows.last().unwrap());
    let watts = (last[2] - first[2]) / (last[1] - first[1]) * 1e3;
    assert!((45.0..55.0).contains(&watts), "{watts} W");
    for (fault, remedy) in [
        ("not running as admin, this is required for the RAPL driver to work", "administrator"),
        ("failed to open driver handle, make sure the driver is installed", "sc.exe start rapl"),
    ] {
        let refused = measure(Some(fault));
        assert!(!refused.status.success());
        let said = text(&refused.stderr);
        assert!(said.contains(remedy), "{said}");
    }
}

/// The worker's channel, its job object and the journal: commands are run by workers as scripts are.
#[test]
fn commands_are_compared_to_the_end_and_the_folder_is_whole() {
    let Some(wine) = wine() else { return };
    let flags = ["compare", "ping -n 2 127.0.0.1", "ping -n 3 127.0.0.1", "--meter", "estimate"];
    let more = ["--runs", "2", "--warmup", "0s", "--cooldown", "0s", "--baseline", "0s"];
    let mut command = wine.joulerace(&flags);
    command.args(more).args(["--repetitions", "1", "--no-analysis", "--output", "out"]);
    let output = command.output().unwrap();
    succeeded(&output);
    let out = wine.folder.join("out");
    let journal = std::fs::read_to_string(out.join("journal.jsonl")).unwrap();
    assert_eq!(journal.matches("trial-ended").count(), 4, "{journal}");
    assert_eq!(journal.matches("\"ok\"").count(), 4, "{journal}");
    assert!(out.join("experiment.json").is_file());
}

/// Wine makes the console's event of a SIGINT. It goes to joulerace alone: Windows sends Ctrl-C to no process group
/// but the console's own, and a worker has one of its own, while a terminal's SIGINT would reach the workers too.
#[test]
fn ctrl_c_ends_a_comparison_after_the_present_trial() {
    let Some(wine) = wine() else { return };
    let mut command = wine.around("wine");
    command.arg(&wine.program).args(["compare", "ping -n 3 127.0.0.1", "ping -n 2 127.0.0.1"]);
    command.args(["--meter", "estimate", "--runs", "9", "--warmup", "0s", "--cooldown", "0s"]);
    command.args([
        "--baseline",
        "0s",
        "--repetitions",
        "1",
        "--no-analysis",
        "--output",
        "stopped",
    ]);
    let shown = std::fs::File::create(wine.folder.join("shown")).unwrap();
    command.stdout(shown.try_clone().unwrap()).stderr(shown);
    let mut child = Running(command.spawn().unwrap());
    let journal = wine.folder.join("stopped/journal.jsonl");
    let count = |what: &str| {
        let text = std::fs::read_to_string(&journal).unwrap_or_default();
        text.matches(what).count()
    };
    let told = || text(&std::fs::read(wine.folder.join("shown")).unwrap());
    until("the second trial runs", || {
        let status = child.status();
        assert!(status.is_none(), "it ended first: {status:?}\n{}", told());
        count("trial-started") > 1
    });
    let pid = nix::unistd::Pid::from_raw(child.0.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut status = None;
    until("it ends", || {
        status = child.status();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(8), "{status:?}\n{}", told());
    assert_eq!((count("trial-started"), count("trial-ended")), (2, 2), "{}", told());
}

#[test]
fn nothing_outlives_a_program_that_is_killed() {
    let Some(wine) = wine() else { return };
    // A number that no other process has on its command line.
    let line = "start /b ping -n 98761 127.0.0.1 & ping -n 98762 127.0.0.1";
    let mut command = wine.around("wine");
    command.arg(&wine.program).args(ESTIMATE).args(["-o", "k.csv", "--", "cmd", "/C", line]);
    let mut child = Running(command.stdout(Stdio::null()).spawn().unwrap());
    let pings = || [with("98761"), with("98762")];
    // `cmd` has both numbers on its line as well, and so has joulerace.
    let deep = || pings().iter().all(|found| found.len() >= 3);
    until("both pings run", deep);
    child.0.kill().unwrap();
    until("both pings are gone", || pings().iter().all(Vec::is_empty));
}
