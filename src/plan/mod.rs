//! The order of trials: a pure function of blocks, treatments and one seed.
//! Nothing else reaches the generator, so no training script can bend the order.

pub mod detectable;
pub(crate) mod duration;
mod order;
mod remaining;
pub(crate) mod seeds;
pub mod sequential;

pub use crate::settings::Treatment;
pub(crate) use crate::settings::{Levels, Order, folder_of, is_label, is_name};
pub use remaining::{Outcome, remaining};

use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;

/// One treatment in one block: one worker process, one CSV.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// `<folder of the treatment>_<block>`, unique within the experiment; names the trial's files.
    pub name: String,
    /// The treatment's name.
    pub treatment: String,
    /// The treatment's framework.
    pub framework: String,
    /// The treatment's variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The treatment's environment; none for the experiment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The treatment's levels of the factors that are varied.
    #[serde(default, skip_serializing_if = "Levels::is_empty")]
    pub levels: Levels,
    /// The block, from 0.
    pub block: u32,
    /// The place within the block, from 0.
    pub position: u32,
    /// The place within the experiment, from 0.
    pub run_order: u32,
    /// The seed that it trains from, where blocks have their own; else the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl Trial {
    /// The folder that its files lie in, and the beginning of their names.
    pub(crate) fn folder(&self) -> String {
        folder_of(&self.treatment)
    }
}

/// Every trial of an experiment, in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Seeds the order, and nothing else.
    pub order_seed: u64,
    /// How the order was drawn: [`Order::generator`].
    pub generator: String,
    /// The trials, by `run_order`.
    pub trials: Vec<Trial>,
}

impl Plan {
    /// The plan of an experiment with these settings.
    pub fn of(settings: &Settings) -> Plan {
        let Settings { order, treatments, order_seed, .. } = settings;
        let mut plan = Plan::ordered(*order, settings.blocks(), treatments, *order_seed);
        if settings.seed_per_block {
            for trial in &mut plan.trials {
                trial.seed = Some(seeds::of_block(settings.job.seed, trial.block));
            }
        }
        plan
    }

    /// Draws an independent, uniformly random order for each of `blocks` blocks.
    ///
    /// Each block reads its own ChaCha stream, so a block's order depends on the seed and its
    /// number alone: a longer experiment begins exactly as a shorter one with the same seed.
    pub fn draw(blocks: u32, treatments: &[Treatment], order_seed: u64) -> Plan {
        Plan::ordered(Order::Random, 0..blocks, treatments, order_seed)
    }

    /// Draws the order of `blocks` at random or balanced by design. A part of an experiment's blocks is
    /// drawn as it stands in the whole.
    pub(crate) fn ordered(
        order: Order,
        blocks: Range<u32>,
        treatments: &[Treatment],
        order_seed: u64,
    ) -> Plan {
        let before = blocks.start.saturating_mul(treatments.len() as u32);
        let mut trials = Vec::with_capacity(blocks.len() * treatments.len());
        let rows = order.draw_part(blocks.clone(), treatments.len(), order_seed);
        for (block, row) in blocks.zip(rows) {
            for (position, treatment) in row.into_iter().map(|one| &treatments[one]).enumerate() {
                trials.push(Trial {
                    name: format!("{}_{block}", treatment.folder()),
                    treatment: treatment.name.clone(),
                    framework: treatment.framework.clone(),
                    variant: treatment.variant.clone(),
                    environment: treatment.environment.clone(),
                    levels: treatment.levels.clone(),
                    block,
                    position: position as u32,
                    run_order: before.saturating_add(trials.len() as u32),
                    seed: None,
                });
            }
        }
        Plan { order_seed, generator: order.generator().to_owned(), trials }
    }

    /// The trial that ran before this one, if any.
    pub fn predecessor(&self, trial: &Trial) -> Option<&Trial> {
        let place = trial.run_order.checked_sub(self.first())?.checked_sub(1)?;
        self.trials.get(place as usize)
    }
}

impl Plan {
    /// The place of its first trial within the experiment: not 0 in a shard.
    fn first(&self) -> u32 {
        self.trials.first().map_or(0, |trial| trial.run_order)
    }

    /// Checks a plan that was read from a file, which anyone may have written.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for (place, trial) in self.trials.iter().enumerate() {
            let names = [&trial.name, &trial.framework];
            if let Some(name) = names.into_iter().find(|name| !name.is_empty() && !is_name(name)) {
                return Err(format!("the plan names {name:?}, which cannot be the name of a file"));
            }
            if !is_label(&trial.treatment)
                || trial.name != format!("{}_{}", trial.folder(), trial.block)
            {
                return Err(format!(
                    "the plan calls a trial of {:?} {}, which is not its name",
                    trial.treatment, trial.name
                ));
            }
            if !seen.insert(&trial.name) {
                return Err(format!("the plan names {} twice", trial.name));
            }
            if u64::from(trial.run_order) != u64::from(self.first()) + place as u64 {
                let order = trial.run_order;
                return Err(format!(
                    "{} stands at place {place} with the order {order}",
                    trial.name
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn treatments(names: &[&str]) -> Vec<Treatment> {
        names.iter().map(|n| Treatment::of(*n)).collect()
    }

    fn orders(plan: &Plan) -> Vec<String> {
        let mut blocks: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        for t in &plan.trials {
            blocks.entry(t.block).or_default().push(&t.treatment);
        }
        blocks.into_values().map(|b| b.join(" ")).collect()
    }

    #[test]
    fn a_recorded_seed_gives_the_same_order_in_every_release() {
        let plan = Plan::draw(4, &treatments(&["keras", "torch", "jax"]), 42);
        assert_eq!(orders(&plan), GOLDEN);
    }
    const GOLDEN: [&str; 4] =
        ["torch jax keras", "jax torch keras", "torch jax keras", "torch jax keras"];

    #[test]
    fn a_plan_that_was_tampered_with_is_refused_with_the_reason() {
        let plan = Plan::draw(2, &treatments(&["a", "b"]), 1);
        plan.check().unwrap();
        let tampered = |change: fn(&mut Plan)| {
            let mut plan = plan.clone();
            change(&mut plan);
            plan.check().unwrap_err()
        };
        assert!(tampered(|p| p.trials[1].treatment = "../x".into()).contains("\"../x\""));
        assert!(tampered(|p| p.trials[1] = p.trials[0].clone()).contains("twice"));
        assert!(tampered(|p| p.trials[1].name = p.trials[0].name.clone()).contains("its name"));
        assert!(tampered(|p| p.trials.swap(0, 1)).contains("stands at place"));
    }

    #[test]
    fn a_longer_experiment_begins_like_a_shorter_one() {
        let names = treatments(&["keras", "torch", "jax"]);
        let (short, long) = (Plan::draw(5, &names, 7), Plan::draw(50, &names, 7));
        assert_eq!(short.trials[..], long.trials[..15]);
    }

    /// All six orders of three treatments come up equally often: chi-square with 5 degrees of
    /// freedom stays below its 99.9% point, 20.5, over many seeds and blocks.
    #[test]
    fn every_order_is_equally_likely_across_blocks_and_seeds() {
        let names = treatments(&["a", "b", "c"]);
        let mut count: BTreeMap<String, f64> = BTreeMap::new();
        for seed in 0..60 {
            for order in orders(&Plan::draw(100, &names, seed)) {
                *count.entry(order).or_default() += 1.0;
            }
        }
        assert_eq!(count.len(), 6);
        let chi2: f64 = count.values().map(|n| (n - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi2 < 20.5, "chi-square {chi2}: {count:?}");
    }

    /// The flaw of the study this tool repeats: all blocks followed one cycle. Here, knowing a
    /// block's order tells nothing of the next one's.
    #[test]
    fn a_block_does_not_predict_the_next() {
        let names = treatments(&["a", "b", "c"]);
        let (mut same, mut pairs) = (0.0, 0.0);
        for seed in 0..60 {
            for pair in orders(&Plan::draw(100, &names, seed)).windows(2) {
                same += f64::from(pair[0] == pair[1]);
                pairs += 1.0;
            }
        }
        let share: f64 = same / pairs;
        assert!((share - 1.0 / 6.0).abs() < 0.015, "repeats the last order in {share} of blocks");
    }

    proptest! {
        #[test]
        fn every_block_holds_every_treatment_once(blocks in 1u32..40, n in 1usize..6, seed: u64) {
            let names: Vec<String> = (0..n).map(|i| format!("t{i}")).collect();
            let refs: Vec<&str> = names.iter().map(String::as_str).collect();
            let plan = Plan::draw(blocks, &treatments(&refs), seed);
            prop_assert_eq!(plan.trials.len(), blocks as usize * n);
            let unique: BTreeSet<_> = plan.trials.iter().map(|t| &t.name).collect();
            prop_assert_eq!(unique.len(), plan.trials.len());
            for (i, t) in plan.trials.iter().enumerate() {
                prop_assert_eq!(t.run_order as usize, i);
                prop_assert_eq!(t.block as usize, i / n);
                prop_assert_eq!(t.position as usize, i % n);
            }
        }
    }
}
