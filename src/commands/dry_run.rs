//! `--dry-run`: the plan and how long it takes.

use crate::error::Error;
use crate::plan::duration::{Expected, IMAGES_PER_CORE_SECOND};
use crate::plan::sequential::FIRST_LOOK;
use crate::plan::{Order, Plan};
use crate::screen::{say, shown, width};
use crate::settings::{DEFAULT_WORKLOAD, Settings};
use crate::store::folder::Folder;
use crate::units;
use std::process::ExitCode;

/// Prints the plan and what doctor finds worst, and touches nothing.
pub(super) fn dry_run(
    settings: &Settings,
    plan: &Plan,
    folder: &Folder,
    doctors_worst: impl FnOnce() -> String,
) -> Result<ExitCode, Error> {
    say(&told(settings, plan, folder, usize::from(width())));
    say(&doctors_worst());
    Ok(ExitCode::SUCCESS)
}

/// The plan in words, `columns` wide.
pub(super) fn told(settings: &Settings, plan: &Plan, folder: &Folder, columns: usize) -> String {
    let expected = Expected::of(settings);
    let most = if settings.until_precise.is_some() { "at most " } else { "" };
    let order = match settings.order {
        Order::Random => "random order",
        Order::Balanced => "balanced order",
    };
    let mut text = format!(
        "{most}{} blocks of {} = {} trials, {order}, seed {}, into {}\n",
        settings.iterations,
        settings.treatments.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", "),
        expected.trials,
        settings.order_seed,
        shown(folder.root()),
    );
    for block in plan.trials.chunk_by(|a, b| a.block == b.block) {
        let order: Vec<&str> = block.iter().map(|t| t.treatment.as_str()).collect();
        let seed = block[0].seed.map_or(String::new(), |seed| format!("  (seed {seed})"));
        text += &format!("block {:>3}: {}{seed}\n", block[0].block, order.join(" "));
    }
    if let Some(pct) = settings.until_precise {
        text += &format!(
            "Stops at the first block, from {FIRST_LOOK} on, at which each comparison is resolved or \
             known to within ±{pct}%.\n"
        );
    }
    text += &format!(
        "Pauses: {} (warm-up {}, baseline 2 × {}, cool-down {} after each trial).\n{}",
        units::duration(expected.pauses_s),
        humantime::format_duration(settings.warmup),
        humantime::format_duration(settings.baseline),
        humantime::format_duration(settings.cooldown),
        trials(settings, &expected, most),
    );
    // A treatment's name is not cut at its hyphens.
    let options = textwrap::Options::new(columns.max(40))
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    let lines = text.lines().flat_map(|line| textwrap::wrap(line, &options));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// How long trials take, as far as that is known before the first.
fn trials(settings: &Settings, expected: &Expected, most: &str) -> String {
    match settings.commands {
        Some(_) => format!(
            "How long the commands take, and how often a trial repeats them, is known once each has \
             run.\nExpected in all: {most}roughly {}, and what the commands take.\n",
            units::duration(expected.total_s()),
        ),
        None if settings.workload != DEFAULT_WORKLOAD => {
            "Trials: how long one takes is known after the first block.\n".to_owned()
        }
        None => format!(
            "Training: roughly {} at {} a trial, at {IMAGES_PER_CORE_SECOND} images per core and \
             second as on the machine this was tried on; the first block tells.\n\
             Expected in all: {most}roughly {}.\n",
            units::duration(expected.training_s()),
            units::duration(expected.trial_s),
            units::duration(expected.total_s()),
        ),
    }
}
