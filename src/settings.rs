//! What an experiment is told: the command line, checked once and turned into types.

mod choose;
mod command_line;
pub(crate) mod commands;
mod comparisons;
mod device;
mod error;
mod factors;
pub(crate) mod history;
mod label;
mod literal;
mod race;
mod release;
mod scripts;
mod shard;
mod treatment;

pub(crate) use choose::{STUDY, treatments};
pub(crate) use command_line::CommandLine;
pub(crate) use commands::{Commands, Shell};
pub(crate) use device::{Device, DeviceError};
pub(crate) use error::{Problem, SettingsError};
pub(crate) use factors::{
    Factor, MOST_BATCH, MOST_EPOCHS, check_factors, is_learning_rate, of_the_work,
};
pub(crate) use history::History;
pub(crate) use label::{folder_of, is_label, is_name};
pub(crate) use race::RaceError;
pub(crate) use release::{Place, place};
pub(crate) use scripts::{Known, Script};
pub use shard::Shard;
pub use treatment::Treatment;
pub(crate) use treatment::{Levels, Order, at_levels, environment_key};

use crate::Remedy as _;
use crate::dataset::Choice as DatasetChoice;
use crate::meter::{Choice, CpuWatts, Gpus, MeterSettings};
use crate::paths::Project;
use crate::workload::Workload;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Serialises durations as they are typed: `5m`, `200ms`. (`humantime-serde` takes any length, and says nothing of
/// how to write one.)
pub(crate) mod duration_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    /// Writes a duration as text.
    pub(crate) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&humantime::format_duration(*value).to_string())
    }

    /// Reads a duration from text.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_duration(&text).map_err(D::Error::custom)
    }
}

/// The longest duration; sums of shorter ones do not overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads a duration such as `90s`, `5m`, `200ms`, of at most a year.
///
/// # Errors
///
/// In words.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err("that is longer than a year".to_owned()),
        Err(error) => Err(format!("{error}; write it like 90s, 5m or 200ms")),
    }
}

/// The training job, the same for every framework.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Where it runs.
    #[serde(default)]
    pub device: Device,
}

impl Job {
    /// Whether commands are compared, so that nothing is trained.
    pub(crate) fn is_none(&self) -> bool {
        *self == Job::default()
    }
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
pub(crate) mod optional_duration_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use std::time::Duration;

    /// Writes text or null.
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|v| humantime::format_duration(v).to_string()).serialize(to)
    }

    /// Reads text or null.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
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
    /// What is varied over the treatments, in the order in which it was typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// Folders of environments that were named, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, PathBuf>,
    /// The A/A twin's name, where there is one.
    pub control: Option<Treatment>,
    /// Which job is done: the ending of the scripts' names.
    #[serde(default = "default_workload")]
    pub workload: String,
    /// The training job; of commands there is none.
    #[serde(default, skip_serializing_if = "Job::is_none")]
    pub job: Job,
    /// What commands have in common, where these are compared instead of scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Commands>,
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

/// The workload where none is named, and of every experiment from before there was a choice.
pub(crate) const DEFAULT_WORKLOAD: &str = "cnn";

pub(crate) fn default_workload() -> String {
    DEFAULT_WORKLOAD.to_owned()
}

impl Settings {
    /// The folder of the workload's scripts.
    pub(crate) fn scripts(&self, project: &Project) -> PathBuf {
        self.workloads.clone().unwrap_or_else(|| project.workloads().join(&self.workload))
    }

    /// The workload: its name, and the folder of its scripts.
    pub(crate) fn workload_in(&self, project: &Project) -> Workload {
        Workload { name: self.workload.clone(), folder: self.scripts(project) }
    }

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
    pub(crate) fn check(&self) -> Result<(), String> {
        let job = &self.job;
        let mut counts =
            vec![("iterations", self.iterations), ("max_failures", self.failures.max_failures)];
        match &self.commands {
            Some(commands) => commands.check(&self.treatments)?,
            None => counts.extend([
                ("epochs", job.epochs),
                ("batch_size", job.batch_size),
                ("threads", job.threads),
            ]),
        }
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(format!("its {name} are 0"));
        }
        if self.commands.is_none() && !is_learning_rate(job.learning_rate) {
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
            self.check_treatment(treatment, &self.treatments[..place])?;
        }
        Ok(())
    }

    /// Checks one treatment, behind those before it.
    fn check_treatment(&self, treatment: &Treatment, before: &[Treatment]) -> Result<(), String> {
        let Treatment { name, framework, variant, environment, levels, command } = treatment;
        if let Some(other) = same_folder(before, name) {
            return Err(format!("it compares {name:?} and {other:?}, one folder"));
        }
        if !is_label(name) {
            return Err(format!("it compares {name:?}, which cannot be a label"));
        }
        if command.is_some() {
            return Ok(());
        }
        if let Some(name) = variant.iter().chain([framework]).find(|name| !is_name(name)) {
            return Err(format!("it compares {name:?}, which cannot be the name of a file"));
        }
        if environment.as_ref().is_some_and(|environment| place(environment).is_none()) {
            return Err(format!("{name:?} runs in no environment that there could be"));
        }
        self.job.at(levels).map(drop).map_err(|why| why.in_line())
    }

    /// The job of each treatment, in their order; a command has the experiment's.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = Job> {
        self.treatments.iter().map(|t| self.job.at(&t.levels).unwrap_or_else(|_| self.job.clone()))
    }

    /// The blocks that are run: all of them, or the shard's.
    pub(crate) fn blocks(&self) -> std::ops::Range<u32> {
        let square = self.order.square(self.treatments.len());
        self.shard.map_or(0..self.iterations, |shard| shard.blocks(self.iterations, square))
    }

    /// Trials in all, at most where the experiment may stop earlier.
    pub(crate) fn trials(&self) -> usize {
        self.blocks().len() * self.treatments.len()
    }
}

/// Whether a margin or a precision can be so many percent.
pub(crate) fn is_percent(pct: f64) -> bool {
    pct > 0.0 && pct < 100.0
}

/// A treatment whose folder `name` would have too; not all file systems tell cases apart.
pub(crate) fn same_folder(treatments: &[Treatment], name: &str) -> Option<String> {
    let folder = folder_of(name);
    let same = treatments.iter().find(|t| t.folder().eq_ignore_ascii_case(&folder))?;
    Some(same.name.clone())
}
