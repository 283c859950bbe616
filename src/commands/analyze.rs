//! `joulerace analyze`, and the analysis at the end of an experiment.

use super::across;
use crate::analysis::copies::Copied;
use crate::analysis::kinds::EXAMPLES;
use crate::analysis::scan::{GroupLine, Search, Source};
use crate::analysis::{self, AnalysisReport, AnalyzeSettings, Progress, Told};
use crate::clean;
use crate::cli::AnalyzeArgs;
use crate::cli::Talk;
use crate::env::Profile;
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::files::Scratch;
use crate::paths::Project;
use crate::prepare::{self, block_on};
use crate::process;
use crate::screen::Terminal;
use crate::screen::{say, shown, width};
use crate::stop::Stopper;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many groups are shown before an analysis, and how many kinds of reasons after it; the report has all.
pub(super) const MOST_LINES: usize = 20;

/// `joulerace analyze`.
pub(crate) fn analyze(args: AnalyzeArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let terminal = Terminal::new(talk);
    process::adopt_orphans();
    Scratch::sweep();
    let mut settings = AnalyzeSettings::new(prepare::followed(&args.dir), project.python());
    settings.output = args.output.as_deref().map(prepare::absolute);
    settings.title = args.title;
    settings.method = args.method;
    settings.base = args.base;
    settings.runs_per_year = args.runs_per_year;
    settings.price_per_kwh = args.price_per_kwh;
    settings.currency = args.currency;
    settings.carbon_intensity = args.carbon_intensity.unwrap_or_default();
    settings.seed = args.seed;
    settings.search = Search {
        exclude: args.chosen.exclude,
        group_by: args.chosen.group_by,
        columns: args.columns.unwrap_or_default(),
    };
    settings.pairing = args.pairing;
    settings.domains = args.domains;
    settings.split_gaps = args.split_gaps;
    settings.margin_pct = args.margin;
    settings.command = command_line();
    let environment = (args.python.python_env, args.python.allow_unlocked);
    let more: Vec<PathBuf> = args.more.iter().map(|dir| prepare::absolute(dir)).collect();
    let work = async {
        let _heard = Stopper::listen(terminal.teller()).map_err(|e| Error::Other(e.into()))?;
        if more.is_empty() {
            return make(&project, settings, environment, &terminal).await;
        }
        several(&project, settings, &more, environment, &terminal).await
    };
    let outcome = block_on(work)?;
    terminal.finish();
    say(&outcome?);
    Ok(ExitCode::SUCCESS)
}

/// Analyses each experiment into its own folder, and then all of them together.
async fn several(
    project: &Project,
    mut settings: AnalyzeSettings,
    more: &[PathBuf],
    (python_env, allow_unlocked): (Option<PathBuf>, bool),
    terminal: &Terminal,
) -> Result<String, Error> {
    let dirs: Vec<PathBuf> = std::iter::once(&settings.dir).chain(more).cloned().collect();
    let experiments = across::experiments(&dirs)?;
    let output = across::output(settings.output.take().as_deref(), &dirs);
    let mut told = String::new();
    for dir in &dirs {
        let own = AnalyzeSettings { dir: dir.clone(), ..settings.clone() };
        let environment = (python_env.clone(), allow_unlocked);
        told += &format!("{}\n", shown(dir));
        told += &make(project, own, environment, terminal).await?;
    }
    let environment =
        prepare::environment(project, Profile::Analysis, python_env, allow_unlocked, terminal)
            .await?;
    let all =
        across::together(&dirs, experiments, &output, &settings, &environment, terminal).await?;
    Ok(told + &all)
}

/// Analyses an experiment with the defaults and says what came of it.
pub(crate) async fn analyse_experiment(
    project: &Project,
    folder: &Path,
    terminal: &Terminal,
) -> Result<String, Error> {
    let mut settings = AnalyzeSettings::new(folder, project.python());
    settings.command = command_line();
    make(project, settings, (None, false), terminal).await
}

async fn make(
    project: &Project,
    mut settings: AnalyzeSettings,
    (python_env, allow_unlocked): (Option<PathBuf>, bool),
    terminal: &Terminal,
) -> Result<String, Error> {
    let environment =
        prepare::environment(project, Profile::Analysis, python_env, allow_unlocked, terminal)
            .await?;
    settings.remarks.extend(
        environment
            .differences
            .iter()
            .map(|d| format!("the analysis ran with other packages: {d}")),
    );
    let stop = prepare::token()?;
    let mut tell = |progress| tell(progress, terminal);
    let report = analysis::run(&settings, &environment, &stop, &mut tell).await?;
    Ok(closing_lines(&report))
}

/// Tells how an analysis goes on.
pub(super) fn tell(progress: Progress, terminal: &Terminal) {
    match progress {
        Progress::Damaged(what) => terminal.on(&Event::Warning(&what)),
        Progress::Found { by, groups } => tell_groups(&by, &groups, terminal),
        Progress::Reading { done, of } => {
            terminal.on(&Event::Preparing(&format!("{done} of {of} files read")));
        }
        Progress::Read(_) => {}
        Progress::Step(step) => terminal.on(&Event::Preparing(&step)),
    }
}

/// What a folder holds, before anything is read.
fn tell_groups(by: &str, groups: &[GroupLine], terminal: &Terminal) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_width(width().min(80));
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(["group", "trials", "sessions", "numbers"]);
    for group in groups.iter().take(MOST_LINES) {
        let sessions = match &group.sessions[..] {
            [] => "–".to_owned(),
            few if few.len() <= 3 => few.join(", "),
            many => format!("{}: {} … {}", many.len(), many[0], many[many.len() - 1]),
        };
        let numbers = match group.numbers {
            None => "–".to_owned(),
            Some((least, most)) if least == most => least.to_string(),
            Some((least, most)) => format!("{least} … {most}"),
        };
        let (name, sessions) = (clean::line(&group.group), clean::line(&sessions));
        table.add_row([name, group.trials.to_string(), sessions, numbers]);
    }
    let plural = if groups.len() == 1 { "group" } else { "groups" };
    let head = match by {
        by if by.starts_with("one group") => by.to_owned(),
        by if by.starts_with("the table's columns") => {
            format!("{} {plural}, by {by}", groups.len())
        }
        by if by.starts_with("--group-by") || by.starts_with("the experiment") => {
            format!("{} {plural}, by {by}", groups.len())
        }
        by => format!("{} {plural}, by {by} (--group-by REGEX groups otherwise)", groups.len()),
    };
    let options = textwrap::Options::new(usize::from(width()).clamp(40, 100)).break_words(false);
    for line in textwrap::wrap(&clean::line(&head), options) {
        terminal.on(&Event::Preparing(&line));
    }
    for line in table.lines() {
        terminal.on(&Event::Preparing(line.trim_end()));
    }
    if groups.len() > MOST_LINES {
        let more = groups.len() - MOST_LINES;
        terminal.on(&Event::Preparing(&format!(" … and {more} more groups")));
    }
}

/// `24 trials read: 22 usable, 2 not`.
fn counts(told: &Told) -> String {
    let Told { trials, usable, .. } = told;
    match trials - usable {
        0 => format!("{trials} trials read, all usable"),
        unusable => format!("{trials} trials read: {usable} usable, {unusable} not"),
    }
}

/// The answer, and what it rests on: a line for each kind of thing.
fn closing_lines(report: &AnalysisReport) -> String {
    let told = &report.told;
    let mut lines = vec![report.sentence.clone()];
    lines.extend(report.cautions.iter().map(|caution| format!("caution: {caution}")));
    lines.push(counts(told));
    lines.push(told.domains.clone());
    if report.source == Source::Csv && told.groups > 1 {
        lines.push(format!("Blocks: {}", told.pairing));
    }
    lines.extend(told.unused.iter().take(MOST_LINES).map(|kind| format!("not used: {kind}")));
    lines.extend(Some(told.hint()).filter(|hint| !hint.is_empty()));
    lines.extend(told.absent.iter().map(|column| format!("no counter: {column}")));
    lines.extend(told.notes.iter().take(MOST_LINES).map(|kind| format!("noted: {kind}")));
    lines.extend(copied(&report.copies));
    let passed = report.ignored.iter().take(MOST_LINES);
    lines.extend(passed.map(|kind| format!("passed over: {kind}")));
    lines.push(format!("Report: {}", shown(&report.output.join("report.html"))));
    let width = usize::from(width()).clamp(40, 100);
    let options = textwrap::Options::new(width).subsequent_indent("  ").break_words(false);
    lines.iter().map(|line| textwrap::fill(&clean::line(line), &options) + "\n").collect()
}

fn copied(copies: &[Copied]) -> Option<String> {
    let first = copies.first()?;
    let named: Vec<String> =
        copies.iter().take(EXAMPLES).map(|c| format!("{} is {}", c.file, c.same_as)).collect();
    let more = copies.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let counted = if copies.len() == 1 {
        format!("copy, not counted: {} is {}", first.file, first.same_as)
    } else {
        format!("{} copies, not counted: {}{more}", copies.len(), named.join(", "))
    };
    Some(counted)
}

pub(super) fn command_line() -> String {
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(first) = words.first_mut() {
        *first = "joulerace".to_owned();
    }
    // It stands in the report: the home folder, which holds the user's name, is written `~`.
    let home = std::env::var("HOME").ok();
    crate::snapshot::without_home(&words.join(" "), home.as_deref())
}
