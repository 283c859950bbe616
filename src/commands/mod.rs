//! One file per command: each reads as settings, plan, run, report.

mod across;
mod analyze;
mod audit;
mod compare;
mod doctor;
mod dry_run;
mod env;
mod list;
mod mark;
mod measure;
mod merge;
mod pack;
mod replay;
mod resolve;
mod run;
#[cfg(test)]
mod screens;
mod shard;
mod shell;
mod status;
mod submit;
mod verify;
mod versions;

use crate::Remedy as _;
use crate::cli::{Cli, Command, RaceArgs, Service, Talk, WorkerArgs, joined, sorted};
use crate::error::{Error, Status};
use crate::prepare::limits;
use crate::{process, race, screen};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Parses, runs, reports an error once, and gives the exit status.
pub fn main() -> ExitCode {
    let (cli, matches) = match parsed(std::env::args_os().collect()) {
        Ok(parsed) => parsed,
        Err(error) => return screen::misread(&error),
    };
    let is_worker = matches!(cli.command, Some(Command::Worker(_)));
    // Within a measured command, nothing else is done.
    let is_mark = matches!(cli.command, Some(Command::Mark(_)));
    if is_worker {
        screen::out::directly();
    }
    screen::logging(cli.talk);
    // A file that grows beyond its limit is reported as an error and does not end the program.
    process::ignore_file_size_signal();
    let enough = if is_worker || is_mark { Ok(()) } else { limits::enough() };
    let code = match enough.and_then(|()| dispatch(cli, &matches)) {
        Ok(code) => code,
        Err(error) => {
            screen::out::line(&format!("error: {}", error.in_full()));
            error.status().into()
        }
    };
    screen::out::flush();
    code
}

/// A command line as types, and as it was typed.
fn parsed(words: Vec<OsString>) -> Result<(Cli, ArgMatches), clap::Error> {
    let matches = Cli::command().try_get_matches_from(sorted(joined(words.into_iter())))?;
    Ok((Cli::from_arg_matches(&matches)?, matches))
}

/// `joulerace run`: what the file means, as if it had been typed.
fn run_file(args: &RaceArgs, talk: Talk) -> Result<ExitCode, Error> {
    let (cli, matches) = match parsed(race::command_line(args)?) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(screen::misread(&error)),
    };
    // Said before the file, as well as after it.
    let verbose = talk.verbose.max(cli.talk.verbose);
    let talk = Talk { verbose, quiet: talk.quiet || cli.talk.quiet };
    dispatch(Cli { talk, ..cli }, &matches)
}

/// Writes what a command line means, where that was asked for.
fn saved(file: Option<&Path>, matches: &ArgMatches) -> Result<bool, Error> {
    let Some(file) = file else { return Ok(false) };
    race::save(file, matches)?;
    let shown = file.display();
    screen::say(&format!("Written to {shown}; run it with: joulerace run {shown}\n"));
    Ok(true)
}

fn dispatch(cli: Cli, matches: &ArgMatches) -> Result<ExitCode, Error> {
    let talk = cli.talk;
    match cli.command {
        None if saved(cli.run.design.save.as_deref(), matches)? => Ok(ExitCode::SUCCESS),
        None => run::run(cli.run, talk),
        Some(Command::Compare(args)) if saved(args.design.save.as_deref(), matches)? => {
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Compare(args)) => compare::compare(&args, talk),
        Some(Command::Run(args)) => run_file(&args, talk),
        Some(Command::Resume(args)) => run::resume(args, talk),
        Some(Command::Analyze(args)) => analyze::analyze(*args, talk),
        Some(Command::Merge(args)) => merge::merge(args, talk),
        Some(Command::Submit(args)) => submit::submit(args, talk),
        Some(Command::Status(args)) => status::status(args, talk),
        Some(Command::Audit(args)) => audit::audit(args, talk),
        Some(Command::Verify(args)) => verify::verify(args, talk),
        Some(Command::Doctor(args)) => doctor::doctor(*args, talk),
        Some(Command::Measure(args)) => measure::measure(args, talk),
        Some(Command::Mark(args)) => mark::mark(&args),
        Some(Command::Pack(args)) => pack::pack(args),
        Some(Command::Replay(args)) => replay::replay(args, talk),
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
            let message = "a worker is started by its host, not by hand";
            return Err(Error::told(Status::Usage, message));
        }
    };
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}
