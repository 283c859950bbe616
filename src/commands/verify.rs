//! `joulerace verify`: shows that all frameworks do the same work.

use super::resolve::{asked, check_samples, job_ranges, workload};
use crate::cli::Talk;
use crate::cli::VerifyArgs;
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::meter::{MeterSettings, nvml::cards};
use crate::paths::Project;
use crate::prepare::environments::{Environments, Wanted, environments};
use crate::prepare::known::known;
use crate::prepare::{self, block_on};
use crate::process;
use crate::screen::Terminal;
use crate::screen::{say, width};
use crate::settings::{Job, Treatment, treatments};
use crate::units;
use crate::worker::protocol::Interpreter;
use crate::workload::{Argument, Work, Workload};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// `joulerace verify`.
pub fn verify(args: VerifyArgs, talk: Talk) -> Result<ExitCode, Error> {
    let threads = job_ranges(args.learning_rate, args.threads)?;
    check_samples(args.dataset, args.data_dir.as_deref(), args.train_samples, args.test_samples)?;
    let project = Project::find()?;
    let library = MeterSettings::default().nvml;
    args.device.is_there(|| cards(&library))?;
    process::adopt_orphans();
    let terminal = Terminal::new(talk);
    let outcome = block_on(compare(&args, threads, &project, &terminal))?;
    terminal.finish();
    let found = outcome?;
    if args.json {
        let found = serde_json::to_string_pretty(&found).map_err(|e| Error::Other(e.into()))?;
        say(&format!("{found}\n"));
    } else {
        say(&table(&found, width()));
    }
    if found.identical {
        return Ok(ExitCode::SUCCESS);
    }
    let reasons = found.reasons.join("\n  ");
    let message = format!("the frameworks do not do the same work:\n  {reasons}");
    Err(Error::Told { message, status: Status::Trials })
}

/// What the comparison came to, as `verify.compare` tells it and `--json` prints it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename = "result")]
struct Compared {
    /// The framework from which differences are told.
    reference: String,
    /// So many steps were compared.
    steps: u32,
    rows: Vec<Row>,
    /// What columns must be, by the workload's specification.
    expected: Map<String, Value>,
    /// The largest difference that is allowed, by column.
    tolerances: Map<String, Value>,
    identical: bool,
    /// Each names the framework, what differs, by how much, and what is allowed.
    reasons: Vec<String>,
}

/// What one framework did.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    framework: String,
    /// Which there are is the workload's matter.
    #[serde(flatten)]
    columns: Map<String, Value>,
}

/// What is told to `verify.collect`.
#[derive(Serialize)]
struct Collect<'a> {
    #[serde(flatten)]
    argument: Argument<'a>,
    /// So many steps are looked at.
    steps: u32,
    /// The file that it writes.
    output: &'a Path,
}

fn failed(what: &str, why: String) -> Error {
    Error::Told { message: format!("{what}: {why}"), status: Status::Trials }
}

async fn compare(
    args: &VerifyArgs,
    threads: u32,
    project: &Project,
    terminal: &Terminal,
) -> Result<Compared, Error> {
    let own = project.workloads();
    let workload = workload(&args.workload, args.workloads.as_deref(), project)?;
    let path = search_path(&workload, project);
    let known = known(&path, &workload.name, project, &args.environment)?;
    let typed = asked(&args.treatments, &workload);
    let (treatments, _) = treatments(&typed, None, &[], &known)?;
    args.device.suits(&treatments, &known)?;
    let wanted = Wanted {
        treatments: &treatments,
        python_env: args.python_env.clone(),
        allow_unlocked: args.allow_unlocked,
        folders: &args.environment.iter().cloned().collect(),
        known: &known,
        kept: None,
    };
    let environments = environments(project, &wanted, terminal).await?;
    let digits = environments.digits(project)?;
    let dataset =
        prepare::data(args.dataset, args.data_dir.as_deref(), &digits, &own, terminal).await?;
    let collection = Collection {
        args,
        workload: &workload,
        path: &path,
        work: Work {
            job: Job {
                epochs: 1,
                batch_size: args.batch_size,
                learning_rate: args.learning_rate,
                seed: args.seed,
                train_samples: args.train_samples,
                test_samples: args.test_samples,
                threads,
                device: args.device,
            },
            dataset: &dataset.name.to_string(),
            data_dir: &dataset.dir,
            card: None,
        },
        environments: &environments,
    };
    collection.held_together(&treatments, terminal).await
}

/// What every treatment is trained with.
struct Collection<'a> {
    args: &'a VerifyArgs,
    workload: &'a Workload,
    /// What the scripts are imported from.
    path: &'a [PathBuf],
    work: Work<'a>,
    environments: &'a Environments,
}

impl Collection<'_> {
    /// Trains each treatment in a fresh process, and holds what they did against each other.
    async fn held_together(
        &self,
        treatments: &[Treatment],
        terminal: &Terminal,
    ) -> Result<Compared, Error> {
        let stop = prepare::token()?;
        let scratch = crate::files::Scratch::new().map_err(|e| Error::Other(e.into()))?;
        // In the order in which they were named: the first is what the others differ from.
        let mut files = Map::new();
        let mut last = None;
        for treatment in treatments {
            let name = &treatment.name;
            let output = scratch.path().join(format!("{}.npz", treatment.folder()));
            terminal.on(&Event::Preparing(&format!("{name}: training in a fresh process")));
            let made = self.environments.of_treatment(treatment);
            let made = made.ok_or_else(|| failed(name, "it has no environment".to_owned()))?;
            let argument = self.argument(treatment, &output)?;
            self.call(&made.python, "collect", argument, &stop)
                .await
                .map_err(|why| failed(name, why))?;
            last = Some(&made.python);
            files.insert(name.clone(), json!(output));
        }
        let nothing = || failed("the comparison", "nothing was trained".to_owned());
        let python = last.ok_or_else(nothing)?;
        let argument = json!({ "files": files });
        let compared = self.call(python, "compare", argument, &stop).await;
        let events = compared.map_err(|why| failed("the comparison", why))?;
        let told = events.iter().rev().find_map(|event| Compared::deserialize(event).ok());
        told.ok_or_else(|| failed("the comparison", "it gave no result".to_owned()))
    }

    fn argument(&self, treatment: &Treatment, output: &Path) -> Result<Value, Error> {
        let argument = Argument {
            framework: &treatment.framework,
            workload: &self.workload.name,
            job: self.work.clone(),
            variant: treatment.variant.as_deref(),
        };
        let argument = Collect { argument, steps: self.args.steps, output };
        serde_json::to_value(argument).map_err(|e| Error::Other(e.into()))
    }

    async fn call(
        &self,
        python: &Interpreter,
        function: &str,
        argument: Value,
        stop: &CancellationToken,
    ) -> Result<Vec<Value>, String> {
        prepare::call(python, self.path.to_vec(), "verify", function, argument, stop, |_| ()).await
    }
}

/// The folder that was named first, then the project's own of the same name for what that one does not
/// replace, and what all share.
fn search_path(workload: &Workload, project: &Project) -> Vec<PathBuf> {
    let own = project.workloads().join(&workload.name);
    let mut path = workload.search_path(project);
    if workload.folder != own && own.is_dir() {
        path.insert(1, own);
    }
    path
}

/// Columns of the comparison as people read them; those without a tolerance must be equal.
const ROWS: [(&str, &str); 14] = [
    ("parameters", "Parameters"),
    ("batches", "Batches in an epoch"),
    ("images", "Images in an epoch"),
    ("dtype", "Data type"),
    ("start_difference", "Initial weights, largest difference"),
    ("logit_difference", "Logits before training, largest difference"),
    ("first_update_difference", "First update, relative"),
    ("first_loss_difference", "First loss, relative"),
    ("early_loss_difference", "Losses of the first 3 steps, relative"),
    ("short_weight_difference", "Weights after a short call, relative"),
    ("loss_difference", "Losses of all steps, relative"),
    ("weight_difference", "Weights after them, relative"),
    ("accuracy", "Test accuracy after an epoch"),
    ("accuracy_difference", "Accuracy, difference"),
];

/// The comparison, at most `columns` wide where that is possible: names of rows are wrapped first.
fn table(found: &Compared, columns: u16) -> String {
    let Compared { reference, steps, rows, .. } = found;
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(columns);
    let names = rows.iter().map(|r| r.framework.clone());
    table.set_header(
        std::iter::once(String::new()).chain(names).chain(std::iter::once("allowed".to_owned())),
    );
    let told = |key: &str| rows.iter().any(|row| row.columns.contains_key(key));
    for (key, title) in ROWS.into_iter().filter(|(key, _)| told(key)) {
        let cells = rows.iter().map(|row| show(key, row.columns.get(key)));
        let allowed = match found.tolerances.get(key).and_then(Value::as_f64) {
            Some(tolerance) if tolerance > 0.0 => format!("{tolerance:.1e}"),
            _ => "equal".to_owned(),
        };
        let allowed = if key == "accuracy" { String::new() } else { allowed };
        table.add_row(
            std::iter::once(title.to_owned()).chain(cells).chain(std::iter::once(allowed)),
        );
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let verdict =
        if found.identical { "The work is the same." } else { "The work is NOT the same." };
    let note = format!("Differences from {reference}, over the first {steps} steps. {verdict}");
    format!("{table}\n{}\n", textwrap::fill(&note, usize::from(columns)))
}

fn show(key: &str, value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) if key == "accuracy" => {
            n.as_f64().map_or_else(String::new, |a| format!("{:.2}%", a * 100.0))
        }
        Some(Value::Number(n)) if n.is_u64() => n.to_string(),
        Some(Value::Number(n)) => match n.as_f64() {
            Some(0.0) => "0".to_owned(),
            Some(x) => format!("{x:.1e}"),
            None => n.to_string(),
        },
        _ => units::digits(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_fits_sixty_columns() {
        let row = |name: &str| {
            let own = [("dtype", json!("float32")), ("parameters", json!(1_199_882))];
            let all = ROWS.map(|(key, _)| (key, json!(1.25e-7))).into_iter().chain(own);
            let columns = all.map(|(key, value)| (key.to_owned(), value)).collect();
            Row { framework: name.to_owned(), columns }
        };
        let found = Compared {
            rows: ["keras", "torch", "jax"].map(row).into(),
            expected: Map::new(),
            tolerances: [("loss_difference".to_owned(), json!(1e-4))].into_iter().collect(),
            steps: 50,
            reference: "keras".to_owned(),
            identical: true,
            reasons: Vec::new(),
        };
        for columns in [60, 80, 120] {
            let text = table(&found, columns);
            let wide = text.lines().find(|line| line.chars().count() > usize::from(columns));
            assert!(wide.is_none(), "{wide:?}\n{text}");
            assert!(text.contains("float32") && text.contains("1.2e-7"), "{text}");
        }
    }
}
