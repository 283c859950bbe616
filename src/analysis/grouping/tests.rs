use super::*;

/// Group, session and number of each path.
type Found = Vec<(String, Option<String>, Option<u64>)>;

fn found(paths: &[String]) -> Found {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let grouping = by_names(&paths, "root").unwrap_or_else(|choices| panic!("{choices:?}"));
    let placed = grouping.placed.into_iter().map(|p| p.unwrap());
    placed.map(|p| (p.group, p.session, p.number)).collect()
}

fn all(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

/// The groups with how many files each has.
fn groups(paths: &[String]) -> BTreeMap<String, usize> {
    found(paths).into_iter().fold(BTreeMap::new(), |mut groups, (group, ..)| {
        *groups.entry(group).or_default() += 1;
        groups
    })
}

fn counts(list: &[(&str, usize)]) -> BTreeMap<String, usize> {
    list.iter().map(|(group, n)| ((*group).to_owned(), *n)).collect()
}

fn ambiguous(paths: &[String]) -> Vec<Choice> {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    by_names(&paths, "root").expect_err("it was clear")
}

#[test]
fn folders_are_groups_however_files_are_called() {
    let paths = all(["a/a_1.csv", "a/a_2.csv", "b/x-1.csv", "b/second one 2.csv", "b/y_3.csv"]);
    assert_eq!(groups(&paths), counts(&[("a", 2), ("b", 3)]));
    let numbers: Vec<Option<u64>> = found(&paths).into_iter().map(|f| f.2).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(1), Some(2), Some(3)]);
}

#[test]
fn in_one_folder_the_words_of_the_names_are_the_groups() {
    let paths = all((1..=5).flat_map(|n| {
        ["hash_map", "hash_tree", "list"].map(|kind| format!("bench_{kind}_run{n:02}.csv"))
    }));
    assert_eq!(groups(&paths), counts(&[("hash_map", 5), ("hash_tree", 5), ("list", 5)]));
    assert_eq!(found(&paths)[3].2, Some(2));
}

#[test]
fn numbers_that_vary_slowly_belong_to_the_group() {
    let paths =
        all((1..=6).flat_map(|n| [16, 64].map(|size| format!("out/batch{size}-lr0.01_{n}.csv"))));
    let names: Vec<String> = groups(&paths).into_keys().collect();
    assert_eq!(names, ["batch16", "batch64"]);
    let versions =
        all((0..8).flat_map(|n| [10, 12].map(|minor| format!("py3.{minor}_iter_{n}.csv"))));
    assert_eq!(groups(&versions), counts(&[("py3.10", 8), ("py3.12", 8)]));
}

#[test]
fn a_lone_word_is_one_group_called_like_its_folder() {
    assert_eq!(groups(&all(["llm/x_0.csv", "llm/x_1.csv"])), counts(&[("llm", 2)]));
    assert_eq!(groups(&all(["x_0.csv", "x_1.csv"])), counts(&[("root", 2)]));
}

#[test]
fn sessions_below_or_above_the_groups_are_sessions() {
    let below = all((1..=2).flat_map(|s| {
        (1..=3).flat_map(move |n| {
            ["gcc", "clang"].map(|g| format!("study/data/{g}/session {s}/m{n}.csv"))
        })
    }));
    assert_eq!(groups(&below), counts(&[("gcc", 6), ("clang", 6)]));
    assert_eq!(found(&below)[0], ("gcc".into(), Some("session 1".into()), Some(1)));
    let above = all(["2026-03-01", "2026-03-02"].iter().flat_map(|day| {
        (1..=2).flat_map(move |n| ["gcc", "clang"].map(|g| format!("{day}/{g}/{n}.csv")))
    }));
    assert_eq!(groups(&above), counts(&[("gcc", 4), ("clang", 4)]));
    let names = all((1..=4).flat_map(|n| ["gcc", "clang"].map(|g| format!("run_{n}/{g}.csv"))));
    assert_eq!(groups(&names), counts(&[("gcc", 4), ("clang", 4)]));
    assert_eq!(found(&names)[2], ("gcc".into(), None, Some(2)), "the folder's number counts");
}

#[test]
fn a_number_that_is_always_the_same_counts_nothing() {
    let paths = all(["a", "b"]
        .iter()
        .flat_map(|g| (10..14).map(move |m| format!("{g}/probe1_20260227_0956{m}.csv"))));
    assert!(found(&paths).iter().all(|f| f.2.is_none()));
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let grouping = by_names(&paths, "").unwrap();
    assert!(grouping.placed.iter().all(|p| p.as_ref().is_ok_and(|p| p.stamp)));
}

#[test]
fn random_names_are_no_groups() {
    let ids = ["3f2a9c1d", "0b7e44aa", "9d1c2e3f", "a1b2c3d4"];
    let paths = all(ids
        .iter()
        .enumerate()
        .map(|(n, id)| format!("{}-{id}.csv", if n % 2 == 0 { "java" } else { "go" })));
    assert_eq!(groups(&paths), counts(&[("java", 2), ("go", 2)]));
    let commits = all(ids.iter().flat_map(|id| [1, 2].map(|n| format!("{id}/run{n}.csv"))));
    assert_eq!(groups(&commits).len(), 4, "versions are called by hashes");
}

#[test]
fn the_name_of_a_copy_counts_nothing() {
    let paths = all(["a/a_1.csv", "a/a_2.csv", "a/a_2 (1).csv", "b/b_1.csv"]);
    let numbers: Vec<Option<u64>> = found(&paths).into_iter().map(|f| f.2).collect();
    assert_eq!(numbers, [Some(1), Some(2), None, Some(1)]);
}

#[test]
fn two_things_that_vary_are_told_with_the_flag_that_chooses() {
    let crossed = all((1..=3).flat_map(|n| {
        ["chrome", "firefox"]
            .into_iter()
            .flat_map(move |b| ["video", "mail"].map(|site| format!("d/{b}/{site}_{n}.csv")))
    }));
    let choices = ambiguous(&crossed);
    assert_eq!(choices[0].groups, ["chrome", "firefox"]);
    assert_eq!(choices[1].groups, ["mail", "video"]);
    let paths: Vec<&str> = crossed.iter().map(String::as_str).collect();
    for (choice, first) in choices.iter().zip(["chrome", "video"]) {
        let regex = regex::Regex::new(&choice.flag).unwrap();
        let placed = by_pattern(&paths, &regex).unwrap().placed;
        assert_eq!(placed[0].as_ref().unwrap().group, first, "{choice}");
        assert!(placed.iter().all(Result::is_ok), "{choice}");
    }
    let nested = all((1..=2).flat_map(|n| {
        ["web/chrome", "web/firefox", "text/vim", "text/emacs"].map(|g| format!("{g}/{n}.csv"))
    }));
    assert_eq!(ambiguous(&nested).len(), 2);
}

#[test]
fn strays_beside_folders_are_no_group_and_folders_beside_files_are_none() {
    let paths = ["a/a_1.csv", "a/a_2.csv", "b/b_1.csv", "stray.csv"];
    let placed = by_names(&paths, "").unwrap().placed;
    assert!(placed[3].as_ref().is_err_and(|why| why.contains("beside the groups' folders")));
    let paths = ["a_1.csv", "a_2.csv", "b_1.csv", "old/b_2.csv"];
    let placed = by_names(&paths, "").unwrap().placed;
    assert!(placed[3].as_ref().is_err_and(|why| why.contains("below the other files")));
    assert_eq!(placed[2].as_ref().unwrap().group, "b");
}

#[test]
fn a_pattern_names_group_session_and_block() {
    let paths = ["x/cold.a.r1.csv", "x/warm.a.r2.csv", "x/notes.csv"];
    let by = |pattern: &str| by_pattern(&paths, &regex::Regex::new(pattern).unwrap());
    let placed = by(r"(?P<group>cold|warm)\.(?P<session>\w)\.r(?P<block>\d)").unwrap().placed;
    let want =
        Placed { group: "warm".into(), session: Some("a".into()), number: Some(2), stamp: false };
    assert_eq!(placed[1], Ok(want));
    assert_eq!(placed[2], Err("has no group by --group-by".to_owned()));
    assert!(by("cold").unwrap_err().contains("(?P<group>"));
    assert!(by("(?P<group>c)(?P<day>o)").unwrap_err().contains("(?P<day>"));
}
