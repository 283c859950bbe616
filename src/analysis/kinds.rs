//! Many sentences that say the same, in one line per kind.

use serde::{Deserialize, Serialize};

/// Sentences of one kind: they differ in their numbers only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// The first one's sentence.
    pub kind: String,
    /// How many there are.
    pub count: usize,
    /// Whom it is said of, [`EXAMPLES`] at most.
    pub examples: Vec<String>,
}

/// How many examples of a kind are named.
pub(crate) const EXAMPLES: usize = 3;

/// Puts together what is said, as pairs of whom it is said of and what; the most frequent kind first.
pub(crate) fn kinds(said: impl IntoIterator<Item = (String, String)>) -> Vec<Kind> {
    let mut kinds: Vec<(String, Kind)> = Vec::new();
    let mut at = std::collections::HashMap::new();
    for (whom, what) in said {
        let shape = shape(&what);
        let place = *at.entry(shape.clone()).or_insert_with(|| {
            kinds.push((shape, Kind { kind: what, count: 0, examples: Vec::new() }));
            kinds.len() - 1
        });
        let kind = &mut kinds[place].1;
        kind.count += 1;
        if kind.examples.len() < EXAMPLES {
            kind.examples.push(whom);
        }
    }
    let mut kinds: Vec<Kind> = kinds.into_iter().map(|(_, kind)| kind).collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    kinds
}

/// A sentence without its numbers.
fn shape(sentence: &str) -> String {
    let mut shape = String::with_capacity(sentence.len());
    let mut inside = false;
    for c in sentence.chars() {
        let number = c.is_ascii_digit() || (inside && matches!(c, '.' | ','));
        if number && !inside {
            shape.push('#');
        } else if !number {
            shape.push(c);
        }
        inside = number;
    }
    shape
}

impl std::fmt::Display for Kind {
    /// `3 files: a/x_1.csv, b/x_2.csv and 1 more: the row is cut`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.examples.join(", "))?;
        if self.count > self.examples.len() {
            write!(f, " and {} more", self.count - self.examples.len())?;
        }
        write!(f, ": {}", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_that_differ_in_numbers_are_one_kind() {
        let said = [
            ("a", "row 3: 12.5 J"),
            ("b", "it is empty"),
            ("c", "row 14: 7 J"),
            ("d", "row 9: 1,5 J"),
            ("e", "row 10: 8 J"),
        ];
        let found = kinds(said.map(|(whom, what)| (whom.to_owned(), what.to_owned())));
        let told: Vec<String> = found.iter().map(Kind::to_string).collect();
        assert_eq!(told, ["a, c, d and 1 more: row 3: 12.5 J", "b: it is empty"]);
        assert_eq!(found[0].count, 4);
    }
}
