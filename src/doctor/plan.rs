//! What the planned experiment takes, and what it could see.

use super::finding::{Finding, Level};
use crate::plan::detectable::{self, ALPHA, FEWEST_BLOCKS, POWER};
use crate::plan::duration::{Expected, IMAGES_PER_CORE_SECOND};
use crate::settings::Settings;
use crate::units;

/// Duration, pauses and smallest detectable effect. `spread` is the standard deviation of the paired
/// differences of log energy.
pub(super) fn judge(settings: &Settings, spread: f64) -> Vec<Finding> {
    vec![duration(settings), pauses(settings), effect(settings, spread)]
}

fn duration(settings: &Settings) -> Finding {
    let expected = Expected::of(settings);
    let most = if settings.until_precise.is_some() { "at most " } else { "" };
    let found = format!(
        "{most}roughly {}: {} trials of some {}, and {} of pauses (at {IMAGES_PER_CORE_SECOND} images per core \
         and second; the first block tells)",
        units::duration(expected.total_s()),
        expected.trials,
        units::duration(expected.trial_s),
        units::duration(expected.pauses_s),
    );
    Finding::new("plan.duration", "Duration", Level::Ok, found)
        .with("total_s", expected.total_s())
        .with("pauses_s", expected.pauses_s)
        .with("trial_s", expected.trial_s)
        .with("trials", expected.trials)
}

fn pauses(settings: &Settings) -> Finding {
    let told = |what: &str, time| format!("{what} {}", humantime::format_duration(time));
    let found = [
        told("warm-up", settings.warmup),
        told("cool-down", settings.cooldown),
        told("baseline 2 ×", settings.baseline),
    ]
    .join(", ");
    let missing: Vec<&str> = [
        (settings.warmup, "--warmup 5m"),
        (settings.cooldown, "--cooldown 60s"),
        (settings.baseline, "--baseline 10s"),
    ]
    .into_iter()
    .filter(|(time, _)| time.is_zero())
    .map(|(_, flag)| flag)
    .collect();
    let new = |level, found| Finding::new("plan.pauses", "Pauses", level, found);
    let finding = if missing.is_empty() {
        new(Level::Ok, found)
    } else {
        new(Level::Warning, format!("{found}: heat carries over, or idle power stays unknown"))
            .remedy(format!("As the study does: {}", missing.join(" ")))
    };
    finding
        .with("warmup_s", settings.warmup.as_secs_f64())
        .with("cooldown_s", settings.cooldown.as_secs_f64())
        .with("baseline_s", settings.baseline.as_secs_f64())
}

/// The smallest difference between two frameworks that a paired t-test on logs shows; the formula and
/// its source are at [`detectable`]. With Holm's correction the first of several pairs has to pass
/// alpha divided by their number.
fn effect(settings: &Settings, spread: f64) -> Finding {
    let blocks = settings.iterations;
    let compared = settings.treatments.len() - usize::from(settings.control.is_some());
    let pairs = compared * compared.saturating_sub(1) / 2;
    let alone = detectable::percent(blocks, spread, ALPHA);
    let holm = detectable::percent(blocks, spread, ALPHA / pairs.max(1) as f64);
    let new = |level, found: String| {
        Finding::new("plan.effect", "Smallest effect", level, found)
            .with("blocks", blocks)
            .with("pairs", pairs)
            .with("sd_log", spread)
            .with("alpha", ALPHA)
            .with("power", POWER)
            .with("percent", alone)
            .with("percent_holm", holm)
            .with("formula", "100 (exp(d sd_log) - 1), d from the non-central t; Cohen 1988, ch. 2")
    };
    if pairs == 0 {
        return new(Level::Note, "one framework alone: nothing is compared".to_owned())
            .remedy("Compare some: --frameworks keras,torch,jax");
    }
    let (Some(alone), Some(holm)) = (alone, holm) else {
        return new(Level::Warning, "one block tells nothing: no spread, no test".to_owned())
            .remedy(format!("--iterations 30, and no fewer than {FEWEST_BLOCKS}"));
    };
    let corrected = match pairs {
        1 => String::new(),
        _ => format!(", {} after Holm over {pairs} pairs", percent(holm)),
    };
    let found = format!(
        "a difference of {}{corrected}, in {blocks} blocks (paired t on logs, α 5% two-sided, power 80%, \
         if paired differences scatter by {})",
        percent(alone),
        percent(100.0 * spread),
    );
    if blocks < FEWEST_BLOCKS {
        return new(
            Level::Warning,
            format!(
                "{found}; the exact Wilcoxon test cannot reach .05 below {FEWEST_BLOCKS} blocks"
            ),
        )
        .remedy(format!("--iterations 30, and no fewer than {FEWEST_BLOCKS}"));
    }
    new(Level::Ok, found)
}

fn percent(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}%") } else { format!("{value:.0}%") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::duration::tests::example;
    use std::time::Duration;

    #[test]
    fn the_studys_thirty_blocks_see_a_few_percent() {
        let finding = effect(&example(), 0.05);
        assert_eq!(finding.level, Level::Ok);
        // 0.529 and 0.622 standard deviations of 5%.
        assert!(finding.found.contains("2.7%, 3.2% after Holm over 3 pairs"), "{}", finding.found);
        assert_eq!(finding.details["pairs"], 3);
    }

    #[test]
    fn fewer_than_six_blocks_are_said_to_be_too_few_for_the_exact_test() {
        let finding = |iterations| effect(&Settings { iterations, ..example() }, 0.05);
        assert_eq!(finding(6).level, Level::Ok);
        assert_eq!(finding(5).level, Level::Warning);
        assert!(finding(5).found.contains("Wilcoxon"));
        assert_eq!(finding(1).level, Level::Warning);
        assert!(finding(1).remedy.unwrap().contains("--iterations"));
    }

    #[test]
    fn a_control_is_no_pair_of_its_own() {
        let mut settings = example();
        settings.treatments.truncate(2);
        settings.control = settings.treatments.last().cloned();
        assert_eq!(effect(&settings, 0.05).level, Level::Note);
    }

    #[test]
    fn pauses_that_are_left_out_are_named_by_their_flags() {
        let finding = pauses(&Settings { cooldown: Duration::ZERO, ..example() });
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.remedy.unwrap().ends_with(": --cooldown 60s"));
        assert_eq!(pauses(&example()).level, Level::Ok);
    }
}
