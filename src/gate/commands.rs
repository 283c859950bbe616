//! Commands: whether each did its work, and all the same.

use crate::account::Output;
use crate::clean;
use crate::store::record::TrialRecord;

/// Holds one trial's account of itself against what was asked for.
///
/// # Errors
///
/// What `--check` found, in words.
pub(crate) fn check(record: &TrialRecord) -> Result<(), String> {
    let Some(result) = &record.result else {
        return Err("it ended without saying how its command went".to_owned());
    };
    result.command()?.refused().map_or(Ok(()), |why| Err(why.to_owned()))
}

/// Which of the good trials do not agree with the first of them, and why: another window was marked, or
/// something else was printed where that was looked at.
pub(crate) fn differences(records: &[TrialRecord], ok: &[usize]) -> Vec<(usize, String)> {
    let Some(first) = ok.first().map(|i| &records[*i]) else { return Vec::new() };
    let printed = output(first);
    let mut found = Vec::new();
    for &i in ok {
        let record = &records[i];
        let (own, others) = (record.window_name(), first.window_name());
        if own != others {
            found.push((i, format!(
                "its window is {own}, and that of '{}' is {others}: other parts would be compared",
                first.treatment
            )));
        } else if let Some(difference) = difference(output(record).as_ref(), printed.as_ref()) {
            found.push((
                i,
                format!("its output differs from that of '{}': {difference}", first.treatment),
            ));
        }
    }
    found
}

fn output(record: &TrialRecord) -> Option<Output> {
    record.result.as_ref()?.command().ok()?.output
}

/// Where what two commands printed differs; none where it does not, or was not looked at.
pub(crate) fn difference(one: Option<&Output>, other: Option<&Output>) -> Option<String> {
    let (one, other) = (one?, other?);
    if one.sha256 == other.sha256 {
        return None;
    }
    let lines = one.head.lines().map(Some).chain(std::iter::repeat(None));
    let others = other.head.lines().map(Some).chain(std::iter::repeat(None));
    let said = |line: Option<&str>| match line {
        Some(line) => format!("'{}'", clean::line(&clean::cut(line, 60))),
        None => "missing".to_owned(),
    };
    let first = lines.zip(others).take(LINES).enumerate().find(|(_, (a, b))| a != b);
    Some(match first {
        Some((n, (a, b))) => format!("line {} is {} there and {} here", n + 1, said(b), said(a)),
        None => format!("{} bytes there and {} here", other.bytes, one.bytes),
    })
}

/// As many lines are looked at.
const LINES: usize = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_told() {
        let output = |head: &str, sha: &str| Output {
            bytes: head.len() as u64,
            sha256: sha.to_owned(),
            head: head.to_owned(),
        };
        let told = |a: &str, b: &str| difference(Some(&output(a, a)), Some(&output(b, b)));
        assert_eq!(told("1\n2\n", "1\n2\n"), None);
        assert_eq!(told("1\n2\n", "1\n3\n").unwrap(), "line 2 is '3' there and '2' here");
        assert_eq!(told("1\n", "1\n3\n").unwrap(), "line 2 is '3' there and missing here");
        let same_head = difference(Some(&output("a", "x")), Some(&output("a", "y")));
        assert_eq!(same_head.unwrap(), "1 bytes there and 1 here");
        assert_eq!(difference(None, Some(&output("a", "x"))), None);
    }
}
