//! The command line of an experiment as checked settings, and how they differ from recorded ones.

use super::prepare::{self, dataset_settings};
use crate::cli::RunArgs;
use crate::dataset;
use crate::error::Error;
use crate::paths::{self, Project};
use crate::settings::{DatasetName, Failures, Job, Settings, SettingsError, treatments};
use rand::RngExt as _;
use std::path::PathBuf;

/// Checks the flags against each other and fills in what was left out.
pub(super) fn resolve(args: &RunArgs, project: &Project) -> Result<Settings, Error> {
    let scripts = args.workloads.clone().unwrap_or_else(|| project.workloads());
    let known = paths::frameworks(&scripts);
    let (treatments, control) = treatments(&args.frameworks, args.control.as_deref(), &known)?;
    let range = |flag, value: String, allowed| SettingsError::Range { flag, value, allowed };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    if !(args.learning_rate > 0.0 && args.learning_rate.is_finite()) {
        let value = args.learning_rate.to_string();
        return Err(range("--learning-rate", value, "a number above 0").into());
    }
    if args.threads.is_some_and(|n| n > cores) {
        let value = args.threads.unwrap_or_default().to_string();
        return Err(range("--threads", value, "at most the processors there are").into());
    }
    if args.meter.interval.as_millis() == 0 {
        let value = humantime::format_duration(args.meter.interval).to_string();
        return Err(range("--interval", value, "at least 1ms").into());
    }
    if args.cooldown_until_idle.is_some_and(|p| !(p > 0.0 && p.is_finite())) {
        let value = args.cooldown_until_idle.unwrap_or_default().to_string();
        return Err(range("--cooldown-until-idle", value, "percent above 0").into());
    }
    data_dir(args)?;
    Ok(Settings {
        iterations: args.iterations,
        treatments,
        control,
        job: Job {
            epochs: args.epochs,
            batch_size: args.batch_size,
            learning_rate: args.learning_rate,
            seed: args.seed,
            train_samples: args.train_samples,
            test_samples: args.test_samples,
            threads: args.threads.unwrap_or(cores),
        },
        order_seed: args.order_seed.unwrap_or_else(|| rand::rng().random_range(0..=MAX_DRAWN)),
        warmup: args.warmup,
        warmup_until_stable: args.warmup_until_stable,
        cooldown: args.cooldown,
        cooldown_until_idle: args.cooldown_until_idle,
        baseline: args.baseline,
        interval: args.meter.interval,
        meter: args.meter.meter,
        cpu_watts: args.meter.cpu_watts,
        energibridge: args.meter.energibridge.clone(),
        powercap: args.meter.powercap.clone(),
        dataset: args.dataset,
        data_dir: args.data_dir.clone(),
        python_env: args.python_env.clone(),
        allow_unlocked: args.allow_unlocked,
        failures: Failures {
            retries: args.retries,
            trial_timeout: args.trial_timeout,
            max_failures: args.max_failures,
        },
        workloads: args.workloads.as_deref().map(prepare::absolute),
    })
}

/// A folder that was named and is not there is a typing error more often than a wish.
fn data_dir(args: &RunArgs) -> Result<(), SettingsError> {
    let Some(dir) = &args.data_dir else { return Ok(()) };
    if args.dataset == DatasetName::Digits || dir.is_dir() {
        return Ok(());
    }
    Err(SettingsError::NoDataDir(dir.display().to_string()))
}

/// Refuses to use more images than the data set has. Where the data are not there yet, MNIST's counts
/// stand for them; digits has the same.
pub(super) fn check_samples(settings: &Settings) -> Result<(), Error> {
    let wanted = dataset_settings(settings.dataset, settings.data_dir.as_deref());
    // What is no plain file may hang whoever opens it, and is looked at where that can be stopped.
    let plain = |dir: &PathBuf| wanted.files.iter().all(|file| dir.join(file.name).is_file());
    let named = settings.data_dir.as_ref().filter(|dir| plain(dir));
    let (train, test) = match named.map(|_| dataset::find(&wanted)) {
        Some(Ok(dataset::Found::Ready(found))) => (found.train_images, found.test_images),
        // What is wrong with the files is said when they are prepared.
        _ => (wanted.files[0].items, wanted.files[2].items),
    };
    let limit = |flag: &'static str, asked: Option<u32>, most: u32| match asked {
        Some(asked) if asked > most => Err(SettingsError::TooMany { flag, asked, most }),
        _ => Ok(()),
    };
    limit("--train-samples", settings.job.train_samples, train)?;
    limit("--test-samples", settings.job.test_samples, test)?;
    Ok(())
}

/// Drawn order seeds stay within what every JSON reader holds exactly.
const MAX_DRAWN: u64 = (1 << 53) - 1;

/// Settings that differ from an experiment's. How failures are met may change; a seed that was drawn
/// is not compared.
pub(super) fn changed_settings(then: &Settings, now: &Settings, seed_given: bool) -> Vec<String> {
    let mut now = Settings { failures: then.failures.clone(), ..now.clone() };
    if !seed_given {
        now.order_seed = then.order_seed;
    }
    let value = |s: &Settings| serde_json::to_value(s).unwrap_or_default();
    let (then, now) = (value(then), value(&now));
    then.as_object()
        .into_iter()
        .flatten()
        .filter(|(name, old)| now.get(*name) != Some(old))
        .map(|(name, old)| format!("{name}: was {old}, is {}", now[name]))
        .collect()
}
