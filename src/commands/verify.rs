//! `joulerace verify`: shows that all frameworks do the same work.

use super::resolve::{asked, check_samples, job_ranges, workload};
use crate::cli::Talk;
use crate::cli::VerifyArgs;
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::meter::{MeterSettings, nvml::cards};
use crate::paths::Project;
use crate::prepare::environments::{Wanted, environments};
use crate::prepare::known::known;
use crate::prepare::{self, block_on};
use crate::process;
use crate::screen::Terminal;
use crate::screen::{say, width};
use crate::settings::{Job, treatments};
use crate::units;
use crate::workload::Workload;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

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
        say(&format!("{found:#}\n"));
    } else {
        say(&table(&found, width()));
    }
    if found["identical"] == json!(true) {
        return Ok(ExitCode::SUCCESS);
    }
    let reasons: Vec<&str> =
        found["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let message = format!("the frameworks do not do the same work:\n  {}", reasons.join("\n  "));
    Err(Error::Told { message, status: Status::Trials })
}

async fn compare(
    args: &VerifyArgs,
    threads: u32,
    project: &Project,
    terminal: &Terminal,
) -> Result<Value, Error> {
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
    let failed = |what: &str, why: String| Error::Told {
        message: format!("{what}: {why}"),
        status: Status::Trials,
    };
    let digits = environments.digits(project)?;
    let dataset =
        prepare::data(args.dataset, args.data_dir.as_deref(), &digits, &own, terminal).await?;
    let mut job = serde_json::to_value(Job {
        epochs: 1,
        batch_size: args.batch_size,
        learning_rate: args.learning_rate,
        seed: args.seed,
        train_samples: args.train_samples,
        test_samples: args.test_samples,
        threads,
        device: args.device,
    })
    .map_err(|e| Error::Other(e.into()))?;
    job["dataset"] = json!(dataset.name.to_string());
    job["data_dir"] = json!(dataset.dir);
    let stop = prepare::token()?;
    let scratch = crate::files::Scratch::new().map_err(|e| Error::Other(e.into()))?;
    let mut files = serde_json::Map::new();
    let mut last = None;
    for treatment in &treatments {
        let name = &treatment.name;
        let output = scratch.path().join(format!("{}.npz", treatment.folder()));
        terminal.on(&Event::Preparing(&format!("{name}: training in a fresh process")));
        let mut argument = json!({
            "framework": treatment.framework, "workload": workload.name, "job": job,
            "steps": args.steps, "output": output,
        });
        if let Some(variant) = &treatment.variant {
            argument["variant"] = json!(variant);
        }
        let made = environments.of_treatment(treatment);
        let made = made.ok_or_else(|| failed(name, "it has no environment".to_owned()))?;
        let python = &made.python;
        last = Some(python);
        prepare::call(python, path.clone(), "verify", "collect", argument, &stop, |_| ())
            .await
            .map_err(|why| failed(name, why))?;
        files.insert(name.clone(), json!(output));
    }
    let python = last.ok_or_else(|| failed("the comparison", "nothing was trained".to_owned()))?;
    let argument = json!({ "files": files });
    let events = prepare::call(python, path, "verify", "compare", argument, &stop, |_| ())
        .await
        .map_err(|why| failed("the comparison", why))?;
    events
        .into_iter()
        .rev()
        .find(|event| event["event"] == "result")
        .ok_or_else(|| failed("the comparison", "it gave no result".to_owned()))
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
pub(super) fn table(found: &Value, columns: u16) -> String {
    let rows: Vec<&Value> = found["rows"].as_array().into_iter().flatten().collect();
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(columns);
    let names = rows.iter().map(|r| r["framework"].as_str().unwrap_or("?").to_owned());
    table.set_header(
        std::iter::once(String::new()).chain(names).chain(std::iter::once("allowed".to_owned())),
    );
    let told = |key: &str| rows.iter().any(|row| row.get(key).is_some());
    for (key, title) in ROWS.into_iter().filter(|(key, _)| told(key)) {
        let cells = rows.iter().map(|row| show(key, &row[key]));
        let allowed = match found["tolerances"][key].as_f64() {
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
    let steps = &found["steps"];
    let reference = found["reference"].as_str().unwrap_or("the first");
    let verdict = if found["identical"] == json!(true) {
        "The work is the same."
    } else {
        "The work is NOT the same."
    };
    let note = format!("Differences from {reference}, over the first {steps} steps. {verdict}");
    format!("{table}\n{}\n", textwrap::fill(&note, usize::from(columns)))
}

fn show(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) if key == "accuracy" => {
            n.as_f64().map_or_else(String::new, |a| format!("{:.2}%", a * 100.0))
        }
        Value::Number(n) if n.is_u64() => n.to_string(),
        Value::Number(n) => match n.as_f64() {
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
            let mut row = json!({ "framework": name });
            for (key, _) in ROWS {
                row[key] = json!(1.25e-7);
            }
            row["dtype"] = json!("float32");
            row["parameters"] = json!(1_199_882);
            row
        };
        let found = json!({
            "rows": (["keras", "torch", "jax"].map(row)), "tolerances": { "loss_difference": 1e-4 },
            "steps": 50, "reference": "keras", "identical": true,
        });
        for columns in [60, 80, 120] {
            let text = table(&found, columns);
            let wide = text.lines().find(|line| line.chars().count() > usize::from(columns));
            assert!(wide.is_none(), "{wide:?}\n{text}");
            assert!(text.contains("float32") && text.contains("1.2e-7"), "{text}");
        }
    }
}
