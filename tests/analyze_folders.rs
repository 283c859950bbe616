//! Folders as people keep them: which files are trials of which group, which trials form a block, and what
//! is compared.

use joulerace::Remedy as _;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use joulerace::analysis::pairing::{Asked, How};
use joulerace::analysis::scan::{Search, scan_with};
use joulerace::analysis::{AnalyzeSettings, Study, study};

/// When the first trial of a folder begins, Unix seconds.
const BEGIN: u64 = 1_760_000_000;

/// A column and its power in watts: a counter where its name says energy.
type Column<'a> = (&'a str, f64);

/// Samples every 250 ms for 5 s.
fn samples(begin_s: u64, columns: &[Column<'_>]) -> String {
    let names: Vec<&str> = columns.iter().map(|c| c.0).collect();
    let mut text = format!("Delta,Time,{}\n", names.join(","));
    for i in 0..=20u64 {
        write!(text, "250,{}", begin_s * 1000 + 250 * i).unwrap();
        for (name, watts) in columns {
            let t = 0.25 * i as f64;
            // A power flickers, as every sensor's last digit does.
            let flicker = if i % 2 == 0 { 0.01 } else { -0.01 };
            let value = if name.contains("ENERGY") { 700.0 + watts * t } else { watts + flicker };
            write!(text, ",{value}").unwrap();
        }
        text.push('\n');
    }
    text
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn put(&self, file: &str, content: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A trial of the package at some watts, the `n`-th of the folder: one begins every 15 s.
    fn trial(&self, n: u64, file: &str, watts: f64) {
        self.put(file, &samples(BEGIN + 15 * n, &[("PACKAGE_ENERGY (J)", watts)]));
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn study(&self, set: impl FnOnce(&mut AnalyzeSettings)) -> Result<Study, String> {
        let mut settings = AnalyzeSettings::new(self.path(), "python");
        set(&mut settings);
        let found = scan_with(self.path(), &settings.output(), &settings.search);
        study(&settings, &found.map_err(|e| e.in_full())?, &|_| {})
    }

    fn plain(&self) -> Study {
        self.study(|_| {}).unwrap()
    }
}

/// Group, block and energy of every row.
fn rows(study: &Study) -> Vec<(String, Option<u64>, f64)> {
    let groups = study.table.text("group").unwrap();
    let (blocks, energy) = (study.table.number("block").unwrap(), study.table.number("energy_j"));
    let block = |n: f64| n.is_finite().then_some(n as u64);
    (0..study.table.trials())
        .map(|row| (groups[row].clone().unwrap(), block(blocks[row]), energy.unwrap()[row]))
        .collect()
}

/// The blocks with how many trials each has.
fn blocks(study: &Study) -> Vec<(u64, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for block in rows(study).into_iter().filter_map(|row| row.1) {
        *counts.entry(block).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn groups(study: &Study) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for (group, ..) in rows(study) {
        *counts.entry(group).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn how(study: &Study) -> String {
    decided(study)["pairing"]["how"].as_str().unwrap().to_owned()
}

fn owned(list: &[(&str, usize)]) -> Vec<(String, usize)> {
    list.iter().map(|(group, n)| ((*group).to_owned(), *n)).collect()
}

/// What Python is told.
fn decided(study: &Study) -> serde_json::Value {
    serde_json::to_value(&study.decided).unwrap()
}

#[test]
fn numbers_that_run_through_both_groups_pair_nothing() {
    let folder = Folder::new();
    // Twenty runs in the order of their numbers; 4, 11 and 17 were run in both groups, far apart.
    for n in 1..=20u64 {
        let group = if [1, 4, 5, 8, 9, 11, 12, 16, 17, 20].contains(&n) { "x" } else { "y" };
        folder.trial(n, &format!("{group}/run_{n}.csv"), 20.0 + 0.1 * n as f64);
    }
    for (again, n) in [(40, 4), (45, 11), (50, 17)] {
        folder.trial(again, &format!("y/run_{n}.csv"), 23.0);
    }
    let found = folder.plain();
    assert_eq!(how(&found), "none", "{}", found.told.pairing);
    assert!(blocks(&found).is_empty());
    assert_eq!(groups(&found), owned(&[("x", 10), ("y", 13)]));
    assert!(found.told.pairing.contains("0 of the 3 numbers"), "{}", found.told.pairing);
    let forced = folder.study(|s| s.pairing = Asked::Number).unwrap();
    assert_eq!(how(&forced), "number");
    assert_eq!(blocks(&forced).iter().filter(|b| b.1 == 2).count(), 3);
}

#[test]
fn stamped_names_are_blocks_of_neighbours_in_time() {
    let folder = Folder::new();
    let order = ["p", "q", "q", "p", "p", "q", "q", "p", "p", "q", "p", "q"];
    for (n, group) in order.iter().enumerate() {
        let (minute, second) = (15 * n / 60, 15 * n % 60);
        let watts = if *group == "p" { 30.0 } else { 33.0 };
        let file = format!("{group}/{group}-2025-10-09T08-{minute:02}-{second:02}.csv");
        folder.trial(n as u64, &file, watts + 0.02 * n as f64);
    }
    let found = folder.plain();
    assert_eq!(how(&found), "time", "{}", found.told.pairing);
    assert_eq!(blocks(&found), (1..=6).map(|b| (b, 2)).collect::<Vec<_>>());
    let none = folder.study(|s| s.pairing = Asked::None).unwrap();
    assert_eq!((how(&none).as_str(), blocks(&none).len()), ("none", 0));
}

#[test]
fn groups_in_the_names_of_one_folder_and_a_stray_table() {
    let folder = Folder::new();
    for n in 0..6u64 {
        for (at, group) in ["heap", "tree", "trie"].iter().enumerate() {
            let turn = (at as u64 + n) % 3;
            folder.trial(3 * n + turn, &format!("set_{group}_{n}.csv"), 11.0 + at as f64);
        }
    }
    folder.put("overview.csv", "what,mean\nheap,1\n");
    let found = folder.plain();
    assert_eq!(groups(&found), owned(&[("heap", 6), ("tree", 6), ("trie", 6)]));
    assert_eq!(blocks(&found), (0..6).map(|b| (b, 3)).collect::<Vec<_>>());
    let ignored = &decided(&found)["ignored"];
    assert_eq!(ignored[0]["examples"][0], "overview.csv");
    assert!(ignored[0]["kind"].as_str().unwrap().contains("no file of samples"));
    assert_eq!(ignored.as_array().unwrap().len(), 1);
}

#[test]
fn sessions_below_the_groups_and_roots_above_them() {
    let folder = Folder::new();
    let mut n = 0;
    for session in 1..=3 {
        for number in 1..=2 {
            let order = if (session + number) % 2 == 0 { ["gcc", "llvm"] } else { ["llvm", "gcc"] };
            for group in order {
                let watts = if group == "gcc" { 40.0 } else { 42.0 };
                let file = format!("work/2025/{group}/day{session}/probe_{number}.csv");
                folder.trial(n, &file, watts + 0.01 * n as f64);
                n += 1;
            }
        }
    }
    let found = folder.plain();
    assert_eq!(groups(&found), owned(&[("gcc", 6), ("llvm", 6)]));
    assert_eq!(blocks(&found), (1..=6).map(|b| (b, 2)).collect::<Vec<_>>());
    assert_eq!(how(&found), "number");
    let sessions = found.table.text("session").unwrap();
    assert_eq!(sessions[0].as_deref(), Some("day1"));
    let trials = found.table.text("trial").unwrap();
    let distinct: std::collections::BTreeSet<_> = trials.iter().collect();
    assert_eq!(distinct.len(), 12, "names are told apart");
}

#[test]
fn copies_count_once() {
    let folder = Folder::new();
    for n in 0..5u64 {
        folder.trial(2 * n, &format!("u/u_{n}.csv"), 20.0);
        folder.trial(2 * n + 1, &format!("v/v_{n}.csv"), 21.0);
    }
    for (from, to) in [("u/u_3.csv", "u/u_9.csv"), ("v/v_1.csv", "v/v_1 (1).csv")] {
        fs::copy(folder.path().join(from), folder.path().join(to)).unwrap();
    }
    let found = folder.plain();
    assert_eq!(groups(&found), owned(&[("u", 5), ("v", 5)]));
    assert_eq!(blocks(&found).len(), 5);
    let copies = &decided(&found)["copies"];
    assert_eq!(copies[0]["file"], "u/u_9.csv");
    assert_eq!(copies[0]["same_as"], "u/u_3.csv");
    assert_eq!(copies[1]["same_as"], "v/v_1.csv");
}

const PACKAGE: &str = "PACKAGE_ENERGY (J)";
const DRAM: &str = "DRAM_ENERGY (J)";
const CARD: &str = "GPU0_POWER (mWatts)";

#[test]
fn domains_that_some_trials_lack_stand_beside_the_comparison() {
    let folder = Folder::new();
    for n in 0..6u64 {
        let at = BEGIN + 30 * n;
        let mut plain = vec![(PACKAGE, 24.0)];
        if n != 2 {
            plain.push((DRAM, 2.0));
        }
        folder.put(&format!("plain/r_{n}.csv"), &samples(at, &plain));
        let card = [(PACKAGE, 24.0), (DRAM, 2.0), (CARD, 9000.0)];
        folder.put(&format!("card/r_{n}.csv"), &samples(at + 15, &card));
    }
    let found = folder.plain();
    assert_eq!(decided(&found)["domains"]["compared"], serde_json::json!(["package"]));
    assert_eq!(decided(&found)["domains"]["beside"], serde_json::json!(["dram", "gpu0"]));
    // 24 W for 5 s, in every trial; what the others hold stays beside it.
    assert!(rows(&found).iter().all(|row| (row.2 - 120.0).abs() < 1e-6));
    let column = |name: &str| found.table.number(name).unwrap().to_vec();
    let card: Vec<f64> = column("energy_gpu0_j").into_iter().filter(|j| j.is_finite()).collect();
    assert_eq!(card.len(), 6);
    assert!(card.iter().all(|j| (j - 45.0).abs() < 0.1), "{card:?}");
    let texts = found.table.text("domains").unwrap();
    assert_eq!(texts[0].as_deref(), Some("package;dram;gpu0"));
    // With the memory: the trial that lacks it is left out, and the reason says so.
    let names = Some(vec!["package".to_owned(), "dram".to_owned()]);
    let with = folder.study(|s| s.domains.clone_from(&names)).unwrap();
    assert_eq!((with.told.trials, with.told.usable), (12, 11));
    assert!(with.told.unused[0].kind.contains("dram"), "{:?}", with.told.unused);
    let usable = rows(&with).into_iter().map(|row| row.2).filter(|j| j.is_finite());
    assert!(usable.clone().count() == 11 && usable.into_iter().all(|j| (j - 130.0).abs() < 1e-6));
    let Err(refused) = folder.study(|s| s.domains = Some(vec!["system".to_owned()])) else {
        panic!("nobody measured the system")
    };
    assert!(refused.starts_with("--domains: no trial has 'system'"), "{refused}");
}

#[test]
fn a_whole_machine_and_a_processor_are_not_compared() {
    let folder = Folder::new();
    for n in 0..5u64 {
        let at = BEGIN + 30 * n;
        let laptop = samples(at, &[("SYSTEM_POWER (Watts)", 9.0 + 0.1 * n as f64)]);
        folder.put(&format!("laptop/l_{n}.csv"), &laptop);
        folder.put(&format!("tower/t_{n}.csv"), &samples(at + 15, &[(PACKAGE, 41.0)]));
    }
    let found = folder.plain();
    let domains = &decided(&found)["domains"];
    assert_eq!(domains["compared"], serde_json::json!([]));
    assert_eq!(domains["kinds"], serde_json::json!({ "laptop": "system", "tower": "package" }));
    assert!(found.told.domains.contains("different things"), "{}", found.told.domains);
    assert_eq!(found.told.usable, 10, "each group's own numbers stand");
}

#[test]
fn a_register_that_is_not_there_is_told_once_and_no_part_of_any_total() {
    let folder = Folder::new();
    for n in 0..4u64 {
        for (at, group) in ["a", "b"].iter().enumerate() {
            let columns = [(PACKAGE, 30.0), (DRAM, 0.0)];
            let text = samples(BEGIN + 30 * n + 15 * at as u64, &columns);
            folder.put(&format!("{group}/r_{n}.csv"), &text);
        }
    }
    let found = folder.plain();
    assert_eq!(found.told.usable, 8);
    assert_eq!(decided(&found)["domains"]["compared"], serde_json::json!(["package"]));
    let absent = &decided(&found)["absent"];
    assert_eq!(absent[0]["column"], DRAM);
    assert_eq!(absent[0]["groups"], serde_json::json!(["a", "b"]));
    assert_eq!((absent[0]["trials"].as_u64(), found.told.absent.len()), (Some(8), 1));
}

/// Three runs of 5 s with a minute between them, appended to one file.
fn appended(begin_s: u64, watts: f64) -> String {
    let mut text = String::new();
    for run in 0..3 {
        let own = samples(begin_s + 65 * run, &[(PACKAGE, watts)]);
        let header = own.lines().next().unwrap().len() + 1;
        text += if run == 0 { &own } else { &own[header..] };
    }
    text
}

#[test]
fn parts_between_holes_become_trials_on_request() {
    let folder = Folder::new();
    folder.put("one/all.csv", &appended(BEGIN, 22.0));
    folder.put("two/all.csv", &appended(BEGIN + 600, 26.0));
    // The counter begins anew with each run, so that nothing is known of the whole.
    let whole = folder.plain();
    assert_eq!((whole.told.usable, whole.told.with_holes), (0, 2));
    assert!(whole.told.hint().contains("--split-gaps"));
    let found = folder.study(|s| s.split_gaps = Some(Duration::from_secs(20))).unwrap();
    assert_eq!(groups(&found), owned(&[("one", 3), ("two", 3)]));
    let trials = found.table.text("trial").unwrap();
    assert_eq!(trials[0].as_deref(), Some("one/all#1"));
    let joules: Vec<f64> = rows(&found).into_iter().map(|row| row.2).collect();
    for (got, want) in joules.iter().zip([110.0, 110.0, 110.0, 130.0, 130.0, 130.0]) {
        assert!((got - want).abs() < 1e-6, "{joules:?}");
    }
    assert_eq!(how(&found), "none", "one file ran before the other: {}", found.told.pairing);
}

#[test]
fn a_pattern_groups_what_is_not_clear_by_itself() {
    let folder = Folder::new();
    let mut n = 0;
    for number in 1..=3 {
        for (machine, task) in [("m1", "zip"), ("m2", "zip"), ("m1", "tar"), ("m2", "tar")] {
            folder.trial(n, &format!("lab {machine}/{task}-{number}.csv"), 10.0 + 0.1 * n as f64);
            n += 1;
        }
    }
    let unclear = folder.study(|_| {}).err().expect("it is not clear");
    assert!(unclear.contains("lab m1, lab m2") && unclear.contains("tar, zip"), "{unclear}");
    let pattern = "(?P<session>m.)/(?P<group>[a-z]+)-(?P<block>[0-9]+)".to_owned();
    let by = |s: &mut AnalyzeSettings| {
        s.search = Search { group_by: Some(pattern), ..Search::default() };
    };
    let found = folder.study(by).unwrap();
    assert_eq!(groups(&found), owned(&[("tar", 6), ("zip", 6)]));
    assert_eq!(blocks(&found), (1..=6).map(|b| (b, 2)).collect::<Vec<_>>());
    assert_eq!(decided(&found)["pairing"]["how"], serde_json::json!(How::Number));
}
