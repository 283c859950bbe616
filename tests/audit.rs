//! Tables of results with a run in each row: what they are read as, and what an audit says of them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use joulerace::analysis::scan::{Search, scan_with};
use joulerace::analysis::{AnalyzeSettings, Study, study};

fn read(path: &Path, columns: &str) -> Result<Study, String> {
    let mut settings = AnalyzeSettings::new(path, "python");
    settings.search = Search { columns: columns.parse()?, ..Search::default() };
    let found = scan_with(path, &settings.output(), &settings.search);
    study(&settings, &found.map_err(|e| e.to_string())?, &|_| {})
}

fn texts(study: &Study, column: &str) -> Vec<String> {
    let cells = study.table.text(column).unwrap_or_else(|| panic!("no {column}"));
    cells.iter().map(|c| c.clone().unwrap_or_default()).collect()
}

fn numbers(study: &Study, column: &str) -> Vec<f64> {
    study.table.number(column).unwrap_or_else(|| panic!("no {column}")).to_vec()
}

fn put(dir: &Path, file: &str, content: &str) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

const OLD: &str = "timestamp,project_name,run_id,duration,emissions,cpu_power,gpu_power,ram_power,cpu_energy,\
    gpu_energy,ram_energy,energy_consumed,codecarbon_version,cpu_model,gpu_count,tracking_mode";

#[test]
fn codecarbon_of_both_kinds_is_read_together_in_joules_with_what_measured() {
    let dir = tempfile::tempdir().unwrap();
    // 1e-5 kWh is 36 J.
    put(
        dir.path(),
        "java/emissions.csv",
        &format!(
            "{OLD}\n2025-03-01T10:00:20,p,r1,20,1,40,0,2,1e-5,0,1e-6,1.1e-5,2.8.1,Xeon,,machine\n\
             2025-03-01T10:05:20,p,r2,20,1,41,0,2,2e-5,0,,2e-5,2.8.1,Xeon,,machine\n"
        ),
    );
    let new = OLD.replace("energy_consumed,", "energy_consumed,water_consumed,");
    put(
        dir.path(),
        "go/emissions.csv",
        &format!(
            "{new}\n2025-03-01T10:10:10,p,r3,10,1,39,70,10,3e-5,2e-5,1e-6,5.1e-5,0,3.0.4,Xeon,1,process\n"
        ),
    );
    let found = read(dir.path(), "").unwrap();
    assert_eq!(texts(&found, "group"), ["go", "java", "java"]);
    assert_eq!(texts(&found, "tool"), ["CodeCarbon"; 3]);
    assert_eq!(texts(&found, "tool_version"), ["3.0.4", "2.8.1", "2.8.1"]);
    assert_eq!(texts(&found, "tracking"), ["process", "machine", "machine"]);
    let near = |found: Vec<f64>, wanted: [f64; 3]| {
        for (found, wanted) in found.iter().zip(wanted) {
            let both_unknown = found.is_nan() && wanted.is_nan();
            assert!(both_unknown || (found - wanted).abs() < 1e-9, "{found} is not {wanted}");
        }
    };
    near(numbers(&found, "table_energy_j"), [183.6, 39.6, 72.0]);
    near(numbers(&found, "energy_package_j"), [108.0, 36.0, 72.0]);
    near(numbers(&found, "energy_dram_j"), [3.6, 3.6, f64::NAN]);
    near(numbers(&found, "energy_gpu_j"), [72.0, f64::NAN, f64::NAN]);
    near(numbers(&found, "stated_package_w"), [39.0, 40.0, 41.0]);
    // The time stamp is a run's end: 2025-03-01T10:00:20Z is 1740823220.
    near(numbers(&found, "start_unix_s"), [1_740_823_800.0, 1_740_823_200.0, 1_740_823_500.0]);
    assert_eq!(found.told.domains.split(',').next(), Some("Compared: package"));
}

#[test]
fn rows_that_codecarbon_wrote_along_the_way_are_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let row = |id: &str, s: u32| {
        format!("2025-03-01T10:00:{s},p,{id},{s},1,40,0,2,{s}e-6,0,0,{s}e-6,2.8.1,X,,machine\n")
    };
    let rows = [row("r1", 10), row("r1", 20), row("r1", 30), row("r2", 15)].concat();
    put(dir.path(), "emissions.csv", &format!("{OLD}\n{rows}"));
    let found = read(&dir.path().join("emissions.csv"), "").unwrap();
    assert_eq!(numbers(&found, "time_s"), [30.0, 15.0]);
    let passed_over = serde_json::to_value(&found.decided).unwrap()["ignored"][0]["count"].clone();
    assert_eq!(passed_over, 2);
}

#[test]
fn experiment_runners_factors_are_groups_and_what_did_not_end_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut table =
        "__run_id,__done,language,size,codecarbon__energy_consumed,powerjoular__energy,run_time\n"
            .to_owned();
    for n in 0..12 {
        let (language, size) = (["c", "go"][n % 2], ["s", "l"][n / 2 % 2]);
        // experiment-runner's own word for a run that did not end.
        let done = if n == 11 { "TODO" } else { "DONE" };
        let id = format!("run_{}_repetition_{}", n % 4, n / 4);
        writeln!(table, "{id},{done},{language},{size},1e-5,{},2.5", 30 + n).unwrap();
    }
    put(dir.path(), "run_table.csv", &table);
    let found = read(dir.path(), "").unwrap();
    assert_eq!((found.told.groups, found.told.trials, found.told.usable), (4, 12, 11));
    let mut groups = texts(&found, "group");
    groups.dedup();
    assert_eq!(groups, ["c l", "c s", "go l", "go s"]);
    assert_eq!(numbers(&found, "energy_j")[0], 1e-5 * 3.6e6);
    let other = numbers(&found, "other_powerjoular__energy");
    assert_eq!(other.iter().sum::<f64>(), (30..42).sum::<i32>() as f64);
    // Repetitions ran one after the other, so they are blocks.
    assert_eq!(texts(&found, "table_block").iter().filter(|b| *b == "2").count(), 4);
    let by_language = read(dir.path(), "group=language,block=size").unwrap();
    assert_eq!(by_language.told.groups, 2);
}

#[test]
fn any_table_is_read_by_its_names_or_as_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("runs.csv");
    let mut table = "lang;what;Verbrauch;secs\n".to_owned();
    for n in 0..8 {
        writeln!(table, "{};x;1,{n};{}", ["a", "b"][n % 2], 10 + n).unwrap();
    }
    fs::write(&file, &table).unwrap();
    let told = "group=lang,energy=Verbrauch,unit=Wh,time=secs";
    let found = read(&file, told).unwrap();
    assert_eq!(numbers(&found, "energy_j")[1], 1.2 * 3600.0);
    assert_eq!(numbers(&found, "time_s")[..2], [10.0, 12.0]);
    let lacking = read(&file, "group=lang").err().expect("no energy is found");
    assert!(lacking.contains("energy=COLUMN") && lacking.contains("Verbrauch"), "{lacking}");
    let wrong = read(&file, "group=nothing,energy=Verbrauch").err().expect("there is none");
    assert!(wrong.contains("group=nothing") && wrong.contains("lang, what"), "{wrong}");
    // Milliseconds and millijoules by name; what no cell tells stays unknown.
    let named = "framework,cpu_energy_mJ,runtime_ms\na,500,\na,750,30\nb,,40\nb,900,40\n";
    fs::write(&file, named).unwrap();
    let found = read(&file, "").unwrap();
    let energy = numbers(&found, "energy_package_j");
    assert_eq!(energy[..2], [0.5, 0.75]);
    assert!(energy[2].is_nan() && numbers(&found, "time_s")[0].is_nan());
    assert_eq!((numbers(&found, "time_s")[1], found.told.usable), (0.03, 3));
}

#[test]
fn samples_go_before_tables_and_an_audits_own_files_are_no_tables() {
    let dir = tempfile::tempdir().unwrap();
    let table = "group,energy,time\na,1,2\na,2,2\nb,3,2\nb,4,2\n";
    put(dir.path(), "runs.csv", table);
    put(dir.path(), "audit/trials.csv", table);
    put(dir.path(), "audit/audit.json", "{}");
    put(dir.path(), "audit/audit.html", "");
    assert_eq!(read(dir.path(), "").unwrap().told.trials, 4);
    let samples = "Delta,Time,CPU_ENERGY (J)\n200,1700000000000,1\n200,1700000000200,2\n";
    put(dir.path(), "a/a_1.csv", samples);
    assert_eq!(read(dir.path(), "").unwrap().told.trials, 1);
}

/// Noise of a fixed kind, around 1.
fn noise(n: usize, k: usize, size: f64) -> f64 {
    let unit = |m: usize| ((m.wrapping_mul(2_654_435_761) >> 7) % 10_007) as f64 / 10_007.0;
    let sum: f64 = (0..6).map(|i| unit(n * 31 + k * 7919 + i * 104_729 + 17)).sum();
    1.0 + size * (sum - 3.0) * 1.4
}

/// Six languages, twelve runs each, in random order. With `faults`, the processor's power is 42.5 W for
/// five of them, the memory 20 W for all, and a third of the runs are of another version.
fn languages(faults: bool) -> String {
    let mut table = format!("{OLD},language\n");
    let names = ["c", "cpp", "go", "java", "js", "python"];
    for place in 0..72 {
        let n = place * 29 % 72;
        let language = n % 6;
        let seconds = [20.0, 21.0, 25.0, 31.0, 44.0, 90.0][language] * noise(n, 1, 0.05);
        let constant = faults && language < 5;
        let cpu = if constant { 42.5 } else { 38.0 * noise(n, 2, 0.06) };
        let ram = if faults { 20.0 } else { 4.0 * noise(n, 3, 0.06) };
        let version = if faults && place % 3 == 0 { "3.0.4" } else { "2.8.1" };
        let kwh = |watts: f64| watts * seconds / 3.6e6;
        let at = jiff::Timestamp::from_second(1_740_000_000 + 200 * place as i64).unwrap();
        writeln!(
            table,
            "{at},p,r{n},{seconds},1,{cpu},0,{ram},{},0,{},{},{version},Xeon,,machine,{}",
            kwh(cpu),
            kwh(ram),
            kwh(cpu + ram),
            names[language]
        )
        .unwrap();
    }
    table
}

fn audit(path: &Path, arguments: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("joulerace")
        .unwrap()
        .env("COLUMNS", "80")
        .arg("audit")
        .arg(path)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn what_was_planted_is_found_by_the_program_and_its_status_tells_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("emissions.csv");
    fs::write(&file, languages(true)).unwrap();
    let output = audit(&file, &["--json", "--strict"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(output.status.code(), Some(12));
    let list = told["findings"].as_array().unwrap();
    let found: Vec<(&str, u64)> =
        list.iter().map(|f| (f["kind"].as_str().unwrap(), f["trials"].as_u64().unwrap())).collect();
    for wanted in
        [("estimate", 60), ("estimate", 72), ("constant-in-some", 60), ("mixed-tool-version", 24)]
    {
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}");
    }
    assert!(list.iter().any(|f| f["evidence"].as_str().unwrap().contains("42.5 W in c, cpp, go")));
    let folder = dir.path().join("emissions-audit");
    assert!(folder.join("audit.html").is_file() && folder.join("trials.csv").is_file());
    // The columns that were guessed are shown before anything that was found.
    let output = audit(&file, &[]);
    let text = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
    let (guess, finding) = (text.find("group=language"), text.find("constant power"));
    assert!(guess.is_some() && guess < finding && output.status.success(), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_clean_table_gives_no_finding_and_is_compared_like_any_trials() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("emissions.csv");
    fs::write(&file, languages(false)).unwrap();
    let output = audit(&file, &["--strict", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["findings"], serde_json::json!([]));
    assert_eq!((output.status.code(), told["trials"]["all"].as_u64()), (Some(0), Some(72)));
    let output = assert_cmd::Command::cargo_bin("joulerace")
        .unwrap()
        .args(["analyze", "--quiet"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = fs::read(dir.path().join("emissions-analysis/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["trials"]["usable"], 72);
}
