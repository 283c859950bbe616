//! `joulerace merge`: the shards of a study made one experiment, and analysed.

use super::analyze::analyse_experiment;
use crate::cli::{MergeArgs, Talk};
use crate::cluster::{Merged, merge as of_shards};
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::files::Scratch;
use crate::paths::Project;
use crate::prepare::{self, block_on};
use crate::process;
use crate::screen::{Terminal, say, shown, width};
use crate::stop::Stopper;
use std::path::Path;
use std::process::ExitCode;

/// As many shards are named.
const MOST_NAMED: usize = 20;

/// `joulerace merge`: ends well where every planned trial is there.
pub(crate) fn merge(args: MergeArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let root = prepare::followed(&args.dir);
    let terminal = Terminal::new(talk);
    process::adopt_orphans();
    Scratch::sweep();
    let step = |text: &str| terminal.on(&Event::Preparing(text));
    let merged = of_shards(&root, args.accept_changes, &step)?;
    for remark in &merged.remarks {
        terminal.on(&Event::Warning(&format!("accepted: {remark}")));
    }
    say(&told(&merged, &root));
    if !args.after.no_analysis && merged.done().0 > 0 {
        let work = async {
            let _heard = Stopper::listen(terminal.teller()).map_err(|e| Error::Other(e.into()))?;
            analyse_experiment(&project, &root, &terminal).await
        };
        let analysed = block_on(work)?;
        terminal.finish();
        say(&analysed?);
    }
    whole(&merged, &root)
}

/// # Errors
///
/// Which shards are missing, or parts of them.
fn whole(merged: &Merged, root: &Path) -> Result<ExitCode, Error> {
    let absent = merged.experiment.shards.iter().filter_map(|shard| {
        let why = shard.missing.as_ref()?;
        Some(format!("shard {}: {why}", shard.number))
    });
    let absent: Vec<String> = absent.collect();
    if absent.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let (done, all) = merged.done();
    let more = absent.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    let named: Vec<String> = absent.into_iter().take(MOST_NAMED).collect();
    let message = format!(
        "{done} of {all} planned trials are there; missing:\n  {}{more}",
        named.join("\n  "),
    );
    let remedy = format!("when they are there, merge again: joulerace merge {}", shown(root));
    Err(Error::advised(Status::Stopped, message, remedy))
}

/// Each machine with what it ran.
fn told(merged: &Merged, root: &Path) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_width(width().min(100));
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(["machine", "blocks", "trials", "meter", "processor"]);
    for machine in merged.experiment.machines.iter().take(MOST_NAMED) {
        let meter = machine.meter.split(" (").next().unwrap_or_default();
        let processor = machine.conditions.iter().find_map(|c| c.strip_prefix("processor: "));
        table.add_row([
            machine.name.clone(),
            machine.blocks.len().to_string(),
            machine.trials.to_string(),
            meter.to_owned(),
            crate::clean::line(processor.unwrap_or("unknown")),
        ]);
    }
    let lines: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let machines = merged.experiment.machines.len();
    let more = machines.saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" … and {more} more machines\n") } else { String::new() };
    let (done, all) = merged.done();
    format!(
        "{lines}{more}{done} of {all} trials of {} shards merged: {}\n",
        merged.experiment.shards.len(),
        shown(root)
    )
}
