//! The command line of an experiment as checked settings, and how they differ from recorded ones.

mod again;
pub(super) mod commands;

use super::versions::versions;
use crate::cli::{DEFAULT_TREATMENTS, DesignArgs, FailureArgs, JobArgs, MeterArgs, RunArgs};
use crate::dataset;
use crate::error::Error;
use crate::meter::MeterSettings;
use crate::paths::Project;
use crate::plan::sequential;
use crate::prepare::known::known;
use crate::prepare::{self, dataset_settings};
use crate::settings::{
    Failures, Job, Known, Settings, SettingsError, Treatment, check_factors, is_learning_rate,
    is_percent, treatments,
};
use crate::workload::{Workload, WorkloadError};
pub(super) use again::{changed_settings, here, own_or_named, quoted};
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Checks the flags against each other and fills in what was left out.
pub(super) fn resolve(args: &RunArgs, project: &Project) -> Result<Settings, Error> {
    let workload = workload(&args.work.workload, args.work.workloads.as_deref(), project)?;
    let known = known_to(args, &workload, project)?;
    let typed = match &args.versions {
        Some(typed) => versions(typed, args.releases, &known, project)?,
        None => asked(&args.work.treatments, &workload),
    };
    let (treatments, control) =
        treatments(&typed, args.pairs.control.as_deref(), &args.vary, &known)?;
    let job = checked_job(&args.job, args.epochs)?;
    ranges(&args.design, &args.meter, &args.failures)?;
    args.job.device.fits(&args.meter.gpus, args.meter.meter)?;
    known.suit(args.job.device, &treatments)?;
    data_dir(args)?;
    check_percents(args.pairs.margin, args.pairs.until_precise)?;
    check_factors(&args.vary, &job, cores())?;
    let settings = Settings {
        iterations: args.iterations,
        environments: used(&treatments, &args.work.environment),
        treatments,
        factors: args.vary.clone(),
        control,
        workload: workload.name.clone(),
        job,
        seed_per_block: args.seed_per_block,
        compare_to: args.pairs.compare_to.clone(),
        margin_pct: args.pairs.margin,
        until_precise: args.pairs.until_precise,
        dataset: args.job.dataset,
        data_dir: args.job.data_dir.clone(),
        python_env: args.python.python_env.clone(),
        allow_unlocked: args.python.allow_unlocked,
        workloads: Some(workload.folder.clone())
            .filter(|folder| *folder != project.workloads().join(&workload.name)),
        ..common(&args.design, &args.meter, &args.failures)
    };
    check_comparisons(&settings, "--iterations")?;
    check_shard(&settings, &args.design)?;
    Ok(settings)
}

/// The settings that frameworks and commands share; all others are left empty.
fn common(design: &DesignArgs, meter: &MeterArgs, failures: &FailureArgs) -> Settings {
    Settings {
        iterations: 0,
        environments: BTreeMap::new(),
        treatments: Vec::new(),
        factors: Vec::new(),
        control: None,
        workload: String::new(),
        job: Job::default(),
        commands: None,
        order: design.order,
        seed_per_block: false,
        compare_to: None,
        margin_pct: None,
        until_precise: None,
        order_seed: design.order_seed.unwrap_or_else(draw_seed),
        warmup: design.warmup,
        warmup_until_stable: design.warmup_until_stable,
        cooldown: design.cooldown,
        cooldown_until_idle: design.cooldown_until_idle,
        baseline: design.baseline,
        interval: meter.interval,
        meter: meter.meter,
        gpus: meter.gpus.clone(),
        cpu_watts: meter.cpu_watts,
        energibridge: meter.energibridge.clone(),
        powercap: meter.powercap.clone(),
        dataset: dataset::Choice::Auto,
        data_dir: None,
        python_env: None,
        allow_unlocked: false,
        failures: Failures {
            retries: failures.retries,
            trial_timeout: failures.trial_timeout,
            max_failures: failures.max_failures,
        },
        workloads: None,
        shard: design.shard,
    }
}

/// Checks what frameworks and commands have in common and the command line does not check.
pub(super) fn ranges(
    design: &DesignArgs,
    meter: &MeterArgs,
    failures: &FailureArgs,
) -> Result<(), SettingsError> {
    let range = |flag, value: String, allowed| Err(SettingsError::Range { flag, value, allowed });
    if meter.interval.as_millis() == 0 {
        let value = humantime::format_duration(meter.interval).to_string();
        return range("--interval", value, "at least 1ms");
    }
    if failures.trial_timeout.is_some_and(|limit| limit.is_zero()) {
        return range("--trial-timeout", "0s".to_owned(), "more than 0s");
    }
    match design.cooldown_until_idle {
        Some(pct) if !(pct > 0.0 && pct.is_finite()) => {
            range("--cooldown-until-idle", pct.to_string(), "percent above 0")
        }
        _ => Ok(()),
    }
}

/// Checks a margin and a precision.
pub(super) fn check_percents(
    margin: Option<f64>,
    until_precise: Option<f64>,
) -> Result<(), SettingsError> {
    for (flag, pct) in [("--margin", margin), ("--until-precise", until_precise)] {
        if let Some(pct) = pct.filter(|pct| !is_percent(*pct)) {
            let allowed = "percent above 0 and below 100";
            return Err(SettingsError::Range { flag, value: pct.to_string(), allowed });
        }
    }
    Ok(())
}

/// What the meters need to know, as it was typed.
pub(super) fn meter_of(args: &MeterArgs) -> MeterSettings {
    MeterSettings {
        choice: args.meter,
        interval: args.interval,
        energibridge: args.energibridge.clone(),
        powercap: args.powercap.clone(),
        cpu_watts: args.cpu_watts,
        gpus: args.gpus.clone(),
        ..MeterSettings::default()
    }
}

/// A seed for the order where none is given.
pub(super) fn draw_seed() -> u64 {
    rand::rng().random_range(0..=MAX_DRAWN)
}

/// The workload that is named; `folder` is another place for its scripts.
pub(super) fn workload(
    given: &str,
    folder: Option<&Path>,
    project: &Project,
) -> Result<Workload, WorkloadError> {
    match folder {
        Some(folder) => Ok(Workload { name: given.to_owned(), folder: prepare::absolute(folder) }),
        None => Workload::find(given, project),
    }
}

/// What is compared: what was named, or all that a workload has which lacks what is compared by default.
pub(super) fn asked(named: &[String], workload: &Workload) -> Vec<String> {
    let known = workload.frameworks();
    match named.iter().eq(DEFAULT_TREATMENTS.split(','))
        && !named.iter().all(|name| known.contains(name))
    {
        true => known,
        false => named.to_vec(),
    }
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

/// What `--treatments` can name under these flags.
pub(super) fn known_to(
    args: &RunArgs,
    workload: &Workload,
    project: &Project,
) -> Result<Known, SettingsError> {
    let folders = std::slice::from_ref(&workload.folder);
    known(folders, &workload.name, project, &args.work.environment)
}

/// Those of the named environments that a treatment runs in.
fn used(treatments: &[Treatment], named: &[(String, PathBuf)]) -> BTreeMap<String, PathBuf> {
    let is_used = |name: &String| treatments.iter().any(|t| t.environment.as_ref() == Some(name));
    named.iter().filter(|(name, _)| is_used(name)).cloned().collect()
}

/// The job that was typed, its numbers checked; all processors where no threads are named.
pub(super) fn checked_job(args: &JobArgs, epochs: u32) -> Result<Job, SettingsError> {
    let range = |flag, value: String, allowed| SettingsError::Range { flag, value, allowed };
    let (rate, cores) = (args.learning_rate, cores());
    if !is_learning_rate(rate) {
        return Err(range("--learning-rate", rate.to_string(), "a number above 0"));
    }
    let threads = args.threads.unwrap_or(cores);
    if threads > cores {
        return Err(range("--threads", threads.to_string(), "at most the processors there are"));
    }
    Ok(Job {
        epochs,
        batch_size: args.batch_size,
        learning_rate: rate,
        seed: args.seed,
        train_samples: args.train_samples,
        test_samples: args.test_samples,
        threads,
        device: args.device,
    })
}

/// What is to be compared has to be among the treatments, and more than one.
pub(super) fn check_comparisons(
    settings: &Settings,
    blocks: &'static str,
) -> Result<(), SettingsError> {
    let mut names: Vec<String> = settings.compared().map(Treatment::without_levels).collect();
    names.dedup();
    if let Some(base) = &settings.compare_to
        && !names.contains(base)
    {
        return Err(SettingsError::CompareTo(base.clone(), names.join(", ")));
    }
    let asked = [
        ("--compare-to", settings.compare_to.is_some()),
        ("--until-precise", settings.until_precise.is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((flag, _)) if settings.comparisons().is_empty() => {
            return Err(SettingsError::Alone(flag));
        }
        _ => {}
    }
    if settings.until_precise.is_some() && settings.iterations < sequential::FIRST_LOOK {
        return Err(SettingsError::Range {
            flag: blocks,
            value: settings.iterations.to_string(),
            allowed: "--until-precise looks at 3 blocks for the first time",
        });
    }
    Ok(())
}

/// All shards draw one plan, so its seed has to be the same everywhere.
pub(super) fn check_shard(settings: &Settings, design: &DesignArgs) -> Result<(), SettingsError> {
    let Some(shard) = settings.shard else { return Ok(()) };
    if design.order_seed.is_none() {
        return Err(SettingsError::Unseeded);
    }
    if settings.until_precise.is_some() {
        let why = "--until-precise looks at all blocks, and each shard knows its own only";
        return Err(SettingsError::Shard(why.into()));
    }
    shard.check(settings.iterations).map_err(|why| SettingsError::Shard(why.into()))
}

/// A named folder that does not exist is more often a typing error than a request to make it.
fn data_dir(args: &RunArgs) -> Result<(), SettingsError> {
    let Some(dir) = &args.job.data_dir else { return Ok(()) };
    if args.job.dataset == dataset::Choice::Digits || dir.is_dir() {
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
    // Opening something else than a plain file may hang, so that happens later, where it can be stopped.
    let plain = |dir: &&Path| wanted.files.iter().all(|file| dir.join(file.name).is_file());
    let named = data_dir.filter(plain);
    let (train, test) = match named.map(|_| dataset::find(&wanted)) {
        Some(Ok(dataset::Found::Ready(found))) => (found.train_images, found.test_images),
        // Faults of the files are reported when they are prepared.
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
