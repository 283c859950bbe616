//! Commands that are compared: from the command line to records, refusals and going on.
#![cfg(target_os = "linux")]

#[path = "common/energibridge.rs"]
mod energibridge;
#[path = "common/experiment.rs"]
mod experiment;

use experiment::{Scratch, names, send, start, text};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::process::{Command, Output};

/// `compare` in the scratch folder, without pauses and without a sensor.
fn compare(scratch: &Scratch, words: &[&str]) -> Command {
    let mut command = scratch.program();
    command
        .current_dir(scratch.at("."))
        .args(["compare", "--meter", "estimate", "--interval", "20ms", "--order-seed", "1"])
        .args(["--warmup", "0s", "--cooldown", "0s", "--baseline", "0s", "--no-analysis"])
        .arg("--output")
        .arg(scratch.results())
        .args(words);
    command
}

fn run(scratch: &Scratch, words: &[&str]) -> Output {
    compare(scratch, words).output().unwrap()
}

/// The records of a treatment, by its folder's name.
fn records(scratch: &Scratch, folder: &str) -> Vec<Value> {
    let files = names(&scratch.results().join(folder));
    let json = files.into_iter().filter(|name| name.ends_with(".json"));
    json.map(|name| scratch.json(&format!("{folder}/{name}"))).collect()
}

#[test]
fn short_commands_run_several_times_in_a_trial_and_are_told_for_one() {
    let scratch = Scratch::new(&[]);
    let output =
        run(&scratch, &["-n", "short", "-n", "long", "sleep 0.05", "sleep 0.1", "--runs", "2"]);
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    scratch.assert_complete(4);
    let settings = scratch.json("experiment.json")["settings"].clone();
    let repetitions = settings["commands"]["repetitions"].as_u64().unwrap();
    // The estimate needs a second.
    assert!((5..=20).contains(&repetitions), "{repetitions}");
    for (folder, slept) in [("short", 0.05), ("long", 0.1)] {
        for record in records(&scratch, folder) {
            let (one, all) = (&record["window"]["seconds"], &record["whole"]["seconds"]);
            let (one, all) = (one.as_f64().unwrap(), all.as_f64().unwrap());
            assert!(one >= slept && all >= one * repetitions as f64, "{one} of {all}: {record}");
            assert_eq!(record["repetitions"], repetitions);
            assert_eq!(record["phases"]["run"]["seconds"], record["window"]["seconds"]);
        }
    }
    // Which of the two an estimate on a busy machine finds thriftier is chance; what is told is what was recorded.
    let joules = |folder: &str| {
        let each = records(&scratch, folder);
        each.iter().map(|record| record["window"]["total_j"].as_f64().unwrap()).product::<f64>()
    };
    let (least, most) =
        if joules("short") < joules("long") { ("short", "long") } else { ("long", "short") };
    let (first, second) = (format!("{least} takes the least energy"), format!("less than {most}"));
    for part in ["Numbers are of one run", &first, &second, "not looked at"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // The rows have the same numbers, also when they are read from the samples again.
    let rows = |file: &str| std::fs::read_to_string(scratch.results().join(file)).unwrap();
    let first = records(&scratch, "long")[0]["window"]["seconds"].as_f64().unwrap();
    let mut reader = csv::Reader::from_reader(rows("trials.csv").into_bytes().leak() as &[u8]);
    let at = reader.headers().unwrap().iter().position(|name| name == "time_s").unwrap();
    let times: Vec<f64> = reader.records().map(|r| r.unwrap()[at].parse().unwrap()).collect();
    assert!(times.iter().any(|time| (time - first).abs() < 1e-4), "{times:?} {first}");
}

#[test]
fn what_cannot_be_compared_is_refused_before_any_trial() {
    for (words, status, told) in [
        (&["nosuchprogram -x", "true"][..], 127, "there is no program 'nosuchprogram'"),
        (&["./notes", "true"], 126, "chmod +x"),
        (&["false", "true"], 7, "'false' ended with exit status 1"),
        (&["sh -c 'echo because; exit 3'", "true"], 7, "because"),
        (&["nosuchprogram | cat; exit 127", "true"], 127, "there is no such command"),
        (&["echo a", "echo b", "--same-output"], 7, "line 1 is 'a' there and 'b' here"),
        (
            &["true", "true --check", "--check", "false"],
            7,
            "--check 'false' ended with exit status 1",
        ),
        (&["true", "true a", "--setup", "false"], 7, "--setup: 'false' ended with"),
        (&["true", "true a", "--prepare", "nosuchprogram"], 127, "nosuchprogram"),
        (&["true", "true"], 2, "stands there twice"),
        (&["true 'a", "true"], 2, "a quote is not closed"),
        (&["true", "true a", "-L", "n", "1,2"], 2, "no command has {n} in it"),
        (&["true {n}", "-L", "n", "1,1"], 2, "it has 1 twice"),
        (&["true {n}", "-P", "n", "3", "1"], 2, "it goes up from FROM to TO"),
        (&["true", "true a", "-n", "x", "-n", "x"], 2, "two commands are called 'x'"),
        (&["true", "true a", "-n", "x", "-n", "y", "-n", "z"], 2, "3 names for 2 commands"),
        (&["true", "true a", "--control", "nobody"], 2, "--control: 'nobody' is not among"),
        (&["true", "true a", "--compare-to", "nobody"], 2, "--compare-to: 'nobody' is not among"),
    ] {
        let scratch = Scratch::new(&[]);
        std::fs::write(scratch.at("notes"), "mine\n").unwrap();
        let output = run(&scratch, words);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {said}");
        assert!(said.contains(told), "{words:?}: {said}");
        assert!(!scratch.results().exists(), "{words:?} left something");
    }
}

#[test]
fn a_command_that_marks_phases_is_compared_by_these_and_another_window_is_told() {
    let scratch = Scratch::new(&[]);
    let mark = "echo work begin >> $JOULERACE_MARKS; sleep 0.06; echo work end >> $JOULERACE_MARKS; sleep 0.06";
    let flags = ["-r", "1", "--repetitions", "2", "-n", "a", "-n", "b"];
    let output = run(&scratch, &[&flags[..], &[mark, &mark.replace("0.06", "0.08")]].concat());
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("Window: work, gross"), "{}", text(&output));
    let record = &records(&scratch, "a")[0];
    let seconds = |part: &Value| part["seconds"].as_f64().unwrap();
    assert!((0.06..0.12).contains(&seconds(&record["window"])), "{record}");
    assert!(seconds(&record["phases"]["run"]) > 0.12, "{record}");

    let scratch = Scratch::new(&[]);
    let output = run(&scratch, &[&flags[..], &[mark, "sleep 0.1"]].concat());
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert!(text(&output).contains("other parts would be compared"), "{}", text(&output));
    assert_eq!(scratch.json("experiment.json")["work"]["identical"], false);
}

#[test]
fn equal_output_is_on_record_and_what_is_not_looked_at_is_not() {
    let scratch = Scratch::new(&[]);
    let words = ["echo 1", "printf '1\\n'", "--same-output", "-r", "2", "--repetitions", "3"];
    let output = run(&scratch, &words);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("All printed the same, every time."), "{}", text(&output));
    assert_eq!(scratch.json("experiment.json")["work"]["identical"], true);
    let scratch = Scratch::new(&[]);
    let output = run(&scratch, &["echo 1", "echo 2", "-r", "1", "--repetitions", "1"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(scratch.json("experiment.json")["work"], Value::Null);
}

/// A stranger's folder has nothing run on its word; nor does it go on where a program has changed.
#[test]
fn what_was_stopped_goes_on_where_the_user_says_that_its_commands_may_run() {
    let scratch = Scratch::new(&[]);
    let script = scratch.at("own.sh");
    std::fs::write(&script, "sleep 0.2\n").unwrap();
    let words = ["sh own.sh", "sleep 0.2", "-r", "4", "--repetitions", "1"];
    let around = ["--setup", "touch set", "--cleanup", "rm set"];
    let child = start(compare(&scratch, &[&words[..], &around].concat()));
    scratch.await_event("trial-started", 2);
    assert!(scratch.at("set").exists(), "set up before the first trial");
    send(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(8), "{}", text(&output));
    assert!(text(&output).contains("--run-commands"), "{}", text(&output));
    assert!(!scratch.at("set").exists(), "cleaned up after it was stopped");

    let resume = |more: &[&str]| {
        let mut command = scratch.unnamed_resume(more);
        command.current_dir(scratch.at(".")).output().unwrap()
    };
    let refused = resume(&[]);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    for command in ["sh own.sh", "touch set", "rm set", "--run-commands"] {
        assert!(text(&refused).contains(command), "{}", text(&refused));
    }
    std::fs::write(&script, "sleep 0.1\n").unwrap();
    let refused = resume(&["--run-commands"]);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    assert!(text(&refused).contains("own.sh"), "{}", text(&refused));
    std::fs::write(&script, "sleep 0.2\n").unwrap();
    let elsewhere = scratch
        .unnamed_resume(&["--run-commands"])
        .current_dir(scratch.at("data"))
        .output()
        .unwrap();
    assert_eq!(elsewhere.status.code(), Some(6), "{}", text(&elsewhere));
    assert!(text(&elsewhere).contains("is: in "), "{}", text(&elsewhere));
    let output = resume(&["--run-commands"]);
    assert!(output.status.success(), "{}", text(&output));
    scratch.assert_complete(8);
}

#[test]
fn a_scan_varies_a_factor_and_is_compared_within_its_levels() {
    let scratch = Scratch::new(&[]);
    let words =
        ["true {n}", "sh -c 'exit 0' {n}", "-n", "a", "-n", "b", "--parameter-scan", "n", "1", "2"];
    let more = ["-r", "1", "--repetitions", "1", "--control", "a[n=1]"];
    let output = run(&scratch, &[&words[..], &more].concat());
    assert!(output.status.success(), "{}", text(&output));
    let experiment = scratch.json("experiment.json");
    assert_eq!(
        experiment["protocol"]["comparisons"],
        serde_json::json!([["a[n=1]", "b[n=1]"], ["a[n=2]", "b[n=2]"]])
    );
    assert_eq!(experiment["settings"]["factors"][0]["levels"], serde_json::json!(["1", "2"]));
    assert_eq!(experiment["settings"]["control"]["name"], "a[n=1] (control)");
}

#[test]
fn a_command_that_fails_in_a_trial_fails_it_with_its_reason() {
    let scratch = Scratch::new(&[]);
    // Works until it has run three times: twice before the first trial, once in it.
    let counted = "echo >> runs; test $(wc -l < runs) -lt 4";
    let output = run(&scratch, &[counted, "true", "-r", "2"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert!(text(&output).contains("ended with exit status 1"), "{}", text(&output));
}

#[test]
fn a_file_means_the_command_line_that_it_was_saved_from() {
    let scratch = Scratch::new(&[]);
    let words =
        ["sleep {s}", "-L", "s", "0.1,0.2", "-r", "3", "--margin", "2", "--save", "race.toml"];
    let saved = run(&scratch, &words);
    assert!(saved.status.success(), "{}", text(&saved));
    assert!(!scratch.results().exists(), "nothing was run");
    let planned = |words: &[&str]| {
        let mut command = scratch.program();
        let output = command.current_dir(scratch.at(".")).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        let told = text(&output);
        told.split("Pauses:").next().unwrap().to_owned()
    };
    let typed = run(&scratch, &[&words[..8], &["--dry-run"]].concat());
    let typed = text(&typed).split("Pauses:").next().unwrap().to_owned();
    assert_eq!(planned(&["run", "race.toml", "--dry-run"]), typed);
    let longer = planned(&["run", "race.toml", "--runs", "4", "--dry-run"]);
    assert!(longer.starts_with("4 blocks of sleep 0.1, sleep 0.2"), "{longer}");
}

/// At a known power, so that joules are known: 50 W for so long as each sleeps.
#[test]
fn a_planted_ratio_is_found_at_a_known_power() {
    let scratch = Scratch::new(&[]);
    let program = energibridge::stand_in(&scratch.at("."), energibridge::Mode::Fine);
    let mut command =
        compare(&scratch, &["sleep 0.3", "sleep 0.6", "-n", "one", "-n", "two", "-r", "2"]);
    command.args(["--repetitions", "1", "--meter", "energibridge", "--energibridge"]).arg(program);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let joules = |folder: &str| {
        let of = |record: &Value| {
            let window = &record["window"];
            let (joules, seconds) =
                (window["total_j"].as_f64().unwrap(), window["seconds"].as_f64().unwrap());
            // Its samples lie up to an interval within the trial.
            assert!((joules / seconds - energibridge::WATTS).abs() < 5.0, "{window}");
            joules
        };
        records(&scratch, folder).iter().map(of).sum::<f64>()
    };
    let ratio = joules("two") / joules("one");
    assert!((1.6..2.2).contains(&ratio), "{ratio}");
    assert!(text(&output).contains("one takes the least energy"), "{}", text(&output));
}
