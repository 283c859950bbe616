//! The host's side of a worker: start it, listen to it, and see that nothing of it is left.

use super::channel::Listener;
use super::failure::Failure;
use super::launch::{Launch, Seen};
use super::listen::{FOLLOW, listen};
use crate::files;
use crate::process::{self, Exit};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How a worker's time ended.
#[derive(Debug)]
pub struct Ended {
    /// How the outermost process ended.
    pub exit: Exit,
    /// What went wrong, if anything.
    pub failure: Option<Failure>,
    /// Python's traceback, where there was one.
    pub traceback: String,
    /// Processor seconds of the worker and all it started, user and system.
    pub cpu_seconds: f64,
}

/// Runs a worker to its end and tells `seen` what happens; an `Err` from it stops the worker.
///
/// When this returns, no process of the worker's is left, whatever it did.
pub async fn run(
    launch: Launch,
    listener: &Listener,
    mut seen: impl FnMut(Seen<'_>) -> Result<(), String>,
) -> Ended {
    let mut child = match spawn(&launch) {
        Ok(child) => child,
        Err(failure) => {
            let (exit, traceback) = (Exit::Unknown, String::new());
            return Ended { exit, failure: Some(failure), traceback, cpu_seconds: 0.0 };
        }
    };
    let group = child.id().unwrap_or_default();
    let before = process::children_cpu_seconds();
    let mut traceback = String::new();
    let mut failure = match seen(Seen::Started(group)) {
        Err(why) => Some(Failure::Stopped(why)),
        Ok(()) => listen(&launch, listener, &mut child, &mut seen, &mut traceback).await.err(),
    };
    if failure.is_some() {
        process::kill_group(group);
    }
    let exit = match timeout(launch.limits.leave, child.wait()).await {
        Ok(status) => status.map_or(Exit::Unknown, Exit::from),
        Err(_) => {
            process::kill_group(group);
            failure.get_or_insert(Failure::Stayed(launch.limits.leave));
            child.wait().await.map_or(Exit::Unknown, Exit::from)
        }
    };
    let killed = failure.is_some();
    let left = end_strays(group, killed).await;
    if left > 0 && failure.is_none() {
        failure = Some(Failure::LeftProcesses(left));
    }
    if failure.is_none() && exit != Exit::Code(0) {
        failure = Some(launch.ended_early(exit));
    }
    if let Some(Failure::Flood(limit)) = failure {
        // The log is kept with the failure, and must not fill the disk.
        let _ = files::at(&launch.log).and_then(|(folder, name)| folder.cut(&name, limit));
    }
    let cpu_seconds = process::children_cpu_seconds() - before;
    Ended { exit, failure: failure.map(|f| f.with_exit(exit)), traceback, cpu_seconds }
}

fn spawn(launch: &Launch) -> Result<Child, Failure> {
    let program = launch.argv.first().cloned().unwrap_or_default();
    let failed = |source| Failure::Start { command: program.to_string_lossy().into(), source };
    let log = files::create(&launch.log).map_err(failed)?;
    let mut command = Command::new(&program);
    command
        .args(&launch.argv[1..])
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log)
        .kill_on_drop(true);
    process::own_group(command.as_std_mut());
    if launch.is_wrapped() {
        // A worker watches over its host by itself, and takes along all that it started.
        process::end_with_host(command.as_std_mut());
    }
    command.spawn().map_err(failed)
}

/// Ends what is left of a worker's group and whatever slipped out of it, and says how many
/// processes that were. Helpers that follow by themselves within [`FOLLOW`] do not count.
async fn end_strays(group: u32, at_once: bool) -> usize {
    let until = Instant::now() + FOLLOW;
    loop {
        let strays = process::strays(group);
        // A look can miss one that starts the next and ends; the kernel misses none.
        if strays.is_empty() && !process::has_children() {
            return 0;
        }
        if at_once || Instant::now() > until {
            process::kill_all(&strays);
            process::kill_group(group);
            let ended = process::kill_descendants(UNENDABLE);
            // Members of the group that are no descendants: of a wrapper that another user runs.
            process::kill_all(&process::strays(group));
            return ended.max(strays.len()).max(1);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// How long to try to end processes; one that waits in the kernel (for a disk that hangs) cannot be ended.
const UNENDABLE: Duration = Duration::from_secs(10);
