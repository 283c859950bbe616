//! The command line of an experiment as checked settings, and how they differ from recorded ones.

use super::prepare;
use crate::cli::RunArgs;
use crate::error::Error;
use crate::paths::{self, Project};
use crate::plan::sequential;
use crate::settings::{Failures, Job, Settings, SettingsError, is_percent, treatments};
use rand::RngExt as _;

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
    let percents = [("--margin", args.margin), ("--until-precise", args.until_precise)];
    for (flag, pct) in percents.into_iter().filter_map(|(flag, pct)| Some((flag, pct?))) {
        if !is_percent(pct) {
            return Err(range(flag, pct.to_string(), "percent above 0 and below 100").into());
        }
    }
    let settings = Settings {
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
        order: args.order,
        seed_per_block: args.seed_per_block,
        compare_to: args.compare_to.clone(),
        margin_pct: args.margin,
        until_precise: args.until_precise,
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
    };
    check_comparisons(&settings)?;
    Ok(settings)
}

/// What is to be compared has to be among the treatments, and more than one.
fn check_comparisons(settings: &Settings) -> Result<(), SettingsError> {
    let names: Vec<&str> = settings.compared().map(|t| t.name.as_str()).collect();
    if let Some(base) = &settings.compare_to
        && !names.contains(&base.as_str())
    {
        return Err(SettingsError::CompareTo(base.clone(), names.join(", ")));
    }
    let asked = [
        ("--compare-to", settings.compare_to.is_some()),
        ("--until-precise", settings.until_precise.is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((flag, _)) if names.len() < 2 => return Err(SettingsError::Alone(flag)),
        _ => {}
    }
    if settings.until_precise.is_some() && settings.iterations < sequential::FIRST_LOOK {
        return Err(SettingsError::Range {
            flag: "--iterations",
            value: settings.iterations.to_string(),
            allowed: "--until-precise looks at 3 blocks for the first time",
        });
    }
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
