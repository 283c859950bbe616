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
use crate::workload::{Workload, uses_images};
use comfy_table::{CellAlignment, LineStyle, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// `joulerace verify`.
pub fn verify(args: VerifyArgs, talk: Talk) -> Result<ExitCode, Error> {
    let threads = job_ranges(args.learning_rate, args.threads)?;
    let project = Project::find()?;
    let workload = workload(&args.workload, args.workloads.as_deref(), &project)?;
    let images = uses_images(&workload, &project)?;
    if images {
        let data_dir = args.data_dir.as_deref();
        check_samples(args.dataset, data_dir, args.train_samples, args.test_samples)?;
    }
    let library = MeterSettings::default().nvml;
    args.device.is_there(|| cards(&library))?;
    process::adopt_orphans();
    let terminal = Terminal::new(talk);
    let outcome = block_on(compare(&args, &workload, images, threads, &project, &terminal))?;
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
    workload: &Workload,
    images: bool,
    threads: u32,
    project: &Project,
    terminal: &Terminal,
) -> Result<Value, Error> {
    let own = project.workloads();
    let path = search_path(workload, project);
    let known = known(&path, &workload.name, project, &args.environment)?;
    let typed = asked(&args.treatments, workload);
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
    if images {
        let (digits, data_dir) = (environments.digits(project)?, args.data_dir.as_deref());
        let dataset = prepare::data(args.dataset, data_dir, &digits, &own, terminal).await?;
        job["dataset"] = json!(dataset.name.to_string());
        job["data_dir"] = json!(dataset.dir);
    }
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
const COLUMNS: [(&str, &str); 14] = [
    ("parameters", "parameters"),
    ("batches", "batches in an epoch"),
    ("images", "images in an epoch"),
    ("dtype", "data type"),
    ("start_difference", "initial weights"),
    ("logit_difference", "logits before training"),
    ("first_update_difference", "first update"),
    ("first_loss_difference", "first loss"),
    ("early_loss_difference", "first 3 losses"),
    ("short_weight_difference", "weights after a short call"),
    ("loss_difference", "losses of all steps"),
    ("weight_difference", "weights after them"),
    ("accuracy", "accuracy after an epoch"),
    ("accuracy_difference", "accuracy apart"),
];

/// What the table leaves free beside the text of a column.
const BETWEEN: usize = 3;

/// One column of the comparison: its title, a cell for each treatment, and what is allowed.
struct Compared {
    title: String,
    cells: Vec<String>,
    allowed: String,
}

impl Compared {
    /// The width that it cannot do without, and the space beside it.
    fn width(&self) -> usize {
        let cells = self.cells.iter().chain([&self.allowed]).map(String::as_str);
        cells.chain(self.title.split(' ')).map(|word| word.chars().count()).max().unwrap_or(0)
            + BETWEEN
    }
}

/// The comparison, a row for each treatment: what is exactly the same in all is said once, the rest stands
/// in as many tables as it takes to be at most `columns` wide.
fn table(found: &Value, columns: u16) -> String {
    let rows: Vec<&Value> = found["rows"].as_array().into_iter().flatten().collect();
    let names: Vec<&str> = rows.iter().map(|r| r["framework"].as_str().unwrap_or("?")).collect();
    let (mut same, mut apart) = (Vec::new(), Vec::new());
    for (key, title) in titles(&rows) {
        let key = key.as_str();
        let cells: Vec<String> = rows.iter().map(|row| show(key, &row[key])).collect();
        let allowed = match found["tolerances"][key].as_f64() {
            _ if key == "accuracy" => String::new(),
            Some(tolerance) if tolerance > 0.0 => format!("{tolerance:.1e}"),
            _ => "equal".to_owned(),
        };
        if allowed == "equal" && cells.iter().all(|cell| *cell == cells[0]) {
            let alike = if cells[0] == "0" { "equal".to_owned() } else { cells[0].clone() };
            same.push(format!("{title} {alike}"));
        } else {
            apart.push(Compared { title, cells, allowed });
        }
    }
    let mut text = String::new();
    let columns = usize::from(columns);
    if !same.is_empty() {
        let all = format!("The same in all: {}.", same.join(", "));
        text = format!("{}\n\n", textwrap::fill(&all, columns));
    }
    let first = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(7) + BETWEEN;
    let mut rest = apart.as_slice();
    while !rest.is_empty() {
        let mut taken = first;
        let fits = rest.iter().take_while(|column| {
            taken += column.width();
            taken <= columns
        });
        let (part, later) = rest.split_at(fits.count().max(1));
        text += &format!("{}\n\n", part_of_table(&names, part));
        rest = later;
    }
    let (steps, reference) = (&found["steps"], found["reference"].as_str().unwrap_or("the first"));
    let verdict = if found["identical"] == json!(true) {
        "The work is the same."
    } else {
        "The work is NOT the same."
    };
    let note = match steps {
        Value::Null => verdict.to_owned(),
        steps => format!(
            "Differences are from {reference}: of logits and accuracy the largest, of losses and weights \
             relative; over the first {steps} steps. {verdict}"
        ),
    };
    format!("{text}{}\n", textwrap::fill(&note, columns))
}

/// The columns that a comparison has, with their titles: a network's, or whatever a script that does its whole
/// job itself returned.
fn titles(rows: &[&Value]) -> Vec<(String, String)> {
    let told = |key: &str| rows.iter().any(|row| row.get(key).is_some());
    let known = COLUMNS.iter().filter(|(key, _)| told(key));
    let known: Vec<_> = known.map(|(key, title)| ((*key).into(), (*title).into())).collect();
    if told("parameters") {
        return known;
    }
    let mut own: Vec<(String, String)> = Vec::new();
    for key in rows.iter().filter_map(|row| row.as_object()).flat_map(|row| row.keys()) {
        if key != "framework" && !own.iter().any(|(known, _)| known == key) {
            own.push((key.clone(), key.replace('_', " ")));
        }
    }
    own
}

/// Some of the columns beside the treatments' names; titles are wrapped.
fn part_of_table(names: &[&str], part: &[Compared]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    let titles = part.iter().map(|column| {
        let width = column.width() - BETWEEN;
        textwrap::fill(&column.title, textwrap::Options::new(width).break_words(false))
    });
    table.set_header(std::iter::once(String::new()).chain(titles));
    for (at, name) in names.iter().enumerate() {
        let cells = part.iter().map(|column| column.cells[at].clone());
        table.add_row(std::iter::once((*name).to_owned()).chain(cells));
    }
    let allowed = part.iter().map(|column| column.allowed.clone());
    table.add_row(std::iter::once("allowed".to_owned()).chain(allowed));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
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
        Value::Null => units::digits(f64::NAN),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Value {
        let row = |name: &&str| {
            let mut row = json!({ "framework": name });
            for (key, _) in COLUMNS {
                row[key] = json!(1.25e-7);
            }
            row["dtype"] = json!("float32");
            row["parameters"] = json!(1_199_882);
            row["start_difference"] = json!(0.0);
            row
        };
        let mut tolerances = json!({});
        for (key, _) in COLUMNS.into_iter().filter(|(key, _)| key.ends_with("difference")) {
            tolerances[key] = json!(if key == "start_difference" { 0.0 } else { 1e-4 });
        }
        json!({
            "rows": names.iter().map(row).collect::<Vec<_>>(), "tolerances": tolerances,
            "steps": 50, "reference": "keras", "identical": true,
        })
    }

    #[test]
    fn the_comparison_fits_sixty_columns_with_three_and_eighty_with_twelve() {
        let twelve: Vec<String> = (0..12).map(|n| format!("keras-jax:tutorial@{n:07}")).collect();
        let twelve: Vec<&str> = twelve.iter().map(String::as_str).collect();
        for (names, columns) in
            [(&["keras", "torch", "jax"][..], 60), (&twelve, 80), (&twelve, 120), (&twelve, 300)]
        {
            let text = table(&found(names), columns);
            let wide = text.lines().find(|line| line.chars().count() > usize::from(columns));
            assert!(wide.is_none(), "{wide:?}\n{text}");
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for said in ["data type float32", "1.2e-7", "initial weights equal"] {
                assert!(words.contains(said), "{said}: {text}");
            }
            let named = |name: &&&str| text.lines().any(|line| line.trim().starts_with(**name));
            assert_eq!(names.iter().filter(named).count(), names.len(), "{text}");
        }
    }

    #[test]
    fn what_has_to_be_equal_and_is_not_is_a_column() {
        let mut found = found(&["keras", "torch"]);
        found["rows"][1]["images"] = json!(120);
        let text = table(&found, 80);
        assert!(text.contains("images") && text.contains("120"), "{text}");
        assert!(!text.contains("images in an epoch 1"), "{text}");
    }
}
