//! `--dry-run`: the plan and how long it takes.

use super::say::{say, shown, width};
use crate::error::Error;
use crate::plan::Plan;
use crate::plan::duration::{Expected, IMAGES_PER_CORE_SECOND};
use crate::run::folder::Folder;
use crate::settings::Settings;
use crate::units;
use std::process::ExitCode;

/// Prints the plan and what doctor finds worst, and touches nothing.
pub(super) fn dry_run(
    settings: &Settings,
    plan: &Plan,
    folder: &Folder,
    doctors_worst: impl FnOnce() -> String,
) -> Result<ExitCode, Error> {
    let expected = Expected::of(settings);
    let mut text = format!(
        "{} blocks of {} = {} trials, order seed {}, into {}\n",
        settings.iterations,
        settings.treatments.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", "),
        expected.trials,
        settings.order_seed,
        shown(folder.root()),
    );
    for block in plan.trials.chunk_by(|a, b| a.block == b.block) {
        let order: Vec<&str> = block.iter().map(|t| t.treatment.as_str()).collect();
        text += &format!("block {:>3}: {}\n", block[0].block, order.join(" "));
    }
    text += &format!(
        "Pauses: {} (warm-up {}, baseline 2 × {}, cool-down {} after each trial).\n\
         Training: roughly {} at {} a trial, at {IMAGES_PER_CORE_SECOND} images per core and second \
         as on the machine this was tried on; the first block tells.\n\
         Expected in all: roughly {}.\n",
        units::duration(expected.pauses_s),
        humantime::format_duration(settings.warmup),
        humantime::format_duration(settings.baseline),
        humantime::format_duration(settings.cooldown),
        units::duration(expected.training_s()),
        units::duration(expected.trial_s),
        units::duration(expected.total_s()),
    );
    let columns = usize::from(width()).max(40);
    let lines = text.lines().flat_map(|line| textwrap::wrap(line, columns));
    say(&(lines.collect::<Vec<_>>().join("\n") + "\n"));
    say(&doctors_worst());
    Ok(ExitCode::SUCCESS)
}
