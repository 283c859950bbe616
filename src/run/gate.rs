//! Was the work the work that was asked for, and the same for everyone?

use crate::dataset::Dataset;
use crate::settings::Job;
use crate::store::experiment::Verdict;
use crate::store::record::{Status, TrialRecord};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a trial has to have done.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// The job.
    pub job: &'a Job,
    /// Images in the training set that were used.
    pub train_images: u32,
    /// Images in the test set that were used.
    pub test_images: u32,
}

impl Expected<'_> {
    /// Of a job on a data set.
    pub fn of<'a>(job: &'a Job, dataset: &Dataset) -> Expected<'a> {
        let used = |there: u32, asked: Option<u32>| there.min(asked.unwrap_or(u32::MAX));
        Expected {
            job,
            train_images: used(dataset.train_images, job.train_samples),
            test_images: used(dataset.test_images, job.test_samples),
        }
    }
}

/// Holds one trial's account of itself against what was asked for.
///
/// # Errors
///
/// The first thing that is not as it has to be, in words.
pub fn check(record: &TrialRecord, expected: &Expected<'_>) -> Result<(), String> {
    let Some(result) = &record.result else {
        return Err("the script returned without a result".to_owned());
    };
    let job = expected.job;
    let losses = result["losses"].as_array().cloned().unwrap_or_default();
    if losses.len() != job.epochs as usize {
        return Err(format!("it reports {} losses for {} epochs", losses.len(), job.epochs));
    }
    if let Some(epoch) = losses.iter().position(|loss| loss.as_f64().is_none()) {
        return Err(format!("its loss is not a number in epoch {}", epoch + 1));
    }
    let loaded: Vec<&str> = result["frameworks_loaded"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if let Some(foreign) = loaded.iter().find(|name| **name != record.framework) {
        return Err(format!("{foreign} was loaded into the process of {}", record.framework));
    }
    if loaded.is_empty() {
        return Err(format!("it does not report that {} was loaded", record.framework));
    }
    // What is no number arrives as null.
    if result.get("test_loss").is_some_and(|loss| loss.as_f64().is_none()) {
        return Err("its loss on the test set is not a number".to_owned());
    }
    let batches = u64::from(job.epochs) * u64::from(expected.train_images.div_ceil(job.batch_size));
    let images = u64::from(job.epochs) * u64::from(expected.train_images);
    let Some(parameters) = result["specified_parameters"].as_u64() else {
        return Err("it does not report how many parameters are specified".to_owned());
    };
    let counts = [
        ("parameters", parameters),
        ("batches", batches),
        ("images_seen", images),
        ("test_images_seen", u64::from(expected.test_images)),
        ("threads", u64::from(job.threads)),
    ];
    for (name, wanted) in counts {
        if result[name].as_u64() != Some(wanted) {
            return Err(format!(
                "its {} are {} instead of {wanted}",
                name.replace('_', " "),
                result[name]
            ));
        }
    }
    // Where blocks have seeds of their own, one that is not reported may be another.
    let own = record.seed.filter(|seed| *seed != job.seed);
    if let Some(wanted) = own.or(record.seed.filter(|_| result.get("seed").is_some()))
        && result["seed"].as_u64() != Some(wanted)
    {
        return Err(format!("its seed is {} instead of {wanted}", result["seed"]));
    }
    for (name, wanted) in [("dtype", "float32"), ("device", "cpu")] {
        if result[name].as_str() != Some(wanted) {
            return Err(format!("its {name} is {} instead of {wanted}", result[name]));
        }
    }
    match result["accuracy"].as_f64() {
        Some(accuracy) if (0.0..=1.0).contains(&accuracy) => Ok(()),
        _ => Err(format!("its accuracy is {}", result["accuracy"])),
    }
}

/// How far an accuracy may lie from the others': four standard errors of a proportion measured on
/// `test_images` images, and one image. The work is the same and only rounding differs, so a trial
/// beyond that did something else.
pub fn accuracy_tolerance(accuracy: f64, test_images: u32) -> f64 {
    let n = f64::from(test_images.max(1));
    4.0 * (accuracy * (1.0 - accuracy) / n).sqrt() + 1.0 / n
}

/// Holds the finished trials against each other: parameters and data must be equal, and among those
/// that trained from one seed (all of them, or a block's) accuracies within [`accuracy_tolerance`] of
/// their median, and the losses of one framework equal from trial to trial. Marks those that are not as
/// invalid and returns their places in `records`.
pub fn compare(records: &mut [TrialRecord], test_images: u32) -> (Vec<usize>, Verdict) {
    let ok: Vec<usize> = (0..records.len()).filter(|i| records[*i].status == Status::Ok).collect();
    let mut seeds: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
    for &i in &ok {
        seeds.entry(records[i].seed).or_default().push(i);
    }
    let mut invalid: Vec<(usize, String)> = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    for alike in seeds.values() {
        far_off(records, alike, test_images, &mut invalid);
        not_repeated(records, alike, &mut reasons);
    }
    for &i in &ok {
        let (record, first) = (&records[i], &records[ok[0]]);
        for what in ["parameters", "data"] {
            if field(record, what) != field(first, what) {
                invalid.push((i, format!("its {what} differ from those of {}", first.trial)));
            }
        }
    }
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
    let (_, _, median) = crate::units::summary(&accuracies);
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

/// Trials of one seed whose losses are not those of the first of the same framework on the same machine:
/// another processor may round otherwise.
fn not_repeated(records: &[TrialRecord], alike: &[usize], reasons: &mut Vec<String>) {
    let mut firsts: BTreeMap<(&str, Option<&str>), &TrialRecord> = BTreeMap::new();
    for record in alike.iter().map(|i| &records[*i]) {
        let key = (record.framework.as_str(), record.machine.as_deref());
        let first = firsts.entry(key).or_insert(record);
        if field(first, "losses") != field(record, "losses") {
            reasons.push(format!(
                "{} did not repeat the losses of {}: the same seed gave other numbers",
                record.trial, first.trial
            ));
        }
    }
}

fn field<'r>(record: &'r TrialRecord, name: &str) -> Option<&'r Value> {
    record.result.as_ref().and_then(|result| result.get(name))
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
        twin.result.as_mut().unwrap()["losses"] = json!([0.31]);
        let (changed, verdict) = compare(&mut trials, 10_000);
        assert_eq!(changed.len(), 1);
        assert_eq!(trials[changed[0]].trial, "b_1");
        let said = verdict.reasons.join("\n");
        assert!(said.contains("a-control_0 did not repeat the losses of a_0"), "{said}");
        assert_eq!(verdict.reasons.len(), 2, "{said}");
    }
}
