//! From marks to the stretches of time that each phase took.

use crate::phase::{Edge, Phase, PhaseMark};

/// One passage through a phase, in Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub phase: Phase,
    pub begin_ns: i64,
    pub end_ns: i64,
}

impl Span {
    /// How long it took.
    pub(crate) fn seconds(&self) -> f64 {
        self.end_ns.saturating_sub(self.begin_ns) as f64 / 1e9
    }
}

/// The time that these phases took together, in stretches that do not overlap: what lies within two of
/// them counts once. None where one of them is missing, or two trials would not compare.
pub(super) fn together(spans: &[Span], phases: &[Phase]) -> Option<Vec<Span>> {
    if !phases.iter().all(|phase| spans.iter().any(|span| span.phase == *phase)) {
        return None;
    }
    let mut own: Vec<Span> =
        spans.iter().filter(|span| phases.contains(&span.phase)).copied().collect();
    own.sort_by_key(|span| (span.begin_ns, span.end_ns));
    let mut apart: Vec<Span> = Vec::new();
    for span in own {
        match apart.last_mut().filter(|last| span.begin_ns < last.end_ns) {
            Some(last) => last.end_ns = last.end_ns.max(span.end_ns),
            None => apart.push(span),
        }
    }
    Some(apart)
}

/// Pairs each beginning with the next end of the same phase. A phase may be passed several times; an
/// end without a beginning is ignored, and phases that began and never ended are returned beside.
pub(super) fn spans(marks: &[PhaseMark]) -> (Vec<Span>, Vec<Phase>) {
    let mut open: Vec<PhaseMark> = Vec::new();
    let mut closed = Vec::new();
    for mark in marks {
        let begun = open.iter().position(|o| o.phase == mark.phase);
        match (mark.edge, begun) {
            (Edge::Begin, None) => open.push(*mark),
            // A second beginning without an end: the later one counts, as the first never ended.
            (Edge::Begin, Some(at)) => open[at] = *mark,
            (Edge::End, Some(at)) => {
                let begin_ns = open.remove(at).unix_ns;
                // A clock that was set back in between must not make a negative duration.
                let end_ns = mark.unix_ns.max(begin_ns);
                closed.push(Span { phase: mark.phase, begin_ns, end_ns });
            }
            (Edge::End, None) => {}
        }
    }
    (closed, open.into_iter().map(|m| m.phase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(phase: Phase, edge: Edge, unix_ns: i64) -> PhaseMark {
        PhaseMark { phase, edge, unix_ns }
    }

    #[test]
    fn a_phase_that_never_ended_is_named_and_not_guessed() {
        use Edge::*;
        let marks = [
            mark(Phase::Data, Begin, 1),
            mark(Phase::Data, End, 5),
            mark(Phase::Evaluate, End, 6),
            mark(Phase::Train, Begin, 7),
        ];
        let (closed, unfinished) = spans(&marks);
        assert_eq!(closed, [Span { phase: Phase::Data, begin_ns: 1, end_ns: 5 }]);
        assert_eq!(unfinished, [Phase::Train]);
    }

    #[test]
    fn what_lies_within_two_phases_counts_once_and_a_missing_phase_leaves_no_window() {
        use Phase::*;
        let span = |phase, begin_ns, end_ns| Span { phase, begin_ns, end_ns };
        let spans =
            [span(Train, 0, 10), span(Evaluate, 4, 6), span(Evaluate, 9, 14), span(Build, 20, 21)];
        let told = |phases: &[Phase]| {
            together(&spans, phases)
                .map(|all| all.iter().map(|s| (s.begin_ns, s.end_ns)).collect::<Vec<_>>())
        };
        assert_eq!(told(&[Train, Evaluate]), Some(vec![(0, 14)]));
        assert_eq!(told(&[Evaluate, Build]), Some(vec![(4, 6), (9, 14), (20, 21)]));
        assert_eq!(told(&[Train, Data]), None);
    }

    #[test]
    fn a_phase_may_be_passed_twice_and_inside_another() {
        use Edge::*;
        let marks = [
            mark(Phase::Train, Begin, 0),
            mark(Phase::Evaluate, Begin, 2),
            mark(Phase::Evaluate, End, 3),
            mark(Phase::Train, End, 4),
            mark(Phase::Evaluate, Begin, 4),
            mark(Phase::Evaluate, End, 9),
        ];
        let (closed, unfinished) = spans(&marks);
        assert_eq!(closed.iter().map(|s| s.end_ns - s.begin_ns).collect::<Vec<_>>(), [1, 4, 5]);
        assert!(unfinished.is_empty());
    }
}
