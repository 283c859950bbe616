//! What the planned experiment takes, and what it could see.

use super::finding::{Finding, Level};
use crate::plan::detectable::{self, ALPHA, FEWEST_BLOCKS, POWER};
use crate::plan::duration::{Expected, IMAGES_PER_CORE_SECOND};
use crate::plan::sequential::Sequential;
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
    let pauses = units::duration(expected.pauses_s);
    let found = match settings.commands.is_some() {
        true => format!(
            "{most}{} trials, as long as the commands take, and {pauses} of pauses",
            expected.trials
        ),
        false => format!(
            "{most}roughly {}: {} trials of some {}, and {pauses} of pauses (at {IMAGES_PER_CORE_SECOND} \
             images per core and second; the first block tells)",
            units::duration(expected.total_s()),
            expected.trials,
            units::duration(expected.trial_s),
        ),
    };
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

/// The smallest difference of one framework from the others that the decision shows: paired t on logs,
/// Holm over the declared comparisons, and at the level of the last look where there are several. The
/// formula and its source are at [`detectable`].
fn effect(settings: &Settings, spread: f64) -> Finding {
    let blocks = settings.iterations;
    let blocks_flag = if settings.commands.is_some() { "--runs" } else { "--iterations" };
    let treatments = settings.compared().count();
    let comparisons = settings.comparisons().len();
    let divisor = detectable::holm_divisor(comparisons, treatments);
    let design = settings.until_precise.map(|pct| Sequential::new(pct, blocks, comparisons, ALPHA));
    let level = |alpha: f64| match &design {
        Some(design) => design.nominal(alpha, blocks).unwrap_or(alpha),
        None => alpha,
    };
    let alone = detectable::percent(blocks, spread, level(ALPHA));
    let holm = detectable::percent(blocks, spread, level(ALPHA / divisor));
    let new = |level, found: String| {
        Finding::new("plan.effect", "Smallest effect", level, found)
            .with("blocks", blocks)
            .with("pairs", comparisons)
            .with("sd_log", spread)
            .with("alpha", ALPHA)
            .with("power", POWER)
            .with("percent", alone)
            .with("percent_holm", holm)
            .with("holm_divisor", divisor)
            .with("formula", "100 (exp(d sd_log) - 1), d from the non-central t at alpha / holm_divisor; Cohen 1988, ch. 2")
    };
    if comparisons == 0 {
        return new(Level::Note, "one treatment alone: nothing is compared".to_owned()).remedy(
            match settings.commands.is_some() {
                true => "Compare some: joulerace compare CMD CMD",
                false => "Compare some: --treatments keras,torch,jax",
            },
        );
    }
    let (Some(_), Some(holm)) = (alone, holm) else {
        return new(Level::Warning, "one block tells nothing: no spread, no test".to_owned())
            .remedy(format!("{blocks_flag} 30, and no fewer than {FEWEST_BLOCKS}"));
    };
    let found = sentence(settings, holm, spread);
    if blocks < FEWEST_BLOCKS {
        return new(
            Level::Warning,
            format!(
                "{found}; the exact Wilcoxon test cannot reach .05 below {FEWEST_BLOCKS} blocks"
            ),
        )
        .remedy(format!("{blocks_flag} 30, and no fewer than {FEWEST_BLOCKS}"));
    }
    new(Level::Ok, found)
}

/// The difference in percent that shows, and what that assumes.
fn sentence(settings: &Settings, holm: f64, spread: f64) -> String {
    let (blocks, comparisons) = (settings.iterations, settings.comparisons().len());
    let corrected = match comparisons {
        1 => String::new(),
        _ => format!(" after Holm over {comparisons} comparisons"),
    };
    let most = if settings.until_precise.is_some() { "at most " } else { "" };
    let found = format!(
        "a difference of {}{corrected}, in {most}{blocks} blocks (paired t on logs, α 5% two-sided, power \
         80%, if paired differences scatter by {})",
        percent(holm),
        percent(100.0 * spread),
    );
    match settings.until_precise {
        Some(pct) => format!(
            "{found}; --until-precise may leave differences below {} unresolved",
            percent(pct)
        ),
        None => found,
    }
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
        // 0.529 standard deviations of 5% alone, 0.606 at 5% / 2.5.
        let expected = "a difference of 3.1% after Holm over 3 comparisons";
        assert!(finding.found.contains(expected), "{}", finding.found);
        assert_eq!(finding.details["pairs"], 3);
    }

    #[test]
    fn looks_on_the_way_cost_a_little_and_fewer_comparisons_give_a_little() {
        let percent =
            |settings: &Settings| effect(settings, 0.05).details["percent_holm"].as_f64().unwrap();
        let all = percent(&example());
        let looked = percent(&Settings { until_precise: Some(3.0), ..example() });
        assert!((1.1..1.3).contains(&(looked / all)), "{looked} to {all}");
        let to_one = percent(&Settings { compare_to: Some("jax".to_owned()), ..example() });
        assert!(to_one < all, "{to_one} to {all}");
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
