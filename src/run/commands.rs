//! What commands need before and after their trials: what sets them up and cleans up after them, and a run
//! of each that shows that it works and how often it has to be repeated for the meter to resolve it.

use crate::Remedy as _;
use crate::account::{CommandAccount, Output};
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::gate;
use crate::meter::Meter;
use crate::phase::{Edge, Phase, PhaseMark};
use crate::process;
use crate::settings::commands::MOST_REPETITIONS;
use crate::settings::{CommandLine, Commands, Settings, Treatment};
use crate::units;
use crate::worker::protocol::WorkloadMessage;
use crate::worker::{self, Around, CommandRequest};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a trial of a command is.
pub(crate) fn request(commands: &Commands, command: &CommandLine) -> CommandRequest {
    // Settings are checked before anything is run: every line has its words.
    let words = |line: &str| commands.shell.words(line).unwrap_or_default();
    let around = |flag: &str, line: &Option<String>| {
        line.as_ref().map(|line| Around {
            flag: flag.to_owned(),
            line: line.clone(),
            argv: words(line),
        })
    };
    CommandRequest {
        line: command.line.clone(),
        argv: words(&command.line),
        prepare: around("--prepare", &command.prepare),
        check: around("--check", &command.check),
        repetitions: commands.repetitions(),
        ignore_failure: commands.ignore_failure,
        same_output: commands.same_output,
    }
}

/// Checks that every program is there, before anything is run.
///
/// # Errors
///
/// Names the first program that is missing, with the status that a shell gives.
pub(crate) fn check_found(settings: &Settings) -> Result<(), Error> {
    let Some(commands) = &settings.commands else { return Ok(()) };
    for (treatment, command) in commands_of(settings) {
        for line in command.all() {
            let words = commands.shell.words(line).unwrap_or_default();
            let Some(program) = words.first() else { continue };
            if process::found(OsStr::new(program), &commands.folder).is_some() {
                continue;
            }
            let at = commands.folder.join(program);
            if program.contains('/') && at.exists() {
                return Err(Error::advised(
                    Status::NotExecutable,
                    format!(
                        "'{program}', which '{}' runs, cannot be run; nothing was run",
                        treatment.name
                    ),
                    format!(
                        "Make it executable (chmod +x), or name what runs it, such as: sh {program}"
                    ),
                ));
            }
            let single = commands_of(settings).all(|(_, c)| !c.line.contains(char::is_whitespace));
            let hint = match line.contains(char::is_whitespace) {
                true => "; a line for a shell is run with --shell sh",
                false if single && settings.treatments.len() > 1 => {
                    "; a command and its arguments stand in quotes: joulerace compare 'sleep 1' 'sleep 2'"
                }
                false => "",
            };
            return Err(Error::advised(
                Status::NotFound,
                format!(
                    "there is no program '{program}', which '{}' runs; nothing was run",
                    treatment.name
                ),
                format!("Check its name, or give its path{hint}"),
            ));
        }
    }
    Ok(())
}

fn commands_of(settings: &Settings) -> impl Iterator<Item = (&Treatment, &CommandLine)> {
    settings.treatments.iter().filter_map(|t| Some((t, t.command.as_ref()?)))
}

/// Runs what sets each command up, in the order in which the commands were typed; each once.
///
/// # Errors
///
/// The first that fails, with what it printed.
pub(crate) async fn set_up(
    settings: &Settings,
    stop: &CancellationToken,
    observer: &dyn Observer,
) -> Result<(), Error> {
    around(settings, "--setup", |command| command.setup.as_ref(), stop, observer).await
}

/// Runs what cleans up after each command. A failure is reported, and the other commands are cleaned up all the
/// same.
pub(crate) async fn clean_up(settings: &Settings, observer: &dyn Observer) {
    // Also where the user stopped the experiment; asked to stop again, it ends.
    let Ok(stop) = crate::stop::token() else { return };
    let cleaned = around(settings, "--cleanup", |c| c.cleanup.as_ref(), &stop, observer).await;
    if let Err(error) = cleaned {
        observer.on(&Event::Warning(&error.in_line()));
    }
}

async fn around(
    settings: &Settings,
    flag: &str,
    of: impl Fn(&CommandLine) -> Option<&String>,
    stop: &CancellationToken,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let Some(commands) = &settings.commands else { return Ok(()) };
    let mut done: Vec<&String> = Vec::new();
    for (treatment, command) in commands_of(settings) {
        let Some(line) = of(command).filter(|line| !done.contains(line)) else { continue };
        observer.on(&Event::Preparing(&format!("{flag} of {}: {line}", treatment.name)));
        let once = CommandRequest {
            line: line.clone(),
            argv: commands.shell.words(line).unwrap_or_default(),
            prepare: None,
            check: None,
            repetitions: 1,
            ignore_failure: false,
            same_output: false,
        };
        run_once(&once, flag, stop).await?;
        done.push(line);
    }
    Ok(())
}

/// What a run before the first trial came to.
struct Once {
    /// Seconds of its window.
    seconds: f64,
    /// Its account of itself.
    account: Option<CommandAccount>,
}

/// Runs a command once, unmeasured.
async fn run_once(
    request: &CommandRequest,
    what: &str,
    stop: &CancellationToken,
) -> Result<Once, Error> {
    let (mut marks, mut account) = (Vec::<PhaseMark>::new(), None);
    let called = worker::call(request.clone(), stop, |emitted| {
        match WorkloadMessage::read(emitted.clone()) {
            WorkloadMessage::Phase(mark) => marks.push(mark),
            WorkloadMessage::Result(told) => account = Some(told.command()?),
            _ => {}
        }
        Ok(())
    });
    let called = called.await.map_err(|error| Error::Other(error.into()))?;
    if stop.is_cancelled() {
        let message = "stopped before the first trial; nothing was measured".to_owned();
        return Err(Error::told(Status::Stopped, message));
    }
    if let Some(failure) = called.failure {
        let printed: Vec<&str> = called.printed.lines().collect();
        let failure = failure.in_line();
        // The worker writes its own words last.
        let own = printed.last().is_some_and(|line| failure.contains(line));
        let printed = &printed[..printed.len() - usize::from(own)];
        let tail: String = printed[printed.len().saturating_sub(TAIL)..]
            .iter()
            .map(|l| format!("\n  {l}"))
            .collect();
        let said = if tail.is_empty() { String::new() } else { format!("; it printed:{tail}") };
        let what = if failure.starts_with(what) { String::new() } else { format!("{what}: ") };
        let message =
            format!("{what}{failure}, before the first trial{said}\nNothing was measured");
        let gone = failure.contains("exit status 127");
        let status = if gone { Status::NotFound } else { Status::Trials };
        return Err(Error::told(status, message));
    }
    Ok(Once { seconds: seconds(&marks), account })
}

/// How many lines of a failed command's output are shown.
const TAIL: usize = 12;

/// Seconds of the window between these marks.
fn seconds(marks: &[PhaseMark]) -> f64 {
    let window = Phase::window(marks);
    let mut begun: BTreeMap<Phase, i64> = BTreeMap::new();
    let mut sum = 0.0;
    for mark in marks.iter().filter(|mark| window.contains(&mark.phase)) {
        match mark.edge {
            Edge::Begin => drop(begun.insert(mark.phase, mark.unix_ns)),
            Edge::End => {
                let from = begun.remove(&mark.phase);
                sum += from.map_or(0.0, |from| (mark.unix_ns - from).max(0) as f64 / 1e9);
            }
        }
    }
    sum
}

/// Runs each command once or twice, unmeasured, and tells how often a trial has to repeat it: the same
/// number for all, so that all do equal work.
///
/// # Errors
///
/// The first command that fails, or whose work is not the same; nothing was measured then.
pub(crate) async fn try_out(
    settings: &Settings,
    meter: &Meter,
    stop: &CancellationToken,
    observer: &dyn Observer,
) -> Result<Commands, Error> {
    let Some(commands) = &settings.commands else {
        return Err(Error::Other(anyhow::anyhow!("there are no commands to try out")));
    };
    let once = Commands { repetitions: Some(1), ..commands.clone() };
    let (mut took, mut first): (Vec<f64>, Option<(&str, Option<Output>)>) = (Vec::new(), None);
    for (treatment, command) in commands_of(settings) {
        let name = treatment.name.as_str();
        observer.on(&Event::Preparing(&format!("{name}: a run before the first trial")));
        let (request, what) = (request(&once, command), format!("'{name}'"));
        let hint = |error: Error| match error {
            Error::Told { message, remedy: None, status: Status::Trials }
                if message.contains(" ended with ") =>
            {
                let remedy = "--ignore-failure measures it all the same";
                Error::advised(Status::Trials, message, remedy)
            }
            error => error,
        };
        let ran = run_once(&request, &what, stop).await.map_err(hint)?;
        let account = ran.account.as_ref();
        if let Some(why) = account.and_then(CommandAccount::refused) {
            return Err(other_work(&format!("{what} did not do its work: {why}")));
        }
        match &first {
            Some((of, output)) => {
                let own = account.and_then(|account| account.output.as_ref());
                if let Some(found) = gate::commands::difference(own, output.as_ref()) {
                    let why = format!("the output of {what} differs from that of '{of}': {found}");
                    return Err(other_work(&format!("{why} (--same-output)")));
                }
            }
            None => first = Some((name, ran.account.and_then(|account| account.output))),
        }
        // Nothing of it was in the caches.
        let again = ran.seconds < SHORT && commands.repetitions.is_none();
        let again = if again {
            run_once(&request, &what, stop).await.map_err(hint)?.seconds
        } else {
            ran.seconds
        };
        took.push(ran.seconds.min(again));
    }
    let (shortest, longest) = ends(&took);
    let least = meter.resolves();
    let repetitions =
        commands.repetitions.unwrap_or_else(|| repetitions(shortest, longest, least.as_secs_f64()));
    tell(repetitions, commands.repetitions.is_some(), shortest, least, observer);
    let mean = took.iter().sum::<f64>() / took.len().max(1) as f64;
    let trial_s = Some(mean * f64::from(repetitions)).filter(|seconds| seconds.is_finite());
    Ok(Commands { repetitions: Some(repetitions), trial_s, ..commands.clone() })
}

/// A run below this is made a second time, in seconds.
const SHORT: f64 = 2.0;

fn other_work(why: &str) -> Error {
    let message = format!("{why}; so there is nothing to compare, and nothing was measured");
    Error::told(Status::Trials, message)
}

fn ends(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    (least, values.iter().copied().fold(0.0, f64::max))
}

/// No trial is made longer than this for the sake of its shortest command, in seconds.
const LONGEST: f64 = 60.0;

fn repetitions(shortest: f64, longest: f64, least: f64) -> u32 {
    if shortest >= least || longest <= 0.0 {
        return 1;
    }
    let wanted = (least / shortest.max(1e-4)).ceil();
    let most = (LONGEST / longest).floor().max(1.0);
    wanted.min(most).clamp(1.0, f64::from(MOST_REPETITIONS)) as u32
}

fn tell(repetitions: u32, asked: bool, shortest: f64, least: Duration, observer: &dyn Observer) {
    let least_s = least.as_secs_f64();
    if repetitions > 1 && !asked {
        observer.on(&Event::Preparing(&format!(
            "each trial runs its command {repetitions} times: one run ({}) is too short for this meter, \
             which needs {}. Joules and seconds are told for one run",
            units::duration(shortest),
            units::duration(least_s),
        )));
    }
    if shortest * f64::from(repetitions) < 0.5 * least_s {
        observer.on(&Event::Warning(&format!(
            "the shortest command is measured for {} in a trial, where this meter needs {}: its energy is \
             known coarsely. --repetitions N repeats it more often",
            units::duration(shortest * f64::from(repetitions)),
            units::duration(least_s),
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_commands_are_repeated_until_the_meter_resolves_them_and_long_ones_are_not() {
        assert_eq!(repetitions(0.01, 0.02, 0.5), 50);
        assert_eq!(repetitions(0.7, 0.9, 0.5), 1);
        // A command that takes a minute is not repeated because another one is short.
        assert_eq!(repetitions(0.01, 61.0, 0.5), 1);
        assert_eq!(repetitions(0.01, 3.0, 0.5), 20);
        assert_eq!(repetitions(0.0, 0.0, 0.5), 1);
        assert_eq!(repetitions(1e-9, 1e-9, 500.0), MOST_REPETITIONS);
    }

    #[test]
    fn the_window_that_was_marked_is_what_has_to_be_long_enough() {
        let mark =
            |phase: &str, edge, unix_ns| PhaseMark { phase: phase.parse().unwrap(), edge, unix_ns };
        let whole = [mark("run", Edge::Begin, 0), mark("run", Edge::End, 2_000_000_000)];
        assert_eq!(seconds(&whole), 2.0);
        let own = [
            mark("run", Edge::Begin, 0),
            mark("sort", Edge::Begin, 500_000_000),
            mark("sort", Edge::End, 750_000_000),
            mark("run", Edge::End, 2_000_000_000),
        ];
        assert_eq!(seconds(&own), 0.25);
    }
}
