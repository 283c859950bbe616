//! Checks that each trial did the work that was asked for, and that all did the same.

pub(crate) mod commands;

use crate::Remedy as _;
use crate::account::{Account, Training};
use crate::dataset::Dataset;
use crate::settings::{Device, Job, Levels, Settings, of_the_work};
use crate::store::experiment::Verdict;
use crate::store::record::{Status, TrialRecord};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a trial has to have done, beside what its workload's own specification says.
#[derive(Debug, Clone)]
pub(crate) enum Expected<'a> {
    Training(Trained<'a>),
    /// Commands; whether all have to print the same was told to those that ran them.
    Commands,
}

/// What a training has to have done.
#[derive(Debug, Clone)]
pub(crate) struct Trained<'a> {
    pub job: &'a Job,
    /// Images in the test set that are used, where a treatment's levels say nothing else.
    pub test_images: u32,
}

impl Expected<'_> {
    /// What these settings ask for, on a data set where there is one.
    pub(crate) fn of<'a>(settings: &'a Settings, dataset: Option<&Dataset>) -> Expected<'a> {
        if settings.commands.is_some() {
            return Expected::Commands;
        }
        let job = &settings.job;
        // Without images nothing is left to chance: an accuracy has to be the same.
        let test_images = dataset.map_or(u32::MAX, |data| used(data.test_images, job.test_samples));
        Expected::Training(Trained { job, test_images })
    }

    /// Holds one trial's account of itself against what was asked for.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, in words.
    pub(crate) fn check(&self, record: &TrialRecord) -> Result<(), String> {
        match self {
            Expected::Training(trained) => check_training(record, trained),
            Expected::Commands => commands::check(record),
        }
    }

    /// Holds the finished trials against each other: see [`compare`] for trainings; commands have to have
    /// the same window, and to have printed the same where that was asked for. Marks those that do not
    /// agree as invalid and returns their places in `records`.
    pub(crate) fn compare(&self, records: &mut [TrialRecord]) -> (Vec<usize>, Verdict) {
        match self {
            Expected::Training(trained) => compare(records, trained.test_images),
            Expected::Commands => mark(records, commands::differences, Vec::new()),
        }
    }
}

/// Images that are used of those that are there.
fn used(there: u32, asked: Option<u32>) -> u32 {
    there.min(asked.unwrap_or(u32::MAX))
}

/// Holds the account that a workload's trial gives of itself against what was asked for, and against what
/// the workload's specification expects of it.
fn check_training(record: &TrialRecord, expected: &Trained<'_>) -> Result<(), String> {
    let Some(account) = &record.result else {
        return Err("the script returned without a result".to_owned());
    };
    let training = account.training()?;
    let job = &expected.job.at(&record.levels).map_err(|error| error.in_line())?;
    losses(&training, job)?;
    loaded(&training, &record.framework)?;
    as_expected(account, &training, record, job)?;
    match training.accuracy {
        Some(None) => Err("its accuracy is not a number".to_owned()),
        Some(Some(told)) if !(0.0..=1.0).contains(&told) => Err(format!("its accuracy is {told}")),
        _ => Ok(()),
    }
}

/// Checks that the account says what the workload's specification expects and what was asked for.
fn as_expected(
    account: &Account,
    training: &Training,
    record: &TrialRecord,
    job: &Job,
) -> Result<(), String> {
    let Some(wanted) = &training.expected else {
        return Err("it does not report what its workload expects of it".to_owned());
    };
    let threads = Value::from(job.threads);
    // Where blocks have seeds of their own, one that is not reported may be another.
    let own = record.seed.filter(|seed| *seed != job.seed);
    let seed = own.or(record.seed.filter(|_| account.field("seed").is_some())).map(Value::from);
    let device = account.field("device").map(|_| Value::from(job.device.to_string()));
    let asked = [("threads", Some(&threads)), ("seed", seed.as_ref()), ("device", device.as_ref())];
    let asked = asked.into_iter().filter_map(|(name, wanted)| Some((name, wanted?)));
    for (name, wanted) in wanted.iter().map(|(n, w)| (n.as_str(), w)).chain(asked) {
        let found = account.field(name).unwrap_or(&Value::Null);
        if found != wanted {
            let name = name.replace('_', " ");
            let are = if name.ends_with('s') { "are" } else { "is" };
            return Err(format!("its {name} {are} {} instead of {}", plain(found), plain(wanted)));
        }
    }
    Ok(())
}

/// Text without its quotation marks.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The losses, where the work has any: one an epoch, all of them numbers.
fn losses(training: &Training, job: &Job) -> Result<(), String> {
    if let Some(losses) = &training.losses {
        if losses.len() != job.epochs as usize {
            return Err(format!("it reports {} losses for {} epochs", losses.len(), job.epochs));
        }
        if let Some(epoch) = losses.iter().position(Option::is_none) {
            return Err(format!("its loss is not a number in epoch {}", epoch + 1));
        }
    }
    if training.test_loss == Some(None) {
        return Err("its loss on the test set is not a number".to_owned());
    }
    Ok(())
}

/// The framework, and no other, was in the process.
fn loaded(training: &Training, framework: &str) -> Result<(), String> {
    let loaded = &training.frameworks_loaded;
    if let Some(foreign) = loaded.iter().find(|name| **name != framework) {
        return Err(format!("{foreign} was loaded into the process of {framework}"));
    }
    if loaded.is_empty() {
        return Err(format!("it does not report that {framework} was loaded"));
    }
    Ok(())
}

/// How far an accuracy may lie from the others': four standard errors of a proportion measured on
/// `test_images` images, and one image. The work is the same and only rounding differs, so a trial
/// beyond that did something else.
pub(crate) fn accuracy_tolerance(accuracy: f64, test_images: u32) -> f64 {
    let n = f64::from(test_images.max(1));
    4.0 * (accuracy * (1.0 - accuracy) / n).sqrt() + 1.0 / n
}

/// Holds the finished trials against each other: parameters and data must be equal, and among those
/// that trained from one seed (all of them, or a block's) accuracies within [`accuracy_tolerance`] of
/// their median, and the losses of one treatment equal from trial to trial. Trials at other levels of a
/// factor that changes the work are held against their like only. Marks those that are not as invalid and
/// returns their places in `records`.
pub(crate) fn compare(records: &mut [TrialRecord], test_images: u32) -> (Vec<usize>, Verdict) {
    let ok: Vec<usize> = (0..records.len()).filter(|i| records[*i].status == Status::Ok).collect();
    let mut seeds: BTreeMap<(Levels, Option<u64>), Vec<usize>> = BTreeMap::new();
    for &i in &ok {
        let key = (of_the_work(&records[i].levels), records[i].seed);
        seeds.entry(key).or_default().push(i);
    }
    let mut invalid: Vec<(usize, String)> = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    for ((levels, _), alike) in &seeds {
        let own = levels.get("test-samples").and_then(|level| level.parse().ok());
        far_off(records, alike, own.unwrap_or(test_images), &mut invalid);
        not_repeated(records, alike, &mut reasons);
    }
    let mut firsts: BTreeMap<Levels, usize> = BTreeMap::new();
    for &i in &ok {
        let first = *firsts.entry(of_the_work(&records[i].levels)).or_insert(i);
        let (record, first) = (&records[i], &records[first]);
        for what in ["parameters", "data", "outcome"] {
            if field(record, what) != field(first, what) {
                invalid.push((i, format!("its {what} differ from those of {}", first.trial)));
            }
        }
    }
    mark(records, |_, _| invalid, reasons)
}

/// Marks the trials of `invalid` (their places among the good ones, with the reason) and gives the verdict.
fn mark(
    records: &mut [TrialRecord],
    invalid: impl FnOnce(&[TrialRecord], &[usize]) -> Vec<(usize, String)>,
    mut reasons: Vec<String>,
) -> (Vec<usize>, Verdict) {
    let ok: Vec<usize> = (0..records.len()).filter(|i| records[*i].status == Status::Ok).collect();
    let mut invalid = invalid(records, &ok);
    invalid.sort_by_key(|(place, _)| *place);
    for (i, reason) in &invalid {
        let record = &mut records[*i];
        record.status = Status::Invalid;
        record.reason.get_or_insert_with(|| reason.clone());
    }
    reasons.extend(
        records
            .iter()
            .filter(|r| r.status == Status::Invalid)
            .map(|r| format!("{}: {}", r.trial, r.reason.as_deref().unwrap_or("invalid"))),
    );
    let mut places: Vec<usize> = invalid.into_iter().map(|(i, _)| i).collect();
    places.dedup();
    if ok.is_empty() {
        reasons.push("no trial finished, so there is nothing to compare".to_owned());
    }
    let identical = reasons.is_empty();
    (places, Verdict { identical, reasons })
}

/// Trials of one seed whose accuracy lies away from the others'.
fn far_off(
    records: &[TrialRecord],
    alike: &[usize],
    test_images: u32,
    invalid: &mut Vec<(usize, String)>,
) {
    let accuracies: Vec<f64> = alike.iter().filter_map(|i| records[*i].accuracy).collect();
    if accuracies.is_empty() {
        return; // work that has none
    }
    let (_, _, median) = crate::units::mean_sd_median(&accuracies);
    let tolerance = accuracy_tolerance(median, test_images);
    for &i in alike {
        let accuracy = records[i].accuracy.unwrap_or(f64::NAN);
        if accuracy.is_nan() || (accuracy - median).abs() > tolerance {
            invalid.push((i, format!(
                "its accuracy {accuracy:.4} lies more than {tolerance:.4} from the median {median:.4}"
            )));
        }
    }
}

/// Trials of one seed whose losses are not those of the first that did the same in the same way: an A/A twin
/// repeats its own. Another processor may round otherwise, so machines are held against themselves. On a graphics
/// card sums are added up in the order in which its processors finish, so that losses differ in their last
/// digits: there the accuracies have to do.
fn not_repeated(records: &[TrialRecord], alike: &[usize], reasons: &mut Vec<String>) {
    let mut firsts: BTreeMap<_, &TrialRecord> = BTreeMap::new();
    let on_a_card = |record: &&TrialRecord| {
        record.result.as_ref().and_then(Account::device) == Some(&Device::Gpu.to_string())
    };
    for record in alike.iter().map(|i| &records[*i]).filter(|record| !on_a_card(record)) {
        let TrialRecord { framework, variant, environment, levels, machine, .. } = record;
        let first =
            firsts.entry((framework, variant, environment, levels, machine)).or_insert(record);
        if field(first, "losses") != field(record, "losses") {
            reasons.push(format!(
                "{} did not repeat the losses of {}: the same seed gave other numbers",
                record.trial, first.trial
            ));
        }
    }
}

fn field<'r>(record: &'r TrialRecord, name: &str) -> Option<&'r Value> {
    record.result.as_ref().and_then(|account| account.field(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(treatment: &str, block: u32, seed: u64, accuracy: f64, loss: f64) -> TrialRecord {
        let framework = treatment.trim_end_matches("-control");
        serde_json::from_value(json!({
            "schema": 1, "trial": format!("{treatment}_{block}"), "treatment": treatment,
            "framework": framework, "block": block, "position": 0, "run_order": 0,
            "predecessor": null, "seed": seed, "attempt": 1, "status": "ok", "reason": null,
            "flags": [], "started": "2026-01-01T00:00:00Z", "wall_seconds": 1.0, "cpu_seconds": 1.0,
            "meter": "rapl", "estimated": false, "window": null, "whole": null, "integrity": null,
            "sampler": null, "accuracy": accuracy, "loss": loss, "exit": { "code": 0 },
            "idle_w": null,
            "result": { "losses": [loss], "parameters": 10, "data": {}, "seed": seed },
        }))
        .unwrap()
    }

    #[test]
    fn blocks_with_seeds_of_their_own_are_each_held_against_themselves() {
        // Another seed gives another accuracy and other losses, for every treatment of its block.
        let mut fine: Vec<TrialRecord> = ["a", "b", "a-control"]
            .into_iter()
            .flat_map(|t| [record(t, 0, 11, 0.90, 0.3), record(t, 1, 12, 0.97, 0.1)])
            .collect();
        let (changed, verdict) = compare(&mut fine, 10_000);
        assert!(changed.is_empty() && verdict.identical, "{verdict:?}");
        // The same from one seed is no longer the same work.
        fine.iter_mut().for_each(|one| one.seed = Some(11));
        let (_, verdict) = compare(&mut fine, 10_000);
        assert!(!verdict.identical);
    }

    #[test]
    fn within_a_block_one_that_stands_apart_is_invalid_and_a_twin_repeats_its_losses() {
        let mut trials: Vec<TrialRecord> = ["a", "b", "c", "a-control"]
            .into_iter()
            .flat_map(|t| [record(t, 0, 11, 0.90, 0.3), record(t, 1, 12, 0.97, 0.1)])
            .collect();
        let other = trials.iter_mut().find(|one| one.trial == "b_1").unwrap();
        other.accuracy = Some(0.90);
        let twin = trials.iter_mut().find(|one| one.trial == "a-control_0").unwrap();
        twin.result = Some(Account::new(json!({ "losses": [0.31], "parameters": 10, "data": {} })));
        let (changed, verdict) = compare(&mut trials, 10_000);
        assert_eq!(changed.len(), 1);
        assert_eq!(trials[changed[0]].trial, "b_1");
        let said = verdict.reasons.join("\n");
        assert!(said.contains("a-control_0 did not repeat the losses of a_0"), "{said}");
        assert_eq!(verdict.reasons.len(), 2, "{said}");
    }
}
