//! Which files of a folder are trials.

use super::*;

fn folder(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let table = ["trials.csv", "groups.csv", "pairs.csv"].iter().any(|t| file.ends_with(t));
        let samples = format!("Delta,Time,CPU_ENERGY (J)\n0,1,{file}\n");
        std::fs::write(path, if table { "group,mean\n".to_owned() } else { samples }).unwrap();
    }
    dir
}

/// Group, name and block.
type Trial = (String, String, Option<u64>);

fn found(files: &[&str]) -> (Source, Vec<Trial>, usize) {
    let dir = folder(files);
    let scan = scan(dir.path(), &dir.path().join("analysis")).unwrap();
    let inputs = scan.inputs.into_iter().map(|i| (i.group, i.trial, i.block)).collect();
    (scan.source, inputs, scan.ignored.len())
}

fn owned(list: &[(&str, &str, Option<u64>)]) -> Vec<Trial> {
    list.iter().map(|(g, t, b)| ((*g).into(), (*t).into(), *b)).collect()
}

#[test]
fn the_block_is_the_number_at_the_end_of_the_name() {
    let files = ["a/a_10.csv", "a/a_9.csv", "b/run-7.CSV", "b/notes.csv", "b/7 (1).csv"];
    let want = [
        ("a", "a_9", Some(9)),
        ("a", "a_10", Some(10)),
        ("b", "7 (1)", None),
        ("b", "notes", None),
        ("b", "run-7", Some(7)),
    ];
    assert_eq!(found(&files), (Source::Csv, owned(&want), 0));
}

#[test]
fn names_that_occur_twice_are_told_apart_by_their_group() {
    let want = [("chrome", "chrome/1", Some(1)), ("idle", "idle/1", Some(1))];
    assert_eq!(found(&["chrome/1.csv", "idle/1.csv"]).1, owned(&want));
}

#[test]
fn folders_without_samples_hidden_ones_and_results_are_passed_over() {
    let files = [
        "a/a_0.csv",
        "empty/readme.md",
        "deep/er/b_0.csv",
        ".git/c_0.csv",
        "analysis/groups.csv",
        "earlier/groups.csv",
        "earlier/summary.json",
        "stray.csv",
        "race/experiment.json",
        "race/trials.csv",
    ];
    assert_eq!(found(&files).1, owned(&[("a", "a_0", Some(0)), ("deep", "b_0", Some(0))]));
    let dir = folder(&files);
    let scan = scan(dir.path(), &dir.path().join("analysis")).unwrap();
    let told: Vec<String> = scan.ignored.iter().map(|i| name(&i.file)).collect();
    assert_eq!(told, ["race", "stray.csv"], "what holds samples is told of");
}

#[test]
fn files_that_lie_in_the_folder_itself_are_one_group() {
    let dir = folder(&["m/vllm_0.csv", "m/vllm_1.csv"]);
    let scan = scan(&dir.path().join("m"), Path::new("elsewhere")).unwrap();
    assert_eq!(scan.inputs.len(), 2);
    assert!(scan.inputs.iter().all(|i| i.group == "m"));
}

#[test]
fn an_analysis_that_was_written_into_the_folder_itself_is_not_read_back() {
    let files = ["m_0.csv", "trials.csv", "groups.csv", "pairs.csv", "summary.json"];
    let names: Vec<String> = found(&files).1.into_iter().map(|(_, trial, _)| trial).collect();
    assert_eq!(names, ["m_0"]);
}

#[test]
fn of_files_with_the_same_content_one_is_a_trial() {
    let dir = folder(&["a/a_1.csv", "a/a_2.csv", "a/a_10.csv", "b/b_1.csv"]);
    std::fs::copy(dir.path().join("a/a_2.csv"), dir.path().join("a/a_10.csv")).unwrap();
    std::fs::copy(dir.path().join("a/a_1.csv"), dir.path().join("b/b_3.csv")).unwrap();
    let scan = scan(dir.path(), &dir.path().join("analysis")).unwrap();
    let names: Vec<&str> = scan.inputs.iter().map(|i| i.trial.as_str()).collect();
    assert_eq!(names, ["a_1", "a_2", "b_1"]);
    let copies = scan.copies.iter().map(|c| (c.file.as_str(), c.same_as.as_str()));
    let want = [("a/a_10.csv", "a/a_2.csv"), ("b/b_3.csv", "a/a_1.csv")];
    assert_eq!(copies.collect::<Vec<_>>(), want);
}

#[test]
fn patterns_leave_out_files_and_folders_by_path_and_by_name() {
    let files = ["a/a_1.csv", "a/old/a_2.csv", "b/b_1.csv", "b/b_2-warmup.csv"];
    let dir = folder(&files);
    let search = Search { exclude: vec!["old/".into(), "*warmup*".into()], ..Search::default() };
    let scan = scan_with(dir.path(), &dir.path().join("analysis"), &search).unwrap();
    assert_eq!((scan.inputs.len(), scan.ignored.len()), (2, 2));
    let search = Search { exclude: vec!["a[".into()], ..Search::default() };
    let refused = scan_with(dir.path(), Path::new("x"), &search).unwrap_err();
    assert!(refused.to_string().starts_with("--exclude"), "{refused}");
    let search = Search { group_by: Some("(?P<group>zzz)".into()), ..Search::default() };
    let refused = scan_with(dir.path(), Path::new("x"), &search).unwrap_err();
    assert!(refused.to_string().contains("a/a_1.csv"), "{refused}");
}

#[test]
fn in_an_experiment_the_record_makes_the_trial() {
    let files = [
        "experiment.json",
        "trials.csv",
        "torch/torch_0.csv",
        "torch/torch_0.json",
        "torch/torch_1.json",
        "torch/torch_2.csv",
    ];
    let want = [("torch", "torch_0", Some(0)), ("torch", "torch_1", Some(1))];
    assert_eq!(found(&files), (Source::Experiment, owned(&want), 1));
    let without = ["experiment.json", "trials.csv", "torch/torch_0.csv"];
    assert_eq!(found(&without), (Source::Csv, owned(&want[..1]), 0));
}
