//! What is compared, by which names, and in which order.

use super::command_line::CommandLine;
use super::label::folder_of;
use super::release::{Place, place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Levels of factors, by the factor's name: `batch-size` at `64`.
pub(crate) type Levels = BTreeMap<String, String>;

/// What is compared: a framework's script or a command, in a variant, in an environment, at levels of
/// factors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treatment {
    /// The label that is shown and recorded, and names the rows: `torch`, `torch:compile@current`,
    /// `torch[batch-size=64]`, or `torch-control` for an A/A twin.
    pub name: String,
    /// Whose script runs: `<framework>_<workload>.py`.
    pub framework: String,
    /// Which of the script's ways of doing the work; none for its plain one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Which environment it runs in, or which version of the framework: `current`, `2.4.1`; none for the
    /// experiment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// At which levels of the factors that are varied.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: Levels,
    /// The command that runs instead of a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
}

impl Treatment {
    /// A framework's script as it is, called by the framework's name.
    pub fn of(framework: impl Into<String>) -> Treatment {
        let framework = framework.into();
        Treatment { name: framework.clone(), framework, ..Treatment::default() }
    }

    /// A script in a variant, in an environment, at levels, called by all of these.
    pub(crate) fn new(
        framework: impl Into<String>,
        variant: Option<String>,
        environment: Option<String>,
        levels: Levels,
    ) -> Treatment {
        let treatment =
            Treatment { variant, environment, levels, ..Treatment::of(framework.into()) };
        Treatment { name: treatment.label(), ..treatment }
    }

    /// `NAME[:VARIANT][@ENVIRONMENT]`, and the levels in brackets.
    fn label(&self) -> String {
        let mut label = self.framework.clone();
        for (sign, part) in [(':', &self.variant), ('@', &self.environment)] {
            if let Some(part) = part {
                label.push(sign);
                label.push_str(part);
            }
        }
        label + &at_levels(&self.levels)
    }

    /// What it is called without its levels: what is ranked within levels.
    pub(crate) fn without_levels(&self) -> String {
        self.name.strip_suffix(&at_levels(&self.levels)).unwrap_or(&self.name).to_owned()
    }

    /// The environment that it runs in, as an experiment's records name it: a folder's name, or the framework
    /// at a version (`jax@0.4.30`), whatever the variant. None for the experiment's own.
    pub(crate) fn environment_key(&self) -> Option<String> {
        environment_key(&self.framework, self.environment.as_deref())
    }

    /// What names its files: see [`folder_of`].
    pub(crate) fn folder(&self) -> String {
        folder_of(&self.name)
    }
}

/// See [`Treatment::environment_key`].
pub(crate) fn environment_key(framework: &str, environment: Option<&str>) -> Option<String> {
    let environment = environment?;
    Some(match place(environment) {
        Some(Place::Version { .. }) => format!("{framework}@{environment}"),
        _ => environment.to_owned(),
    })
}

/// `[batch-size=64,threads=2]`; nothing where nothing is varied.
pub(crate) fn at_levels(levels: &Levels) -> String {
    if levels.is_empty() {
        return String::new();
    }
    let levels: Vec<String> = levels.iter().map(|(f, level)| format!("{f}={level}")).collect();
    format!("[{}]", levels.join(","))
}

/// How the order within blocks is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Each block in an order of its own, all orders equally likely.
    #[default]
    Random,
    /// Randomised Williams squares (E. J. Williams, Australian Journal of Scientific Research A 2,
    /// 1949, 149–168): over a whole square every treatment ran equally often at every position, and
    /// equally often just after every other treatment of its block.
    Balanced,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_treatment_is_called_by_what_makes_it() {
        let levels = |of: &[(&str, &str)]| -> Levels {
            of.iter().map(|(f, l)| ((*f).to_owned(), (*l).to_owned())).collect()
        };
        let called = |t: Treatment| (t.name.clone(), t.folder());
        let plain = Treatment::new("torch", None, None, Levels::new());
        assert_eq!(plain, Treatment::of("torch"));
        let all = Treatment::new("torch", some("compile"), some("2.4.1"), Levels::new());
        assert_eq!(called(all), ("torch:compile@2.4.1".into(), "torch+compile@2.4.1".into()));
        let varied = levels(&[("threads", "2"), ("batch-size", "64")]);
        let varied = Treatment::new("jax", None, None, varied);
        assert_eq!(
            called(varied),
            ("jax[batch-size=64,threads=2]".into(), "jax+batch-size-64+threads-2".into())
        );
    }

    #[test]
    fn an_experiment_of_today_is_read_and_written_as_it_was() {
        let text = r#"{"name":"torch-control","framework":"torch"}"#;
        let twin: Treatment = serde_json::from_str(text).unwrap();
        assert_eq!((twin.folder().as_str(), twin.variant.as_ref()), ("torch-control", None));
        assert_eq!(serde_json::to_string(&twin).unwrap(), text);
    }
}
