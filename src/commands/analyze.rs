//! `joulerace analyze`, and the analysis at the end of an experiment.

use super::say::{say, shown};
use super::terminal::Terminal;
use super::{block_on, prepare};
use crate::analysis::{self, AnalyzeSettings, CarbonIntensity, Method, Progress};
use crate::cli::Talk;
use crate::env::Profile;
use crate::error::Error;
use crate::paths::Project;
use crate::run::events::{Event, Observer};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// As many passed-over files are named on the terminal; the report names all.
const MOST_PASSED_OVER: usize = 5;

/// `joulerace analyze`.
#[derive(Debug, clap::Args)]
pub struct AnalyzeArgs {
    /// An experiment's folder, or any folder of <group>/<anything>_<n>.csv
    pub dir: PathBuf,
    /// Where to write [default: DIR/analysis]
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
    /// The environment with the analysis packages [default: joulerace's own]
    #[arg(long, value_name = "DIR")]
    pub python_env: Option<PathBuf>,
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
    let mut settings = AnalyzeSettings::new(prepare::absolute(&args.dir), project.python());
    settings.output = args.output.as_deref().map(prepare::absolute);
    settings.title = args.title;
    settings.method = args.method;
    settings.base = args.base;
    settings.runs_per_year = args.runs_per_year;
    settings.price_per_kwh = args.price_per_kwh;
    settings.currency = args.currency;
    settings.carbon_intensity = args.carbon_intensity.unwrap_or_default();
    settings.seed = args.seed;
    settings.command = command_line();
    let outcome = block_on(make(&project, settings, args.python_env, &terminal))?;
    terminal.finish();
    say(&outcome?);
    Ok(ExitCode::SUCCESS)
}

/// Analyses an experiment with the defaults and says what came of it.
pub async fn analyse_experiment(
    project: &Project,
    folder: &Path,
    terminal: &Terminal,
) -> Result<String, Error> {
    let mut settings = AnalyzeSettings::new(folder, project.python());
    settings.command = command_line();
    make(project, settings, None, terminal).await
}

async fn make(
    project: &Project,
    settings: AnalyzeSettings,
    python_env: Option<PathBuf>,
    terminal: &Terminal,
) -> Result<String, Error> {
    let environment =
        prepare::environment(project, Profile::Analysis, python_env, false, terminal).await?;
    let report = analysis::run(&settings, &environment, &mut |progress| match progress {
        Progress::Read { trials, broken } => terminal
            .on(&Event::Preparing(&format!("{trials} trials read, {broken} of them unusable"))),
        Progress::Step(step) => terminal.on(&Event::Preparing(&step)),
    })?;
    let mut text = format!("{}\n", report.sentence);
    for broken in &report.broken {
        let row = broken.row.map_or(String::new(), |row| format!(", row {row}"));
        text += &format!("not used: {}{row}: {}\n", broken.file, broken.reason);
    }
    for passed in report.ignored.iter().take(MOST_PASSED_OVER) {
        text += &format!("passed over: {} {}\n", shown(&passed.file), passed.reason);
    }
    let more = report.ignored.len().saturating_sub(MOST_PASSED_OVER);
    if more > 0 {
        text += &format!("passed over: {more} more, listed in the report\n");
    }
    text += &format!("Report: {}\n", shown(&report.output.join("report.html")));
    Ok(text)
}

fn command_line() -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(first) = words.first_mut() {
        *first = "joulerace".to_owned();
    }
    // It stands in the report: the home folder, which holds the user's name, is written `~`.
    let home = std::env::var("HOME").ok();
    crate::snapshot::without_home(&words.join(" "), home.as_deref())
}
