//! `joulerace doctor`, and the same before an experiment with `--strict`.

use super::resolve::{self, resolve};
use crate::cli::{CompareArgs, DoctorArgs, DoctorOf, Talk};
pub(super) use crate::doctor::Finding;
use crate::doctor::{self, Effort, Level, Report, Subject, show};
use crate::env::Profile;
use crate::error::Error;
use crate::paths::{self, Project};
use crate::prepare;
use crate::prepare::environments::folder_settings;
use crate::run::commands::check_found;
use crate::screen::fitting;
use crate::screen::width;
use crate::settings::{Settings, SettingsError};
use crate::snapshot::Roots;
use crate::workload::uses_images;
use indicatif::ProgressBar;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// `joulerace doctor`: ends with 0, or with the status of the worst finding.
pub(crate) fn doctor(args: DoctorArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let (settings, design, judge) = match &args.of {
        Some(DoctorOf::Compare(of)) => (commands(&of.compare)?, &of.compare.design, &of.judge),
        None => (resolve(&args.run, &project)?, &args.run.design, &args.judge),
    };
    if !(judge.spread > 0.0 && judge.spread <= 100.0) {
        let (flag, allowed) = ("--spread", "percent, above 0 and at most 100");
        return Err(SettingsError::Range { flag, value: judge.spread.to_string(), allowed }.into());
    }
    let results = match &design.output {
        Some(folder) => prepare::absolute(folder),
        None => prepare::absolute(Path::new("results")),
    };
    let subject = Subject {
        spread: judge.spread / 100.0,
        ..subject(&settings, &project, &results, !design.after.no_analysis)
    };
    let report = if judge.json { as_json(&subject)? } else { on_screen(&subject, talk) };
    Ok(report.worst.status().map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// Settings of commands that can be found, which are not run here: what they do is the user's.
fn commands(args: &CompareArgs) -> Result<Settings, Error> {
    let settings = resolve::commands::resolve(args)?;
    if args.setup.is_none() {
        check_found(&settings)?;
    }
    Ok(settings)
}

/// `--strict`: refuses to start where `doctor` would warn.
///
/// # Errors
///
/// The findings with their remedies, and the status that `doctor` would end with.
pub(crate) fn strict(
    settings: &Settings,
    project: &Project,
    results: &Path,
    analyse: bool,
) -> Result<(), Error> {
    let report = look(settings, project, results, analyse);
    let Some(status) = report.worst.status() else { return Ok(()) };
    let bad = report.findings.iter().filter(|finding| finding.level >= Level::Warning);
    let text: String = bad.map(|finding| show::one(finding, usize::from(width()))).collect();
    let text = anstream::adapter::strip_str(&text);
    let message = format!(
        "--strict: not started, and nothing was written, for what joulerace doctor finds here:\n{}",
        text.to_string().trim_end()
    );
    Err(Error::advised(status, message, "Remedy these, or leave --strict out"))
}

/// What doctor finds here for that experiment.
pub(super) fn look(
    settings: &Settings,
    project: &Project,
    results: &Path,
    analyse: bool,
) -> Report {
    doctor::examine(&subject(settings, project, results, analyse), &mut |_, _| ())
}

/// How a dry run ends: what doctor finds worst here, in the words of its own ending.
pub(super) fn worst(
    settings: &Settings,
    project: &Project,
    results: &Path,
    analyse: bool,
) -> String {
    let report = look(settings, project, results, analyse);
    let text = show::fix_first(&report, usize::from(width()));
    let text =
        if text.is_empty() { "doctor finds nothing to put right\n".to_owned() } else { text };
    format!("\n{}", anstream::adapter::strip_str(&text))
}

fn subject(
    settings: &Settings,
    project: &Project,
    results: &Path,
    analyse: bool,
) -> Subject<'static> {
    let (python_env, allow) = (settings.python_env.clone(), settings.allow_unlocked);
    let training = || prepare::env_settings(project, Profile::Training, python_env, allow);
    // Commands bring their own, and versions are locked and made by the run.
    let scripts = || settings.treatments.iter().filter(|t| t.command.is_none());
    let training = scripts().any(|t| t.environment.is_none()).then(training);
    let folders: BTreeSet<&String> = scripts().filter_map(|t| t.environment.as_ref()).collect();
    let folders =
        folders.iter().filter_map(|name| folder_settings(project, name, &settings.environments));
    let analysis = analyse.then(|| prepare::env_settings(project, Profile::Analysis, None, false));
    Subject {
        settings: settings.clone(),
        meters: settings.meter_settings(),
        roots: Roots::default(),
        environments: training.into_iter().chain(folders).chain(analysis).collect(),
        images: settings.commands.is_none()
            // What is wrong with its workload is said when it runs.
            && uses_images(&settings.workload_in(project), project).unwrap_or(true),
        dataset: prepare::dataset_settings(settings.dataset, settings.data_dir.as_deref()),
        results: results.to_owned(),
        lock_file: paths::lock_file(),
        spread: SPREAD,
        effort: Effort::default(),
        ask: &doctor::ask,
    }
}

/// The SD of paired log differences where nobody states one; `--spread`'s default.
const SPREAD: f64 = 0.05;

fn as_json(subject: &Subject<'_>) -> Result<Report, Error> {
    let report = doctor::examine(subject, &mut |_, _| ());
    let text = serde_json::to_string_pretty(&report).map_err(|e| Error::Other(e.into()))?;
    crate::screen::say(&format!("{text}\n"));
    Ok(report)
}

/// Shows each group as soon as it is known; until then a terminal shows that the program is busy.
fn on_screen(subject: &Subject<'_>, talk: Talk) -> Report {
    let columns = usize::from(width());
    // Takes the colours out where standard output is no terminal or NO_COLOR is set.
    let mut out = anstream::stdout();
    let spinner = (std::io::stderr().is_terminal() && !talk.quiet).then(|| {
        let spinner = ProgressBar::new_spinner();
        spinner.set_message("watching the meters and the machine, at rest and under load");
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    });
    let report = doctor::examine(subject, &mut |group, findings| {
        if let Some(spinner) = &spinner {
            spinner.finish_and_clear();
        }
        // A terminal that has gone is no reason to fail.
        let _ = write!(out, "{}", fitting(&show::group(group, findings, columns)));
    });
    let end = show::fix_first(&report, columns) + &show::counts_line(&report, columns);
    let _ = write!(out, "{}", fitting(&end)).and_then(|()| out.flush());
    report
}
