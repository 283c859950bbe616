//! Requests to stop: one ends the run after the present trial, a second one now.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often somebody has asked this program to end.
pub(crate) fn requests() -> usize {
    crate::process::interrupts()
}

/// How urgently the user wants to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Not at all.
    No,
    /// When the present trial is over.
    AfterTrial,
    /// In the middle of it.
    Now,
}

/// Knows what the user last said.
#[derive(Debug, Clone)]
pub(crate) struct Stopper {
    level: watch::Receiver<Stop>,
}

impl Stopper {
    /// Listens for SIGINT and SIGTERM. SIGHUP is heard and passed over: a terminal that closes must
    /// not end a run of days. Ctrl-Z is obeyed, and `tell` hears when and for how long. On Windows, Ctrl-C
    /// and Ctrl-Break ask to stop, and a console that closes, a log-off and a shutdown do so at once.
    pub(crate) fn listen(tell: impl Fn(&str) + Send + 'static) -> std::io::Result<Stopper> {
        let (sender, level) = watch::channel(Stop::No);
        #[cfg(unix)]
        crate::process::count_interrupts()?;
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hangup = signal(SignalKind::hangup())?;
            let number = nix::sys::signal::Signal::SIGTSTP as std::ffi::c_int;
            let mut standstill = signal(SignalKind::from_raw(number))?;
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => raise(&sender),
                        _ = terminate.recv() => raise(&sender),
                        _ = hangup.recv() => tell("the terminal has gone; the experiment goes on"),
                        _ = standstill.recv() => stand_still(&tell),
                        () = sender.closed() => return,
                    }
                }
            });
        }
        #[cfg(windows)]
        {
            drop(tell);
            let mut asked = Asked::listen()?;
            // Last, so that it is asked first.
            crate::process::count_interrupts()?;
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        how = asked.next() => match how {
                            How::Asks => raise(&sender),
                            // The system ends this program some seconds after its console.
                            How::Closes => drop(sender.send_replace(Stop::Now)),
                        },
                        () = sender.closed() => return,
                    }
                }
            });
        }
        Ok(Stopper { level })
    }

    /// What was last said.
    pub(crate) fn level(&self) -> Stop {
        *self.level.borrow()
    }

    /// Waits until at least `level` was said.
    pub(crate) async fn reached(&self, level: Stop) {
        let mut watched = self.level.clone();
        let heard = watched.wait_for(|l| *l >= level).await.is_ok();
        if !heard {
            std::future::pending::<()>().await;
        }
    }
}

/// What a console sends to its processes.
#[cfg(windows)]
#[derive(Debug)]
struct Asked {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    log_off: tokio::signal::windows::CtrlLogoff,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

/// What an event means.
#[cfg(windows)]
enum How {
    /// Somebody asks to stop.
    Asks,
    /// The console goes, and this program with it.
    Closes,
}

#[cfg(windows)]
impl Asked {
    fn listen() -> std::io::Result<Asked> {
        use tokio::signal::windows;
        Ok(Asked {
            interrupt: windows::ctrl_c()?,
            stop: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            log_off: windows::ctrl_logoff()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> How {
        tokio::select! {
            _ = self.interrupt.recv() => How::Asks,
            _ = self.stop.recv() => How::Asks,
            _ = self.close.recv() => How::Closes,
            _ = self.log_off.recv() => How::Closes,
            _ = self.shutdown.recv() => How::Closes,
        }
    }
}

/// Stops this process as Ctrl-Z asks, and says so before and after. A trial's process is in a group of
/// its own and works on.
#[cfg(unix)]
fn stand_still(tell: &impl Fn(&str)) {
    tell(
        "stopped by Ctrl-Z: the trial that runs works on, unsampled, and no other begins. Go on with: fg",
    );
    let begun = std::time::SystemTime::now();
    // SIGTSTP's own effect, which was taken from it to say the above; returns when it goes on.
    if nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).is_ok() {
        let seconds = begun.elapsed().unwrap_or_default().as_secs_f64();
        tell(&format!(
            "goes on after standing still for {}; what ran meanwhile was not sampled",
            crate::units::duration(seconds)
        ));
    }
}

/// Is cancelled as soon as somebody asks this program to end.
///
/// # Errors
///
/// Signals cannot be listened for.
pub(crate) fn token() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let raised = token.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // This listens from now on, not from when the task is first run.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            raised.cancel();
        });
    }
    #[cfg(windows)]
    {
        let mut asked = Asked::listen()?;
        crate::process::count_interrupts()?;
        tokio::spawn(async move {
            asked.next().await;
            raised.cancel();
        });
    }
    Ok(token)
}

fn raise(sender: &watch::Sender<Stop>) {
    sender.send_modify(|level| {
        *level = if *level == Stop::No { Stop::AfterTrial } else { Stop::Now };
    });
}
