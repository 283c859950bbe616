//! What people see: the line that moves, tables and sentences, hints, and what the terminal can show of them.
//! Nobody else writes to standard output or error.

pub(crate) mod compared;
pub(crate) mod hints;
pub(crate) mod letters;
pub(crate) mod measured;
pub(crate) mod out;
mod progress;
pub(crate) mod report;
mod say;
mod terminal;

pub(crate) use crate::paths::shown;
pub(crate) use letters::fitting;
pub(crate) use say::{now_as_name, say, width};
pub(crate) use terminal::Terminal;

use crate::cli::Talk;
use crate::error::Status;
use std::io::Write;
use std::process::ExitCode;

/// Sends `tracing`'s events to standard error: warnings, with `-v` what happens, with `-vv` all;
/// `RUST_LOG` says it more finely.
pub(crate) fn logging(talk: Talk) {
    use tracing_subscriber::EnvFilter;
    let level = match (talk.quiet, talk.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "joulerace=info,warn",
        _ => "joulerace=trace,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(letters::colours(&std::io::stderr()))
        .with_writer(|| out::Log)
        // It would report a lost terminal on that very terminal, and panic.
        .log_internal_errors(false)
        .with_target(false)
        .init();
}

/// Shows help, or what is wrong with the command line and what was probably meant.
pub(crate) fn misread(error: &clap::Error) -> ExitCode {
    let rendered = error.render();
    let text = |colours: bool| {
        let text = if colours { rendered.ansi().to_string() } else { rendered.to_string() };
        letters::fitting(&text).into_owned()
    };
    // A terminal that has gone is no reason to fail.
    let _ = if error.use_stderr() {
        std::io::stderr().write_all(text(letters::colours(&std::io::stderr())).as_bytes())
    } else {
        std::io::stdout().write_all(text(letters::colours(&std::io::stdout())).as_bytes())
    };
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(hint) = hints::hint(error, &words) {
        out::line(&format!("tip: {hint}"));
        out::flush();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Status::Usage as u8))
}
