//! Which intervals are holes, found in one pass although the rhythm is known only at the end.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::integrity::HOLE_S;

/// The longest intervals of a file that are kept. A file with more holes than this has no energy that
/// could be told.
const KEPT: usize = 4096;

/// Time in which the energy is unknown, in seconds since the first sample, and the joules that were counted for
/// it and have to be subtracted again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unread {
    pub t0: f64,
    pub t1: f64,
    pub joules: f64,
}

/// An interval that may turn out to be a hole, with the joules of every column.
#[derive(Debug, Clone, PartialEq)]
struct Candidate {
    t0: f64,
    t1: f64,
    joules: Box<[f64]>,
}

impl Candidate {
    fn seconds(&self) -> f64 {
        self.t1 - self.t0
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> Ordering {
        self.seconds().total_cmp(&other.seconds()).then(self.t0.total_cmp(&other.t0))
    }
}

/// The longest intervals so far, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Holes {
    longest: BinaryHeap<Reverse<Candidate>>,
    dropped: bool,
}

impl Holes {
    /// Takes note of an interval and what each column rose by in it, J.
    pub(crate) fn note(&mut self, t0: f64, t1: f64, joules: &[f64]) {
        if t1 - t0 <= HOLE_S {
            return;
        }
        if self.longest.len() == KEPT {
            self.dropped = true;
            let shortest = self.longest.peek().map_or(0.0, |c| c.0.seconds());
            if t1 - t0 <= shortest {
                return;
            }
            self.longest.pop();
        }
        self.longest.push(Reverse(Candidate { t0, t1, joules: joules.into() }));
    }

    /// The holes among them in the order of time, per column: intervals longer than `than` seconds.
    /// None where there are more holes than could be kept.
    pub(crate) fn longer(self, than: f64, columns: usize) -> Option<Vec<Vec<Unread>>> {
        let is_hole = |candidate: &Candidate| candidate.seconds() > than;
        if self.dropped && self.longest.peek().is_some_and(|shortest| is_hole(&shortest.0)) {
            return None;
        }
        let mut found: Vec<Candidate> =
            self.longest.into_iter().map(|c| c.0).filter(is_hole).collect();
        found.sort_by(|a, b| a.t0.total_cmp(&b.t0));
        let of = |column: usize| {
            let unread = |c: &Candidate| Unread { t0: c.t0, t1: c.t1, joules: c.joules[column] };
            found.iter().map(unread).collect()
        };
        Some((0..columns).map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_are_kept_and_too_many_are_owned_up_to() {
        let mut few = Holes::default();
        few.note(0.0, 0.5, &[1.0]);
        few.note(0.5, 9.5, &[2.0]);
        few.note(9.5, 12.0, &[3.0]);
        let unread = Unread { t0: 0.5, t1: 9.5, joules: 2.0 };
        assert_eq!(few.longer(3.0, 1), Some(vec![vec![unread]]));

        let mut many = Holes::default();
        for i in 0..KEPT + 10 {
            let t = 10.0 * i as f64;
            many.note(t, t + 2.0 + i as f64 / 1e6, &[0.0]);
        }
        assert_eq!(many.longest.len(), KEPT);
        assert_eq!(many.longer(1.5, 1), None);
    }
}
