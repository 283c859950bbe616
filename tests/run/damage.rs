//! Damage is told before anything is run, and nothing that is left is written over.

use crate::experiment::{Scratch, names, text};
use serde_json::{Value, json};
use std::path::Path;

const SLEEPS: &str = "{'seconds': 0.02}";

fn done() -> Scratch {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let output = scratch.experiment("a", &["--iterations", "3"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    scratch
}

/// Everything in the folder but its lock, with its content.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for name in names(folder).into_iter().filter(|name| name != ".lock") {
        let path = folder.join(&name);
        if path.is_dir() {
            all.extend(content(&path));
        } else {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    all
}

fn tell(scratch: &Scratch, words: &[&str]) {
    let before = content(&scratch.results());
    let output = scratch.resume(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", text(&output));
    for word in words {
        assert!(text(&output).contains(word), "no '{word}' in: {}", text(&output));
    }
    assert!(content(&scratch.results()) == before, "something was changed");
}

fn change(scratch: &Scratch, file: &str, change: impl Fn(&mut Value)) {
    let mut value = scratch.json(file);
    change(&mut value);
    std::fs::write(scratch.results().join(file), value.to_string()).unwrap();
}

#[test]
fn a_missing_journal_is_told_and_its_trials_stay_as_they_are() {
    let scratch = done();
    let journal = scratch.journal_text();
    std::fs::remove_file(scratch.results().join("journal.jsonl")).unwrap();
    tell(&scratch, &["a_0: there is a record of it", "a_2: there is a record", "--accept-changes"]);
    std::fs::write(scratch.results().join("journal.jsonl"), "").unwrap();
    tell(&scratch, &["a_1: there is a record of it, and the journal knows nothing of it"]);
    // Cut after the first trial.
    let first: Vec<&str> = journal.lines().take(3).collect();
    std::fs::write(scratch.results().join("journal.jsonl"), first.join("\n") + "\n").unwrap();
    tell(&scratch, &["a_1: there is a record", "a_2: there is a record"]);
}

#[test]
fn done_trials_whose_record_or_samples_are_not_as_recorded_are_told() {
    type Damage = fn(&Scratch);
    let damages: [(&str, Damage); 7] = [
        ("a_1: the journal says that it ended, and its record is missing", |s| {
            std::fs::remove_file(s.results().join("a/a_1.json")).unwrap();
        }),
        ("a_1: its record cannot be read", |s| {
            std::fs::write(s.results().join("a/a_1.json"), "{\"schema\": 1").unwrap();
        }),
        ("a_1: its samples cannot be read", |s| {
            std::fs::remove_file(s.results().join("a/a_1.csv")).unwrap();
        }),
        ("a_1: its samples are not those that were recorded", |s| {
            let path = s.results().join("a/a_1.csv");
            let samples = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, samples.trim_end().rsplit_once('\n').unwrap().0).unwrap();
        }),
        ("a_1: its record says failed, and the journal ok", |s| {
            change(s, "a/a_1.json", |r| r["status"] = json!("failed"));
        }),
        ("a_1: its record is that of \"a_0\"", |s| {
            std::fs::copy(s.results().join("a/a_0.json"), s.results().join("a/a_1.json")).unwrap();
        }),
        ("a newer joulerace wrote it", |s| {
            change(s, "a/a_1.json", |r| r["schema"] = json!(99));
        }),
    ];
    for (word, damage) in damages {
        let scratch = done();
        damage(&scratch);
        tell(&scratch, &[word]);
        let output = scratch.resume(&["--accept-changes"]).output().unwrap();
        assert!(output.status.success(), "{word}: {}", text(&output));
        let record = scratch.json("a/a_1.json");
        assert_eq!((&record["trial"], &record["status"]), (&json!("a_1"), &json!("ok")), "{word}");
        let told = scratch.journal().into_iter().find(|e| e["event"] == "trial-damaged").unwrap();
        assert_eq!(told["trial"], "a_1", "{word}");
        assert!(!names(&scratch.results().join("a/damaged")).is_empty(), "{word}: it is kept");
        assert!(scratch.resume(&[]).output().unwrap().status.success(), "{word}: all is well");
    }
}

#[test]
fn a_damaged_newer_or_edited_experiment_is_neither_resumed_nor_analysed() {
    type Damage = fn(&str) -> String;
    let damages: [(&str, Damage); 5] = [
        ("it is empty", |_| String::new()),
        ("EOF", |text| text[..text.len() / 2].to_owned()),
        ("a newer joulerace wrote it", |text| text.replacen("\"schema\": 1", "\"schema\": 9", 1)),
        ("which layout", |_| "{}".to_owned()),
        ("not the one that its settings and its seed give", |text| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            let trials = value["plan"]["trials"].as_array_mut().unwrap();
            trials.pop();
            value.to_string()
        }),
    ];
    let scratch = done();
    let path = scratch.results().join("experiment.json");
    let good = std::fs::read_to_string(&path).unwrap();
    for (word, damage) in damages {
        std::fs::write(&path, damage(&good)).unwrap();
        tell(&scratch, &["experiment.json", word]);
        let analyse = scratch.program().arg("analyze").arg(scratch.results()).output().unwrap();
        assert_eq!(analyse.status.code(), Some(6), "{}", text(&analyse));
        assert!(text(&analyse).contains(word), "{word}: {}", text(&analyse));
        assert!(!scratch.results().join("analysis").exists());
    }
}
