//! Whatever an `experiment.json` holds, settings and plan included: it is read or refused with a
//! reason; never a panic, no name that leaves its folder, no setting that the command line would not
//! have taken.
#![no_main]

use std::path::{Component, Path};

use joulerace::plan;
use joulerace::store::experiment::Experiment;
use joulerace::store::folder::Folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let experiment = match Experiment::parse(data) {
        Ok(experiment) => experiment,
        Err(why) => return assert!(!why.is_empty()),
    };
    let root = Path::new("results/fuzzed");
    let folder = Folder::at(root);
    for trial in &experiment.plan.trials {
        for ending in ["csv", "json", "log"] {
            let file = folder.file(trial, ending);
            let below = file.strip_prefix(root).expect("it lies in the folder");
            assert!(
                below.components().all(|part| matches!(part, Component::Normal(_))),
                "{file:?}"
            );
        }
    }
    let settings = &experiment.settings;
    assert!(settings.job.batch_size > 0 && settings.job.epochs > 0);
    // Sums of durations are shown and slept; they must not overflow.
    let _ = settings.warmup + 2 * settings.baseline + settings.cooldown * settings.iterations;
    let _ = settings.meter_settings();
    assert!(experiment.conditions.differences(&experiment.conditions).is_empty());
    let left = plan::remaining(&experiment.plan, []);
    assert_eq!(left.len(), experiment.plan.trials.len());
    let text = serde_json::to_vec(&experiment).expect("an experiment can be written");
    Experiment::parse(&text).expect("what was written can be read");
});
