//! Two folders of tables, held against each other byte by byte; what differs is named by its row and column.

use crate::clean;
use crate::files;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Larger than any table.
const LARGEST: u64 = 1 << 30;
/// As many differences of a table are named.
const NAMED: usize = 5;

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    /// `groups.csv`.
    pub name: String,
    /// Rows of a table, or values of a JSON file.
    pub rows: usize,
    /// What differs, the first few; empty where the bytes are equal.
    pub differences: Vec<String>,
}

/// Compares the tables (CSV and JSON files, but those named in `but`) that either folder holds.
///
/// # Errors
///
/// The system's.
pub(crate) fn compare(then: &Path, now: &Path, but: &[&str]) -> io::Result<Vec<Compared>> {
    let mut names = BTreeSet::new();
    for folder in [then, now] {
        for name in files::Dir::open(folder)?.names()? {
            let name = name.to_string_lossy().into_owned();
            let table = name.ends_with(".csv") || name.ends_with(".json");
            if table && !but.contains(&name.as_str()) {
                names.insert(name);
            }
        }
    }
    names.into_iter().map(|name| one(name, then, now)).collect()
}

fn one(name: String, then: &Path, now: &Path) -> io::Result<Compared> {
    let read = |folder: &Path| match files::read(&folder.join(&name), LARGEST) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (then, now) = (read(then)?, read(now)?);
    let rows = now.as_deref().or(then.as_deref()).map_or(0, |content| rows(&name, content));
    let differences = match (then, now) {
        (Some(then), Some(now)) if then == now => Vec::new(),
        (Some(then), Some(now)) => named(&name, &then, &now),
        (Some(_), None) => vec!["it was not made again".to_owned()],
        _ => vec!["the archive does not have it".to_owned()],
    };
    Ok(Compared { name, rows, differences })
}

fn rows(name: &str, content: &[u8]) -> usize {
    if name.ends_with(".csv") {
        return csv::Reader::from_reader(content).records().count();
    }
    fn values(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(values).sum(),
            Value::Object(fields) => fields.values().map(values).sum(),
            _ => 1,
        }
    }
    serde_json::from_slice(content).map_or(0, |value| values(&value))
}

fn named(name: &str, then: &[u8], now: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    if name.ends_with(".csv") {
        cells(then, now, &mut found);
    } else if let (Ok(then), Ok(now)) = (serde_json::from_slice(then), serde_json::from_slice(now))
    {
        fields(String::new(), &then, &now, &mut found);
    }
    if found.is_empty() {
        found.push("its bytes differ".to_owned());
    }
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    found.extend((more > 0).then(|| format!("and {more} more")));
    found.into_iter().map(|text| clean::line(&clean::cut(&text, 300))).collect()
}

fn cells(then: &[u8], now: &[u8], found: &mut Vec<String>) {
    let table = |content| {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
        reader.records().map_while(Result::ok).collect::<Vec<csv::StringRecord>>()
    };
    let (then, now): (Vec<_>, Vec<_>) = (table(then), table(now));
    if then.len() != now.len() {
        found.push(format!("{} rows, was {}", now.len(), then.len()));
    }
    for (number, (old, new)) in then.iter().zip(&now).enumerate() {
        for column in 0..old.len().max(new.len()) {
            let cell = |row: &csv::StringRecord| row.get(column).unwrap_or("nothing").to_owned();
            if old.get(column) != new.get(column) {
                let named = then[0].get(column).unwrap_or("?");
                found.push(format!("row {number}, {named}: {}, was {}", cell(new), cell(old)));
            }
        }
    }
}

fn fields(path: String, then: &Value, now: &Value, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let null = Value::Null;
                fields(path, old.get(name).unwrap_or(&null), new.get(name).unwrap_or(&null), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate() {
                fields(format!("{path}[{number}]"), old, new, found);
            }
        }
        (old, new) if old != new => found.push(format!("{path}: {new}, was {old}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(name: &str, then: &str, now: &str) -> Vec<Compared> {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(a.path().join(name), then).unwrap();
        std::fs::write(b.path().join(name), now).unwrap();
        std::fs::write(b.path().join("settings.json"), "{}").unwrap();
        std::fs::write(b.path().join("report.html"), "").unwrap();
        compare(a.path(), b.path(), &["settings.json"]).unwrap()
    }

    #[test]
    fn a_cell_that_differs_is_named_by_its_row_and_column() {
        let same = compared("t.csv", "group,j\na,1.5\n", "group,j\na,1.5\n");
        assert_eq!(same, [Compared { name: "t.csv".into(), rows: 1, differences: vec![] }]);
        let other = compared("t.csv", "group,j\na,1.5\nb,2\n", "group,j\na,1.5\nb,3\n");
        assert_eq!(other[0].differences, ["row 2, j: 3, was 2"]);
        let fewer = compared("t.csv", "group,j\na,1.5\nb,2\n", "group,j\na,1.5\n");
        assert_eq!(fewer[0].differences, ["2 rows, was 3"]);
        let bytes = compared("t.csv", "group\na\n", "group\n\"a\"\n");
        assert_eq!(bytes[0].differences, ["its bytes differ"]);
    }

    #[test]
    fn a_value_that_differs_is_named_by_its_path() {
        let other = compared("s.json", r#"{"a": {"b": [1, 2]}}"#, r#"{"a": {"b": [1, 4]}}"#);
        assert_eq!(other[0].differences, ["a.b[1]: 4, was 2"]);
        assert_eq!(other[0].rows, 2);
    }
}
