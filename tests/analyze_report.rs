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

    // Terminal, tables and summary count alike: sixteen trials, and one whose file is broken.
    assert!(out.contains("17 trials read: 16 usable, 1 not"), "{out}");
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(results.join("summary.json")).unwrap()).unwrap();
    let counted = |name: &str| summary["trials"][name].as_u64();
    assert_eq!((counted("all"), counted("usable")), (Some(17), Some(16)));
    let rows = fs::read_to_string(&trials).unwrap();
    assert_eq!(rows.lines().filter(|row| row.contains(",ok,")).count(), 16);

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

/// Metric, pair, number of values, and what SciPy gives: `scipy.stats.mannwhitneyu(a, b,
/// alternative="two-sided")` and the change of the mean in per cent. Worked out once with pandas,
/// NumPy and SciPy from the files alone, by the recipe: last minus first reading, values beyond 3
/// population standard deviations dropped, Shapiro-Wilk (which no group passes).
const PUBLISHED: [(&str, &str, &str, &str, f64, f64, f64); 12] = [
    ("energy_j", "keras", "torch", "80", 0.0, 1.435085306393668e-14, 42.192315200383625),
    ("energy_j", "keras", "jax", "75", 0.0, 1.0974523199407617e-13, 366.78559591673076),
    ("energy_j", "torch", "jax", "75", 0.0, 1.0974523199407617e-13, 228.27765358410267),
    ("time_s", "keras", "torch", "80", 0.0, 1.431043465585207e-14, 46.47143284722577),
    ("time_s", "keras", "jax", "75", 0.0, 1.0965760742430788e-13, 422.2248253573295),
    ("time_s", "torch", "jax", "75", 0.0, 1.0948255331253563e-13, 256.5369814481341),
    ("power_w", "keras", "torch", "80", 1228.0, 3.895012892950288e-05, -2.994378261860142),
    ("power_w", "keras", "jax", "74", 1360.0, 1.7035652146202228e-13, -10.854041027463623),
    ("power_w", "torch", "jax", "74", 1360.0, 1.7035652146202228e-13, -8.10227554318461),
    ("edp_js", "keras", "torch", "80", 0.0, 1.435085306393668e-14, 108.5064430888662),
    ("edp_js", "keras", "jax", "75", 0.0, 1.0974523199407617e-13, 2335.9407576798935),
    ("edp_js", "torch", "jax", "75", 0.0, 1.0974523199407617e-13, 1068.2808078221767),
];

#[test]
fn the_published_recipe_on_a_studys_real_files_gives_scipys_numbers() {
    let study =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/energibridge/windows-amd-ryzen");
    if !study.is_dir() {
        eprintln!("skipped: there is no {}", study.display());
        return;
    }
    let output = tempfile::tempdir().unwrap();
    let into = format!("--output={}", output.path().display());
    let done = analyze(&study, &["--method=published", &into]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let pairs = output.path().join("pairs.csv");
    for (metric, a, b, n, statistic, p, change) in PUBLISHED {
        let row = [("metric", metric), ("a", a), ("b", b)];
        assert_eq!(cell(&pairs, &row, "test"), "mann-whitney", "{row:?}");
        assert_eq!(cell(&pairs, &row, "n"), n, "{row:?}");
        for (column, want) in [("statistic", statistic), ("p", p), ("pct_change", change)] {
            let got: f64 = cell(&pairs, &row, column).parse().unwrap();
            assert!((got - want).abs() <= 1e-9 * want.abs(), "{row:?} {column}: {got}, not {want}");
        }
    }
}

#[test]
fn flags_that_do_not_fit_are_named_and_leave_nothing_behind() {
    let dir = study();
    for (flag, says) in [
        ("--base=nobody", "--base"),
        ("--carbon-intensity=XX", "--carbon-intensity"),
        ("--price-per-kwh=-0.1", "--price-per-kwh"),
        ("--runs-per-year=nan", "--runs-per-year"),
        ("--carbon-intensity=-5", "--carbon-intensity"),
        ("--currency=", "--currency"),
        ("--method=guess", "--method"),
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
    fs::create_dir_all(dir.path().join("race/torch")).unwrap();
    fs::write(dir.path().join("race/torch/torch_0.csv"), "").unwrap();
    let done = analyze(dir.path(), &[]);
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(10));
    assert!(err.contains("none of the 1 trials"), "{err}");
    assert!(err.contains("race/torch/torch_0.csv: the file is empty"), "{err}");
    let summary = fs::read(dir.path().join("analysis/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["trials"]["all"], 1);
    assert_eq!(summary["trials"]["usable"], 0);
    fs::remove_dir_all(dir.path().join("analysis")).unwrap();
    // Frozen for its whole length: read well, and still nothing was measured.
    let still = "Delta,Time,CPU_ENERGY (J)\n".to_owned()
        + &(0..40)
            .map(|i| format!("200,{},90\n", 1_740_000_000_000u64 + 200 * i))
            .collect::<String>();
    fs::write(dir.path().join("race/torch/torch_0.csv"), &still).unwrap();
    fs::write(dir.path().join("race/torch/torch_1.csv"), still.replace(",90", ",91")).unwrap();
    let done = analyze(dir.path(), &[]);
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(10), "{err}");
    assert!(err.contains("none of the 2 trials") && err.contains("nothing was measured"), "{err}");
    let done = analyze(&dir.path().join("nowhere"), &[]);
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && err.contains("nowhere cannot be read"), "{err}");
}
