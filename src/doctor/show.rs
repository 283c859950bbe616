//! Findings as text, for wide and narrow terminals. Marks and words read without colour.

use super::finding::{Finding, Group, Level, Report};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use textwrap::Options;

/// Below this many columns, titles and what was found stand one below the other.
const NARROW: usize = 72;
/// Longer lines are hard to read.
const WIDEST: usize = 116;
/// Mark, word and title in front of what was found.
const FOUND_AT: usize = 31;
/// The same, on narrow terminals.
const BELOW: usize = 4;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// A level's mark and colour.
fn mark(level: Level) -> (char, Style) {
    let (mark, colour) = match level {
        Level::Ok => ('✓', AnsiColor::Green),
        Level::Note => ('·', AnsiColor::Blue),
        Level::Unknown => ('?', AnsiColor::Magenta),
        Level::Warning => ('!', AnsiColor::Yellow),
        Level::Failure => ('✗', AnsiColor::Red),
    };
    (mark, Style::new().fg_color(Some(colour.into())))
}

/// A group with its heading, for a terminal of so many columns. Holds ANSI colours; what writes it
/// takes them out where they are not wanted.
pub fn group(group: Group, findings: &[Finding], columns: usize) -> String {
    let mut text = format!("{BOLD}{}{BOLD:#}\n", group.title());
    for finding in findings {
        text += &one(finding, columns);
    }
    text.push('\n');
    text
}

/// One finding, with its remedy below.
pub(crate) fn one(finding: &Finding, columns: usize) -> String {
    let columns = columns.clamp(24, WIDEST);
    let (mark, colour) = mark(finding.level);
    let word = finding.level.word();
    let lead = format!("  {colour}{mark} {word:<7}{colour:#}  ");
    let mut text = String::new();
    // Writing to a string cannot fail.
    let indent = if columns >= NARROW {
        let found = lines(&finding.found, columns - FOUND_AT);
        let _ = write!(text, "{lead}{:<width$}", finding.title, width = FOUND_AT - 13);
        let _ = writeln!(text, "{}", found.join(&format!("\n{:FOUND_AT$}", "")));
        FOUND_AT
    } else {
        let _ = writeln!(text, "{lead}{BOLD}{}{BOLD:#}", finding.title);
        for line in lines(&finding.found, columns - BELOW) {
            let _ = writeln!(text, "{:BELOW$}{line}", "");
        }
        BELOW
    };
    if let Some(remedy) = &finding.remedy {
        advice(&mut text, remedy, indent, columns);
    }
    text
}

/// Prose is wrapped; a command stays in one line, so that it can be copied, and moves to the left
/// where it would not fit otherwise.
fn advice(text: &mut String, remedy: &str, indent: usize, columns: usize) {
    let mut arrow = "→ ";
    for part in remedy.split('\n') {
        if let Some(command) = part.strip_prefix("  ") {
            let fits = indent + 2 + textwrap::core::display_width(command) <= columns;
            let indent = if fits { indent + 2 } else { BELOW };
            let _ = writeln!(text, "{:indent$}{BOLD}{command}{BOLD:#}", "");
            continue;
        }
        for line in lines(part, columns - indent - 2) {
            let _ = writeln!(text, "{:indent$}{arrow}{line}", "");
            arrow = "  ";
        }
    }
}

/// Wraps between words, never between a number and its unit; a path that is longer than a line is cut.
fn lines(text: &str, columns: usize) -> Vec<String> {
    let options = Options::new(columns).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let text = glued(text);
    textwrap::wrap(&text, options).into_iter().map(|line| line.replace(NO_BREAK, " ")).collect()
}

/// The wrapper takes it for a letter.
const NO_BREAK: char = '\u{a0}';
const UNITS: [&str; 9] = ["s", "min", "h", "W", "µJ", "MHz", "MB", "GB", "°C"];

/// `text` with each number held to its unit.
fn glued(text: &str) -> String {
    let mut glued = String::with_capacity(text.len());
    for word in text.split(' ') {
        let unit = word.trim_matches(|c: char| c.is_ascii_punctuation());
        let number = glued.ends_with(|c: char| c.is_ascii_digit());
        if !glued.is_empty() {
            glued.push(if number && UNITS.contains(&unit) { NO_BREAK } else { ' ' });
        }
        glued += word;
    }
    glued
}

/// What to put right first, numbered; empty where there is nothing.
pub fn fix_first(report: &Report, columns: usize) -> String {
    let fixes = super::fix_first(report);
    if fixes.is_empty() {
        return String::new();
    }
    let mut text = format!("{BOLD}Fix first{BOLD:#}\n");
    for (n, fix) in fixes.iter().enumerate() {
        let (_, colour) = mark(fix.level);
        let number = format!("{:>3}. ", n + 1);
        let remedy = fix.remedy.as_ref().map_or(String::new(), |remedy| format!(" → {remedy}"));
        let told =
            lines(&format!("{}{remedy}", fix.what), columns.clamp(24, WIDEST) - number.len());
        let _ = writeln!(text, "{colour}{number}{colour:#}{}", told.join("\n     "));
        if let Some(command) = &fix.command {
            let _ = writeln!(text, "     {BOLD}{command}{BOLD:#}");
        }
    }
    text.push('\n');
    text
}

/// How many of each there are, in one line.
pub fn counts_line(report: &Report, columns: usize) -> String {
    let count = |level: Level, one: &str, many: &str| {
        let n = report.count(level);
        (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
    };
    let counts: Vec<String> = [
        count(Level::Failure, "failure", "failures"),
        count(Level::Warning, "warning", "warnings"),
        count(Level::Unknown, "unknown", "unknown"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verdict = match report.worst {
        Level::Failure => "this experiment cannot be run like this",
        Level::Warning => "it can be run, and its numbers are worse for the warnings",
        _ => "fit for this experiment",
    };
    let (_, colour) = mark(report.worst);
    let counts = if counts.is_empty() { "nothing to remark".to_owned() } else { counts.join(", ") };
    let text = lines(&format!("{counts}: {verdict}"), columns.min(WIDEST)).join("\n");
    let took = format!("checked in {:.1} s", report.seconds);
    format!("{colour}{text}{colour:#}\n{DIM}{took}{DIM:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(finding: &Finding, columns: usize) -> String {
        anstream::adapter::strip_str(&one(finding, columns)).to_string()
    }

    fn finding() -> Finding {
        let found = "powersave (intel_pstate): it follows the load, with a delay, and that is \
                     something that has to be told at some length";
        Finding::new("governor", "Governor", Level::Warning, found).remedy(
            "Until the next reboot\n  echo performance | sudo tee \
             /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )
    }

    #[test]
    fn no_line_but_a_command_is_longer_than_the_terminal() {
        for columns in [24, 40, 50, 71, 72, 80, 120, 300] {
            for line in plain(&finding(), columns).lines() {
                let command = line.trim_start().starts_with("echo ");
                let width = textwrap::core::display_width(line);
                assert!(command || width <= columns, "{width} of {columns}: {line}");
            }
        }
    }

    #[test]
    fn a_command_stays_in_one_line_so_that_it_can_be_copied() {
        for columns in [40, 80, 120] {
            let text = plain(&finding(), columns);
            let command = "echo performance | sudo tee \
                           /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
            assert!(text.lines().any(|line| line.trim() == command), "{text}");
        }
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        for columns in 24..60 {
            let finding =
                Finding::new("x", "X", Level::Ok, "wraps after 15 min 16 s of 71.5 W, or so");
            let text = plain(&finding, columns);
            for unit in ["min", "s", "W,"] {
                assert!(
                    !text.lines().any(|line| line.trim().starts_with(&format!("{unit} "))),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_level_reads_without_colour() {
        for level in [Level::Ok, Level::Note, Level::Unknown, Level::Warning, Level::Failure] {
            let text = plain(&Finding { level, ..finding() }, 80);
            assert!(text.contains(level.word()), "{text}");
        }
    }
}
