//! A worker whose work is a command: it runs it as often as it is told to, hears its marks, and tells its
//! host when each run begins and ends.

use super::protocol::{Message, marked};
use crate::account::{Check, CommandAccount, Output};
use crate::clean;
use crate::files::Scratch;
use crate::phase::{Edge, Phase, PhaseMark};
use crate::process::Exit;
use joulerace_meter::marks::{self, Heard, Inbox};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// What to run. Each is a program and its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// The command, as it is shown.
    pub line: String,
    /// What is started for it.
    pub argv: Vec<String>,
    /// What is run before each run of it, unmeasured.
    pub prepare: Option<Around>,
    /// What is run after all, unmeasured.
    pub check: Option<Around>,
    /// How often it is run, at least once.
    pub repetitions: u32,
    /// Whether it counts whatever status it ends with.
    pub ignore_failure: bool,
    /// Whether what it prints is looked at.
    pub same_output: bool,
}

/// What is run beside a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Around {
    /// The flag that it was given with.
    pub flag: String,
    /// As it is shown.
    pub line: String,
    /// What is started for it.
    pub argv: Vec<String>,
}

impl Around {
    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// It could not be started, or ended with another status than 0; in words.
    fn run(&self) -> Result<(), String> {
        let exit = run(Command::new(&self.argv[0]).args(&self.argv[1..]), &self.argv[0])?;
        match exit {
            Exit::Code(0) => Ok(()),
            exit => Err(format!("{} '{}' ended with {exit}", self.flag, self.line)),
        }
    }
}

/// How much of what a command printed is kept, in bytes: enough to say where two differ.
const KEPT: usize = 4 << 10;

/// As much of it goes into the log.
const LOGGED: u64 = 1 << 20;

/// Serves `request`, and passes what there is to tell to `say`. Gives the exit status to leave with.
pub(crate) fn serve(request: &CommandRequest, say: &(impl Fn(Message) + Sync)) -> i32 {
    let hello =
        Message::Hello { pid: std::process::id(), python: String::new(), prefix: "".into() };
    say(hello);
    match trial(request, say) {
        Ok(account) => {
            say(Message::Event { event: serde_json::to_value(account).unwrap_or_default() });
            say(Message::Done);
            0
        }
        Err(Trouble { error, begun }) => {
            let _ = writeln!(std::io::stderr(), "{}", clean::private(&error));
            say(Message::Failed { error, traceback: String::new(), begun });
            1
        }
    }
}

/// Why there is no result.
struct Trouble {
    error: String,
    /// Whether the command was begun.
    begun: bool,
}

fn trial(
    request: &CommandRequest,
    say: &(impl Fn(Message) + Sync),
) -> Result<CommandAccount, Trouble> {
    let unbegun = |error: std::io::Error| Trouble {
        error: format!("there is no place for its marks and output: {error}"),
        begun: false,
    };
    let scratch = Scratch::new().map_err(unbegun)?;
    let inbox = Inbox::open().map_err(unbegun)?;
    let (ran, heard) = inbox
        .during(|mark| say(message(mark)), || repeat(request, &inbox, scratch.path(), say))
        .map_err(unbegun)?;
    let runs = ran?;
    let Heard { faults, .. } = heard;
    if let Some(fault) = faults.into_iter().next() {
        return Err(Trouble { error: fault, begun: true });
    }
    let check = request.check.as_ref().map(|check| match check.run() {
        Ok(()) => Check::Passed,
        Err(why) => Check::Failed(why),
    });
    let Runs { exit, output } = runs;
    Ok(CommandAccount { repetitions: request.repetitions, exit, output, check })
}

fn message(mark: PhaseMark) -> Message {
    Message::Event { event: marked(mark) }
}

/// What the runs of a trial came to.
struct Runs {
    /// How the last one ended.
    exit: Exit,
    output: Option<Output>,
}

fn repeat(
    request: &CommandRequest,
    inbox: &Inbox,
    scratch: &Path,
    say: &(impl Fn(Message) + Sync),
) -> Result<Runs, Trouble> {
    let failed = |error: String| Trouble { error, begun: true };
    let mark = |edge| say(message(PhaseMark { phase: Phase::Run, edge, unix_ns: marks::now_ns() }));
    // Successive runs are measured as one, so that the error at its edges counts once.
    let apart = request.prepare.is_some() || request.same_output;
    let mut runs = Runs { exit: Exit::Unknown, output: None };
    for n in 0..request.repetitions {
        if let Some(prepare) = &request.prepare {
            prepare.run().map_err(failed)?;
        }
        let mut command = Command::new(&request.argv[0]);
        command.args(&request.argv[1..]).env(marks::VARIABLE, inbox.path());
        let printed = scratch.join("output");
        if request.same_output {
            let file = File::create(&printed).map_err(|e| failed(e.to_string()))?;
            command.stdout(Stdio::from(file));
        }
        if apart || n == 0 {
            mark(Edge::Begin);
        }
        let exit = run(&mut command, &request.argv[0]);
        if apart || n + 1 == request.repetitions {
            mark(Edge::End);
        }
        runs.exit = exit.map_err(|error| Trouble { error, begun: n > 0 })?;
        if runs.exit != Exit::Code(0) && !request.ignore_failure {
            return Err(failed(ended(&request.line, runs.exit)));
        }
        if request.same_output {
            let output = look(&printed, n == 0).map_err(|e| failed(e.to_string()))?;
            if runs.output.as_ref().is_some_and(|first| *first != output) {
                let again =
                    format!("'{}' did not print the same again (--same-output)", request.line);
                return Err(failed(again));
            }
            runs.output = Some(output);
        }
    }
    Ok(runs)
}

/// What it means that a command ended so.
pub(crate) fn ended(line: &str, exit: Exit) -> String {
    let hint = match exit {
        Exit::Code(127) => "; a shell ends so where there is no such command",
        Exit::Code(126) => "; a shell ends so where a file cannot be run",
        _ => "",
    };
    format!("'{line}' ended with {exit}{hint}")
}

/// Runs a command to its end.
///
/// # Errors
///
/// It could not be started; in words.
fn run(command: &mut Command, program: &str) -> Result<Exit, String> {
    match command.status() {
        Ok(status) => Ok(Exit::from(status)),
        Err(error) => Err(format!("{program} could not be started: {error}")),
    }
}

/// Looks at what a command printed, and writes the beginning of it into the log.
fn look(printed: &Path, log: bool) -> std::io::Result<Output> {
    let mut file = File::open(printed)?;
    let (mut digest, mut bytes, mut head) = (Sha256::new(), 0, Vec::new());
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        digest.update(&chunk[..read]);
        if log && bytes < LOGGED {
            // A full disk is told by what is written next.
            let _ = std::io::stdout().write_all(&chunk[..read]);
        }
        let more = KEPT.saturating_sub(head.len()).min(read);
        head.extend_from_slice(&chunk[..more]);
        bytes += read as u64;
    }
    Ok(Output {
        bytes,
        sha256: clean::hex(&digest.finalize()),
        head: String::from_utf8_lossy(&head).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn served(change: impl FnOnce(&mut CommandRequest)) -> (i32, Vec<Message>) {
        let sh = |line: &str| vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()];
        let mut request = CommandRequest {
            line: "a".to_owned(),
            argv: sh("true"),
            prepare: None,
            check: None,
            repetitions: 1,
            ignore_failure: false,
            same_output: false,
        };
        change(&mut request);
        let said = Mutex::new(Vec::new());
        let status = serve(&request, &|message| said.lock().unwrap().push(message));
        (status, said.into_inner().unwrap())
    }

    fn sh(line: &str) -> Vec<String> {
        vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()]
    }

    fn marks_of(said: &[Message]) -> Vec<String> {
        said.iter()
            .filter_map(|message| match message {
                Message::Event { event } if event["event"] == "phase" => Some(format!(
                    "{} {}",
                    event["phase"].as_str().unwrap(),
                    event["edge"].as_str().unwrap()
                )),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn repetitions_are_one_run_unless_something_stands_between_them() {
        let (status, said) = served(|r| r.repetitions = 3);
        assert_eq!((status, marks_of(&said)), (0, vec!["run begin".into(), "run end".into()]));
        let around =
            |line: &str| Around { flag: "--prepare".into(), line: line.into(), argv: sh(line) };
        let (_, said) = served(|r| {
            r.repetitions = 2;
            r.prepare = Some(around("true"));
        });
        assert_eq!(marks_of(&said), ["run begin", "run end", "run begin", "run end"]);
        let (status, said) = served(|r| r.prepare = Some(around("exit 4")));
        assert_eq!(status, 1);
        assert!(
            matches!(said.last(), Some(Message::Failed { error, .. }) if error == "--prepare 'exit 4' ended with exit status 4"),
            "{said:?}"
        );
    }

    #[test]
    fn a_commands_own_marks_stand_within_its_run() {
        let (_, said) = served(|r| {
            r.argv = sh("echo sort begin >> $JOULERACE_MARKS; echo sort end >> $JOULERACE_MARKS")
        });
        let mut marks = marks_of(&said);
        marks.sort();
        assert_eq!(marks, ["run begin", "run end", "sort begin", "sort end"]);
        let (status, said) = served(|r| r.argv = sh("echo nonsense >> $JOULERACE_MARKS"));
        assert_eq!(status, 1, "{said:?}");
    }

    #[test]
    fn what_is_printed_is_held_against_itself_and_a_failure_counts_where_it_is_asked_for() {
        let (status, said) = served(|r| {
            r.same_output = true;
            r.repetitions = 2;
            r.argv = sh("echo hello");
        });
        assert_eq!(status, 0);
        let result = said.iter().find_map(|message| match message {
            Message::Event { event } if event["event"] == "result" => Some(event),
            _ => None,
        });
        assert_eq!(result.unwrap()["output"]["head"], "hello\n");
        let (status, said) = served(|r| r.argv = sh("exit 3"));
        assert!(status == 1 && format!("{said:?}").contains("exit status 3"), "{said:?}");
        let (status, _) = served(|r| {
            r.argv = sh("exit 3");
            r.ignore_failure = true;
        });
        assert_eq!(status, 0);
    }
}
