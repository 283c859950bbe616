//! What the host hears from a worker, from its start until it is done or silent.

use super::channel::Listener;
use super::failure::Failure;
use super::launch::{Launch, Seen};
use super::lines::{LONGEST_LINE, Lines};
use super::protocol::Message;
use crate::process::Exit;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How often [`Seen::Tick`] comes.
const TICK: Duration = Duration::from_millis(250);
/// How long the processes that a script started may take to end after it.
pub(super) const FOLLOW: Duration = Duration::from_secs(2);

/// Listens to a worker that was started, and tells `seen` what it says; an `Err` from it ends that. Python's
/// traceback is put into `traceback`, where there is one.
///
/// # Errors
///
/// Why the worker did not do what it was asked. Its processes may live on.
pub(super) async fn listen(
    launch: &Launch,
    listener: &Listener,
    child: &mut Child,
    seen: &mut impl FnMut(Seen<'_>) -> Result<(), String>,
    traceback: &mut String,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut talk = Talk { launch, child, seen, traceback, begin, greeted: false };
    let stream = talk.accept(listener).await?;
    let (read, mut write) = tokio::io::split(stream);
    talk.ask(&mut write).await?;
    // The writing half stays open until the process is gone: its closing tells a worker that the
    // host has died.
    talk.hear_out(Lines::new(BufReader::new(read))).await
}

/// Whether there is more to hear.
enum Said {
    More,
    Done,
}

/// A worker that is listened to.
struct Talk<'a, S> {
    launch: &'a Launch,
    child: &'a mut Child,
    seen: &'a mut S,
    traceback: &'a mut String,
    begin: Instant,
    /// Whether Python said that it runs.
    greeted: bool,
}

impl<S: FnMut(Seen<'_>) -> Result<(), String>> Talk<'_, S> {
    /// The worker's line, once it calls.
    async fn accept(
        &mut self,
        listener: &Listener,
    ) -> Result<impl AsyncRead + AsyncWrite + use<S>, Failure> {
        loop {
            tokio::select! {
                stream = listener.accept() => return stream.map_err(|source| Failure::Start {
                    command: "the worker's socket".to_owned(), source }),
                status = self.child.wait() => {
                    let exit = status.map_or(Exit::Unknown, Exit::from);
                    return Err(Failure::Silent { limit: self.begin.elapsed(), exit });
                }
                () = sleep(TICK) => {
                    self.tell(Seen::Tick)?;
                    let limit = self.launch.limits.connect;
                    if self.begin.elapsed() > limit {
                        return Err(Failure::Silent { limit, exit: Exit::Unknown });
                    }
                }
            }
        }
    }

    /// Tells the worker what to do.
    async fn ask(&self, write: &mut (impl AsyncWrite + Unpin)) -> Result<(), Failure> {
        let mut request = serde_json::to_vec(&self.launch.task).unwrap_or_default();
        request.push(b'\n');
        let asked = write.write_all(&request).await;
        asked.map_err(|_| Failure::Vanished { exit: Exit::Unknown })
    }

    async fn hear_out<R: AsyncRead + Unpin>(
        &mut self,
        mut lines: Lines<BufReader<R>>,
    ) -> Result<(), Failure> {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                line = lines.next() => match line {
                    Ok(Some(line)) => match self.hear(&line).await? {
                        Said::More => {}
                        Said::Done => return Ok(()),
                    },
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        return Err(Failure::Babbled(LONGEST_LINE));
                    }
                    _ => {
                        let _ = timeout(FOLLOW, self.child.wait()).await;
                        return Err(self.vanished());
                    }
                },
                status = self.child.wait() => {
                    let exit = status.map_or(Exit::Unknown, Exit::from);
                    return self.last_words(&mut lines, exit).await;
                }
                _ = ticks.tick() => self.look()?,
            }
        }
    }

    /// Takes in one line. A line that is no message goes to the log.
    async fn hear(&mut self, line: &[u8]) -> Result<Said, Failure> {
        let Ok(message) = serde_json::from_slice::<Message>(line) else { return Ok(Said::More) };
        match &message {
            Message::Done => {
                self.tell(Seen::Message(&message))?;
                // Not to the end of the line: a process that the script forked may
                // hold it open for as long as it likes.
                return self.leave().await.map(|()| Said::Done);
            }
            Message::Failed { error, traceback, begun } => {
                self.traceback.clone_from(traceback);
                let _ = timeout(FOLLOW, self.child.wait()).await;
                return Err(raised(error.clone(), *begun));
            }
            Message::Hello { .. } => self.greeted = true,
            Message::Event { .. } => {}
        }
        self.tell(Seen::Message(&message)).map(|()| Said::More)
    }

    /// Hears what a process that has ended said last, which may still be on the line. A worker that lost its
    /// meter may go on talking: it is not listened to for long, as nobody measures it.
    async fn last_words<R: AsyncRead + Unpin>(
        &mut self,
        lines: &mut Lines<BufReader<R>>,
        exit: Exit,
    ) -> Result<(), Failure> {
        let until = Instant::now() + FOLLOW;
        while let Ok(Ok(Some(line))) = timeout_at(until, lines.next()).await {
            match serde_json::from_slice::<Message>(&line) {
                Ok(Message::Done) => return Ok(()),
                Ok(Message::Failed { error, traceback, begun }) => {
                    *self.traceback = traceback;
                    return Err(raised(error, begun));
                }
                Ok(message) => {
                    self.greeted |= matches!(message, Message::Hello { .. });
                    self.tell(Seen::Message(&message))?;
                }
                Err(_) => {}
            }
        }
        let begun = self.greeted || self.launch.is_wrapped();
        Err(if begun { self.launch.ended_early(exit) } else { self.vanished() })
    }

    /// Looks whether the worker keeps to its limits.
    fn look(&mut self) -> Result<(), Failure> {
        self.tell(Seen::Tick)?;
        let Launch { limits, log, .. } = self.launch;
        if let Some(limit) = limits.trial
            && self.begin.elapsed() > limit
        {
            return Err(Failure::TimedOut(limit));
        }
        if std::fs::metadata(log).is_ok_and(|m| m.len() > limits.log_bytes) {
            return Err(Failure::Flood(limits.log_bytes));
        }
        Ok(())
    }

    async fn leave(&mut self) -> Result<(), Failure> {
        let limit = self.launch.limits.leave;
        match timeout(limit, self.child.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::Stayed(limit)),
        }
    }

    fn tell(&mut self, seen: Seen<'_>) -> Result<(), Failure> {
        (self.seen)(seen).map_err(Failure::Stopped)
    }

    /// The line was closed.
    fn vanished(&self) -> Failure {
        match self.greeted {
            true => Failure::Vanished { exit: Exit::Unknown },
            false => {
                Failure::NotStarted { python: self.launch.task.program(), exit: Exit::Unknown }
            }
        }
    }
}

fn raised(error: String, begun: bool) -> Failure {
    if begun { Failure::Raised { error } } else { Failure::NoPython { error } }
}
