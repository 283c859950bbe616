//! Rows that stand in several tables: a sorted copy, or a part beside the whole, counts once.

use super::guess::Layout;
use super::sheet::{Line, Sheet};
use crate::analysis::walk::Ignored;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Two runs never agree in an energy of this many digits.
const EXACT_DIGITS: usize = 6;

/// For each row whose run an earlier file holds as well, that file: the same energies and time, with enough digits,
/// or under the same name of a run. What is compared may be the file itself.
pub(super) fn in_other_files(sheet: &Sheet, layout: &Layout) -> Vec<Option<usize>> {
    let energies: Vec<usize> =
        layout.energy.iter().map(|e| e.0).chain(layout.parts.iter().map(|p| p.1)).collect();
    let exact = |row: &Line| {
        energies.iter().filter_map(|c| row.cell(*c)).any(|cell| digits(cell) >= EXACT_DIGITS)
    };
    let id = sheet.column("__run_id");
    let mut first: HashMap<Vec<Option<String>>, usize> = HashMap::new();
    let mut named: HashMap<(&str, Vec<Option<String>>), usize> = HashMap::new();
    let mut all = Vec::with_capacity(sheet.rows.len());
    for row in &sheet.rows {
        // Programs that copy a table write its last digits otherwise.
        let number = |c: usize| row.number(c).map(|n| format!("{n:.11e}"));
        let numbers = energies.iter().copied().chain(layout.time.map(|t| t.0)).map(number);
        let numbers: Vec<Option<String>> = numbers.collect();
        let of_name = id
            .and_then(|id| row.cell(id))
            .map(|id| *named.entry((id, numbers.clone())).or_insert(row.file));
        let file = *first.entry(numbers).or_insert(row.file);
        let same = Some(file).filter(|_| exact(row)).filter(|file| *file != row.file);
        all.push(same.or(of_name.filter(|file| *file != row.file)));
    }
    all
}

/// Significant digits as they are written.
fn digits(cell: &str) -> usize {
    let mantissa = cell.split(['e', 'E']).next().unwrap_or_default();
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    all.trim_start_matches('0').len()
}

/// What is told of them, a line for each file.
pub(super) fn told(sheet: &Sheet, copied: &[Option<usize>]) -> Vec<Ignored> {
    let mut found: BTreeMap<usize, (usize, BTreeSet<usize>)> = BTreeMap::new();
    for (row, of) in sheet.rows.iter().zip(copied) {
        if let Some(of) = of {
            let (count, files) = found.entry(row.file).or_default();
            *count += 1;
            files.insert(*of);
        }
    }
    let line = |(file, (count, of)): (usize, (usize, BTreeSet<usize>))| {
        let first = of.first().map(|f| sheet.files[*f].file_name().unwrap_or_default());
        let first = first.unwrap_or_default().to_string_lossy();
        let others = match of.len() {
            1 => first.into_owned(),
            more => format!("{first} and {} more", more - 1),
        };
        let reason = match count {
            1 => format!("1 of its rows stands in {others} as well and counts once"),
            count => format!("{count} of its rows stand in {others} as well and count once"),
        };
        Ignored { file: sheet.files[file].clone(), reason }
    };
    found.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, find};

    #[test]
    fn rows_of_one_run_count_once_however_few_digits_they_have() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, rows: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("__run_id,__done,tool,energy_j,time_s\n{rows}")).unwrap();
            path
        };
        let rows =
            "run_0,DONE,x,12,3.5\nrun_1,DONE,y,13,3.5\nrun_2,DONE,x,12,3.5\nrun_3,DONE,y,14,3\n";
        // Another experiment's run has the name of the first and other numbers.
        let other = "run_0,DONE,x,15,3.5\n";
        let files = [put("a.csv", rows), put("b.csv", rows), put("c.csv", other)];
        let found = find(folder.path(), &files, &Columns::default()).unwrap();
        assert_eq!(found.trials.len(), 5);
        let told: Vec<&str> = found.ignored.iter().map(|i| i.reason.as_str()).collect();
        assert_eq!(told, ["4 of its rows stand in a.csv as well and count once"]);
    }

    #[test]
    fn a_sorted_copy_counts_once_and_rounded_energies_may_agree() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, rows: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("tool,energy_j,seconds\n{rows}")).unwrap();
            path
        };
        let files = [
            put("a.csv", "x,120.4417,4.1\ny,93.07121,4.2\nx,118.25,4.0\nx,118.25,4.0\n"),
            put(
                "sorted.csv",
                "x,118.25,4.0\nx,120.44170000000001,4.1\ny,93.07121,4.2\ny,88.11234,4.4\n",
            ),
        ];
        let found = find(folder.path(), &files, &Columns::default()).unwrap();
        let names: Vec<&str> = found.trials.iter().map(|t| t.trial.as_str()).collect();
        // 118.25 has too few digits to be known as the same run.
        assert_eq!(names.len(), 6, "{names:?}");
        let told: Vec<&str> = found.ignored.iter().map(|i| i.reason.as_str()).collect();
        assert_eq!(told, ["2 of its rows stand in a.csv as well and count once"]);
    }
}
