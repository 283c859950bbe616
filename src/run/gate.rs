//! Was the work the work that was asked for, and the same for everyone?

use super::record::{Status, TrialRecord};
use crate::settings::Job;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// Whether all trials did the same work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether nothing speaks against it.
    pub identical: bool,
    /// What speaks against it.
    pub reasons: Vec<String>,
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

/// Holds the finished trials against each other: parameters and data must be equal, accuracies
/// within [`accuracy_tolerance`] of their median, and the losses of one treatment equal from trial
/// to trial. Marks those that are not as invalid and returns their places in `records`.
pub fn compare(records: &mut [TrialRecord], test_images: u32) -> (Vec<usize>, Verdict) {
    let ok: Vec<usize> = (0..records.len()).filter(|i| records[*i].status == Status::Ok).collect();
    let accuracies: Vec<f64> = ok.iter().filter_map(|i| records[*i].accuracy).collect();
    let (_, _, median) = crate::units::summary(&accuracies);
    let tolerance = accuracy_tolerance(median, test_images);
    let mut invalid: Vec<(usize, String)> = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    for &i in &ok {
        let record = &records[i];
        let far = record.accuracy.is_none_or(|a| (a - median).abs() > tolerance);
        if far {
            let accuracy = record.accuracy.unwrap_or(f64::NAN);
            invalid.push((i, format!(
                "its accuracy {accuracy:.4} lies more than {tolerance:.4} from the median {median:.4}"
            )));
        }
        let Some(first) = ok.first().map(|first| &records[*first]) else { continue };
        for what in ["parameters", "data"] {
            let (mine, theirs) = (field(record, what), field(first, what));
            if mine != theirs {
                invalid.push((i, format!("its {what} differ from those of {}", first.trial)));
            }
        }
        let sibling = ok.iter().map(|j| &records[*j]).find(|r| r.treatment == record.treatment);
        if let Some(sibling) = sibling
            && field(sibling, "losses") != field(record, "losses")
        {
            reasons.push(format!(
                "{} did not repeat the losses of {}: the same seed gave other numbers",
                record.trial, sibling.trial
            ));
        }
    }
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

fn field<'r>(record: &'r TrialRecord, name: &str) -> Option<&'r Value> {
    record.result.as_ref().and_then(|result| result.get(name))
}
