//! What an experiment is told: the command line, checked once and turned into types.

mod shard;
mod treatment;

pub use shard::Shard;
pub use treatment::{Order, Treatment, is_name};

use crate::dataset::Choice as DatasetChoice;
use crate::meter::{Choice, CpuWatts, Gpus, MeterSettings};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Serialises durations as they are typed: `5m`, `200ms`.
pub mod duration_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    /// Writes a duration as text.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&humantime::format_duration(*value).to_string())
    }

    /// Reads a duration from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_duration(&text).map_err(D::Error::custom)
    }
}

/// Nothing here takes longer, and sums of durations below it do not overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads a duration such as `90s`, `5m`, `200ms`, of at most a year.
///
/// # Errors
///
/// In words.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err("that is longer than a year".to_owned()),
        Err(error) => Err(format!("{error}; write it like 90s, 5m or 200ms")),
    }
}

/// The training job, the same for every framework.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Passes over the training set.
    pub epochs: u32,
    /// Images per step.
    pub batch_size: u32,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Seeds initial weights and the order of images.
    pub seed: u64,
    /// Use the first so many training images only.
    pub train_samples: Option<u32>,
    /// Use the first so many test images only.
    pub test_samples: Option<u32>,
    /// Processors that a script may use.
    pub threads: u32,
}

/// What is done when something goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// How often a failed trial is tried again.
    pub retries: u32,
    /// How long one trial may take.
    #[serde(with = "optional_duration_text")]
    pub trial_timeout: Option<Duration>,
    /// After so many failed attempts the experiment stops.
    pub max_failures: u32,
}

/// Serialises an optional duration as [`duration_text`] does.
pub mod optional_duration_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use std::time::Duration;

    /// Writes text or null.
    pub fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        value.map(|v| humantime::format_duration(v).to_string()).serialize(to)
    }

    /// Reads text or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|t| super::parse_duration(&t)).transpose().map_err(D::Error::custom)
    }
}

/// An experiment's settings, as `experiment.json` records them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Blocks.
    pub iterations: u32,
    /// What is compared.
    pub treatments: Vec<Treatment>,
    /// The A/A twin's name, where there is one.
    pub control: Option<Treatment>,
    /// The training job.
    pub job: Job,
    /// How the order within blocks is made.
    #[serde(default)]
    pub order: Order,
    /// Seeds the order of trials.
    pub order_seed: u64,
    /// Whether each block trains from a seed of its own.
    #[serde(default)]
    pub seed_per_block: bool,
    /// The treatment that all others are compared with; none for all pairs.
    #[serde(default)]
    pub compare_to: Option<String>,
    /// The largest difference, in percent, that counts as none.
    #[serde(default)]
    pub margin_pct: Option<f64>,
    /// Stop once each comparison is resolved or known to within so many percent.
    #[serde(default)]
    pub until_precise: Option<f64>,
    /// Load on all cores before the first trial.
    #[serde(with = "duration_text")]
    pub warmup: Duration,
    /// With bounds: end the warm-up early or go on until the machine has settled.
    pub warmup_until_stable: bool,
    /// Idling after each trial.
    #[serde(with = "duration_text")]
    pub cooldown: Duration,
    /// Go on idling until power is within so many percent of the baseline.
    pub cooldown_until_idle: Option<f64>,
    /// Idle measurement before the first trial and after the last.
    #[serde(with = "duration_text")]
    pub baseline: Duration,
    /// Between two samples.
    #[serde(with = "duration_text")]
    pub interval: Duration,
    /// Which meter was asked for.
    pub meter: Choice,
    /// Which graphics cards are part of what is measured.
    #[serde(default)]
    pub gpus: Gpus,
    /// The estimate's powers.
    pub cpu_watts: CpuWatts,
    /// EnergiBridge's binary, where one was named.
    pub energibridge: Option<PathBuf>,
    /// Where RAPL's zones are.
    pub powercap: PathBuf,
    /// Which data set was asked for.
    pub dataset: DatasetChoice,
    /// Where its files are.
    pub data_dir: Option<PathBuf>,
    /// The environment that was named.
    pub python_env: Option<PathBuf>,
    /// Whether installed versions may differ from the lock.
    pub allow_unlocked: bool,
    /// When something goes wrong.
    pub failures: Failures,
    /// Another folder of scripts than the project's.
    pub workloads: Option<PathBuf>,
    /// Which part of the blocks this machine runs; none for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

impl Settings {
    /// What the meters need to know.
    pub fn meter_settings(&self) -> MeterSettings {
        MeterSettings {
            choice: self.meter,
            interval: self.interval,
            energibridge: self.energibridge.clone(),
            powercap: self.powercap.clone(),
            cpu_watts: self.cpu_watts,
            gpus: self.gpus.clone(),
            ..MeterSettings::default()
        }
    }

    /// Checks settings that were read from a file, which anyone may have written: the ranges that
    /// the command line keeps to, so that no sum overflows and no division is by 0.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words.
    pub fn check(&self) -> Result<(), String> {
        let job = &self.job;
        let counts = [
            ("iterations", self.iterations),
            ("epochs", job.epochs),
            ("batch_size", job.batch_size),
            ("threads", job.threads),
            ("max_failures", self.failures.max_failures),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(format!("its {name} are 0"));
        }
        if !(job.learning_rate > 0.0 && job.learning_rate.is_finite()) {
            return Err(format!("its learning rate is {}", job.learning_rate));
        }
        for (name, pct) in [("margin", self.margin_pct), ("precision", self.until_precise)] {
            if let Some(pct) = pct.filter(|pct| !is_percent(*pct)) {
                return Err(format!("its {name} is {pct} percent"));
            }
        }
        if self.failures.trial_timeout.is_some_and(|limit| limit.is_zero()) {
            return Err("its trial_timeout is 0s".to_owned());
        }
        if self.interval.is_zero() {
            return Err("its interval is 0s".to_owned());
        }
        if let Some(shard) = self.shard {
            shard.check(self.iterations)?;
        }
        for (place, treatment) in self.treatments.iter().enumerate() {
            if let Some(other) = same_folder(&self.treatments[..place], &treatment.name) {
                return Err(format!("it compares {:?} and {other:?}, one folder", treatment.name));
            }
        }
        let mut names = self.treatments.iter().flat_map(|t| [&t.name, &t.framework]);
        if let Some(name) = names.find(|name| !is_name(name)) {
            return Err(format!("it compares {name:?}, which is no name for a file"));
        }
        Ok(())
    }

    /// The treatments that are compared: all but the A/A twin.
    pub fn compared(&self) -> impl Iterator<Item = &Treatment> {
        self.treatments.iter().filter(|t| self.control.as_ref() != Some(t))
    }

    /// The pairs of treatments that the experiment is to tell apart, the first of each the base: all
    /// against one where `compare_to` names it, else every pair. The A/A twin is in none.
    pub fn comparisons(&self) -> Vec<[String; 2]> {
        let names: Vec<&String> = self.compared().map(|t| &t.name).collect();
        if let Some(base) = &self.compare_to {
            let others = names.iter().filter(|name| **name != base);
            return others.map(|other| [base.clone(), (*other).clone()]).collect();
        }
        let pairs = names.iter().enumerate();
        pairs
            .flat_map(|(i, a)| names[i + 1..].iter().map(|b| [(*a).clone(), (*b).clone()]))
            .collect()
    }

    /// The blocks that are run: all of them, or the shard's.
    pub fn blocks(&self) -> std::ops::Range<u32> {
        let square = self.order.square(self.treatments.len());
        self.shard.map_or(0..self.iterations, |shard| shard.blocks(self.iterations, square))
    }

    /// Trials in all, at most where the experiment may stop earlier.
    pub fn trials(&self) -> usize {
        self.blocks().len() * self.treatments.len()
    }
}

/// Whether a margin or a precision can be so many percent.
pub fn is_percent(pct: f64) -> bool {
    pct > 0.0 && pct < 100.0
}

/// What cannot be accepted, named by its flag.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SettingsError {
    /// No such script.
    #[error("--frameworks: there is no framework '{name}'; there are: {known}")]
    UnknownFramework {
        /// As it was typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// A script whose name cannot name files.
    #[error(
        "--frameworks: {0:?} cannot name a folder of results; call its script by a word of letters, digits, '_' and '-'"
    )]
    NoName(String),
    /// Named twice.
    #[error(
        "--frameworks: '{0}' stands there twice; to measure one framework against itself use --control {0}"
    )]
    Twice(String),
    /// Two names that are one folder, for a twin or where case makes no difference.
    #[error(
        "--{flag}: '{one}' and '{other}' would share a folder of results; call one of the scripts by another name"
    )]
    Collides {
        /// The flag.
        flag: &'static str,
        /// One.
        one: String,
        /// And the other.
        other: String,
    },
    /// None named.
    #[error("--frameworks: name at least one framework")]
    NoFramework,
    /// The control is not among the treatments.
    #[error("--control: '{0}' is not among the frameworks that are compared ({1})")]
    Control(String, String),
    /// The data's folder is not there.
    #[error(
        "--data-dir (or JOULERACE_DATA_DIR): there is no folder {0}; make it (mkdir -p {0}) to have MNIST \
         downloaded into it, or leave the flag out"
    )]
    NoDataDir(String),
    /// More images than there are.
    #[error(
        "{flag}: {asked} is more than there is: the data set has {most}; leave it out to use all"
    )]
    TooMany {
        /// The flag.
        flag: &'static str,
        /// As it was typed.
        asked: u32,
        /// How many there are.
        most: u32,
    },
    /// What all are to be compared with is not among the treatments.
    #[error("--compare-to: '{0}' is not among the frameworks that are compared ({1})")]
    CompareTo(String, String),
    /// A single treatment has nothing to be compared with.
    #[error("{0}: one framework alone is compared with nothing; name more with --frameworks")]
    Alone(&'static str),
    /// A shard of a plan that each machine would draw for itself.
    #[error(
        "--shard: name the seed of the order with --order-seed, the same on every machine: otherwise each \
         would draw a plan of its own"
    )]
    Unseeded,
    /// A shard that there is not.
    #[error("--shard: {0}")]
    Shard(String),
    /// A number outside its range.
    #[error("{flag}: {value} is out of range; {allowed}")]
    Range {
        /// The flag.
        flag: &'static str,
        /// As it was typed.
        value: String,
        /// What may be given.
        allowed: &'static str,
    },
}

/// A treatment whose folder `name` would have too; not all file systems tell cases apart.
fn same_folder(treatments: &[Treatment], name: &str) -> Option<String> {
    let same = treatments.iter().find(|t| t.name.eq_ignore_ascii_case(name))?;
    Some(same.name.clone())
}

/// Turns names of frameworks into treatments, and `control` into an A/A twin of one of them.
///
/// # Errors
///
/// Names the first framework that is unknown, missing or doubled.
pub fn treatments(
    names: &[String],
    control: Option<&str>,
    known: &[String],
) -> Result<(Vec<Treatment>, Option<Treatment>), SettingsError> {
    let mut treatments: Vec<Treatment> = Vec::new();
    for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
        if !known.iter().any(|k| k == name) {
            let known = known.join(", ");
            return Err(SettingsError::UnknownFramework { name: name.to_owned(), known });
        }
        if !is_name(name) {
            return Err(SettingsError::NoName(name.to_owned()));
        }
        if treatments.iter().any(|t| t.name == name) {
            return Err(SettingsError::Twice(name.to_owned()));
        }
        if let Some(other) = same_folder(&treatments, name) {
            return Err(SettingsError::Collides {
                flag: "frameworks",
                one: name.to_owned(),
                other,
            });
        }
        treatments.push(Treatment { name: name.to_owned(), framework: name.to_owned() });
    }
    if treatments.is_empty() {
        return Err(SettingsError::NoFramework);
    }
    let Some(control) = control else { return Ok((treatments, None)) };
    if !treatments.iter().any(|t| t.name == control) {
        let all: Vec<&str> = treatments.iter().map(|t| t.name.as_str()).collect();
        return Err(SettingsError::Control(control.to_owned(), all.join(", ")));
    }
    let twin = Treatment { name: format!("{control}-control"), framework: control.to_owned() };
    if !is_name(&twin.name) {
        return Err(SettingsError::NoName(twin.name));
    }
    if let Some(other) = same_folder(&treatments, &twin.name) {
        let one = format!("the twin of {control}");
        return Err(SettingsError::Collides { flag: "control", one, other });
    }
    treatments.push(twin.clone());
    Ok((treatments, Some(twin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_all_pairs_or_all_against_one_and_never_with_the_twin() {
        let mut settings = crate::plan::duration::tests::example();
        let told = |settings: &Settings| -> Vec<String> {
            settings.comparisons().iter().map(|pair| pair.join("-")).collect()
        };
        assert_eq!(told(&settings), ["keras-torch", "keras-jax", "torch-jax"]);
        let twin = Treatment { name: "jax-control".into(), framework: "jax".into() };
        settings.treatments.push(twin.clone());
        settings.control = Some(twin);
        assert_eq!(told(&settings).len(), 3);
        settings.compare_to = Some("torch".into());
        assert_eq!(told(&settings), ["torch-keras", "torch-jax"]);
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn an_unknown_framework_is_named_with_what_there_is() {
        let error = treatments(&names(&["torch", "caffe"]), None, &names(&["jax", "torch"]));
        let text = error.unwrap_err().to_string();
        assert!(text.contains("'caffe'") && text.contains("jax, torch"), "{text}");
    }

    #[test]
    fn a_control_is_a_second_treatment_of_the_same_framework() {
        let (all, twin) =
            treatments(&names(&["torch", "jax"]), Some("torch"), &names(&["jax", "torch"]))
                .unwrap();
        assert_eq!(all.len(), 3);
        let twin = twin.unwrap();
        assert_eq!((twin.name.as_str(), twin.framework.as_str()), ("torch-control", "torch"));
        assert!(treatments(&names(&["jax"]), Some("torch"), &names(&["jax", "torch"])).is_err());
    }

    #[test]
    fn names_that_would_share_a_folder_are_refused() {
        let known = names(&["a", "a-control", "A", "pauses"]);
        let refused = |list: &[&str], control| treatments(&names(list), control, &known);
        let twin = refused(&["a", "a-control"], Some("a")).unwrap_err().to_string();
        assert!(twin.contains("--control") && twin.contains("'a-control'"), "{twin}");
        let case = refused(&["a", "A"], None).unwrap_err().to_string();
        assert!(case.contains("'A' and 'a'"), "{case}");
        let reserved = refused(&["pauses"], None).unwrap_err();
        assert_eq!(reserved, SettingsError::NoName("pauses".to_owned()));
        assert!(refused(&["a", "a-control"], None).is_ok());
    }

    #[test]
    fn a_framework_named_twice_is_refused() {
        let error = treatments(&names(&["jax", "jax"]), None, &names(&["jax"]));
        assert_eq!(error.unwrap_err(), SettingsError::Twice("jax".to_owned()));
    }
}
