//! Being told to stop: once to end after the present trial, twice to end now.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// How often somebody asked this program to end, for what runs where no event loop turns: the analysis
/// waits for its process, and output that nobody reads is waited for.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// How often somebody has asked this program to end.
pub fn requests() -> usize {
    ASKED.load(Ordering::Relaxed)
}

/// How urgently the user wants to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    No,
    /// When the present trial is over.
    AfterTrial,
    /// In the middle of it.
    Now,
}

/// Knows what the user last said.
#[derive(Debug, Clone)]
pub struct Stopper {
    level: watch::Receiver<Stop>,
}

impl Stopper {
    /// Listens for SIGINT and SIGTERM. SIGHUP is heard and passed over: a terminal that closes must
    /// not end a run of days.
    pub fn listen() -> std::io::Result<Stopper> {
        let (sender, level) = watch::channel(Stop::No);
        #[cfg(unix)]
        count_signals()?;
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut hangup = signal(SignalKind::hangup())?;
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => raise(&sender),
                        _ = terminate.recv() => raise(&sender),
                        _ = hangup.recv() => tracing::warn!("the terminal has gone; the experiment goes on"),
                        () = sender.closed() => return,
                    }
                }
            });
        }
        #[cfg(not(unix))]
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                raise(&sender);
            }
        });
        Ok(Stopper { level })
    }

    /// What was last said.
    pub fn level(&self) -> Stop {
        *self.level.borrow()
    }

    /// Waits until at least `level` was said.
    pub async fn reached(&self, level: Stop) {
        let mut watched = self.level.clone();
        let heard = watched.wait_for(|l| *l >= level).await.is_ok();
        if !heard {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until somebody asks this program to end: Ctrl-C or, where there is one, SIGTERM.
pub async fn asked() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(tokio::signal::ctrl_c().await),
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}

/// Counts SIGINT and SIGTERM where they arrive, on whichever thread: a loop that waits for something else
/// still learns of them. Once is enough for the whole program.
#[cfg(unix)]
fn count_signals() -> std::io::Result<()> {
    use std::sync::OnceLock;
    static COUNTED: OnceLock<Result<(), i32>> = OnceLock::new();
    let counted = COUNTED.get_or_init(|| {
        for signal in [nix::libc::SIGINT, nix::libc::SIGTERM] {
            // SAFETY: the handler adds to an atomic number and does nothing else, which is
            // async-signal-safe.
            let registered = unsafe {
                signal_hook_registry::register(signal, || {
                    ASKED.fetch_add(1, Ordering::Relaxed);
                })
            };
            if let Err(error) = registered {
                return Err(error.raw_os_error().unwrap_or(nix::libc::EINVAL));
            }
        }
        Ok(())
    });
    counted.map_err(std::io::Error::from_raw_os_error)
}

fn raise(sender: &watch::Sender<Stop>) {
    sender.send_modify(|level| {
        *level = if *level == Stop::No { Stop::AfterTrial } else { Stop::Now };
    });
}
