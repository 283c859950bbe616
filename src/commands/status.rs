//! `joulerace status`: how far a study's shards have come; `submit --wait` follows them with it.

use crate::Remedy as _;
use crate::cli::{StatusArgs, Talk};
use crate::cluster::status::{Line, Status as Found};
use crate::cluster::{MergeError, status as of_study};
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::prepare;
use crate::process;
use crate::screen::{Terminal, say, shown, width};
use crate::stop;
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How often a study that is waited for is looked at; all users share Slurm's controller.
const AGAIN: Duration = Duration::from_secs(5);

/// How soon Ctrl-C is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// How many shards have a line of their own; those that are done are left out first.
const MOST_LINES: usize = 40;

/// `joulerace status`: ends well where all is done or under way.
pub(super) fn status(args: StatusArgs, _talk: Talk) -> Result<ExitCode, Error> {
    let root = prepare::followed(&args.dir);
    let found = look(&root)?;
    say(&table(&found, width()));
    if let Some(error) = &found.unasked {
        say(&format!("The queue could not be asked: {}\n", error.in_line()));
    }
    say(&ahead(&found, &root));
    let idle = found.lines.iter().any(|line| line.idle);
    Ok(if idle { Status::Stopped.into() } else { ExitCode::SUCCESS })
}

fn look(root: &Path) -> Result<Found, Error> {
    let none = || MergeError::None(root.display().to_string());
    Ok(of_study(root)?.ok_or_else(none)?)
}

/// Tells how far a study is until none of its jobs is left, and ends as the study does.
///
/// # Errors
///
/// What is missing, where its end was not reached, or that somebody would not wait for it.
pub(super) fn follow(root: &Path, terminal: &Terminal) -> Result<ExitCode, Error> {
    process::count_interrupts().map_err(|e| Error::Other(e.into()))?;
    let before = stop::requests();
    terminal.on(&Event::Preparing("waiting for its end; Ctrl-C ends the waiting, not the jobs"));
    let mut told = String::new();
    loop {
        let found = look(root)?;
        // A controller that is busy once does not end the waiting.
        let unheard =
            found.unasked.as_ref().map(|error| format!("; the queue: {}", error.in_line()));
        let now = progress_line(&found) + &unheard.clone().unwrap_or_default();
        if now != told {
            terminal.on(&Event::Preparing(&now));
            told = now;
        }
        if unheard.is_none() && !found.queued() {
            break;
        }
        for _ in 0..AGAIN.as_millis() / LOOK.as_millis() {
            std::thread::sleep(LOOK);
            if stop::requests() > before {
                let message = "no longer waited for; the jobs go on";
                let remedy = format!("look at them with: joulerace status {}", shown(root));
                return Err(Error::advised(Status::Stopped, message, remedy));
            }
        }
    }
    let found = look(root)?;
    say(&table(&found, width()));
    say(&ahead(&found, root));
    let merged = Experiment::read(&Folder::at(root));
    let (done, all) = found.done();
    if done == all && merged.is_ok() {
        return Ok(ExitCode::SUCCESS);
    }
    let logs = shown(&root.join("logs"));
    let message = format!("{done} of {all} trials are done");
    Err(Error::advised(Status::Stopped, message, format!("what happened is in {logs}")))
}

/// `7 of 18 trials; shards: 2 run, 1 waits, 2 done`.
fn progress_line(found: &Found) -> String {
    let (done, all) = found.done();
    let count = |word: &str| found.lines.iter().filter(|l| l.state.starts_with(word)).count();
    let idle = found.lines.iter().filter(|line| line.idle).count();
    let kinds = [("running", count("runs")), ("waiting", count("waits")), ("stopped", idle)];
    let kinds: Vec<String> = kinds
        .into_iter()
        .chain([("done", count("done"))])
        .filter(|(_, n)| *n > 0)
        .map(|(word, n)| format!("{n} {word}"))
        .collect();
    format!("{done} of {all} trials; shards: {}", kinds.join(", "))
}

pub(super) fn table(found: &Found, columns: u16) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_width(columns.min(100));
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(["shard", "blocks", "machine", "trials", "state"]);
    let many = found.lines.len() > MOST_LINES;
    let wanted = |line: &&Line| !many || line.state != "done";
    let chosen: Vec<&Line> = found.lines.iter().filter(wanted).take(MOST_LINES).collect();
    for line in &chosen {
        let [first, last] = line.blocks;
        table.add_row([
            line.number.to_string(),
            if first == last { first.to_string() } else { format!("{first} … {last}") },
            line.machine.clone().unwrap_or_else(|| "–".to_owned()),
            format!("{} of {}", line.done, line.trials),
            crate::clean::line(&line.state),
        ]);
    }
    let lines: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let more = found.lines.len() - chosen.len();
    let more = if more > 0 { format!(" … and {more} more shards\n") } else { String::new() };
    format!("{lines}{more}{}\n", progress_line(found))
}

/// What happens next, or what to do.
pub(super) fn ahead(found: &Found, root: &Path) -> String {
    let shown = shown(root);
    let idle: Vec<String> =
        found.lines.iter().filter(|l| l.idle).map(|l| l.number.to_string()).collect();
    let (done, all) = found.done();
    if done == all {
        let merged = Folder::at(root).experiment().exists();
        return match (&found.merging, merged) {
            (Some(_), _) => {
                "All trials are done; the job that merges them is in the queue.\n".to_owned()
            }
            (None, true) => format!("Merged; its report: {shown}/analysis/report.html\n"),
            (None, false) => format!("All trials are done; merge them: joulerace merge {shown}\n"),
        };
    }
    if idle.is_empty() {
        return String::new();
    }
    let numbers = idle.join(",");
    let shards = if idle.len() == 1 { "shard" } else { "shards" };
    match found.study.as_ref().and_then(|study| study.jobs) {
        Some(_) => format!(
            "Nothing works on {shards} {numbers}; why is in {shown}/logs.\nGo on with:\n  \
             sbatch --array={numbers} {shown}/job.sh\nand then: joulerace merge {shown}\n"
        ),
        None => format!(
            "Nothing that is seen from here works on {shards} {numbers}.\nGo on with:\n  \
             joulerace resume {shown}/shards/{}\nand then: joulerace merge {shown}\n",
            if idle.len() == 1 { &numbers } else { "NUMBER" }
        ),
    }
}
