//! One file per command: each reads as settings, plan, run, report.

mod across;
pub mod analyze;
pub mod audit;
mod conditions;
pub mod doctor;
mod dry_run;
pub mod env;
pub mod examples;
mod hints;
pub mod measure;
mod measured;
pub mod out;
mod prepare;
mod report;
mod resolve;
pub mod run;
mod say;
mod screen;
pub mod shell;
mod terminal;
pub mod verify;

use crate::cli::{Service, Talk, WorkerArgs};
use crate::error::{Error, Status};
use std::io::Write;
use std::process::ExitCode;

/// Sends `tracing`'s events to standard error: warnings, with `-v` what happens, with `-vv` all;
/// `RUST_LOG` says it more finely.
pub fn logging(talk: Talk) {
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
        .with_ansi(screen::colours(&std::io::stderr()))
        .with_writer(|| out::Log)
        // It would tell of a terminal that has gone on that very terminal, and panic.
        .log_internal_errors(false)
        .with_target(false)
        .init();
}

/// Shows help, or what is wrong with the command line and what was probably meant.
pub fn misread(error: &clap::Error) -> ExitCode {
    let rendered = error.render();
    let text = |colours: bool| {
        let text = if colours { rendered.ansi().to_string() } else { rendered.to_string() };
        screen::fitting(&text).into_owned()
    };
    // A terminal that has gone is no reason to fail.
    let _ = if error.use_stderr() {
        std::io::stderr().write_all(text(screen::colours(&std::io::stderr())).as_bytes())
    } else {
        std::io::stdout().write_all(text(screen::colours(&std::io::stdout())).as_bytes())
    };
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(hint) = hints::hint(error, &words) {
        out::line(&format!("tip: {hint}"));
        out::settle();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Status::Usage as u8))
}

/// `joulerace worker`. Where Python runs in this process, that ends it, and nothing returns.
pub fn worker(args: WorkerArgs) -> Result<ExitCode, Error> {
    let status = match (args.socket, args.service) {
        (Some(socket), _) => crate::worker::serve(&socket)?,
        (None, Some(Service::Analyze { request })) => crate::analysis::python::serve(&request),
        (None, Some(Service::Idle { seconds })) => {
            crate::process::end_with_parent();
            std::thread::sleep(std::time::Duration::from_secs(seconds));
            0
        }
        (None, None) => {
            return Err(Error::Told {
                message: "a worker is started by its host, not by hand".to_owned(),
                status: Status::Usage,
            });
        }
    };
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}

/// Runs `future` on this thread. A current-thread runtime, so that no idle worker threads wake up
/// while a trial is measured and children are started by the thread that lives longest.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
            Error::Other(anyhow::Error::new(e).context("the event loop cannot be made"))
        })?;
    let outcome = runtime.block_on(future);
    // What was given up is not waited for: a read that hangs would keep the program from ending.
    runtime.shutdown_background();
    Ok(outcome)
}
