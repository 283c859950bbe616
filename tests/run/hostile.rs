//! Names and files that mean harm: nothing is written outside the experiment's folder, nothing panics.

use crate::experiment::{Scratch, names, text};
use serde_json::{Value, json};

const SLEEPS: &str = "{'seconds': 0.02}";

#[test]
fn a_framework_that_is_a_path_is_refused() {
    let scratch =
        Scratch::new(&[("a", SLEEPS), (".", SLEEPS), ("a b", SLEEPS), ("analysis", SLEEPS)]);
    let before = names(&scratch.at(""));
    for name in ["../x", "/tmp/x", ".", "a b", "analysis", "a/../../x"] {
        let output = scratch.experiment(name, &["--iterations", "1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}", text(&output));
        assert!(text(&output).contains("--treatments"), "{name}: {}", text(&output));
    }
    assert_eq!(names(&scratch.at("")), before);
}

/// An experiment that was stopped before its end, to be tampered with.
fn half_done() -> Scratch {
    let scratch = Scratch::new(&[("a", SLEEPS)]);
    let output = scratch.experiment("a", &["--iterations", "2"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let journal = scratch.journal_text();
    let first: Vec<&str> = journal.lines().take(3).collect();
    assert!(first[2].contains("trial-ended"));
    std::fs::write(scratch.results().join("journal.jsonl"), first.join("\n") + "\n").unwrap();
    for ending in ["csv", "json", "log"] {
        std::fs::remove_file(scratch.results().join(format!("a/a_1.{ending}"))).unwrap();
    }
    scratch
}

#[test]
fn a_tampered_experiment_is_refused_and_nothing_is_written() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 9] = [
        ("cannot be the name of a file", |e| {
            e["plan"]["trials"][1]["name"] = json!("../../evil_0")
        }),
        ("which is not its name", |e| e["plan"]["trials"][1]["treatment"] = json!("../../evil")),
        ("not the one that its settings", |e| {
            e["settings"]["treatments"][0]["name"] = json!("/evil")
        }),
        ("twice", |e| {
            e["plan"]["trials"][1]["name"] = e["plan"]["trials"][0]["name"].clone();
            e["plan"]["trials"][1]["block"] = e["plan"]["trials"][0]["block"].clone();
        }),
        ("place 1", |e| e["plan"]["trials"][0]["run_order"] = json!(7)),
        ("batch_size", |e| e["settings"]["job"]["batch_size"] = json!(0)),
        ("learning rate", |e| e["settings"]["job"]["learning_rate"] = json!(-1.0)),
        ("longer than a year", |e| e["settings"]["cooldown"] = json!("9000000000years")),
        ("invalid type", |e| e["settings"]["iterations"] = json!("many")),
    ];
    let scratch = half_done();
    let path = scratch.results().join("experiment.json");
    let good = scratch.json("experiment.json");
    let (around, journal) = (names(&scratch.at("")), scratch.journal_text());
    for (word, change) in changes {
        let mut evil = good.clone();
        change(&mut evil);
        std::fs::write(&path, evil.to_string()).unwrap();
        let output = scratch.resume(&[]).output().unwrap();
        assert_eq!(output.status.code(), Some(6), "{word}: {}", text(&output));
        assert!(text(&output).contains("experiment.json"), "{word}: {}", text(&output));
        assert!(text(&output).contains(word), "{word}: {}", text(&output));
        assert_eq!(scratch.journal_text(), journal);
    }
    std::fs::write(&path, good.to_string()).unwrap();
    assert!(scratch.resume(&[]).output().unwrap().status.success());
    assert_eq!(names(&scratch.at("")), around);
    scratch.assert_complete(2);
}

#[test]
fn a_journal_that_names_strangers_moves_nothing() {
    let scratch = half_done();
    let (outside, at) = (scratch.at("evil.csv"), "\"at\":\"2025-01-01T00:00:00Z\"");
    std::fs::write(&outside, "mine").unwrap();
    let strange = format!(
        "{{{at},\"event\":\"trial-started\",\"trial\":\"../../evil\",\"attempt\":1}}\n\
         {{{at},\"event\":\"trial-ended\",\"trial\":\"/etc/passwd\",\"attempt\":4294967295,\
         \"status\":\"ok\",\"retry\":false}}\n"
    );
    let journal = scratch.journal_text() + &strange;
    std::fs::write(scratch.results().join("journal.jsonl"), journal).unwrap();
    let around = names(&scratch.at(""));
    let output = scratch.resume(&[]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "mine");
    assert_eq!(names(&scratch.at("")), around);
}

#[test]
fn a_journal_that_is_none_is_refused_by_its_line_and_left_alone() {
    let scratch = half_done();
    let path = scratch.results().join("journal.jsonl");
    let good = scratch.journal_text();
    let endless = "x".repeat(3 << 20);
    for strange in ["hello\n", "{\"event\":\"finished\"}\n", "\0\0\0\n", endless.as_str()] {
        let text_before = good.clone() + strange;
        std::fs::write(&path, &text_before).unwrap();
        let output = scratch.resume(&[]).output().unwrap();
        assert_eq!(output.status.code(), Some(6), "{}", text(&output));
        assert!(text(&output).contains("line 4 of the journal"), "{}", text(&output));
        assert_eq!(scratch.journal_text(), text_before);
    }
}
