//! The command line of an experiment as checked settings, and how they differ from recorded ones.

use crate::clean;
use crate::cli::{ResumeArgs, RunArgs};
use crate::dataset;
use crate::env;
use crate::error::Error;
use crate::meter::{self, MeterSettings};
use crate::paths::{self, Project};
use crate::plan::sequential;
use crate::prepare::{self, dataset_settings};
use crate::screen::shown;
use crate::settings::{Failures, Job, Settings, SettingsError, is_percent, treatments};
use crate::store::ExperimentError;
use crate::store::conditions::fields_changed;
use crate::store::folder::Folder;
use rand::RngExt as _;
use std::path::{Path, PathBuf};

/// Checks the flags against each other and fills in what was left out.
pub(super) fn resolve(args: &RunArgs, project: &Project) -> Result<Settings, Error> {
    let scripts = args.workloads.clone().unwrap_or_else(|| project.workloads());
    let known = paths::frameworks(&scripts);
    let (treatments, control) = treatments(&args.frameworks, args.control.as_deref(), &known)?;
    let range = |flag, value: String, allowed| SettingsError::Range { flag, value, allowed };
    let threads = job_ranges(args.learning_rate, args.threads)?;
    if args.meter.interval.as_millis() == 0 {
        let value = humantime::format_duration(args.meter.interval).to_string();
        return Err(range("--interval", value, "at least 1ms").into());
    }
    if args.trial_timeout.is_some_and(|limit| limit.is_zero()) {
        return Err(range("--trial-timeout", "0s".to_owned(), "more than 0s").into());
    }
    if args.cooldown_until_idle.is_some_and(|p| !(p > 0.0 && p.is_finite())) {
        let value = args.cooldown_until_idle.unwrap_or_default().to_string();
        return Err(range("--cooldown-until-idle", value, "percent above 0").into());
    }
    data_dir(args)?;
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
            threads,
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
        gpus: args.meter.gpus.clone(),
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
        shard: args.shard,
    };
    check_comparisons(&settings)?;
    check_shard(&settings, args.order_seed)?;
    Ok(settings)
}

/// Checks the numbers of a job that the command line does not, and gives its threads: all processors
/// where none are named.
pub(super) fn job_ranges(learning_rate: f64, threads: Option<u32>) -> Result<u32, SettingsError> {
    let range = |flag, value: String, allowed| SettingsError::Range { flag, value, allowed };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    if !(learning_rate > 0.0 && learning_rate.is_finite()) {
        return Err(range("--learning-rate", learning_rate.to_string(), "a number above 0"));
    }
    match threads {
        Some(n) if n > cores => {
            Err(range("--threads", n.to_string(), "at most the processors there are"))
        }
        threads => Ok(threads.unwrap_or(cores)),
    }
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

/// All shards draw one plan, so its seed has to be the same everywhere.
fn check_shard(settings: &Settings, order_seed: Option<u64>) -> Result<(), SettingsError> {
    let Some(shard) = settings.shard else { return Ok(()) };
    if order_seed.is_none() {
        return Err(SettingsError::Unseeded);
    }
    shard.check(settings.iterations).map_err(SettingsError::Shard)
}

/// A folder that was named and is not there is a typing error more often than a wish.
fn data_dir(args: &RunArgs) -> Result<(), SettingsError> {
    let Some(dir) = &args.data_dir else { return Ok(()) };
    if args.dataset == dataset::Choice::Digits || dir.is_dir() {
        return Ok(());
    }
    Err(SettingsError::NoDataDir(dir.display().to_string()))
}

/// Refuses to use more images than the data set has. Where the data are not there yet, MNIST's counts
/// stand for them; digits has the same.
pub(super) fn check_samples(
    dataset: dataset::Choice,
    data_dir: Option<&Path>,
    train_samples: Option<u32>,
    test_samples: Option<u32>,
) -> Result<(), SettingsError> {
    let wanted = dataset_settings(dataset, data_dir);
    // What is no plain file may hang whoever opens it, and is looked at where that can be stopped.
    let plain = |dir: &&Path| wanted.files.iter().all(|file| dir.join(file.name).is_file());
    let named = data_dir.filter(plain);
    let (train, test) = match named.map(|_| dataset::find(&wanted)) {
        Some(Ok(dataset::Found::Ready(found))) => (found.train_images, found.test_images),
        // What is wrong with the files is said when they are prepared.
        _ => (wanted.files[0].items, wanted.files[2].items),
    };
    let limit = |flag: &'static str, asked: Option<u32>, most: u32| match asked {
        Some(asked) if asked > most => Err(SettingsError::TooMany { flag, asked, most }),
        _ => Ok(()),
    };
    limit("--train-samples", train_samples, train)?;
    limit("--test-samples", test_samples, test)
}

/// Drawn order seeds stay within what every JSON reader holds exactly.
const MAX_DRAWN: u64 = (1 << 53) - 1;

/// A recorded experiment's settings, where all that they name outside its folder is named on this
/// command line too or is what this user has by default. The folder may be a stranger's: nothing that it
/// names is run, loaded or written to on its word.
///
/// # Errors
///
/// [`ExperimentError::Foreign`] with what would have to be named.
pub(super) fn own_or_named(
    then: &Settings,
    args: &ResumeArgs,
    project: &Project,
    folder: &Folder,
) -> Result<Settings, ExperimentError> {
    let active = env::active_environment();
    let on_path = meter::energibridge_on_path();
    let (workloads, powercap) = (project.workloads(), MeterSettings::default().powercap);
    let mut flags = Vec::new();
    let mut choose = |flag: &str,
                      then: &Option<PathBuf>,
                      named: &Option<PathBuf>,
                      own: Option<&Path>| match (named, then) {
        (Some(named), _) => Some(prepare::absolute(named)),
        (None, Some(then)) if own == Some(then.as_path()) => Some(then.clone()),
        (None, None) => None,
        (None, Some(then)) => {
            flags.push(format!("{flag} {}", quoted(then)));
            None
        }
    };
    let settings = Settings {
        python_env: choose("--python-env", &then.python_env, &args.python_env, active.as_deref()),
        data_dir: choose("--data-dir", &then.data_dir, &args.data_dir, None),
        energibridge: choose(
            "--energibridge",
            &then.energibridge,
            &args.energibridge,
            on_path.as_deref(),
        ),
        powercap: choose(
            "--powercap",
            &Some(then.powercap.clone()),
            &args.powercap,
            Some(&powercap),
        )
        .unwrap_or_else(|| powercap.clone()),
        workloads: choose("--workloads", &then.workloads, &args.workloads, Some(&workloads)),
        failures: Failures {
            max_failures: args.max_failures.unwrap_or(then.failures.max_failures),
            ..then.failures.clone()
        },
        ..then.clone()
    };
    if flags.is_empty() {
        return Ok(settings);
    }
    Err(ExperimentError::Foreign { folder: shown(folder.root()), flags })
}

/// A path as a shell takes it, on one line.
fn quoted(path: &Path) -> String {
    let text = clean::line(&path.to_string_lossy());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Settings that differ from an experiment's. How failures are met may change; a seed that was drawn
/// is not compared.
pub(super) fn changed_settings(then: &Settings, now: &Settings, seed_given: bool) -> Vec<String> {
    let mut now = Settings { failures: then.failures.clone(), ..now.clone() };
    if then.shard.is_some() {
        // As many as the machine has that goes on with it.
        now.job.threads = then.job.threads;
    }
    if !seed_given {
        now.order_seed = then.order_seed;
    }
    fields_changed(then, &now, &[])
}
