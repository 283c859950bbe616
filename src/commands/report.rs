//! The terminal's result: per framework, what its trials came to.

use crate::run::gate::Verdict;
use crate::run::record::{Status, TrialRecord};
use crate::run::settling::Settling;
use crate::units::{digits, mean_sd, summary};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use std::collections::BTreeMap;

/// Lines above, below and under the head; rows stand close together.
const STYLE: TableStyle = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// One metric's row: its name and how to get it from a record.
type Metric = (&'static str, fn(&TrialRecord) -> Option<f64>);

const METRICS: [Metric; 4] = [
    ("Energy (J)", |r| r.window.as_ref().map(|w| w.total_j)),
    ("Time (s)", |r| r.window.as_ref().map(|w| w.seconds)),
    ("Power (W)", TrialRecord::power_w),
    ("EDP (J·s)", |r| r.window.as_ref().map(|w| w.total_j * w.seconds)),
];

/// The result as text, at most `width` columns wide where that is possible.
///
/// Frameworks stand side by side where they fit and one below the other where not.
pub fn result(
    records: &[TrialRecord],
    treatments: &[String],
    work: Option<&Verdict>,
    settling: &Settling,
    width: u16,
) -> String {
    let mut text = String::new();
    let wide = 12 + 22 * treatments.len();
    if usize::from(width) >= wide {
        text += &table(records, treatments, treatments);
    } else {
        for treatment in treatments {
            text += &table(records, std::slice::from_ref(treatment), treatments);
            text.push('\n');
        }
    }
    text.push('\n');
    for line in notes(records, treatments, work, settling).lines() {
        for part in textwrap::wrap(line, options(width, line)) {
            text += &part;
            text.push('\n');
        }
    }
    text
}

/// Wraps between words only, and goes on where the line began.
fn options(width: u16, line: &str) -> textwrap::Options<'_> {
    let indent = &line[..line.len() - line.trim_start().len()];
    textwrap::Options::new(usize::from(width).max(20))
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent(indent)
}

/// What stands below the table, a line for each thing there is to know.
fn notes(
    records: &[TrialRecord],
    treatments: &[String],
    work: Option<&Verdict>,
    settling: &Settling,
) -> String {
    let mut text = best(records, treatments);
    let estimated = records.iter().any(|r| r.estimated);
    if estimated {
        text += "Energy is an ESTIMATE from processor time and stated powers, not a measurement.\n";
    }
    text += "Window: build + train + evaluate, gross. Mean ± SD, median below.\n";
    text += &idle(settling);
    text += &flags(records);
    for record in records.iter().filter(|r| r.status != Status::Ok) {
        let reason = record.reason.as_deref().unwrap_or("no reason is known");
        text += &format!("{} {}: {}\n", record.trial, record.status.word(), reason);
    }
    match work {
        Some(verdict) if verdict.identical => text += "The work was identical in all trials.\n",
        Some(verdict) => {
            text += "The work was NOT identical:\n";
            for reason in &verdict.reasons {
                text += &format!("  {reason}\n");
            }
        }
        None => {}
    }
    text
}

/// Idle power and what measuring costs, where they are known.
fn idle(settling: &Settling) -> String {
    let mut parts = Vec::new();
    if let Some(watts) = settling.idle_w() {
        let drift = settling.drift_w().map_or(String::new(), |w| {
            format!(", {}{:.2} W at the end", if w < 0.0 { "−" } else { "+" }, w.abs())
        });
        parts.push(format!("Idle power {} W{drift}.", digits(watts)));
    }
    let overhead = settling.overhead.as_ref();
    if let Some((cpu, share)) =
        overhead.and_then(|o| Some((o.cpu_seconds? / o.seconds, o.cpu_share?)))
    {
        parts.push(format!(
            "The meter took {} ms of processor time a second, {}% of the trials'.",
            digits(cpu * 1e3),
            digits(share * 100.0)
        ));
    }
    if parts.is_empty() { String::new() } else { parts.join(" ") + "\n" }
}

/// Which flags were raised, how often, and in whose trials.
fn flags(records: &[TrialRecord]) -> String {
    let mut trials: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for record in records {
        for flag in &record.flags {
            trials.entry(flag).or_default().push(&record.trial);
        }
    }
    let line = |(flag, trials): (&str, Vec<&str>)| {
        let shown = trials.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        let more = if trials.len() > SHOWN { ", …" } else { "" };
        format!("Flagged {flag}: {} of {} trials ({shown}{more}).\n", trials.len(), records.len())
    };
    trials.into_iter().map(line).collect()
}

/// As many trials are named by a flag's line.
const SHOWN: usize = 4;

fn of<'r>(records: &'r [TrialRecord], treatment: &'r str) -> impl Iterator<Item = &'r TrialRecord> {
    records.iter().filter(move |r| r.treatment == treatment && r.status == Status::Ok)
}

fn values(records: &[TrialRecord], treatment: &str, metric: Metric) -> Vec<f64> {
    of(records, treatment).filter_map(metric.1).collect()
}

fn table(records: &[TrialRecord], treatments: &[String], all: &[String]) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(std::iter::once(String::new()).chain(treatments.iter().cloned()));
    let mut row = |name: &str, cell: &dyn Fn(&str) -> String| {
        table.add_row(std::iter::once(name.to_owned()).chain(treatments.iter().map(|t| cell(t))));
    };
    row("Trials", &|t| {
        let all = records.iter().filter(|r| r.treatment == t).count();
        format!("{} of {all}", of(records, t).count())
    });
    for metric in METRICS {
        row(&format!("{}\n  median", metric.0), &|t| {
            let (mean, sd, median) = summary(&values(records, t, metric));
            format!("{}\n{}", mean_sd(mean, sd), digits(median))
        });
    }
    row("Accuracy", &|t| {
        let all: Vec<f64> = of(records, t).filter_map(|r| r.accuracy).collect();
        let (mean, ..) = summary(&all);
        if mean.is_nan() { "–".to_owned() } else { format!("{:.2}%", mean * 100.0) }
    });
    let least = least(records, all);
    row("Energy to best", &|t| match least {
        Some((best, joules)) => {
            let (mean, ..) = summary(&values(records, t, METRICS[0]));
            if t == best {
                "best".to_owned()
            } else {
                format!("{:+.1}%", (mean / joules - 1.0) * 100.0)
            }
        }
        None => "–".to_owned(),
    });
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn least<'t>(records: &[TrialRecord], treatments: &'t [String]) -> Option<(&'t str, f64)> {
    treatments
        .iter()
        .map(|t| (t.as_str(), summary(&values(records, t, METRICS[0])).0))
        .filter(|(_, joules)| joules.is_finite())
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

fn best(records: &[TrialRecord], treatments: &[String]) -> String {
    match least(records, treatments) {
        Some((name, joules)) => {
            format!("Least mean energy: {name}, {} J a trial.\n", digits(joules))
        }
        None => "No trial was measured.\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_wrapped_between_words_and_go_on_where_they_began() {
        let reason = "torch_3: its accuracy 0.9 lies more than 0.01 from the median".to_owned();
        let verdict = Verdict { identical: false, reasons: vec![reason] };
        let text = result(&[], &["torch".to_owned()], Some(&verdict), &Settling::default(), 40);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{text}");
        let at = lines.iter().position(|line| line.starts_with("  torch_3: its accuracy")).unwrap();
        assert!(lines[at + 1].starts_with("  "));
    }
}
