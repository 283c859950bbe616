//! Looking at an experiment in its middle: whether it is precise enough to stop.

use super::trial::Bench;
use crate::gate::Expected;
use crate::plan::sequential::{Sequential, State};
use crate::plan::{self, Outcome, Plan, Trial};
use crate::store::journal::{self, Again};
use crate::store::look::{Compared, Look};
use crate::store::record::{Status, TrialRecord};
use std::collections::{BTreeMap, BTreeSet};

impl Look {
    /// Looks at the trials of `blocks` whole blocks.
    pub(crate) fn at(
        blocks: u32,
        records: &[TrialRecord],
        comparisons: &[[String; 2]],
        design: &Sequential,
        alpha: f64,
    ) -> Look {
        let series: Vec<Vec<f64>> =
            comparisons.iter().map(|[a, b]| differences(records, a, b, blocks)).collect();
        let states: Vec<State> = series.iter().map(|own| design.judge(own, alpha)).collect();
        let standings = design.decide(&states, alpha);
        let compared: Vec<Compared> = comparisons
            .iter()
            .zip(states)
            .zip(standings)
            .map(|(([a, b], state), standing)| Compared {
                a: a.clone(),
                b: b.clone(),
                state,
                p_holm: standing.p_holm,
                resolved: standing.resolved,
                precise: standing.precise,
            })
            .collect();
        let stop = !compared.is_empty() && compared.iter().all(Compared::decided);
        let open: Vec<Vec<f64>> = series
            .into_iter()
            .zip(&compared)
            .filter_map(|(own, compared)| (!compared.decided()).then_some(own))
            .collect();
        let lost = |own: &Vec<f64>| blocks - own.len() as u32;
        let lost = open.iter().map(lost).max().unwrap_or(0);
        let forecast = design.forecast(&open, alpha, comparisons.len());
        let forecast = forecast.map(|n| (n + lost).max(blocks + u32::from(!stop)));
        Look {
            blocks,
            comparisons: compared,
            stop,
            forecast: forecast.filter(|n| *n <= design.most),
        }
    }
}

/// The differences of log energy within the blocks in which both have a good trial, by block.
fn differences(records: &[TrialRecord], a: &str, b: &str, blocks: u32) -> Vec<f64> {
    let logs = |treatment: &str| -> BTreeMap<u32, f64> {
        let own = records.iter().filter(|r| r.status == Status::Ok && r.treatment == treatment);
        own.filter(|r| r.block < blocks)
            .filter_map(|r| Some((r.block, r.window.as_ref()?.total_j)))
            .filter(|(_, joules)| joules.is_finite() && *joules > 0.0)
            .map(|(block, joules)| (block, joules.ln()))
            .collect()
    };
    let (a, b) = (logs(a), logs(b));
    b.iter().filter_map(|(block, log)| Some(log - a.get(block)?)).collect()
}

/// What of the plan is still to run: what the journal leaves of it, up to the block after which a look
/// ended it.
pub(crate) fn needed<'p>(plan: &'p Plan, so_far: &journal::Read, again: Again) -> Vec<&'p Trial> {
    let mut left = plan::remaining(plan, so_far.outcomes_with(again));
    if let Some(blocks) = stopped_after(so_far) {
        left.retain(|trial| trial.block < blocks);
    }
    left
}

/// The number of blocks after which a look ended the experiment, where one did.
pub(crate) fn stopped_after(so_far: &journal::Read) -> Option<u32> {
    so_far.looks().find(|look| look.stop).map(|look| look.blocks)
}

/// How many blocks are done as a whole, counted from the first.
pub(crate) fn whole_blocks(plan: &Plan, so_far: &journal::Read) -> u32 {
    let open = plan::remaining(plan, so_far.outcomes());
    let blocks = plan.trials.last().map_or(0, |trial| trial.block + 1);
    open.iter().map(|trial| trial.block).min().unwrap_or(blocks)
}

/// Reads the done trials and looks at them. The work gate comes first: what did other work is not compared.
pub(crate) fn look(
    bench: &Bench<'_>,
    so_far: &journal::Read,
    blocks: u32,
    expected: &Expected<'_>,
    protocol: &crate::store::protocol::Protocol,
    design: &Sequential,
) -> Look {
    let done: BTreeSet<&str> = so_far
        .outcomes()
        .into_iter()
        .filter(|(_, outcome)| *outcome == Outcome::Done)
        .map(|(name, _)| name)
        .collect();
    let trials = bench.plan.trials.iter().filter(|trial| done.contains(trial.name.as_str()));
    let mut records: Vec<TrialRecord> =
        trials.filter_map(|trial| bench.folder.record(trial)).collect();
    expected.compare(&mut records);
    Look::at(blocks, &records, &protocol.comparisons, design, protocol.alpha)
}
