//! A command that is measured, from its start to its end.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use tokio::process::Command;

use super::Stdout;
use super::error::MeasureError;
use crate::marks;
use crate::meter::signals::Signals;
use crate::process::{self, Exit};

/// How the outermost process ended.
pub(super) struct Ended {
    pub(super) exit: Exit,
    /// It was a meter around the command, it ended by itself and abnormally, and the command ran on.
    pub(super) wrapper_gone: bool,
    pub(super) asked_to_stop: bool,
}

/// A command to be started.
pub(super) struct Start<'a> {
    /// What is run, in its meter where that wraps it.
    pub(super) line: &'a [OsString],
    pub(super) wrapped: bool,
    pub(super) stdout: Stdout,
    /// Where it may mark its phases.
    pub(super) marks: PathBuf,
}

/// Starts the command, passes signals on, and waits.
pub(super) async fn attend(
    start: &Start<'_>,
    signals: &mut Signals,
) -> Result<Ended, MeasureError> {
    let Start { line, wrapped, stdout, marks: marks_file } = start;
    let (wrapped, stdout) = (*wrapped, *stdout);
    let foreground = std::io::stdin().is_terminal();
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).env(marks::VARIABLE, marks_file);
    if stdout == Stdout::ToStderr {
        command.stdout(std::io::stderr());
    }
    if !foreground {
        process::own_group(command.as_std_mut());
    }
    if wrapped {
        // A command whose wrapper died has to be found.
        process::adopt_orphans();
    }
    process::end_with_host(command.as_std_mut());
    let mut child = command.spawn().map_err(|source| MeasureError::Start {
        command: line[0].to_string_lossy().into(),
        source,
    })?;
    let pid = child.id().unwrap_or_default();
    let (mut stopped, mut asked_to_stop) = (false, false);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(MeasureError::System)?,
            signal = signals.next() => {
                asked_to_stop = true;
                match (foreground, stopped) {
                    // The signal reached the command as well, which decides what it means.
                    (true, _) if signal.is_from_terminal() => {}
                    (true, _) => signal.pass_on(pid, false),
                    (false, false) => {
                        signal.pass_on(pid, true);
                        stopped = true;
                    }
                    (false, true) => process::kill_group(pid),
                }
            }
        }
    };
    let exit = Exit::from(status);
    if stopped {
        process::kill_group(pid);
    }
    let abnormal = matches!(exit, Exit::Code(101) | Exit::Signal(_));
    if !(wrapped && abnormal && !stopped) {
        return Ok(Ended { exit, wrapper_gone: false, asked_to_stop });
    }
    let group = if foreground { 0 } else { pid };
    let left = process::strays(group);
    process::kill_all(&left);
    Ok(Ended { exit, wrapper_gone: !left.is_empty(), asked_to_stop })
}
