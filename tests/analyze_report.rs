//! `joulerace analyze` from a folder of CSV files to the report, and what bad input gets.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

/// 200 ms between samples.
fn samples(start_s: u64, watts: f64, seconds: u64, first_j: f64, range_j: f64) -> String {
    let mut text = "Delta,Time,CPU_ENERGY (J),CPU_USAGE_0\n".to_owned();
    for i in 0..=5 * seconds {
        // A multiple of 2^-16 J, as the register counts.
        let joules = ((first_j + watts * 0.2 * i as f64) * 65_536.0).round() / 65_536.0 % range_j;
        writeln!(text, "200,{},{joules},50", (1_740_000_000 + start_s) * 1000 + 200 * i).unwrap();
    }
    text
}

/// Eight blocks of two groups: `a` at about 20 W for 10 s, `b` at about 30 W for 12 s. In block 3 the
/// counter of `b` wraps; one more file of `a` is broken.
fn study() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (group, watts, seconds) in [("a", 20.0, 10), ("b", 30.0, 12)] {
        fs::create_dir(dir.path().join(group)).unwrap();
        for block in 0..8u64 {
            let at = 100 * block + if (group == "a") == (block % 2 == 0) { 0 } else { 40 };
            let watts = watts + [0.1, -0.2, 0.3, 0.0, -0.1, 0.25, -0.3, 0.05][block as usize];
            let first = if group == "b" && block == 3 { 65_400.0 } else { 1_000.0 };
            let text = samples(at, watts, seconds, first, 65_536.0);
            fs::write(dir.path().join(format!("{group}/{group}_{block}.csv")), text).unwrap();
        }
    }
    fs::write(dir.path().join("a/a_8.csv"), "Delta,Time,CPU_ENERGY (J)\n0,1,2\n1,2,x\n").unwrap();
    dir
}

fn analyze(dir: &Path, arguments: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("joulerace")
        .unwrap()
        .arg("analyze")
        .arg(dir)
        .args(arguments)
        .output()
        .unwrap()
}

/// The cell of the first row in which `when` holds.
fn cell(csv: &Path, when: &[(&str, &str)], column: &str) -> String {
    let mut csv = csv::Reader::from_path(csv).unwrap();
    let header = csv.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|h| h == name).expect(name);
    let row = csv
        .records()
        .map(Result::unwrap)
        .find(|row| when.iter().all(|(name, value)| &row[at(name)] == *value))
        .unwrap_or_else(|| panic!("no row with {when:?}"));
    row[at(column)].to_owned()
}

#[test]
fn a_folder_becomes_tables_and_a_report() {
    let dir = study();
    let done = analyze(dir.path(), &[]);
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}{err}");
    assert!(out.contains("a_8.csv") && out.contains("row 3"), "the broken file is told: {out}");
    let results = dir.path().join("analysis");
    for file in
        ["trials.csv", "groups.csv", "pairs.csv", "summary.json", "report.html", "report.md"]
    {
        assert!(results.join(file).metadata().is_ok_and(|m| m.len() > 100), "{file}");
    }
    let trials = results.join("trials.csv");
    let energy: f64 = cell(&trials, &[("trial", "b_3")], "energy_j").parse().unwrap();
    assert!((energy - 360.0).abs() < 1e-3, "the wrap is undone: {energy} J");
    assert_eq!(cell(&trials, &[("trial", "a_8")], "status"), "excluded");

    let groups = results.join("groups.csv");
    let energy = |group: &'static str| [("group", group), ("metric", "energy_j")];
    // The eight offsets sum to 0.1 W: 20.0125 W over 10 s, 30.0125 W over 12 s.
    let mean: f64 = cell(&groups, &energy("a"), "mean").parse().unwrap();
    assert!((mean - 200.125).abs() < 1e-3, "{mean} J");
    let mean: f64 = cell(&groups, &energy("b"), "mean").parse().unwrap();
    assert!((mean - 360.15).abs() < 1e-3, "{mean} J");
    assert_eq!(cell(&groups, &energy("b"), "n"), "8");

    let published = format!("--output={}", dir.path().join("published").display());
    let again = analyze(dir.path(), &["--method=published", &published]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let groups = dir.path().join("published/groups.csv");
    assert_eq!(cell(&groups, &energy("b"), "n"), "7", "the recipe drops the wrapped trial");
}

#[test]
fn flags_that_do_not_fit_are_named_and_leave_nothing_behind() {
    let dir = study();
    for (flag, says) in [
        ("--base=nobody", "--base"),
        ("--carbon-intensity=XX", "--carbon-intensity"),
        ("--price-per-kwh=-0.1", "--price-per-kwh"),
    ] {
        let done = analyze(dir.path(), &[flag]);
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && err.contains(says), "{flag}: {err}");
        assert!(!dir.path().join("analysis").exists(), "{flag} left something behind");
    }
}

#[test]
fn a_folder_without_anything_usable_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let done = analyze(dir.path(), &[]);
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && err.contains("holds no trials"), "{err}");
    fs::create_dir(dir.path().join("a")).unwrap();
    fs::write(dir.path().join("a/a_0.csv"), "").unwrap();
    let done = analyze(dir.path(), &[]);
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && err.contains("a_0.csv: the file is empty"), "{err}");
    let done = analyze(&dir.path().join("nowhere"), &[]);
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && err.contains("nowhere cannot be read"), "{err}");
}
