use super::*;
use serde_json::json;

/// A trial of so many joules in two seconds.
fn trial(treatment: &str, block: u32, status: &str, joules: f64) -> TrialRecord {
    let energy = json!({
        "seconds": 2.0, "joules": {"package": joules}, "total_j": joules, "coverage": 1.0,
    });
    serde_json::from_value(json!({
        "schema": 1, "trial": format!("{treatment}_{block}"), "treatment": treatment,
        "framework": treatment, "block": block, "position": 0, "run_order": 0,
        "predecessor": null, "attempt": 1, "status": status, "reason": null, "flags": [],
        "started": "2026-03-01T12:00:00Z", "wall_seconds": 3.0, "cpu_seconds": 2.0,
        "meter": "rapl", "estimated": false,
        "window": if status == "ok" { energy } else { json!(null) },
        "whole": null, "integrity": null, "sampler": null, "accuracy": 0.9, "loss": 0.1,
        "result": null, "exit": {"code": 0}, "idle_w": null,
    }))
    .unwrap()
}

fn shown(records: &[TrialRecord], treatments: &[&str], identical: bool) -> String {
    let treatments: Vec<String> = treatments.iter().map(|t| (*t).to_owned()).collect();
    let verdict = Verdict { identical, reasons: vec!["a: differs".to_owned()] };
    result(records, &treatments, Some(&verdict), &Settling::default(), None, 100)
}

#[test]
fn a_stopped_runs_table_claims_nothing_from_one_trial() {
    let text = shown(&[trial("a", 0, "ok", 10.0)], &["a", "b"], true);
    for claim in ["NaN", "0 of 0", "Least mean", "identical", "least │"] {
        assert!(!text.contains(claim), "{claim}: {text}");
    }
    assert!(text.contains("1 of 1") && text.contains("none"), "{text}");
    assert!(text.contains("Too few trials to say"), "{text}");
    let none = shown(&[trial("a", 0, "failed", 0.0)], &["a", "b"], false);
    assert!(none.contains("No trial was measured") && !none.contains("work"), "{none}");
}

#[test]
fn many_treatments_have_a_row_each_in_80_columns() {
    let names: Vec<String> = (0..9).map(|n| format!("framework:variant@{n}")).collect();
    let trials = |name: &String| [0, 1].map(|block| trial(name, block, "ok", 1234.0));
    let records: Vec<TrialRecord> = names.iter().flat_map(trials).collect();
    let text = result(&records, &names, None, &Settling::default(), None, 80);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for name in &names {
        let mut rows = text.lines().filter(|line| line.starts_with(name.as_str()));
        let row = rows.next().unwrap();
        assert!(row.contains("2 of 2") && row.contains("90.00%"), "{row}");
    }
    assert!(!text.contains("median"), "{text}");
}

#[test]
fn the_difference_is_the_geometric_mean_over_common_blocks() {
    // Ratios 4 and 1 give 2; block 2 has only one of them. Of arithmetic means it were 2.36.
    let records = [
        trial("a", 0, "ok", 10.0),
        trial("b", 0, "ok", 40.0),
        trial("a", 1, "ok", 10.0),
        trial("b", 1, "ok", 10.0),
        trial("b", 2, "ok", 20.8),
    ];
    let text = shown(&records, &["a", "b"], true);
    assert!(text.contains("+100.0%"), "{text}");
    assert!(text.contains("Least mean energy: a, 10.00 J"), "{text}");
}

#[test]
fn what_was_trained_on_is_said_where_it_is_not_mnist() {
    let said = "Trained on digits.";
    let records = [trial("a", 0, "ok", 10.0)];
    let text = result(&records, &["a".to_owned()], None, &Settling::default(), Some(said), 100);
    assert!(text.contains(said), "{text}");
}

#[test]
fn notes_are_wrapped_between_words_and_go_on_where_they_began() {
    let reason = "torch_3: its accuracy 0.9 lies more than 0.01 from the median".to_owned();
    let verdict = Verdict { identical: false, reasons: vec![reason] };
    let records = [trial("torch", 3, "invalid", 1.0)];
    let names = ["torch".to_owned()];
    let text = result(&records, &names, Some(&verdict), &Settling::default(), None, 40);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 40), "{text}");
    let at = lines.iter().position(|line| line.starts_with("  torch_3: its accuracy")).unwrap();
    assert!(lines[at + 1].starts_with("  "));
}
