//! What is still to do: the plan less what the journal says is done. Resuming is nothing else.

use super::{Plan, Trial};
use std::collections::BTreeMap;

/// What the journal last said of a trial's attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It began, and nothing more is known: the host died, or was told to stop.
    Unfinished,
    /// It ended and may be tried again.
    FailedMayRetry,
    /// It ended, well or not, and is not run again.
    Done,
}

/// The planned trials that are not done, in the planned order.
///
/// `outcomes` are the journal's words in the order in which they were written; the last one about
/// a trial counts. A trial the plan does not know is ignored.
pub fn remaining<'p, 'o>(
    plan: &'p Plan,
    outcomes: impl IntoIterator<Item = (&'o str, Outcome)>,
) -> Vec<&'p Trial> {
    let last: BTreeMap<&str, Outcome> = outcomes.into_iter().collect();
    plan.trials
        .iter()
        .filter(|trial| last.get(trial.name.as_str()) != Some(&Outcome::Done))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Treatment;
    use super::*;
    use proptest::prelude::*;

    fn plan() -> Plan {
        let names = ["a", "b", "c"].map(Treatment::of).to_vec();
        Plan::draw(6, &names, 1)
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![Just(Outcome::Unfinished), Just(Outcome::FailedMayRetry), Just(Outcome::Done)]
    }

    proptest! {
        /// Whatever the journal holds, each trial is either done or still to do, never both,
        /// and what is to do keeps the planned order.
        #[test]
        fn done_and_remaining_split_the_plan(
            log in prop::collection::vec((0usize..18, outcome()), 0..80)
        ) {
            let plan = plan();
            let words: Vec<(&str, Outcome)> =
                log.iter().map(|(i, o)| (plan.trials[*i].name.as_str(), *o)).collect();
            let left = remaining(&plan, words.iter().copied());
            for trial in &plan.trials {
                let last = words.iter().rev().find(|(n, _)| *n == trial.name).map(|(_, o)| *o);
                prop_assert_eq!(left.contains(&trial), last != Some(Outcome::Done));
            }
            prop_assert!(left.windows(2).all(|w| w[0].run_order < w[1].run_order));
        }

        /// Stopping anywhere and going on ends with every trial done exactly once.
        #[test]
        fn resuming_after_any_stops_runs_each_trial_once(stops in prop::collection::vec(0usize..5, 0..20)) {
            let plan = plan();
            let mut log: Vec<(String, Outcome)> = Vec::new();
            let mut finished: Vec<String> = Vec::new();
            for allowed in stops.into_iter().chain([usize::MAX]) {
                let left: Vec<String> =
                    remaining(&plan, log.iter().map(|(n, o)| (n.as_str(), *o)))
                        .into_iter().map(|t| t.name.clone()).collect();
                for (i, name) in left.into_iter().enumerate() {
                    log.push((name.clone(), Outcome::Unfinished));
                    if i >= allowed { break; }
                    log.push((name.clone(), Outcome::Done));
                    finished.push(name);
                }
            }
            let planned: Vec<String> = plan.trials.iter().map(|t| t.name.clone()).collect();
            prop_assert_eq!(finished, planned);
        }

        #[test]
        fn strangers_in_the_journal_change_nothing(name in "[a-z]{1,8}") {
            let plan = plan();
            let words = [(name.as_str(), Outcome::Done)];
            prop_assert_eq!(remaining(&plan, words).len(), 18);
        }
    }
}
