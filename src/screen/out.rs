//! What is written to the terminal, from a thread of its own: a terminal that is held (Ctrl-S) or a pipe that
//! nobody reads makes that thread wait, and neither the measuring nor its signals or timing.
//!
//! Lines wait in a queue; when that is full, the newest are dropped and their number is told once there is
//! room. All text is cleaned of what acts on a terminal.

use super::letters::fitting;
use crate::clean;
use crate::stop;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// As many lines may wait to be written.
const QUEUE: usize = 1024;

/// How long to wait for output that nothing depends on.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether it was read, or somebody asked to end.
const LOOK: Duration = Duration::from_millis(20);

/// Something to be written.
enum Say {
    /// A line or more on standard error, above the moving line.
    Lines(String),
    /// The moving line's text; there is one once this was sent.
    Moving(String),
    /// The moving line goes.
    Still,
    /// All before this was written.
    Told(SyncSender<()>),
}

static QUEUED: OnceLock<Option<SyncSender<Say>>> = OnceLock::new();
static DROPPED: AtomicUsize = AtomicUsize::new(0);
/// A worker writes for itself: its standard error is its log.
static DIRECT: AtomicBool = AtomicBool::new(false);

/// Has this process write without the thread, as a worker does, whose standard error is a file.
pub(crate) fn directly() {
    DIRECT.store(true, Ordering::Relaxed);
}

/// The thread's queue; none where no thread can be had.
fn queue() -> Option<&'static SyncSender<Say>> {
    if DIRECT.load(Ordering::Relaxed) {
        return None;
    }
    let start = || {
        let (sender, queued) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("output".into());
        thread.spawn(move || write(&queued)).ok().map(|_| sender)
    };
    QUEUED.get_or_init(start).as_ref()
}

fn send(say: Say) {
    match queue() {
        Some(queue) => {
            if let Err(TrySendError::Full(Say::Lines(_))) = queue.try_send(say) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        None => match say {
            Say::Lines(text) => drop(writeln!(io::stderr(), "{text}")),
            Say::Told(told) => drop(told.try_send(())),
            Say::Moving(_) | Say::Still => {}
        },
    }
}

/// Says a line on standard error; it is written as soon as somebody reads.
pub(crate) fn line(text: &str) {
    send(Say::Lines(fitting(&clean::lines(text)).into_owned()));
}

/// Shows text in the line that moves.
pub(crate) fn moving(text: &str) {
    send(Say::Moving(fitting(&clean::line(text)).into_owned()));
}

/// Takes the moving line away.
pub(crate) fn still() {
    send(Say::Still);
}

/// Writes a result to standard output and waits until it is written, or somebody asks this program to end. A
/// terminal that takes no lines must not hold up the program.
pub(crate) fn result(text: &str) {
    flush();
    let asked = stop::requests();
    let text = fitting(&clean::lines(text)).into_owned();
    let write = move || {
        let mut out = io::stdout();
        // A reader that has gone is no reason to fail.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    };
    let thread = std::thread::Builder::new().name("result".into());
    let Ok(thread) = thread.spawn(write) else { return };
    while !thread.is_finished() && stop::requests() == asked {
        std::thread::sleep(LOOK / 4);
    }
}

/// Waits a moment until what was said is written.
pub(crate) fn flush() {
    // Nothing was said where nothing was queued.
    let Some(Some(queue)) = QUEUED.get() else { return };
    let begin = Instant::now();
    let over = || begin.elapsed() > PATIENCE;
    let (told, hear) = sync_channel(1);
    let mut say = Say::Told(told);
    loop {
        match queue.try_send(say) {
            Ok(()) => break,
            Err(TrySendError::Full(back)) if !over() => say = back,
            Err(_) => return,
        }
        std::thread::sleep(LOOK);
    }
    while hear.recv_timeout(LOOK).is_err() && !over() {}
}

/// The thread: writes what is queued, one after the other.
fn write(queued: &Receiver<Say>) {
    let mut bar: Option<ProgressBar> = None;
    while let Ok(say) = queued.recv() {
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            lines(bar.as_ref(), &format!("({dropped} lines were not shown: nobody read them)"));
        }
        match say {
            Say::Lines(text) => lines(bar.as_ref(), &text),
            Say::Moving(text) => bar.get_or_insert_with(moving_line).set_message(text),
            Say::Still => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
            }
            Say::Told(told) => drop(told.try_send(())),
        }
    }
}

fn lines(bar: Option<&ProgressBar>, text: &str) {
    match bar {
        Some(bar) => bar.println(text),
        // A terminal that has gone must not end a run of days.
        None => drop(writeln!(io::stderr(), "{text}")),
    }
}

fn moving_line() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
    let style = ProgressStyle::with_template("{spinner} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// What `tracing` writes to: lines like any other.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        line(String::from_utf8_lossy(text).trim_end_matches('\n'));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
