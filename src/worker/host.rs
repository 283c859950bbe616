//! The host's side of a worker: start it, listen to it, and see that nothing of it is left.

use super::channel::Listener;
use super::command::CommandRequest;
use super::lines::{LONGEST_LINE, Lines};
use super::protocol::{Message, Request};
use crate::files;
use crate::process::{self, Exit};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a worker may take over what.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From its start to its first word; Python itself starts within a second.
    pub connect: Duration,
    /// From its start to its end; `None` for as long as it takes.
    pub trial: Option<Duration>,
    /// From its last word to its end, a wrapping meter's last sample included.
    pub leave: Duration,
    /// Bytes that it may print.
    pub log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(60),
            trial: None,
            leave: Duration::from_secs(15),
            log_bytes: 64 << 20,
        }
    }
}

/// What a worker does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Task {
    /// Calls a function of Python's.
    Python(Request),
    /// Runs a command.
    Command(CommandRequest),
}

impl From<CommandRequest> for Task {
    fn from(request: CommandRequest) -> Task {
        Task::Command(request)
    }
}

impl From<Request> for Task {
    fn from(request: Request) -> Task {
        Task::Python(request)
    }
}

impl Task {
    /// What is run, as a failure names it.
    fn program(&self) -> PathBuf {
        match self {
            Task::Python(request) => request.python.executable.clone(),
            Task::Command(request) => request.argv.first().map(PathBuf::from).unwrap_or_default(),
        }
    }
}

/// A worker to be started.
#[derive(Debug)]
pub struct Launch {
    /// What it does.
    pub task: Task,
    /// Puts a meter's command before the worker's own, or leaves it as it is.
    pub argv: Vec<OsString>,
    /// Where the worker's standard output and error go.
    pub log: PathBuf,
    /// How long it may take.
    pub limits: Limits,
}

impl Launch {
    /// Whether a meter's program stands between this one and the worker.
    fn is_wrapped(&self) -> bool {
        self.argv.first().is_some_and(|program| !process::is_self(program))
    }

    /// What it means that the outermost process ended like this in the middle of the work.
    fn ended_early(&self, exit: Exit) -> Failure {
        match (self.is_wrapped(), exit) {
            (true, Exit::Code(0)) | (false, _) => Failure::Vanished { exit },
            (true, _) => Failure::WrapperEnded { exit },
        }
    }
}

/// What the host hears while a worker runs.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The process, as the operating system numbers it, was started.
    Started(u32),
    /// The worker said something.
    Message(&'a Message),
    /// Some time went by.
    Tick,
}

/// Why a worker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command could not be started at all.
    #[error("{command} could not be started: {source}")]
    Start {
        /// The program.
        command: String,
        /// The system's word.
        source: io::Error,
    },
    /// It never reached its host.
    #[error("the worker did not report within {limit:?} ({exit}); its log says why")]
    Silent {
        /// The limit.
        limit: Duration,
        /// How its process ended, if it did.
        exit: Exit,
    },
    /// Python did not start in the environment that was asked for.
    #[error("{error}")]
    NoPython {
        /// Why.
        error: String,
    },
    /// The script raised.
    #[error("{error}")]
    Raised {
        /// The exception's type and message.
        error: String,
    },
    /// Python never said that it runs.
    #[error("{python} did not start ({exit}); the log says why, and `joulerace doctor` checks the environment",
        python = python.display())]
    NotStarted {
        /// The interpreter that was asked for.
        python: PathBuf,
        /// How its process ended.
        exit: Exit,
    },
    /// The process ended, or closed its line, in the middle of its work.
    #[error("the worker ended in the middle of its work ({exit}){}", hint(exit))]
    Vanished {
        /// How it ended.
        exit: Exit,
    },
    /// The meter that wraps the worker ended before it.
    #[error("the meter's process ended before its worker ({exit}); the worker was stopped")]
    WrapperEnded {
        /// How it ended.
        exit: Exit,
    },
    /// It took longer than it may.
    #[error("the trial took longer than {0:?} (--trial-timeout) and was stopped")]
    TimedOut(Duration),
    /// It said that it was done and stayed.
    #[error("the worker was done but had not ended {0:?} later, and was stopped")]
    Stayed(Duration),
    /// It printed more than a log may hold.
    #[error("the script printed more than {0} bytes and was stopped")]
    Flood(u64),
    /// It sent something endless to its host.
    #[error("the script emitted an event of more than {0} bytes and was stopped")]
    Babbled(usize),
    /// It left processes behind.
    #[error("the script left {0} process(es) running, which were stopped")]
    LeftProcesses(usize),
    /// Whoever listens had enough.
    #[error("{0}")]
    Stopped(String),
}

/// What Windows ends a process with (`STATUS_ACCESS_VIOLATION`, `STATUS_NO_MEMORY`).
const WINDOWS_ACCESS_VIOLATION: i32 = 0xC000_0005_u32 as i32;
const WINDOWS_NO_MEMORY: i32 = 0xC000_0017_u32 as i32;

fn hint(exit: &Exit) -> &'static str {
    match exit {
        Exit::Signal(9) => "; a process that the kernel ends with signal 9 is often out of memory",
        Exit::Signal(11) => "; a segmentation fault in native code",
        Exit::Code(WINDOWS_ACCESS_VIOLATION) => "; an access violation in native code",
        Exit::Code(WINDOWS_NO_MEMORY) => "; it ran out of memory",
        Exit::Signal(25) => "; it wrote a larger file than it may (ulimit -f)",
        _ => "",
    }
}

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

/// How often [`Seen::Tick`] comes.
const TICK: Duration = Duration::from_millis(250);
/// How long what a script started may take to follow it.
const FOLLOW: Duration = Duration::from_secs(2);

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
        // It is kept with the failure, and a disk is not to fill up with it.
        let _ = files::at(&launch.log).and_then(|(folder, name)| folder.cut(&name, limit));
    }
    let cpu_seconds = process::children_cpu_seconds() - before;
    Ended { exit, failure: failure.map(|f| f.with_exit(exit)), traceback, cpu_seconds }
}

impl Failure {
    /// Whether it is the machine's: the worker never began its work, or what measured it ended.
    pub fn is_of_the_machine(&self) -> bool {
        matches!(
            self,
            Failure::Start { .. }
                | Failure::Silent { .. }
                | Failure::NoPython { .. }
                | Failure::NotStarted { .. }
                | Failure::WrapperEnded { .. }
        )
    }

    /// A worker's own ending is known only after it was waited for.
    fn with_exit(self, exit: Exit) -> Failure {
        match self {
            Failure::Vanished { exit: Exit::Unknown } => Failure::Vanished { exit },
            Failure::Silent { limit, exit: Exit::Unknown } => Failure::Silent { limit, exit },
            Failure::NotStarted { python, exit: Exit::Unknown } => {
                Failure::NotStarted { python, exit }
            }
            other => other,
        }
    }
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

async fn listen(
    launch: &Launch,
    listener: &Listener,
    child: &mut Child,
    seen: &mut impl FnMut(Seen<'_>) -> Result<(), String>,
    traceback: &mut String,
) -> Result<(), Failure> {
    let limits = &launch.limits;
    let begin = Instant::now();
    let stream = loop {
        tokio::select! {
            stream = listener.accept() => break stream.map_err(|source| Failure::Start {
                command: "the worker's socket".to_owned(), source })?,
            status = child.wait() => {
                let exit = status.map_or(Exit::Unknown, Exit::from);
                return Err(Failure::Silent { limit: begin.elapsed(), exit });
            }
            () = sleep(TICK) => {
                seen(Seen::Tick).map_err(Failure::Stopped)?;
                if begin.elapsed() > limits.connect {
                    return Err(Failure::Silent { limit: limits.connect, exit: Exit::Unknown });
                }
            }
        }
    };
    let (read, mut write) = tokio::io::split(stream);
    let mut request = serde_json::to_vec(&launch.task).unwrap_or_default();
    request.push(b'\n');
    if write.write_all(&request).await.is_err() {
        return Err(Failure::Vanished { exit: Exit::Unknown });
    }
    let mut lines = Lines::new(BufReader::new(read));
    let mut greeted = false;
    let vanished = |greeted: bool| match greeted {
        true => Failure::Vanished { exit: Exit::Unknown },
        false => Failure::NotStarted { python: launch.task.program(), exit: Exit::Unknown },
    };
    let mut ticks = tokio::time::interval(TICK);
    // The writing half stays open until the process is gone: its closing tells a worker that the
    // host has died.
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(line)) => {
                    let Ok(message) = serde_json::from_slice::<Message>(&line) else { continue };
                    match &message {
                        Message::Done => {
                            seen(Seen::Message(&message)).map_err(Failure::Stopped)?;
                            // Not to the end of the line: a process that the script forked may
                            // hold it open for as long as it likes.
                            return leave(limits, child).await;
                        }
                        Message::Failed { error, traceback: text, begun } => {
                            traceback.clone_from(text);
                            let failure = raised(error.clone(), *begun);
                            let _ = timeout(FOLLOW, child.wait()).await;
                            return Err(failure);
                        }
                        Message::Hello { .. } => greeted = true,
                        Message::Event { .. } => {}
                    }
                    seen(Seen::Message(&message)).map_err(Failure::Stopped)?;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(Failure::Babbled(LONGEST_LINE));
                }
                _ => {
                    let _ = timeout(FOLLOW, child.wait()).await;
                    return Err(vanished(greeted));
                }
            },
            status = child.wait() => {
                let exit = status.map_or(Exit::Unknown, Exit::from);
                // What the worker said last may still be on the line. A worker that lost its meter
                // may go on talking: it is not listened to for long, as nobody measures it.
                let until = Instant::now() + FOLLOW;
                while let Ok(Ok(Some(line))) = timeout_at(until, lines.next()).await {
                    match serde_json::from_slice::<Message>(&line) {
                        Ok(Message::Done) => return Ok(()),
                        Ok(Message::Failed { error, traceback: text, begun }) => {
                            *traceback = text;
                            return Err(raised(error, begun));
                        }
                        Ok(message) => {
                            greeted |= matches!(message, Message::Hello { .. });
                            seen(Seen::Message(&message)).map_err(Failure::Stopped)?;
                        }
                        Err(_) => {}
                    }
                }
                if greeted || launch.is_wrapped() {
                    return Err(launch.ended_early(exit));
                }
                return Err(vanished(greeted));
            }
            _ = ticks.tick() => {
                seen(Seen::Tick).map_err(Failure::Stopped)?;
                if let Some(limit) = limits.trial && begin.elapsed() > limit {
                    return Err(Failure::TimedOut(limit));
                }
                if std::fs::metadata(&launch.log).is_ok_and(|m| m.len() > limits.log_bytes) {
                    return Err(Failure::Flood(limits.log_bytes));
                }
            }
        }
    }
}

fn raised(error: String, begun: bool) -> Failure {
    if begun { Failure::Raised { error } } else { Failure::NoPython { error } }
}

async fn leave(limits: &Limits, child: &mut Child) -> Result<(), Failure> {
    match timeout(limits.leave, child.wait()).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::Stayed(limits.leave)),
    }
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

/// How long processes are tried to be ended: one in the kernel's own hands (a disk that hangs) is not.
const UNENDABLE: Duration = Duration::from_secs(10);
