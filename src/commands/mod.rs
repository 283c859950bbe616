//! One file per command: each reads as settings, plan, run, report.

mod across;
mod analyze;
mod audit;
mod doctor;
mod dry_run;
mod env;
mod measure;
mod merge;
mod resolve;
mod run;
mod shard;
mod shell;
mod status;
mod submit;
mod verify;

use crate::cli::{Cli, Command, Service, WorkerArgs, joined, sorted};
use crate::error::{Error, Status};
use crate::prepare::limits;
use crate::{process, screen};
use clap::Parser as _;
use std::process::ExitCode;

/// Parses, runs, reports an error once, and gives the exit status.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(sorted(joined(std::env::args_os()))) {
        Ok(cli) => cli,
        Err(error) => return screen::misread(&error),
    };
    let is_worker = matches!(cli.command, Some(Command::Worker(_)));
    if is_worker {
        screen::out::directly();
    }
    screen::logging(cli.talk);
    // A file that grows beyond its limit is an error to be told, and ends nothing.
    process::ignore_file_size_signal();
    let enough = if is_worker { Ok(()) } else { limits::enough() };
    let code = match enough.and_then(|()| dispatch(cli)) {
        Ok(code) => code,
        Err(error) => {
            screen::out::line(&format!("error: {error}"));
            error.status().into()
        }
    };
    screen::out::settle();
    code
}

fn dispatch(cli: Cli) -> Result<ExitCode, Error> {
    let talk = cli.talk;
    match cli.command {
        None => run::run(cli.run, talk),
        Some(Command::Resume(args)) => run::resume(args, talk),
        Some(Command::Analyze(args)) => analyze::analyze(args, talk),
        Some(Command::Merge(args)) => merge::merge(args, talk),
        Some(Command::Submit(args)) => submit::submit(args, talk),
        Some(Command::Status(args)) => status::status(args, talk),
        Some(Command::Audit(args)) => audit::audit(args, talk),
        Some(Command::Verify(args)) => verify::verify(args, talk),
        Some(Command::Doctor(args)) => doctor::doctor(*args, talk),
        Some(Command::Measure(args)) => measure::measure(args, talk),
        Some(Command::Env(args)) => env::env(args, talk),
        Some(Command::Completions(args)) => shell::completions(args),
        Some(Command::Man(args)) => shell::man(args),
        Some(Command::Worker(args)) => worker(args),
    }
}

/// `joulerace worker`. Where Python runs in this process, that ends it, and nothing returns.
fn worker(args: WorkerArgs) -> Result<ExitCode, Error> {
    let status = match (args.socket, args.service) {
        (Some(socket), _) => crate::worker::serve(&socket)?,
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
