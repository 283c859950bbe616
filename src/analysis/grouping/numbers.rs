//! What the numbers in files' names count.

use std::collections::BTreeSet;

use super::File;
use crate::analysis::names::{Kind, Part, is_repetition};

/// What the numbers in the files' names are, counted from the end of the names.
pub(super) struct Numbers {
    /// The one that counts trials.
    pub(super) counter: Option<usize>,
    /// Those that count sessions.
    pub(super) sessions: BTreeSet<usize>,
    /// Those that belong to the group's name.
    pub(super) named: BTreeSet<usize>,
}

impl Numbers {
    pub(super) fn of(files: &[&File<'_>]) -> Numbers {
        let most = files.iter().map(|f| numbers(f).count()).max().unwrap_or(0);
        let distinct: Vec<usize> = (0..most)
            .map(|n| {
                let values = files.iter().filter_map(|f| numbers(f).nth(n).map(|(_, p)| p.text));
                values.collect::<BTreeSet<_>>().len()
            })
            .collect();
        let last = distinct.iter().position(|values| *values > 1);
        // The last number counts, unless another has far more values.
        let counter = last.map(|last| {
            let most = (0..most).max_by_key(|n| (distinct[*n], usize::MAX - n)).unwrap_or(last);
            if distinct[most] >= 3 * distinct[last] { most } else { last }
        });
        let mut roles = Numbers { counter, sessions: BTreeSet::new(), named: BTreeSet::new() };
        for n in (0..most).filter(|n| Some(*n) != counter) {
            let called = |f: &&&File<'_>| {
                let before = numbers(f).nth(n).and_then(|(at, _)| f.parts[..at].last());
                before.is_some_and(|p| p.kind == Kind::Word && is_repetition(p.text))
            };
            if distinct[n] == 1 && counter.is_none() && n == 0 {
                continue;
            }
            if distinct[n] > 1 && files.iter().all(|f| called(&f)) {
                roles.sessions.insert(n);
            } else if distinct[n] * 2 <= files.len() {
                roles.named.insert(n);
            }
        }
        roles
    }

    pub(super) fn number(&self, file: &File<'_>) -> Option<u64> {
        let number = numbers(file).nth(self.counter.unwrap_or(0))?.1.number();
        number.filter(|_| !file.copy)
    }

    /// Whether a part of a name, the `at`-th, belongs to the group's name.
    pub(super) fn names(&self, file: &File<'_>, at: usize) -> bool {
        match file.parts[at].kind {
            Kind::Word => true,
            Kind::Stamp | Kind::Id => false,
            Kind::Number => {
                numbers(file).position(|(p, _)| p == at).is_some_and(|n| self.named.contains(&n))
            }
        }
    }
}

/// The numbers of a name from its end, each with its place among the parts.
pub(super) fn numbers<'f, 'a>(file: &'f File<'a>) -> impl Iterator<Item = (usize, &'f Part<'a>)> {
    file.parts.iter().enumerate().rev().filter(|(_, p)| p.kind == Kind::Number)
}
