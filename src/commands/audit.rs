//! `joulerace audit`: what in published energy tables cannot be trusted, and what is left.

use super::analyze::{MOST_LINES, command_line, tell};
use crate::analysis::scan::Search;
use crate::analysis::{self, AnalyzeSettings};
use crate::clean;
use crate::cli::{AuditArgs, Talk};
use crate::env::{Environment, Profile};
use crate::error::{Error, Status};
use crate::files::{self, Scratch};
use crate::paths::Project;
use crate::prepare::{self, block_on};
use crate::process;
use crate::screen::Terminal;
use crate::screen::{say, shown, width};
use crate::stop::Stopper;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Note,
    Warning,
    Serious,
}

/// What `audit.json` holds, as far as the terminal shows it; `python/analysis/audit` writes it.
#[derive(Debug, Deserialize)]
struct Audit {
    sentence: String,
    findings: Vec<Finding>,
    left: Left,
}

#[derive(Debug, Deserialize)]
struct Finding {
    severity: Severity,
    title: String,
    evidence: String,
    trials: usize,
    of: usize,
}

#[derive(Debug, Deserialize)]
struct Left {
    sentences: Vec<String>,
}

/// `joulerace audit`.
pub(crate) fn audit(args: AuditArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let terminal = Terminal::new(talk);
    process::adopt_orphans();
    Scratch::sweep();
    let work = async {
        let _heard = Stopper::listen(terminal.teller()).map_err(|e| Error::Other(e.into()))?;
        let environment = prepare::environment(
            &project,
            Profile::Analysis,
            args.python.python_env.clone(),
            args.python.allow_unlocked,
            &terminal,
        )
        .await?;
        let mut audits = Vec::new();
        for path in &args.paths {
            audits.push(one(path, &args, &project, &environment, &terminal).await?);
        }
        Ok(audits)
    };
    let outcome: Result<Vec<Audited>, Error> = block_on(work)?;
    terminal.finish();
    let mut worst = None;
    let mut values = Vec::new();
    for Audited { output, value, passed_over } in outcome? {
        let audit: Audit =
            serde_json::from_value(value.clone()).map_err(|e| Error::Other(e.into()))?;
        worst = worst.max(audit.findings.iter().map(|f| f.severity).max());
        if !args.json {
            say(&told(&audit, &output, &passed_over));
        }
        values.push(value);
    }
    if args.json {
        let all = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        say(&format!("{all:#}\n"));
    }
    Ok(match worst {
        Some(Severity::Serious) if args.strict => Status::Unfit.into(),
        Some(Severity::Warning) if args.strict => Status::Warnings.into(),
        _ => ExitCode::SUCCESS,
    })
}

/// An audit that was made.
struct Audited {
    /// Where it was written.
    output: PathBuf,
    /// Its `audit.json`, which `--json` prints as it stands.
    value: Value,
    /// Files, and rows of tables, that are no trials, with the reasons.
    passed_over: Vec<String>,
}

/// Audits one path.
async fn one(
    path: &Path,
    args: &AuditArgs,
    project: &Project,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Audited, Error> {
    let mut settings = AnalyzeSettings::new(prepare::followed(path), project.python());
    settings.audit = true;
    settings.output = args.output.as_deref().map(prepare::absolute);
    if let (Some(output), true) = (&mut settings.output, args.paths.len() > 1) {
        output.push(path.file_stem().unwrap_or_default());
    }
    settings.search = Search {
        exclude: args.chosen.exclude.clone(),
        group_by: args.chosen.group_by.clone(),
        columns: args.columns.clone().unwrap_or_default(),
    };
    settings.command = command_line();
    settings.remarks.extend(
        environment.differences.iter().map(|d| format!("the audit ran with other packages: {d}")),
    );
    let stop = prepare::token()?;
    let mut tell = |progress| tell(progress, terminal);
    let report = analysis::run(&settings, environment, &stop, &mut tell).await?;
    let file = report.output.join("audit.json");
    let text = files::read(&file, 1 << 30)
        .map_err(|e| Error::Other(anyhow::anyhow!("{}: {e}", file.display())))?;
    let value = serde_json::from_slice(&text).map_err(|e| Error::Other(e.into()))?;
    let passed_over = report.ignored.iter().take(MOST_LINES).map(ToString::to_string).collect();
    Ok(Audited { output: report.output, value, passed_over })
}

/// The answer, each finding with its evidence, and what is left.
fn told(audit: &Audit, output: &Path, passed_over: &[String]) -> String {
    let width = usize::from(width()).clamp(40, 100);
    let fill = |text: &str, first: &str, rest: &str| {
        let options = textwrap::Options::new(width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false);
        textwrap::fill(&clean::line(text), &options) + "\n"
    };
    let mut text = fill(&audit.sentence, "", "");
    for finding in &audit.findings {
        let Finding { title, evidence, trials, of, .. } = finding;
        let word = match finding.severity {
            Severity::Serious => "serious",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        text += &fill(&format!("{word:<8}{title} ({trials} of {of} trials)"), "  ", "          ");
        text += &fill(evidence, "          ", "          ");
    }
    if !audit.left.sentences.is_empty() {
        text += "What is left:\n";
    }
    for sentence in &audit.left.sentences {
        text += &fill(sentence, "  ", "    ");
    }
    for kind in passed_over {
        text += &fill(&format!("passed over: {kind}"), "", "  ");
    }
    text + &fill(&format!("Report: {}", shown(&output.join("audit.html"))), "", "  ")
}
