//! `ro-crate-metadata.json`: RO-Crate 1.1 with the Process Run Crate profile 0.5, in which two processes ran:
//! the experiment, and the analysis of what it left.

use super::{CITATION, LOCKS, METADATA, SCRIPTS, Words};
use crate::clean;
use crate::store::experiment::Experiment;
use serde_json::{Value, json};

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub path: String,
    /// In hexadecimal digits.
    pub sha256: String,
    pub bytes: u64,
}

/// What is described.
pub(super) struct Described<'a> {
    pub title: &'a str,
    /// The experiment's folder in the archive.
    pub root: &'a str,
    pub experiment: &'a Experiment,
    pub finished: jiff::Timestamp,
    pub words: &'a Words,
    /// All files but the description itself.
    pub entries: &'a [Entry],
}

const PROFILE: &str = "https://w3id.org/ro/wfrun/process/0.5";
const CRATE: &str = "https://w3id.org/ro/crate/1.1";

/// The description, in an order of its own that is always the same. It is JSON-LD, whose entities have any fields:
/// there is no type for them.
pub(super) fn metadata(of: &Described<'_>) -> Value {
    let mut graph = vec![
        json!({
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": id("./"),
            "conformsTo": id(CRATE),
        }),
        root(of),
        json!({
            "@id": PROFILE,
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": "0.5",
        }),
        license(of.words),
    ];
    graph.extend(of.words.authors.iter().enumerate().map(
        |(n, name)| json!({ "@id": author(n), "@type": "Person", "name": clean::line(name) }),
    ));
    graph.push(json!({
        "@id": "#joulerace",
        "@type": "SoftwareApplication",
        "name": "joulerace",
        "version": clean::line(&of.experiment.version),
        "description": "Measures which way of doing a job costs less energy",
    }));
    graph.extend(actions(of));
    graph.extend(of.entries.iter().map(|entry| file(of, entry)));
    // The one term that RO-Crate 1.1 lacks.
    let context = json!([
        format!("{CRATE}/context"),
        { "sha256": "https://w3id.org/ro/terms/workflow-run#sha256" },
    ]);
    json!({ "@context": context, "@graph": graph })
}

fn id(of: &str) -> Value {
    json!({ "@id": of })
}

/// ISO 8601, to the second.
fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%FT%TZ").to_string()
}

fn author(n: usize) -> String {
    format!("#author-{}", n + 1)
}

fn license_id(words: &Words) -> String {
    let spdx = |id: &String| format!("https://spdx.org/licenses/{}", reference(id));
    words.license.as_ref().map_or("#license".to_owned(), spdx)
}

fn license(words: &Words) -> Value {
    let (name, about) = match &words.license {
        Some(name) => (clean::line(name), "The licence of these data"),
        None => {
            ("No licence stated".to_owned(), "Whoever wants to use these data asks their authors")
        }
    };
    json!({ "@id": license_id(words), "@type": "CreativeWork", "name": name, "description": about })
}

fn root(of: &Described<'_>) -> Value {
    let paths = of.entries.iter().map(|entry| id(&reference(&entry.path)));
    let mut root = json!({
        "@id": "./",
        "@type": "Dataset",
        "name": clean::line(of.title),
        "description": about(of.experiment),
        "datePublished": of.finished.strftime("%F").to_string(),
        "license": id(&license_id(of.words)),
        "conformsTo": id(PROFILE),
        "hasPart": paths.collect::<Vec<_>>(),
        "mentions": [id("#experiment"), id("#analysis")],
    });
    let authors: Vec<Value> = (0..of.words.authors.len()).map(|n| id(&author(n))).collect();
    if !authors.is_empty() {
        root["author"] = authors.into();
    }
    root
}

fn about(experiment: &Experiment) -> String {
    let settings = &experiment.settings;
    let names: Vec<&str> = settings.treatments.iter().map(|t| t.name.as_str()).collect();
    let text = format!(
        "An energy experiment with joulerace: {} in {} blocks, each once a block in random order (seed {}), \
         with raw samples, records, journal, locks, checksums of the scripts, tables and report. \
         `joulerace replay` makes the tables again from the raw samples.",
        names.join(", "),
        settings.iterations,
        settings.order_seed,
    );
    clean::line(&text)
}

/// The two processes, by what each read and left.
fn actions(of: &Described<'_>) -> [Value; 2] {
    let analysis = format!("{}/analysis/", of.root);
    let below = |keep: &dyn Fn(&str) -> bool| -> Vec<Value> {
        let kept = of.entries.iter().filter(|entry| keep(&entry.path));
        kept.map(|entry| id(&reference(&entry.path))).collect()
    };
    let inputs = |path: &str| path.starts_with(LOCKS) || path == SCRIPTS;
    let measured =
        |path: &str| path.starts_with(&format!("{}/", of.root)) && !path.starts_with(&analysis);
    let analysed = |path: &str| path.starts_with(&analysis);
    let mut experiment = json!({
        "@id": "#experiment",
        "@type": "CreateAction",
        "name": "The experiment",
        "description": clean::line(&of.experiment.command.join(" ")),
        "startTime": moment(of.experiment.created),
        "endTime": moment(of.finished),
        "instrument": id("#joulerace"),
        "object": below(&inputs),
        "result": below(&measured),
    });
    let mut analysis = json!({
        "@id": "#analysis",
        "@type": "CreateAction",
        "name": "The analysis",
        "description": "Tables, statistics, plots and report from the raw samples",
        "endTime": moment(of.finished),
        "instrument": id("#joulerace"),
        "object": below(&measured),
        "result": below(&analysed),
    });
    if !of.words.authors.is_empty() {
        experiment["agent"] = id(&author(0));
        analysis["agent"] = id(&author(0));
    }
    // What a command line held is no more private here than in the record.
    [experiment, analysis]
        .map(|action| clean::in_strings(action, &|text| super::private::strike(&text).0))
}

fn file(of: &Described<'_>, entry: &Entry) -> Value {
    let inside = entry.path.strip_prefix(&format!("{}/", of.root));
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit('.').next().unwrap_or_default();
    let format = match ending {
        "csv" => "text/csv",
        "json" => "application/json",
        "jsonl" => "application/jsonl",
        "html" => "text/html",
        "md" => "text/markdown",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "pdf" => "application/pdf",
        "toml" | "lock" => "application/toml",
        "cff" => "application/yaml",
        _ => "text/plain",
    };
    let about = match (inside, name) {
        (Some("experiment.json"), _) => "Settings, plan, protocol, machine and versions",
        (Some("journal.jsonl"), _) => "What happened, event by event",
        (Some(path), _) if path.starts_with("analysis/") => "Of the analysis",
        (Some(path), "csv") if path.starts_with("pauses/") => "Raw samples of a pause",
        (Some(_), _) if ending == "csv" && name != "trials.csv" => "Raw samples",
        (Some("trials.csv"), _) => "One row for each trial",
        (Some(_), _) => "A trial's record",
        (None, CITATION) => "Whom to cite",
        (None, SCRIPTS) => "Checksums of the scripts that ran",
        (None, _) if entry.path.starts_with(LOCKS) => "The lock of the Python environment",
        _ => "Checksums of the files",
    };
    json!({
        "@id": reference(&entry.path),
        "@type": "File",
        "name": name,
        "description": about,
        "encodingFormat": format,
        "contentSize": entry.bytes.to_string(),
        "sha256": entry.sha256,
    })
}

/// A path as a relative reference (RFC 3986): what may not stand in one is percent-encoded.
fn reference(path: &str) -> String {
    let mut reference = String::new();
    for byte in path.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~/@+".contains(&b) => reference.push(b.into()),
            b => reference += &format!("%{b:02X}"),
        }
    }
    reference
}
