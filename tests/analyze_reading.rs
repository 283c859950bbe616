//! From folders of CSV files to the table of trials.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use joulerace::analysis::gather::gather;
use joulerace::analysis::scan::{Source, scan};
use joulerace::analysis::{Method, Table};
use joulerace::energy::{Wrapping, account, account_file};
use joulerace::samples;

/// The six machines' files; not there everywhere.
fn machines() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/energibridge");
    if !root.is_dir() {
        eprintln!("skipped: the machines' files are not in {}", root.display());
        return None;
    }
    Some(root)
}

fn table(dir: &Path, method: Method) -> Table {
    let found = scan(dir, &dir.join("analysis")).unwrap();
    Table::of(gather(&found.inputs, found.source), found.source, method, dir)
}

fn number(table: &Table, column: &str, trial: &str) -> f64 {
    let trials = table.text("trial").unwrap();
    let row = trials.iter().position(|t| t.as_deref() == Some(trial)).expect(trial);
    table.number(column).expect(column)[row]
}

fn text(table: &Table, column: &str, trial: &str) -> String {
    let trials = table.text("trial").unwrap();
    let row = trials.iter().position(|t| t.as_deref() == Some(trial)).expect(trial);
    table.text(column).expect(column)[row].clone().unwrap_or_default()
}

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() <= 1e-9 * want.abs().max(1e-9)
}

/// A group's files, seconds and joules.
struct Known {
    folder: &'static str,
    group: &'static str,
    files: usize,
    seconds: f64,
    processor_j: f64,
    /// Cores; `None` where there is no such counter or it is none.
    core_j: Option<f64>,
    gpu_j: f64,
}

/// Sums over each group's files, worked out once with pandas and NumPy and nothing of this program:
/// seconds as last minus first `Time`; counters as last minus first (none of these files' package
/// counters falls); powers with `numpy.trapezoid(power, (Time - Time[0]) / 1000)`; cores as the sum over all
/// `CORE<n>` columns, which on the Windows machines fall every few rows and are no counters.
const KNOWN: [Known; 12] = {
    const fn known(
        folder: &'static str,
        group: &'static str,
        files: usize,
        seconds: f64,
        processor_j: f64,
    ) -> Known {
        Known { folder, group, files, seconds, processor_j, core_j: None, gpu_j: 0.0 }
    }
    const fn cores(known: Known, core_j: f64, gpu_j: f64) -> Known {
        Known { core_j: Some(core_j), gpu_j, ..known }
    }
    let nvidia = "linux-amd-nvidia";
    [
        cores(
            known(nvidia, nvidia, 2, 1298.554, 54_876.243_194_580_08),
            11_069.014_282_226_562,
            416_272.584_530_5,
        ),
        cores(
            known("linux-amd", "chrome", 3, 29.762, 766.635_635_375_976_6),
            52.590_011_596_679_69,
            0.0,
        ),
        cores(known("linux-amd", "idle", 3, 29.762, 655.581_634_521_484_4), 12.415_527_343_75, 0.0),
        known("macos-arm", "chrome", 3, 29.822, 387.764_634_328_842_2),
        known("macos-arm", "idle", 3, 29.862, 340.440_850_868_225_14),
        known("macos-intel", "chrome", 3, 29.793, 536.372_612_751_960_8),
        known("macos-intel", "idle", 3, 29.845, 281.483_342_868_328_1),
        known("windows-amd-ryzen", "jax", 35, 6625.828, 372_625.734_329_223_63),
        known("windows-amd-ryzen", "keras", 40, 1450.022, 91_232.031_539_916_99),
        known("windows-amd-ryzen", "torch", 40, 2123.868, 129_724.937_850_952_15),
        known("windows-amd", "chrome", 3, 29.138, 195.851_104_736_328_12),
        known("windows-amd", "idle", 3, 28.602, 116.297_042_846_679_69),
    ]
};

#[test]
fn six_machines_joules_are_as_worked_out_independently() {
    let Some(root) = machines() else { return };
    for known in &KNOWN {
        let at = format!("{}/{}", known.folder, known.group);
        let table = table(&root.join(known.folder), Method::Joulerace);
        assert!(table.broken.is_empty(), "{at}: {:?}", table.broken);
        let in_group: Vec<usize> = (0..table.trials())
            .filter(|row| table.text("group").unwrap()[*row].as_deref() == Some(known.group))
            .collect();
        assert_eq!(in_group.len(), known.files, "{at}");
        let sum = |column: &str| -> f64 {
            let column = table.number(column).expect(column);
            in_group.iter().map(|row| column[*row]).filter(|v| !v.is_nan()).sum()
        };
        assert!(near(sum("time_s"), known.seconds), "{at}: {} s", sum("time_s"));
        let processor = sum("energy_package_j") + sum("energy_system_j");
        assert!(near(processor, known.processor_j), "{at}: {processor} J");
        assert!(near(sum("energy_gpu_j"), known.gpu_j), "{at}: {} J", sum("energy_gpu_j"));
        assert!(near(sum("energy_j"), known.processor_j + known.gpu_j), "{at}: the total");
        assert!(near(sum("energy_core_j"), known.core_j.unwrap_or(0.0)), "{at}: the cores");
        for row in in_group {
            assert_eq!(table.text("status").unwrap()[row].as_deref(), Some("ok"), "{at}");
            assert_eq!(table.text("meter").unwrap()[row].as_deref(), Some("energibridge"), "{at}");
            let flags = table.text("flags").unwrap()[row].clone().unwrap();
            let mixed = known.folder.starts_with("windows");
            assert_eq!(flags, if mixed { "core-unusable" } else { "" }, "{at}");
        }
    }
}

#[test]
fn one_pass_over_a_file_comes_to_the_same_as_reading_it_whole() {
    let Some(root) = machines() else { return };
    for file in
        ["windows-amd-ryzen/jax/jax_0.csv", "linux-amd-nvidia/vllm_1.csv", "macos-arm/idle/21.csv"]
    {
        let file = root.join(file);
        let whole = account(&samples::read(&file).unwrap(), &[]);
        assert_eq!(account_file(&file, &[], &Wrapping::Infer).unwrap(), whole);
    }
}

#[test]
fn a_real_file_that_is_made_to_wrap_keeps_its_joules() {
    let Some(root) = machines() else { return };
    let original = root.join("windows-amd-ryzen/jax/jax_0.csv");
    let want = account_file(&original, &[], &Wrapping::Infer).unwrap().whole.total_j;
    let source = fs::read_to_string(&original).unwrap();
    let column =
        source.lines().next().unwrap().split(',').position(|n| n == "CPU_ENERGY (J)").unwrap();
    // From 34,902 J to 45,516 J: 25,000 J further on it passes 65,536 J.
    let shifted: String = source.lines().fold(String::new(), |mut all, line| {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        if let Ok(joules) = fields[column].parse::<f64>() {
            fields[column] = ((joules + 25_000.0) % 65_536.0).to_string();
        }
        writeln!(all, "{}", fields.join(",")).unwrap();
        all
    });
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("jax")).unwrap();
    fs::write(dir.path().join("jax/jax_0.csv"), shifted).unwrap();
    let table = table(dir.path(), Method::Joulerace);
    assert!(near(number(&table, "energy_j", "jax_0"), want));
    assert_eq!(number(&table, "wraps", "jax_0"), 1.0);
    assert_eq!(number(&table, "wrap_range_j", "jax_0"), 65_536.0);
    assert_eq!(text(&table, "status", "jax_0"), "ok");
    assert!(text(&table, "flags", "jax_0").contains("wrap"));
    // The published recipe sees a negative energy and drops it.
    assert!(near(number(&table, "published_energy_j", "jax_0"), want - 65_536.0));
}

/// A folder of made files: `group/name.csv` with a counter at these readings, 200 ms apart.
fn made(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (file, content) in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn counter(readings: &[f64]) -> String {
    let mut text = "Delta,Time,CPU_ENERGY (J)\n".to_owned();
    for (i, joules) in readings.iter().enumerate() {
        writeln!(text, "200,{},{joules}", 1_740_000_000_000u64 + 200 * i as u64).unwrap();
    }
    text
}

#[test]
fn broken_files_are_listed_with_row_and_reason_and_do_not_stop_the_rest() {
    let good = counter(&[5.0, 15.0, 25.0]);
    let broken = [
        ("empty", String::new(), None, "empty"),
        ("header", "Delta,Time,CPU_ENERGY (J)\n".into(), None, "no sample"),
        ("single", counter(&[5.0]), None, "one sample"),
        ("cut", format!("{good}200,17400"), Some(5), "cut"),
        ("text", good.replace(",15", ",fifteen"), Some(3), "'fifteen' in 'CPU_ENERGY (J)'"),
        ("nan", good.replace(",15", ",NaN"), Some(3), "not a finite number"),
        ("hole", good.replace(",15", ","), Some(3), "is empty"),
        ("back", format!("{good}200,1700000000000,35\n"), Some(5), "time runs backwards"),
        ("column", good.replace("CPU_ENERGY (J)", "CPU_USAGE_0"), Some(1), "no energy column"),
        ("time", good.replace("Time", "When"), Some(1), "no column 'Time'"),
        ("binary", "\u{0}\u{1}\u{2}\n\u{3}".into(), Some(1), "no column 'Time'"),
    ];
    let mut files =
        vec![("ok/ok_0.csv".to_owned(), good), ("ok/ok_1.csv".to_owned(), counter(&[1.0, 2.0]))];
    for (i, (kind, content, ..)) in broken.iter().enumerate() {
        files.push((format!("bad/{kind}_{i}.csv"), content.clone()));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(f, c)| (f.as_str(), c.as_str())).collect();
    let table = table(made(&files).path(), Method::Joulerace);
    assert_eq!(table.trials(), broken.len() + 2);
    assert!(near(number(&table, "energy_j", "ok_0"), 20.0));
    assert_eq!(text(&table, "status", "ok_1"), "ok");
    for (i, (kind, _, row, why)) in broken.iter().enumerate() {
        let trial = format!("{kind}_{i}");
        let listed = table.broken.iter().find(|b| b.file.contains(&trial)).expect(&trial);
        assert_eq!(listed.row, *row, "{trial}: {}", listed.reason);
        assert!(listed.reason.contains(why), "{trial}: {}", listed.reason);
        assert_eq!(text(&table, "status", &trial), "excluded");
        let reason = text(&table, "reason", &trial);
        assert!(reason.contains(why), "{reason}");
        assert!(row.is_none_or(|row| reason.contains(&format!("row {row}"))), "{reason}");
        assert!(number(&table, "energy_j", &trial).is_nan());
    }
}

#[test]
fn a_reset_makes_the_trial_invalid_but_for_the_published_recipe() {
    let readings: Vec<f64> = (0..20).map(|i| 40_000.5 + 10.0 * f64::from(i)).collect();
    let reset: Vec<f64> =
        readings.iter().enumerate().map(|(i, v)| if i < 12 { *v } else { v - 40_100.0 }).collect();
    let dir = made(&[("a/a_0.csv", &counter(&reset)), ("a/a_1.csv", &counter(&readings))]);
    let ours = table(dir.path(), Method::Joulerace);
    assert_eq!(text(&ours, "status", "a_0"), "invalid");
    assert!(text(&ours, "reason", "a_0").contains("row 14"), "{}", text(&ours, "reason", "a_0"));
    assert_eq!(text(&ours, "flags", "a_0"), "reset");
    assert!(number(&ours, "energy_j", "a_0").is_nan());
    assert!(near(number(&ours, "energy_j", "a_1"), 190.0));
    let published = table(dir.path(), Method::Published);
    assert_eq!(text(&published, "status", "a_0"), "ok");
    assert!(near(number(&published, "published_energy_j", "a_0"), 190.0 - 40_100.0));
    assert!(near(number(&published, "published_time_s", "a_0"), 3.8));
}

/// An experiment of four trials: one that is whole, one that failed, one whose phases do not all end, and one
/// whose record is broken.
fn experiment() -> tempfile::TempDir {
    let readings: Vec<f64> = (0..51).map(|i| 10.0 * f64::from(i)).collect();
    let mark = |phase: &str, edge: &str, ms: u64| {
        let ns = (1_740_000_000_000 + ms) * 1_000_000;
        format!(r#"{{"phase":"{phase}","edge":"{edge}","unix_ns":{ns}}}"#)
    };
    let marks: Vec<String> = [("data", 0, 1000), ("build", 1000, 2000), ("train", 2000, 8000)]
        .iter()
        .chain(&[("evaluate", 8000, 9100)])
        .flat_map(|(phase, from, to)| [mark(phase, "begin", *from), mark(phase, "end", *to)])
        .collect();
    let record = format!(
        r#"{{"status":"ok","block":4,"position":2,"run_order":13,"predecessor":"jax","meter":"rapl",
            "flags":["interference"],"accuracy":0.98,"loss":0.05,"idle_w":20,"marks":[{}],"else":1,
            "attempt":2,"cpu_seconds":16.2,"sampler":{{"cpu_seconds":0.25,"missed":3,"meter":"rapl"}},
            "interference":{{"seconds":10,"other_cores":0.5,"celsius_max":71.5,"mhz_mean":3400,"new":1}},
            "cooldown":{{"seconds":30,"watts":21.5,"reached_idle":false}}}}"#,
        marks.join(",")
    );
    let unfinished = format!(r#"{{"status":"ok","marks":[{}]}}"#, marks[..4].join(","));
    made(&[
        ("experiment.json", "{}"),
        ("trials.csv", "trial\n"),
        ("torch/torch_0.csv", &counter(&readings)),
        ("torch/torch_0.json", &record),
        ("torch/torch_1.json", r#"{"status":"failed","reason":"the script raised ValueError"}"#),
        ("torch/torch_2.csv", &counter(&readings)),
        ("torch/torch_2.json", &unfinished),
        ("torch/torch_3.csv", &counter(&readings)),
        ("torch/torch_3.json", "{"),
    ])
}

#[test]
fn an_experiments_trials_take_window_phases_and_fate_from_their_records() {
    let dir = experiment();
    assert_eq!(scan(dir.path(), Path::new("x")).unwrap().source, Source::Experiment);
    let table = table(dir.path(), Method::Joulerace);
    // 8.1 s of build, train and evaluate at 50 W, out of 10 s.
    assert!(near(number(&table, "time_s", "torch_0"), 8.1));
    assert!(near(number(&table, "energy_j", "torch_0"), 405.0));
    assert!(near(number(&table, "trial_energy_j", "torch_0"), 500.0));
    assert!(near(number(&table, "above_idle_j", "torch_0"), 405.0 - 20.0 * 8.1));
    assert!(near(number(&table, "phase_data_j", "torch_0"), 50.0));
    assert!(near(number(&table, "phase_evaluate_s", "torch_0"), 1.1));
    for (column, want) in
        [("block", 4.0), ("position", 2.0), ("run_order", 13.0), ("accuracy", 0.98)]
    {
        assert_eq!(number(&table, column, "torch_0"), want, "{column}");
    }
    for (column, want) in [
        ("attempt", 2.0),
        ("idle_w", 20.0),
        ("trial_cpu_s", 16.2),
        ("meter_cpu_s", 0.25),
        ("missed_samples", 3.0),
        ("other_cores", 0.5),
        ("mhz_mean", 3400.0),
        ("celsius_max", 71.5),
        ("cooldown_s", 30.0),
        ("cooldown_w", 21.5),
        ("cooldown_reached_idle", 0.0),
    ] {
        assert_eq!(number(&table, column, "torch_0"), want, "{column}");
    }
    assert!(number(&table, "other_cores", "torch_2").is_nan(), "a record may lack all of it");
    assert!(table.number("steal_s").is_none(), "a column that no trial knows is left out");
    assert_eq!(text(&table, "flags", "torch_0"), "interference");
    assert_eq!(text(&table, "meter", "torch_0"), "rapl");
    assert_eq!(text(&table, "status", "torch_1"), "failed");
    assert_eq!(text(&table, "reason", "torch_1"), "the script raised ValueError");
    assert_eq!(text(&table, "status", "torch_2"), "invalid");
    assert_eq!(text(&table, "status", "torch_3"), "excluded");
}

#[test]
fn trials_csv_holds_a_row_per_trial_and_reads_back() {
    let dir = made(&[("a/a_0.csv", &counter(&[1.0, 3.5, 6.0])), ("b/b_0.csv", "")]);
    let table = table(dir.path(), Method::Joulerace);
    let path = dir.path().join("trials.csv");
    table.write_csv(&path).unwrap();
    let mut csv = csv::Reader::from_path(&path).unwrap();
    let header = csv.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let cell = |row: usize, column: &str| {
        rows[row][header.iter().position(|h| h == column).expect(column)].to_owned()
    };
    assert_eq!(rows.len(), 2);
    assert_eq!(cell(0, "energy_j"), "5");
    assert_eq!(cell(0, "accuracy"), "", "what is unknown is empty");
    assert_eq!((cell(1, "status").as_str(), cell(1, "energy_j").as_str()), ("excluded", ""));
    assert_eq!(cell(1, "reason"), text(&table, "reason", "b_0"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "no temporary file is left");
}

#[test]
fn a_row_by_itself_is_the_tables_line() {
    let dir = made(&[("a/a_0.csv", &counter(&[1.0, 3.5, 6.0])), ("b/b, c_0.csv", "")]);
    let table = table(dir.path(), Method::Joulerace);
    let path = dir.path().join("trials.csv");
    table.write_csv(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let columns = table.columns();
    for (row, line) in text.lines().skip(1).enumerate() {
        let own = String::from_utf8(table.row(row, &columns).unwrap()).unwrap();
        assert_eq!(own.trim_end(), line);
    }
    let some = ["reason", "nobody", "trial"].map(str::to_owned);
    let own = String::from_utf8(table.row(0, &some).unwrap()).unwrap();
    assert_eq!(own, ",,a_0\n", "what it does not have is empty");
}
