//! `joulerace analyze`, and the analysis at the end of an experiment.

use super::across;
use super::say::{say, shown, width};
use super::terminal::Terminal;
use super::{block_on, prepare};
use crate::analysis::copies::Copied;
use crate::analysis::kinds::EXAMPLES;
use crate::analysis::pairing::Asked;
use crate::analysis::scan::{GroupLine, Search, Source};
use crate::analysis::tables::Columns;
use crate::analysis::{
    self, AnalysisReport, AnalyzeSettings, CarbonIntensity, Method, Progress, Told,
};
use crate::clean;
use crate::cli::Talk;
use crate::env::Profile;
use crate::error::Error;
use crate::paths::Project;
use crate::run::events::{Event, Observer};
use crate::run::stop::Stopper;
use crate::store::Scratch;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// As many groups are shown before an analysis, and as many kinds of reasons after it; the report has all.
const MOST_LINES: usize = 20;

/// `joulerace analyze`.
#[derive(Debug, clap::Args)]
pub struct AnalyzeArgs {
    /// An experiment's folder, any folder with EnergiBridge's CSV files in it or below it, or a table
    /// with a run in each row
    pub dir: PathBuf,
    /// Further experiments of the same plan, of other days or machines: each is analysed, and then all
    /// together
    #[arg(value_name = "DIR")]
    pub more: Vec<PathBuf>,
    /// Where to write [default: DIR/analysis; of several together: across, beside the first]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// The report's title [default: the folder's name]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// joulerace: wraps undone, paired, all data; published: the study's own recipe
    #[arg(long, value_name = "METHOD", default_value = "joulerace", value_parser = method)]
    pub method: Method,
    /// The group that the others are compared with [default: the one of least mean energy]
    #[arg(long, value_name = "GROUP")]
    pub base: Option<String>,
    /// How often such a run happens in a year
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1000.0, value_parser = from_zero_up)]
    pub runs_per_year: f64,
    /// Price of a kilowatt-hour
    #[arg(long, value_name = "X", allow_negative_numbers = true, default_value_t = 0.30, value_parser = from_zero_up)]
    pub price_per_kwh: f64,
    /// The price's currency
    #[arg(long, value_name = "CODE", default_value = "EUR", value_parser = currency)]
    pub currency: String,
    /// Grams of CO2e per kWh, or a country's two-letter code [default: the world's mean]
    #[arg(long, value_name = "G|CODE")]
    pub carbon_intensity: Option<CarbonIntensity>,
    /// Seeds the bootstrap
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 42)]
    pub seed: u64,
    /// Groups whose difference lies surely within PCT per cent count as equivalent
    #[arg(long, value_name = "PCT", value_parser = margin)]
    pub margin: Option<f64>,
    /// What belongs to which group: a regular expression for a file's path below DIR, with
    /// (?P<group>…) and, where wanted, (?P<block>…) and (?P<session>…)
    #[arg(long, value_name = "REGEX", help_heading = "Files that are no experiment's")]
    pub group_by: Option<String>,
    /// Of a table with a run in each row, which columns hold what: group=…,energy=…,unit=J|Wh|kWh,
    /// time=…,block=… [default: guessed]
    #[arg(long, value_name = "KEY=COLUMN", help_heading = "Files that are no experiment's")]
    pub columns: Option<Columns>,
    /// Leaves out files and folders whose path below DIR, or name, matches; may be repeated
    #[arg(long, value_name = "GLOB", help_heading = "Files that are no experiment's")]
    pub exclude: Vec<String>,
    /// Blocks: auto (numbers or times, on evidence), number, time or none
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "Files that are no experiment's"
    )]
    pub pairing: Asked,
    /// Makes a trial of each part of a file between holes longer than this
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::duration, help_heading = "Files that are no experiment's")]
    pub split_gaps: Option<Duration>,
    /// What totals hold: package, dram, gpu, system, … [default: what all usable trials have]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub domains: Option<Vec<String>>,
    /// The environment with the analysis packages [default: joulerace's own]
    #[arg(long, value_name = "DIR")]
    pub python_env: Option<PathBuf>,
    /// Take --python-env although its versions differ from the lock, and note that in the report
    #[arg(long, requires = "python_env")]
    pub allow_unlocked: bool,
}

fn method(text: &str) -> Result<Method, String> {
    match text {
        "joulerace" => Ok(Method::Joulerace),
        "published" => Ok(Method::Published),
        other => Err(format!("'{other}' is no method; there are joulerace and published")),
    }
}

fn from_zero_up(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(format!("'{text}' is no number from 0 up")),
    }
}

fn margin(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(number) if number > 0.0 && number < 100.0 => Ok(number),
        _ => Err(format!("expected a number of per cent between 0 and 100, not '{text}'")),
    }
}

fn currency(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty; give a code such as EUR".to_owned()),
        code => Ok(code.to_owned()),
    }
}

/// `joulerace analyze`.
pub fn analyze(args: AnalyzeArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let terminal = Terminal::new(talk);
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
        exclude: args.exclude,
        group_by: args.group_by,
        columns: args.columns.unwrap_or_default(),
    };
    settings.pairing = args.pairing;
    settings.domains = args.domains;
    settings.split_gaps = args.split_gaps;
    settings.margin_pct = args.margin;
    settings.command = command_line();
    let environment = (args.python_env, args.allow_unlocked);
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
pub async fn analyse_experiment(
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
    // Here, not on a thread of its own: it looks itself whether it is to end.
    let report = analysis::run(&settings, &environment, &mut |progress| match progress {
        Progress::Damaged(what) => terminal.on(&Event::Warning(&what)),
        Progress::Found { by, groups } => tell_groups(&by, &groups, terminal),
        Progress::Reading { done, of } => {
            terminal.on(&Event::Preparing(&format!("{done} of {of} files read")));
        }
        Progress::Read(_) => {}
        Progress::Step(step) => terminal.on(&Event::Preparing(&step)),
    })?;
    Ok(summary(&report))
}

/// What a folder holds, before anything is read.
pub(super) fn tell_groups(by: &str, groups: &[GroupLine], terminal: &Terminal) {
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
fn summary(report: &AnalysisReport) -> String {
    let told = &report.told;
    let mut lines = vec![report.sentence.clone(), counts(told)];
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
