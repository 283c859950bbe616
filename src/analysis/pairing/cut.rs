//! Blocks of trials whose names tell no number: neighbours in time.

use super::{BREAK, COMPLETE_FROM, Known, Times, groups};

/// The trials cut into blocks along the time.
pub(super) struct Cut {
    pub(super) blocks: Vec<Option<u64>>,
    complete: usize,
    in_complete: usize,
    trials: usize,
}

impl Cut {
    /// `None` where the times tell no order, or there is one group only.
    pub(super) fn of(trials: &[Known<'_>], times: &Times) -> Option<Cut> {
        if times.trouble.is_some() {
            return None;
        }
        let groups = groups(trials);
        if groups < 2 {
            return None;
        }
        let begins: Vec<f64> = times.order.iter().map(|t| times.began[*t]).collect();
        let mut steps: Vec<f64> = begins.windows(2).map(|pair| pair[1] - pair[0]).collect();
        steps.sort_by(f64::total_cmp);
        let usual = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
        let mut cut = Cut {
            blocks: vec![None; trials.len()],
            complete: 0,
            in_complete: 0,
            trials: trials.len(),
        };
        let mut open: Vec<usize> = Vec::new();
        let mut next = 1;
        let mut close = |open: &mut Vec<usize>| {
            if open.len() > 1 {
                open.iter().for_each(|trial| cut.blocks[*trial] = Some(next));
                next += 1;
            }
            if open.len() == groups {
                cut.complete += 1;
                cut.in_complete += groups;
            }
            open.clear();
        };
        for (at, trial) in times.order.iter().enumerate() {
            let twice = open.iter().any(|o| trials[*o].group == trials[*trial].group);
            let late = at > 0 && begins[at] - begins[at - 1] > BREAK * usual;
            if twice || late || open.len() == groups {
                close(&mut open);
            }
            open.push(*trial);
        }
        close(&mut open);
        Some(cut)
    }

    pub(super) fn holds(&self) -> bool {
        self.complete >= 2 && self.in_complete as f64 >= COMPLETE_FROM * self.trials as f64
    }

    pub(super) fn figures(&self) -> String {
        format!(
            "{} of {} trials lie in {} blocks of neighbours in time that hold every group",
            self.in_complete, self.trials, self.complete
        )
    }
}
