//! Runs the installers: output to a log, no terminal, and nothing left running afterwards.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::{EnvError, EnvProgress, Step};

/// How many of the last lines an error shows.
const TAIL: usize = 12;
/// How often a waiting host looks whether it should stop.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// How long a child may take to end by itself once it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait for the rest of the output of a child that has ended; something it left in
/// the background may hold the pipe.
const DRAIN: Duration = Duration::from_millis(500);

/// What a run of commands shares: where output goes and whether to stop.
pub(super) struct Context<'a> {
    pub progress: &'a mut dyn FnMut(EnvProgress),
    pub cancel: &'a CancellationToken,
    pub log: PathBuf,
    /// The environment that is being made, for messages.
    pub target: PathBuf,
}

impl Context<'_> {
    /// Starts the log anew.
    pub(crate) fn open_log(&self) -> Result<(), EnvError> {
        File::create(&self.log).map(drop).map_err(EnvError::io("write the log", &self.log))
    }

    pub(crate) fn stopped(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Runs `command` to its end; its lines go to the log and to the progress.
    pub(crate) fn run(&mut self, step: Step, command: &mut Command) -> Result<(), EnvError> {
        self.hear(step, command, |_| ())
    }

    /// As [`run`](Context::run); `each` is told every line.
    pub(crate) fn hear(
        &mut self,
        step: Step,
        command: &mut Command,
        mut each: impl FnMut(&str),
    ) -> Result<(), EnvError> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let mut log = log.map_err(EnvError::io("write the log", &self.log))?;
        // The log only helps. A disk that is too full for it makes the command fail as well.
        let _ = writeln!(log, "$ {}", shown(command));
        let mut tail = VecDeque::new();
        let (status, network, full) = {
            let (mut network, mut full) = (false, false);
            let status = self.capture(step, command, |line, progress| {
                let line = redact(line);
                let _ = writeln!(log, "{line}");
                each(&line);
                network |= speaks_of_network(&line);
                full |= speaks_of_full_disk(&line);
                progress(EnvProgress::Output { step, line: line.clone() });
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(line);
            })?;
            (status, network, full)
        };
        if status.success() {
            return Ok(());
        }
        let (log, tail) = (self.log.clone(), Vec::from(tail));
        Err(if full {
            EnvError::DiskFull { step, path: self.target.clone(), log }
        } else if network {
            EnvError::Network { step, log, tail }
        } else {
            let program = Path::new(command.get_program()).display();
            EnvError::Failed { step, outcome: format!("{program} ended with {status}"), log, tail }
        })
    }

    /// Runs `command` to its end and returns its lines, which reach neither log nor progress.
    pub(crate) fn lines(
        &mut self,
        step: Step,
        command: &mut Command,
    ) -> Result<Vec<String>, EnvError> {
        let mut lines = Vec::new();
        let status = self.capture(step, command, |line, _| lines.push(line.to_owned()))?;
        if status.success() {
            return Ok(lines);
        }
        let outcome = format!("{} ended with {status}", shown(command));
        Err(EnvError::Failed { step, outcome, log: self.log.clone(), tail: lines })
    }

    fn capture(
        &mut self,
        step: Step,
        command: &mut Command,
        mut line: impl FnMut(&str, &mut dyn FnMut(EnvProgress)),
    ) -> Result<ExitStatus, EnvError> {
        let program = PathBuf::from(command.get_program());
        let (reader, writer) = std::io::pipe().map_err(EnvError::io("open a pipe", &program))?;
        let second = writer.try_clone().map_err(EnvError::io("open a pipe", &program))?;
        command.stdin(Stdio::null()).stdout(writer).stderr(second);
        end_with_host(command);
        let child = command.spawn().map_err(EnvError::io("start", &program))?;
        // The command keeps its ends of the pipe: without this the output would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut group = Group { child, ended: false };

        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                    break;
                }
            }
        });
        let mut ended: Option<(ExitStatus, Instant)> = None;
        loop {
            if self.stopped() {
                return Err(EnvError::Cancelled { step });
            }
            match receiver.recv_timeout(POLL) {
                Ok(text) => line(&text, self.progress),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => match ended {
                    Some((_, since)) if since.elapsed() > DRAIN => break,
                    Some(_) => {}
                    None => {
                        let status = group.child.try_wait();
                        let status = status.map_err(EnvError::io("wait for", &program))?;
                        ended = status.map(|status| (status, Instant::now()));
                    }
                },
            }
        }
        let status = match ended {
            Some((status, _)) => status,
            // Its output is closed, so it ends now; a stop must still be heard.
            None => loop {
                let status = group.child.try_wait().map_err(EnvError::io("wait for", &program))?;
                match status {
                    Some(status) => break status,
                    None if self.stopped() => return Err(EnvError::Cancelled { step }),
                    None => std::thread::sleep(Duration::from_millis(5)),
                }
            },
        };
        group.ended = true;
        Ok(status)
    }
}

/// A child and everything it started; whichever way the host leaves, they end.
struct Group {
    child: Child,
    ended: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Asked first, so that pip and uv remove their temporary folders.
        self.signal(false);
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.signal(true);
        let _ = self.child.wait();
    }
}

impl Group {
    #[cfg(unix)]
    fn signal(&mut self, force: bool) {
        use nix::sys::signal::{Signal, killpg};
        let signal = if force { Signal::SIGKILL } else { Signal::SIGTERM };
        // The group bears the child's number, which stays taken until the child is waited for
        // and while any member lives; without members this fails, and nothing is to be done.
        let _ = killpg(nix::unistd::Pid::from_raw(self.child.id() as i32), signal);
    }

    #[cfg(not(unix))]
    fn signal(&mut self, force: bool) {
        if force {
            crate::process::kill_group(self.child.id());
        } else {
            crate::process::interrupt(self.child.id());
        }
    }
}

/// Gives the child a process group of its own, so that Ctrl-C reaches the host alone, and on
/// Linux ends it with the host, even if that is killed.
fn end_with_host(command: &mut Command) {
    crate::process::own_group(command);
    crate::process::end_with_host(command);
}

/// A command as a line of the log.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    redact(&words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" "))
}

/// Hides `user:password@` in addresses; logs are passed around.
pub(super) fn redact(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        let (host, tail) = after.split_at(end);
        match host.rfind('@') {
            Some(sign) => {
                out.push_str("***");
                out.push_str(&host[sign..]);
            }
            None => out.push_str(host),
        }
        rest = tail;
    }
    out + rest
}

fn speaks_of_network(line: &str) -> bool {
    const SIGNS: [&str; 14] = [
        "dns error",
        "name resolution",
        "name or service not known",
        "nodename nor servname",
        "connection refused",
        "connection reset",
        "connection aborted",
        "network is unreachable",
        "failed to establish a new connection",
        "max retries exceeded",
        "error sending request",
        "tcp connect error",
        "timed out",
        "could not connect",
    ];
    let line = line.to_lowercase();
    SIGNS.iter().any(|sign| line.contains(sign))
}

fn speaks_of_full_disk(line: &str) -> bool {
    let line = line.to_lowercase();
    line.contains("no space left on device")
        || line.contains("os error 28")
        || line.contains("errno 28")
        || line.contains("disk quota exceeded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_never_reach_the_log() {
        assert_eq!(redact("get https://u:p@host/x y"), "get https://***@host/x y");
        assert_eq!(redact("http://a@b http://c/d@e"), "http://***@b http://c/d@e");
        assert_eq!(redact("no address: a@b"), "no address: a@b");
    }
}
