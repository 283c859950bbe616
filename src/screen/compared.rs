//! What `joulerace compare` came to, in a few lines: each command's joules, seconds and watts, and which
//! takes how much less.

use super::report::{METRICS, Metric, common, estimate, of, options, values};
use crate::settings::Settings;
use crate::store::experiment::Verdict;
use crate::store::record::TrialRecord;
use crate::store::settling::Settling;
use crate::units::{mean_sd, mean_sd_median};
use statrs::distribution::{ContinuousCDF as _, StudentsT};
use std::collections::BTreeMap;

/// The result as text, at most `width` columns wide where that is possible.
pub(crate) fn result(
    records: &[TrialRecord],
    settings: &Settings,
    work: Option<&Verdict>,
    settling: &Settling,
    width: u16,
) -> String {
    let names: Vec<&str> = settings.treatments.iter().map(|t| t.name.as_str()).collect();
    let mut text = table(records, &names, usize::from(width));
    text.push('\n');
    let twin = settings.control.as_ref().map(|twin| twin.name.as_str());
    let compared: Vec<&str> = names.into_iter().filter(|name| Some(*name) != twin).collect();
    let mut notes = differences(records, &compared);
    notes += estimate(records).unwrap_or_default();
    notes += &of_one_run(records, settings);
    notes += &common(records, work.filter(|work| !work.identical), settling);
    notes += &equal_work(settings, work);
    for line in notes.lines() {
        for part in textwrap::wrap(line, options(width, line)) {
            text += &part;
            text.push('\n');
        }
    }
    text
}

/// A row for each command; its name stands above where the terminal is narrow.
fn table(records: &[TrialRecord], names: &[&str], width: usize) -> String {
    const CELL: usize = 19;
    let metrics: [Metric; 3] = [METRICS[0], METRICS[1], METRICS[2]];
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let beside = longest + 2 + 3 * CELL <= width;
    let indent = if beside { longest + 2 } else { 2 };
    let mut text = format!("{:indent$}", "");
    text += &metrics.map(|(name, _)| format!("{name:>CELL$}")).concat();
    text.push('\n');
    for name in names {
        text += &if beside { format!("{name:indent$}") } else { format!("{name}\n{:indent$}", "") };
        for metric in metrics {
            let (mean, sd, _) = mean_sd_median(&values(records, name, metric));
            text += &format!(
                "{:>CELL$}",
                if mean.is_nan() { "–".to_owned() } else { mean_sd(mean, sd) }
            );
        }
        text.push('\n');
    }
    text
}

/// Joules by block.
fn joules(records: &[TrialRecord], name: &str) -> BTreeMap<u32, f64> {
    let known = |r: &TrialRecord| Some((r.block, r.window.as_ref()?.total_j));
    of(records, name).filter_map(known).filter(|(_, j)| j.is_finite() && *j > 0.0).collect()
}

/// How much less one takes than another, in percent of the other, with Student's 95% interval of the paired
/// differences of logs; as the report has it.
struct Less {
    pct: f64,
    from: f64,
    to: f64,
}

fn less(records: &[TrialRecord], one: &str, other: &str) -> Option<Less> {
    let own = joules(records, one);
    let logs: Vec<f64> = joules(records, other)
        .into_iter()
        .filter_map(|(block, joules)| Some((own.get(&block)? / joules).ln()))
        .collect();
    let n = logs.len() as f64;
    if logs.len() < 2 {
        return None;
    }
    let (mean, sd, _) = mean_sd_median(&logs);
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.975);
    let half = t * sd / n.sqrt();
    let pct = |log: f64| 100.0 * (1.0 - log.exp());
    Some(Less { pct: pct(mean), from: pct(mean + half), to: pct(mean - half) })
}

/// Which command takes the least energy, and how much less than each of the others.
fn differences(records: &[TrialRecord], names: &[&str]) -> String {
    let means = names.iter().filter_map(|name| {
        let joules: Vec<f64> = joules(records, name).into_values().map(f64::ln).collect();
        (joules.len() >= 2).then(|| (*name, mean_sd_median(&joules).0))
    });
    let mut means: Vec<(&str, f64)> = means.collect();
    means.sort_by(|a, b| a.1.total_cmp(&b.1));
    let Some(((least, _), others)) = means.split_first().filter(|(_, others)| !others.is_empty())
    else {
        return match names.len() {
            0 | 1 => String::new(),
            _ => "Too few trials to say which takes the least energy.\n".to_owned(),
        };
    };
    let mut text = format!("{least} takes the least energy:\n");
    for (other, _) in others {
        let Some(Less { pct, from, to }) = less(records, least, other) else {
            text += &format!("  than {other}: too few blocks that have both\n");
            continue;
        };
        let digits = if to - from < 2.0 { 2 } else { usize::from(to - from < 20.0) };
        let plain = |pct: f64| format!("{pct:.digits$}").replace('-', "−");
        let (pct, from_to) = (plain(pct), [plain(from), plain(to)].join(" to "));
        let unsure = if from <= 0.0 { ", so they are not told apart" } else { "" };
        text += &format!("  {pct}% less than {other} (95% interval {from_to}%{unsure})\n");
    }
    text
}

/// What the numbers are of.
fn of_one_run(records: &[TrialRecord], settings: &Settings) -> String {
    let repetitions = settings.commands.as_ref().map_or(1, |commands| commands.repetitions());
    let repeated = match repetitions {
        1 => String::new(),
        n => format!(" Numbers are of one run; a trial is {n} runs of its command."),
    };
    let window = records.first().map_or("the process".to_owned(), TrialRecord::window_name);
    format!("Window: {window}, gross. Mean ± SD.{repeated}\n")
}

fn equal_work(settings: &Settings, work: Option<&Verdict>) -> String {
    let same_output = settings.commands.as_ref().is_some_and(|commands| commands.same_output);
    match work {
        Some(verdict) if !verdict.identical => String::new(),
        Some(_) if same_output => "All printed the same, every time.\n".to_owned(),
        Some(_) => "--check passed after every trial.\n".to_owned(),
        None => "Whether they do the same work was not looked at: --same-output or --check does.\n"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trial(treatment: &str, block: u32, joules: f64) -> TrialRecord {
        serde_json::from_value(json!({
            "schema": 1, "trial": format!("{treatment}_{block}"), "treatment": treatment,
            "framework": "", "block": block, "position": 0, "run_order": 0, "predecessor": null,
            "attempt": 1, "status": "ok", "reason": null, "flags": [],
            "started": "2026-03-01T12:00:00Z", "wall_seconds": 3.0, "cpu_seconds": 2.0,
            "meter": "rapl", "estimated": false,
            "window": { "seconds": 2.0, "joules": {"package": joules}, "total_j": joules, "coverage": 1.0 },
            "whole": null, "integrity": null, "sampler": null, "accuracy": null, "loss": null,
            "result": null, "exit": {"code": 0}, "idle_w": null,
        }))
        .unwrap()
    }

    /// Ratios of 1/2, 1/2·e^0.1 and 1/2·e^-0.1: mean log −ln 2, SD 0.1, t of two degrees of freedom
    /// 4.302653, half width 0.248414: from 1 − e^(−0.693147+0.248414) = 35.9% to 61.0%.
    #[test]
    fn the_interval_is_students_on_the_logs_within_blocks() {
        let ratios = [0.5, 0.5 * 0.1f64.exp(), 0.5 * (-0.1f64).exp()];
        let records: Vec<TrialRecord> = (0..3)
            .flat_map(|n| {
                let joules = 10.0 * f64::from(n + 1);
                [trial("a b", n, joules * ratios[n as usize]), trial("c", n, joules)]
            })
            .collect();
        let told = differences(&records, &["a b", "c"]);
        assert_eq!(
            told,
            "a b takes the least energy:\n  50% less than c (95% interval 36 to 61%)\n"
        );
        let same =
            [trial("a", 0, 1.0), trial("b", 0, 1.1), trial("a", 1, 1.1), trial("b", 1, 1.05)];
        assert!(differences(&same, &["a", "b"]).contains("not told apart"));
        assert!(differences(&same[..2], &["a", "b"]).contains("Too few"));
    }

    #[test]
    fn a_long_command_stands_above_its_numbers_where_the_terminal_is_narrow() {
        let records = [trial("a", 0, 1.0), trial("a", 1, 2.0)];
        let wide = table(&records, &["a"], 80);
        assert!(
            wide.lines().count() == 2 && wide.lines().all(|l| l.chars().count() <= 80),
            "{wide}"
        );
        let narrow = table(&records, &["a"], 59);
        assert_eq!(narrow.lines().count(), 3, "{narrow}");
    }
}
