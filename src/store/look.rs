//! What looking at an experiment in its middle found, as the journal and `experiment.json` keep it.

use crate::plan::sequential::State;
use serde::{Deserialize, Serialize};

/// What a look found, as the journal and `experiment.json` keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Whole blocks that had been run.
    pub blocks: u32,
    /// Each declared comparison.
    pub comparisons: Vec<Compared>,
    /// Whether all are decided, so that it stops here.
    pub stop: bool,
    /// Blocks in all after which it may stop if spread and differences stay as they are; none where not even the
    /// most are expected to do.
    #[serde(default)]
    pub forecast: Option<u32>,
}

/// A comparison at a look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The base.
    pub a: String,
    /// What is compared with it.
    pub b: String,
    /// What is known of it.
    #[serde(flatten)]
    pub state: State,
    /// Its p-value over all looks after Holm's correction.
    pub p_holm: f64,
    /// Whether the two differ.
    pub resolved: bool,
    /// Whether its interval is narrow enough.
    pub precise: bool,
}

impl Compared {
    /// Whether it needs no more blocks.
    pub(crate) fn decided(&self) -> bool {
        self.resolved || self.precise
    }
}

impl Look {
    /// One line for the user.
    pub(crate) fn tell(&self, most: u32) -> String {
        let all = self.comparisons.len();
        let decided = self.comparisons.iter().filter(|c| c.decided()).count();
        if self.stop {
            let early = if self.blocks < most {
                format!(", so it stops here (at most {most})")
            } else {
                String::new()
            };
            return format!("look after {} blocks: all {all} decided{early}", self.blocks);
        }
        let open = self.comparisons.iter().filter(|c| !c.decided());
        let width = |c: &&Compared| c.state.half_width_pct().unwrap_or(f64::INFINITY);
        let widest = open.max_by(|a, b| width(a).total_cmp(&width(b)));
        let widest = widest.map_or(String::new(), |c| match c.state.half_width_pct() {
            Some(half) => format!("; {} to {} ±{half:.1}%", c.b, c.a),
            None => format!("; {} to {} not known yet", c.b, c.a),
        });
        let ahead = match self.forecast {
            _ if self.blocks >= most => String::new(),
            Some(n) => format!("; about {} more", n - self.blocks),
            None => format!("; perhaps all {most} needed"),
        };
        format!("look after {} blocks: {decided} of {all} decided{widest}{ahead}", self.blocks)
    }
}
