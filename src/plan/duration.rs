//! How long an experiment takes, before its first trial.

use crate::settings::{Job, Settings};

/// What a trial takes before it trains, in seconds: Python, imports, compiling.
pub(crate) const STARTING_S: f64 = 12.0;
/// How fast the CNN trains on one core, in images per second; a rough figure from the machine that
/// this was tried on.
pub(crate) const IMAGES_PER_CORE_SECOND: f64 = 400.0;
/// MNIST's training images.
const IMAGES: u32 = 60_000;

/// How long an experiment is expected to take. Pauses are as they were set; what is trained is a rough
/// guess until the first block has been run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    pub trials: usize,
    /// Warm-up, both baselines, and a cool-down after the warm-up and each trial, in seconds.
    pub pauses_s: f64,
    /// One trial, in seconds: their mean where levels differ.
    pub trial_s: f64,
}

/// What a job trains for, in seconds.
fn training_s(job: &Job) -> f64 {
    let images = f64::from(job.train_samples.unwrap_or(IMAGES).min(IMAGES));
    images * f64::from(job.epochs) / (IMAGES_PER_CORE_SECOND * f64::from(job.threads.max(1)))
}

impl Expected {
    /// Of an experiment with these settings. What is open-ended (`--warmup-until-stable`,
    /// `--cooldown-until-idle`) counts with its set time.
    pub(crate) fn of(settings: &Settings) -> Expected {
        let trials = settings.trials();
        // Without a baseline nothing is measured after the last trial, and nothing has warmed the machine before
        // the first without a warm-up.
        let last = usize::from(settings.baseline.is_zero());
        let first = usize::from(!settings.warmup.is_zero());
        let cooldowns = (trials + first).saturating_sub(last) as f64;
        let pauses_s = settings.warmup.as_secs_f64()
            + 2.0 * settings.baseline.as_secs_f64()
            + cooldowns * settings.cooldown.as_secs_f64();
        if let Some(commands) = &settings.commands {
            // Known once each was tried.
            return Expected { trials, pauses_s, trial_s: commands.trial_s.unwrap_or_default() };
        }
        let jobs: Vec<f64> = settings.jobs().map(|job| training_s(&job)).collect();
        let trial_s = STARTING_S + jobs.iter().sum::<f64>() / jobs.len().max(1) as f64;
        Expected { trials, pauses_s, trial_s }
    }

    /// All trials, in seconds.
    pub(crate) fn training_s(&self) -> f64 {
        self.trial_s * self.trials as f64
    }

    /// Everything, in seconds.
    pub(crate) fn total_s(&self) -> f64 {
        self.pauses_s + self.training_s()
    }
}

/// Seconds that so many trials of an experiment take with its pauses, before the first has told.
pub(crate) fn left_s(settings: &Settings, left: usize) -> f64 {
    let all = Expected::of(settings);
    let trials = all.trials.max(1) as f64;
    // Warm-up and both baselines are made again by every session.
    let once = settings.warmup.as_secs_f64() + 2.0 * settings.baseline.as_secs_f64();
    if left == 0 { 0.0 } else { once + (all.total_s() - once) * left as f64 / trials }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    /// The study's experiment on two cores.
    pub(crate) fn example() -> Settings {
        let treatment = |name: &str| json!({ "name": name, "framework": name });
        serde_json::from_value(json!({
            "iterations": 30, "treatments": (["keras", "torch", "jax"].map(treatment)),
            "control": null,
            "job": { "epochs": 3, "batch_size": 64, "learning_rate": 0.001, "seed": 42,
                     "train_samples": null, "test_samples": null, "threads": 2 },
            "order_seed": 1, "warmup": "5m", "warmup_until_stable": false, "cooldown": "1m",
            "cooldown_until_idle": null, "baseline": "10s", "interval": "200ms", "meter": "auto",
            "cpu_watts": { "idle_w": 10.0, "busy_w": 65.0 }, "energibridge": null,
            "powercap": "/sys/class/powercap", "dataset": "auto", "data_dir": null,
            "python_env": null, "allow_unlocked": false, "workloads": null,
            "failures": { "retries": 1, "trial_timeout": null, "max_failures": 10 },
        }))
        .unwrap()
    }

    #[test]
    fn the_studys_experiment_is_its_pauses_and_its_trials() {
        let expected = Expected::of(&example());
        assert_eq!(expected.trials, 90);
        assert_eq!(expected.pauses_s, 300.0 + 20.0 + 91.0 * 60.0);
        // 3 epochs of 60,000 images at 800 a second.
        assert_eq!(expected.trial_s, 12.0 + 225.0);
        assert_eq!(expected.total_s(), 5780.0 + 90.0 * 237.0);
    }

    #[test]
    fn no_more_images_count_than_there_are_and_pauses_that_are_not_made_do_not() {
        let mut one = Settings { iterations: 1, warmup: Duration::ZERO, ..example() };
        one.baseline = Duration::ZERO;
        one.treatments.truncate(1);
        one.job.train_samples = Some(1_000_000);
        let expected = Expected::of(&one);
        assert_eq!((expected.pauses_s, expected.trial_s), (0.0, 237.0));
        one.job.train_samples = Some(6000);
        assert_eq!(Expected::of(&one).trial_s, 12.0 + 22.5);
    }
}
