//! The terminal's result: per framework, what its trials came to.

use crate::dataset::{Dataset, Name};
use crate::meter::Kind;
use crate::phase::Phase;
use crate::store::experiment::Verdict;
use crate::store::record::{Status, TrialRecord};
use crate::store::settling::Settling;
use crate::units::{digits, mean_sd, mean_sd_median};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use std::collections::BTreeMap;

/// Lines above, below and under the head; rows stand close together.
const STYLE: TableStyle = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// One metric's row: its name and how to get it from a record.
pub(super) type Metric = (&'static str, fn(&TrialRecord) -> Option<f64>);

pub(super) const METRICS: [Metric; 4] = [
    ("Energy (J)", |r| r.window.as_ref().map(|w| w.total_j)),
    ("Time (s)", |r| r.window.as_ref().map(|w| w.seconds)),
    ("Power (W)", TrialRecord::power_w),
    ("EDP (J·s)", |r| r.window.as_ref().map(|w| w.total_j * w.seconds)),
];

/// What a reader must know of the data.
pub(crate) fn caution(dataset: &Dataset) -> Option<&'static str> {
    match (dataset.name, &dataset.warning) {
        (Name::Digits, _) => Some(
            "Trained on the digits data set, NOT on MNIST: accuracies, losses and joules are not \
             comparable with MNIST's.",
        ),
        (_, Some(_)) => Some("Trained on files of your own, not on MNIST as published."),
        _ => None,
    }
}

/// The result as text, at most `width` columns wide where that is possible.
///
/// Frameworks stand side by side where they fit, a few one below the other where not, and many in a row each.
pub(crate) fn result(
    records: &[TrialRecord],
    treatments: &[String],
    work: Option<&Verdict>,
    settling: &Settling,
    data: Option<&str>,
    width: u16,
) -> String {
    let mut text = String::new();
    let wide = 12 + 22 * treatments.len();
    if usize::from(width) >= wide {
        text += &table(records, treatments, treatments);
    } else if treatments.len() > MOST_TABLES {
        text += &rows(records, treatments, usize::from(width));
    } else {
        for treatment in treatments {
            text += &table(records, std::slice::from_ref(treatment), treatments);
            text.push('\n');
        }
    }
    text.push('\n');
    let medians = usize::from(width) >= wide || treatments.len() <= MOST_TABLES;
    for line in notes(records, treatments, medians, work, settling, data).lines() {
        for part in textwrap::wrap(line, options(width, line)) {
            text += &part;
            text.push('\n');
        }
    }
    text
}

/// Wraps between words only, and goes on where the line began.
pub(super) fn options(width: u16, line: &str) -> textwrap::Options<'_> {
    let indent = &line[..line.len() - line.trim_start().len()];
    textwrap::Options::new(usize::from(width).max(20))
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent(indent)
}

/// How much of the joules is an estimate, in a line.
pub(super) fn estimate(records: &[TrialRecord]) -> Option<&'static str> {
    let estimated: Vec<&TrialRecord> = records.iter().filter(|record| record.estimated).collect();
    match estimated.iter().all(|record| record.meter.each().any(Kind::measures)) {
        _ if estimated.is_empty() => None,
        true => Some(
            "The processor's part of the energy is an ESTIMATE from processor time and stated powers; the rest \
             is measured.\n",
        ),
        false => Some(
            "Energy is an ESTIMATE from processor time and stated powers, not a measurement.\n",
        ),
    }
}

/// What stands below the table, a line for each thing there is to know.
fn notes(
    records: &[TrialRecord],
    treatments: &[String],
    medians: bool,
    work: Option<&Verdict>,
    settling: &Settling,
    data: Option<&str>,
) -> String {
    let mut text = best(records, treatments);
    if let Some(data) = data {
        text += &format!("{data}\n");
    }
    text += estimate(records).unwrap_or_default();
    let window = records.iter().find(|r| !r.marks.is_empty()).map_or_else(
        || Phase::WINDOW.to_vec(), // as records had it before they kept their marks
        |record| Phase::window(&record.marks),
    );
    let window: Vec<&str> = window.iter().map(Phase::name).collect();
    text += &format!(
        "Window: {}, gross. Mean ± SD{}.\n",
        window.join(" + "),
        if medians { ", median below" } else { "" }
    );
    if compared(records, treatments).is_some() {
        text += "Energy to least: geometric mean over the blocks that both have.\n";
    }
    text += &common(records, work, settling);
    text
}

/// What is told of scripts and of commands: idle power, flags, what failed, and whether the work was equal.
pub(super) fn common(
    records: &[TrialRecord],
    work: Option<&Verdict>,
    settling: &Settling,
) -> String {
    let mut text = idle(settling) + &flags(records);
    for record in records.iter().filter(|r| r.status != Status::Ok) {
        let reason = record.reason.as_deref().unwrap_or("no reason is known");
        text += &format!("{} {}: {}\n", record.trial, record.status.word(), reason);
    }
    // A single trial's work cannot be compared with another's.
    let done = records.iter().filter(|r| r.status == Status::Ok).count();
    let invalid = records.iter().any(|r| r.status == Status::Invalid);
    match work.filter(|_| done > 1 || invalid) {
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
            format!(", {}{:.2} W at the end", if w <= -0.005 { "−" } else { "+" }, w.abs())
        });
        parts.push(format!("Idle power {} W{drift}.", digits(watts)));
    }
    let overhead = settling.overhead.as_ref();
    if let Some((cpu, share)) =
        overhead.and_then(|o| Some((o.cpu_seconds? / o.seconds, o.cpu_share?)))
        && cpu.is_finite()
        && share.is_finite()
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
        if trials.len() == records.len() && trials.len() > 1 {
            return format!("Flagged {flag}: all {} trials.\n", trials.len());
        }
        let shown = trials.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        let more = if trials.len() > SHOWN { ", …" } else { "" };
        format!("Flagged {flag}: {} of {} trials ({shown}{more}).\n", trials.len(), records.len())
    };
    trials.into_iter().map(line).collect()
}

/// As many trials are named by a flag's line.
const SHOWN: usize = 4;

pub(super) fn of<'r>(
    records: &'r [TrialRecord],
    treatment: &'r str,
) -> impl Iterator<Item = &'r TrialRecord> {
    records.iter().filter(move |r| r.treatment == treatment && r.status == Status::Ok)
}

pub(super) fn values(records: &[TrialRecord], treatment: &str, metric: Metric) -> Vec<f64> {
    of(records, treatment).filter_map(metric.1).collect()
}

/// With more treatments than this, they share one table.
const MOST_TABLES: usize = 6;

/// A row for each treatment; its name stands above where the terminal is narrow.
fn rows(records: &[TrialRecord], treatments: &[String], width: usize) -> String {
    let longest = treatments.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let least = compared(records, treatments);
    let mean = |name: &str, metric| {
        let (mean, sd, _) = mean_sd_median(&values(records, name, metric));
        if mean.is_nan() { "–".to_owned() } else { mean_sd(mean, sd) }
    };
    let [energy, time, power, _] = METRICS;
    let mut columns =
        vec![("Trials", 9), (energy.0, 14), (time.0, 13), ("Accuracy", 10), ("To least", 11)];
    let taken = |columns: &[(&str, usize)]| longest + columns.iter().map(|c| c.1).sum::<usize>();
    let beside = taken(&columns) <= width;
    // Power comes last, as it follows from the other two.
    if taken(&columns) + 15 <= width {
        columns.push((power.0, 15));
    }
    let indent = if beside { longest } else { 2 };
    let line = |cells: &[String]| {
        let padded =
            columns.iter().zip(cells).map(|(column, cell)| format!("{cell:>0$}", column.1));
        format!("{}\n", padded.collect::<String>())
    };
    let heads: Vec<String> = columns.iter().map(|column| column.0.to_owned()).collect();
    let mut text = format!("{:indent$}{}", "", line(&heads));
    for name in treatments {
        let cells = [
            usable(records, name),
            mean(name, energy),
            mean(name, time),
            accuracy(records, name),
            to_least(records, name, least),
            mean(name, power),
        ];
        text += &if beside { format!("{name:indent$}") } else { format!("{name}\n{:indent$}", "") };
        text += &line(&cells);
    }
    text
}

fn usable(records: &[TrialRecord], treatment: &str) -> String {
    let all = records.iter().filter(|r| r.treatment == treatment).count();
    if all == 0 {
        "none".to_owned()
    } else {
        format!("{} of {all}", of(records, treatment).count())
    }
}

fn accuracy(records: &[TrialRecord], treatment: &str) -> String {
    let all: Vec<f64> = of(records, treatment).filter_map(|r| r.accuracy).collect();
    let (mean, ..) = mean_sd_median(&all);
    if mean.is_nan() { "–".to_owned() } else { format!("{:.2}%", mean * 100.0) }
}

/// How much more a treatment takes than the least one.
fn to_least(records: &[TrialRecord], treatment: &str, least: Option<&str>) -> String {
    match least {
        Some(least) if treatment == least => "least".to_owned(),
        Some(least) => ratio(records, treatment, least)
            .map_or("–".to_owned(), |ratio| format!("{:+.1}%", (ratio - 1.0) * 100.0)),
        None => "–".to_owned(),
    }
}

fn table(records: &[TrialRecord], treatments: &[String], all: &[String]) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(std::iter::once(String::new()).chain(treatments.iter().cloned()));
    let mut row = |name: &str, cell: &dyn Fn(&str) -> String| {
        table.add_row(std::iter::once(name.to_owned()).chain(treatments.iter().map(|t| cell(t))));
    };
    row("Trials", &|t| usable(records, t));
    for metric in METRICS {
        row(&format!("{}\n  median", metric.0), &|t| {
            let (mean, sd, median) = mean_sd_median(&values(records, t, metric));
            format!("{}\n{}", mean_sd(mean, sd), digits(median))
        });
    }
    row("Accuracy", &|t| accuracy(records, t));
    let least = compared(records, all);
    row("Energy to least", &|t| to_least(records, t, least));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The treatment of least mean energy, where at least two have the trials that a mean takes.
fn compared<'t>(records: &[TrialRecord], treatments: &'t [String]) -> Option<&'t str> {
    let means: Vec<(&str, f64)> = treatments
        .iter()
        .map(|t| (t.as_str(), values(records, t, METRICS[0])))
        .filter(|(_, joules)| joules.len() >= FEWEST)
        .map(|(t, joules)| (t, mean_sd_median(&joules).0))
        .collect();
    if means.len() < 2 {
        return None;
    }
    means.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, _)| name)
}

/// The fewest trials with which a treatment is compared.
const FEWEST: usize = 2;

/// How many times the energy of `base` a treatment takes: the geometric mean over the blocks in which
/// both were measured, as in the report. None with fewer than two such blocks.
fn ratio(records: &[TrialRecord], treatment: &str, base: &str) -> Option<f64> {
    let joules = |treatment| -> BTreeMap<u32, f64> {
        let known = |r: &TrialRecord| Some((r.block, r.window.as_ref()?.total_j));
        of(records, treatment).filter_map(known).collect()
    };
    let base = joules(base);
    let logs: Vec<f64> = joules(treatment)
        .into_iter()
        .filter_map(|(block, joules)| Some((joules / base.get(&block)?).ln()))
        .filter(|log| log.is_finite())
        .collect();
    (logs.len() >= FEWEST).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

fn best(records: &[TrialRecord], treatments: &[String]) -> String {
    let measured = |t: &&String| !values(records, t, METRICS[0]).is_empty();
    if !treatments.iter().any(|t| measured(&t)) {
        return "No trial was measured.\n".to_owned();
    }
    match compared(records, treatments) {
        Some(name) => {
            let (mean, ..) = mean_sd_median(&values(records, name, METRICS[0]));
            format!("Least mean energy: {name}, {} J a trial.\n", digits(mean))
        }
        None if treatments.len() < 2 => String::new(),
        None => "Too few trials to say which takes the least energy.\n".to_owned(),
    }
}

#[cfg(test)]
mod tests;
