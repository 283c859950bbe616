//! Requests to stop: caught while a command is measured, and passed on to it.

#[cfg(not(unix))]
use crate::process;

/// A request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Interrupt,
    #[cfg(unix)]
    Terminate,
    #[cfg(unix)]
    HangUp,
}

impl Signal {
    /// Whether a terminal sends it to its whole foreground group.
    pub(crate) fn is_from_terminal(self) -> bool {
        #[cfg(unix)]
        let other = self == Signal::Terminate;
        #[cfg(not(unix))]
        let other = false;
        !other
    }

    #[cfg(unix)]
    pub(crate) fn pass_on(self, pid: u32, group: bool) {
        use nix::sys::signal::{Signal as Number, kill, killpg};
        let number = match self {
            Signal::Interrupt => Number::SIGINT,
            Signal::Terminate => Number::SIGTERM,
            Signal::HangUp => Number::SIGHUP,
        };
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        // A process that is gone already is what is wanted.
        let _ = if group { killpg(pid, number) } else { kill(pid, number) };
    }

    #[cfg(not(unix))]
    pub(crate) fn pass_on(self, pid: u32, _group: bool) {
        process::interrupt(pid);
    }
}

/// The signals that ask this program to stop, caught from now on.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hang_up.recv() => Signal::HangUp,
        }
    }
}

/// The console's events that ask this program to stop. Once it closes, the system waits for some seconds.
#[cfg(windows)]
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    pub(crate) fn new() -> std::io::Result<Signals> {
        use tokio::signal::windows;
        Ok(Signals {
            interrupt: windows::ctrl_c()?,
            stop: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.stop.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
        Signal::Interrupt
    }
}
