//! Files in the folders of experiment-runner's runs, `run_7_repetition_2`: a folder is one run of a combination of
//! factors, and which one the run's row in `run_table.csv` says.

use std::collections::{BTreeMap, BTreeSet};

use super::{Grouping, Placed};

/// What a `run_table.csv` says of its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::analysis) struct RunTable {
    /// Where it lies, relative to the folder that is analysed and with `/`.
    pub path: String,
    /// The columns of its factors, with `+` between them.
    pub factors: String,
    /// By run, its levels.
    pub groups: BTreeMap<String, String>,
}

/// The number of a run's combination, and its repetition where there is one.
fn run(folder: &str) -> Option<(u64, Option<u64>)> {
    let rest = folder.strip_prefix("run_")?;
    match rest.split_once("_repetition_") {
        Some((run, repetition)) => Some((run.parse().ok()?, Some(repetition.parse().ok()?))),
        None => Some((rest.parse().ok()?, None)),
    }
}

/// The innermost folder of a path that is a run's, and the path above it.
fn place(path: &str) -> Option<(&str, &str)> {
    let (mut folders, _) = path.rsplit_once('/')?;
    loop {
        let (above, folder) = folders.rsplit_once('/').unwrap_or(("", folders));
        if run(folder).is_some() {
            return Some((above, folder));
        }
        if above.is_empty() {
            return None;
        }
        folders = above;
    }
}

/// Whether any of these paths lies in a run's folder.
pub(in crate::analysis) fn any(paths: &[&str]) -> bool {
    paths.iter().any(|path| place(path).is_some())
}

/// The groups of files that all lie in runs' folders, one in each; `None` where they do not, or where neither a
/// table nor the folders' names tell combinations from repetitions.
pub(in crate::analysis) fn by_runs(paths: &[&str], tables: &[RunTable]) -> Option<Grouping> {
    let places: Vec<(&str, &str)> = paths.iter().map(|path| place(path)).collect::<Option<_>>()?;
    if places.is_empty() || places.iter().collect::<BTreeSet<_>>().len() < places.len() {
        return None;
    }
    let above: BTreeSet<&str> = places.iter().map(|(above, _)| *above).collect();
    let level = |(above, folder): &(&str, &str)| {
        let beside = |table: &&RunTable| table.path.rsplit_once('/').map_or("", |p| p.0) == *above;
        let named = |table: &&RunTable| table.groups.contains_key(*folder);
        if let Some(table) = tables.iter().find(|table| beside(table) && named(table)) {
            return Some((table, &table.groups[*folder]));
        }
        // Elsewhere, as long as all tables that name the run say the same of it.
        let all: Vec<&RunTable> = tables.iter().filter(named).collect();
        let first = all.first()?;
        let same = all.iter().all(|other| other.groups[*folder] == first.groups[*folder]);
        same.then(|| (*first, &first.groups[*folder]))
    };
    let levels: Option<Vec<(&RunTable, &String)>> = places.iter().map(level).collect();
    let by = match levels.as_deref() {
        Some([(one, _), ..]) => format!("the factors in {} ({})", one.path, one.factors),
        _ if places.iter().all(|(_, folder)| run(folder).is_some_and(|(_, r)| r.is_some())) => {
            "the numbers of experiment-runner's runs, for no run_table.csv names all their factors"
                .to_owned()
        }
        _ => return None,
    };
    let group = |at: usize, number: u64| match &levels {
        Some(levels) => levels[at].1.clone(),
        None => format!("run_{number}"),
    };
    let placed = places.iter().enumerate().map(|(at, (own, folder))| {
        let (number, repetition) = run(folder).unwrap_or_default();
        let session = (above.len() > 1).then(|| (*own).to_owned());
        Ok(Placed { group: group(at, number), session, number: repetition, stamp: false })
    });
    Some(Grouping { by, placed: placed.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 4] = [
        "out/run_0_repetition_0/energibridge.csv",
        "out/run_1_repetition_0/energibridge.csv",
        "out/run_0_repetition_1/energibridge.csv",
        "out/run_1_repetition_1/energibridge.csv",
    ];

    fn told(grouping: &Grouping) -> Vec<(String, Option<u64>)> {
        grouping.placed.iter().flatten().map(|p| (p.group.clone(), p.number)).collect()
    }

    fn table(path: &str, runs: &[(&str, &str)]) -> RunTable {
        let groups = runs.iter().map(|(run, of)| ((*run).to_owned(), (*of).to_owned())).collect();
        RunTable { path: path.to_owned(), factors: "size+tool".to_owned(), groups }
    }

    #[test]
    fn a_runs_folder_is_a_repetition_of_the_factors_in_its_row() {
        let rows = [
            ("run_0_repetition_0", "small x"),
            ("run_0_repetition_1", "small x"),
            ("run_1_repetition_0", "large x"),
            ("run_1_repetition_1", "large x"),
        ];
        let found = by_runs(&PATHS, &[table("data/run_table.csv", &rows)]).unwrap();
        let expected = [("small x", 0), ("large x", 0), ("small x", 1), ("large x", 1)];
        assert_eq!(told(&found), expected.map(|(g, n)| (g.to_owned(), Some(n))));
        assert_eq!(found.by, "the factors in data/run_table.csv (size+tool)");
    }

    #[test]
    fn without_a_table_or_with_a_row_missing_the_combinations_numbers_are_the_groups() {
        let rows = [("run_0_repetition_0", "small x")];
        for tables in [vec![], vec![table("out/run_table.csv", &rows)]] {
            let found = by_runs(&PATHS, &tables).unwrap();
            let expected = [("run_0", 0), ("run_1", 0), ("run_0", 1), ("run_1", 1)];
            assert_eq!(told(&found), expected.map(|(g, n)| (g.to_owned(), Some(n))));
            assert!(found.by.contains("no run_table.csv names all their factors"), "{}", found.by);
        }
    }

    #[test]
    fn a_sorted_copy_of_the_table_is_no_matter_and_one_that_disagrees_is() {
        let rows = PATHS.map(|path| (path.split('/').nth(1).unwrap(), "x"));
        let copies = [table("data/run_table.csv", &rows), table("data/sorted.csv", &rows)];
        assert!(
            by_runs(&PATHS, &copies).unwrap().by.starts_with("the factors in data/run_table.csv")
        );
        let other = [copies[0].clone(), table("data/other.csv", &rows.map(|(run, _)| (run, "y")))];
        assert!(by_runs(&PATHS, &other).unwrap().by.starts_with("the numbers of"));
    }

    #[test]
    fn two_experiments_have_their_own_tables_and_are_sessions() {
        let paths = ["a/run_0_repetition_0/e.csv", "b/run_0_repetition_0/e.csv"];
        let run = "run_0_repetition_0";
        let tables =
            [table("a/run_table.csv", &[(run, "x")]), table("b/run_table.csv", &[(run, "y")])];
        let found = by_runs(&paths, &tables).unwrap();
        assert_eq!(told(&found), [("x".to_owned(), Some(0)), ("y".to_owned(), Some(0))]);
        let sessions: Vec<_> = found.placed.iter().flatten().map(|p| p.session.clone()).collect();
        assert_eq!(sessions, [Some("a".to_owned()), Some("b".to_owned())]);
    }

    #[test]
    fn other_folders_and_several_files_of_a_run_are_left_to_names() {
        assert_eq!(by_runs(&["x/e.csv", "run_0_repetition_0/e.csv"], &[]), None);
        assert_eq!(by_runs(&["run_0_repetition_0/e.csv", "run_0_repetition_0/f.csv"], &[]), None);
        assert_eq!(by_runs(&["run_0/e.csv", "run_1/e.csv"], &[]), None);
        assert_eq!(by_runs(&[], &[]), None);
        let table = table("run_table.csv", &[("run_0", "x"), ("run_1", "y")]);
        let found = by_runs(&["run_0/e.csv", "run_1/e.csv"], &[table]).unwrap();
        assert_eq!(told(&found), [("x".to_owned(), None), ("y".to_owned(), None)]);
    }
}
