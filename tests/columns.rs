//! The documentation of what is written is held against what is written: every field is documented, and
//! none that is documented is invented. The list is `docs/schema/fields.txt`; the pages and schemas made
//! from it are brought up to date with `UPDATE_DOCS=1 cargo test --test columns`.
#![cfg(target_os = "linux")]

#[path = "common/experiment.rs"]
mod experiment;
#[path = "common/fields.rs"]
mod fields;

use experiment::{Scratch, text};
use fields::{Fields, docs, files};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A command that marks a phase.
const MARKED: &str =
    "echo nap begin >> $JOULERACE_MARKS; sleep 0.05; echo nap end >> $JOULERACE_MARKS";

/// The file as it should be; written where asked, compared where not.
fn up_to_date(path: &Path, content: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, content).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == content,
        "{} is not what docs/schema/fields.txt says; run UPDATE_DOCS=1 cargo test --test columns",
        path.display()
    );
}

#[test]
fn the_pages_and_schemas_are_made_from_the_list() {
    let files = files();
    let intro = std::fs::read_to_string(docs().join("schema/intro.md")).unwrap();
    let pages: String = files.iter().map(Fields::page).collect();
    up_to_date(&docs().join("columns.md"), &(intro + &pages));
    for file in &files {
        let schema = format!("{:#}\n", file.schema());
        up_to_date(
            &docs().join(format!(
                "schema/{}.json",
                file.name.replace(".csv", "").replace(".json", "")
            )),
            &schema,
        );
    }
}

#[test]
fn a_field_that_nobody_described_is_found_and_so_is_one_that_is_not_written() {
    let files = files();
    let measure = files.iter().find(|file| file.name == "measure").unwrap();
    let faults = measure.faults(&[json!({ "schema": 1, "news": [{ "a": 2 }], "estimated": "no" })]);
    for expected in [
        "measure: news is written and not documented",
        "measure: version is documented and never written",
        "measure: estimated is not bool: \"no\"",
    ] {
        assert!(faults.iter().any(|fault| fault == expected), "{expected}: {faults:?}");
    }
}

/// A CSV's rows as objects of texts, numbers and nulls.
fn rows(path: &Path) -> Vec<Value> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{e}"));
    let names = reader.headers().unwrap().clone();
    let cell = |text: &str| match text {
        "" => Value::Null,
        "true" => json!(true),
        "false" => json!(false),
        text => text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number)),
    };
    let row = |record: csv::StringRecord| -> Value {
        names.iter().zip(&record).map(|(name, text)| (name.to_owned(), cell(text))).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// What `submit` writes, where a stand-in takes its jobs.
fn study(scratch: &Scratch) -> Value {
    use std::os::unix::fs::PermissionsExt;
    let bin = scratch.at("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("sbatch"), "#!/bin/sh\necho 7\n").unwrap();
    std::fs::set_permissions(bin.join("sbatch"), PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut submit = scratch.program();
    submit.env("PATH", path).args(["submit", "--shards", "2", "--"]);
    let output = submit.args(scratch.experiment("a,b", &[]).get_args()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let study = json(&scratch.results().join("study.json"));
    std::fs::remove_dir_all(scratch.results()).unwrap();
    study
}

#[test]
fn every_field_that_is_written_is_documented_and_none_is_invented() {
    let scratch = Scratch::new(&[("a", "{'seconds': 0.15}"), ("b", "{'seconds': 0.1}")]);
    let study = study(&scratch);
    let flags = ["--iterations", "6", "--control", "a", "--baseline", "1s", "--warmup", "1s"];
    let output = scratch.experiment("a,b", &flags).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let output = scratch.program().arg("analyze").arg(scratch.results()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let measured = scratch
        .program()
        .current_dir(scratch.at("."))
        .args(["measure", "--runs", "2", "--json", "--meter", "estimate", "--", "sh", "-c", MARKED])
        .output()
        .unwrap();
    let audited =
        scratch.program().args(["audit", "--json"]).arg(scratch.results()).output().unwrap();
    let doctor =
        scratch.program().args(["doctor", "--json", "--dataset", "digits"]).output().unwrap();
    let at = |name: &str| scratch.results().join(name);
    let real: Vec<(&str, Vec<Value>)> = vec![
        ("trials.csv", [rows(&at("trials.csv")), rows(&at("analysis/trials.csv"))].concat()),
        ("groups.csv", rows(&at("analysis/groups.csv"))),
        ("pairs.csv", rows(&at("analysis/pairs.csv"))),
        ("summary.json", vec![json(&at("analysis/summary.json"))]),
        ("settings.json", vec![json(&at("analysis/settings.json"))]),
        ("record", (0..6).map(|n| json(&at(&format!("a/a_{n}.json")))).collect()),
        ("experiment", vec![json(&at("experiment.json"))]),
        ("journal", scratch.journal()),
        ("study", vec![study]),
        ("measure", vec![serde_json::from_slice(&measured.stdout).unwrap()]),
        ("doctor", vec![serde_json::from_slice(&doctor.stdout).unwrap()]),
        ("audit", vec![serde_json::from_slice(&audited.stdout).unwrap()]),
    ];
    let listed: Vec<Fields> = files();
    assert_eq!(
        real.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        listed.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
        "each file of the list is held against something real"
    );
    let wrong: Vec<String> =
        listed.iter().zip(&real).flat_map(|(file, (_, values))| file.faults(values)).collect();
    assert!(
        wrong.is_empty(),
        "docs/schema/fields.txt and what is written differ:\n{}",
        wrong.join("\n")
    );
    loaded_in_pandas(&scratch);
}

/// What the page shows works, and gives the columns that the schema names.
fn loaded_in_pandas(scratch: &Scratch) {
    let list = scratch.program().args(["env", "sync", "analysis"]).output().unwrap();
    let printed = String::from_utf8_lossy(&list.stdout).into_owned();
    let python = Path::new(printed.lines().last().unwrap_or_default()).join("bin/python");
    let script = r#"
import json, sys
import pandas as pd
results, schemas = sys.argv[1:]
for name in ("trials", "groups", "pairs"):
    frame = pd.read_csv(f"{results}/analysis/{name}.csv")
    item = json.load(open(f"{schemas}/{name}.json"))["items"]
    for column in item["required"]:
        assert column in frame, (name, column)
usable = pd.read_csv(f"{results}/trials.csv").query("status == 'ok'")
assert usable.groupby("group").energy_j.agg(["mean", "std"]).notna().all(axis=None)
events = pd.DataFrame(map(json.loads, open(f"{results}/journal.jsonl")))
ended = events[events.event == "trial-ended"]
assert (ended.retry != True).sum() == len(usable), ended.to_string()
"#;
    let output = Command::new(python)
        .args(["-c", script])
        .arg(scratch.results())
        .arg(docs().join("schema"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
