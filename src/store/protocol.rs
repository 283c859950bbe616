//! The protocol: what is judged and how, fixed before the first trial and written down with the plan.

use crate::energy::COVERAGE_LEAST;
use crate::meter::Gpus;
use crate::phase::Phase;
use crate::plan::sequential::Sequential;
use crate::plan::{detectable::ALPHA, seeds};
use crate::settings::{Factor, History, Levels, Settings, Treatment};
use crate::store::interference::Limits;
use serde::{Deserialize, Serialize};

/// The test that decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Student's t on the differences of logs within blocks.
    #[default]
    PairedTLog,
}

/// How several comparisons are corrected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Holm's, over the declared comparisons.
    #[default]
    Holm,
}

/// What is judged, how, and by which rules trials are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Version of this layout. The first named no comparisons.
    #[serde(default = "first")]
    pub schema: u32,
    /// The metric that the conclusion rests on; all others are exploratory.
    pub primary_metric: String,
    /// The part of a trial that is reported.
    pub window: Vec<Phase>,
    /// What the work is, in its workload's words.
    #[serde(default)]
    pub work: Option<String>,
    pub design: String,
    /// The pairs of treatments that are told apart, the base first; none where they were not declared.
    #[serde(default)]
    pub comparisons: Vec<[String; 2]>,
    /// The releases of one package that the treatments are, where they are a history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What is varied over the treatments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factors: Option<Factors>,
    /// The test that decides.
    #[serde(default)]
    pub primary_test: Test,
    /// How the comparisons are corrected.
    #[serde(default)]
    pub correction: Correction,
    /// The chance of finding any difference where there is none.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// The largest difference, in percent, that counts as none, where one was stated.
    #[serde(default)]
    pub margin_pct: Option<f64>,
    /// All tests, in the order of their weight.
    pub tests: Vec<String>,
    /// The reasons for which a trial is left out; its result is never one.
    pub exclusions: Vec<String>,
    /// The share of a trial's time in which its sensors must have been read; a trial of less has failed.
    #[serde(default)]
    pub coverage_limit: Option<f64>,
    /// Which graphics cards are part of what is measured; none where it was not declared.
    #[serde(default)]
    pub gpus: Option<Gpus>,
    /// The limits beyond which a trial is flagged; flagged trials still count.
    #[serde(default)]
    pub interference: Limits,
    /// How each block gets its own training seed, where it does.
    #[serde(default)]
    pub seeds: Option<String>,
    /// When it stops before its last block, and at what levels it then concludes.
    #[serde(default)]
    pub sequential: Option<Sequential>,
}

/// What is varied over the treatments, in complete blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// The factors and their levels, in the order in which they were typed.
    pub levels: Vec<Factor>,
    /// Every treatment at its levels, but for the A/A twin.
    pub cells: Vec<Cell>,
}

/// A treatment at levels of the factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The treatment's name.
    pub treatment: String,
    /// What it is called without its levels.
    pub of: String,
    pub levels: Levels,
}

impl Factors {
    fn of(settings: &Settings) -> Option<Factors> {
        let cell = |treatment: &Treatment| Cell {
            treatment: treatment.name.clone(),
            of: treatment.without_levels(),
            levels: treatment.levels.clone(),
        };
        (!settings.factors.is_empty()).then(|| Factors {
            levels: settings.factors.clone(),
            cells: settings.compared().map(cell).collect(),
        })
    }
}

/// The design in words.
fn design(settings: &Settings) -> String {
    let design = settings.order.describe(settings.iterations, settings.treatments.len());
    if settings.factors.is_empty() {
        return design;
    }
    let factors: Vec<&str> = settings.factors.iter().map(|f| f.factor.as_str()).collect();
    let factors = factors.join(" and ");
    format!("{design}; every block holds every treatment at every level of {factors}")
}

fn first() -> u32 {
    1
}

fn alpha() -> f64 {
    ALPHA
}

impl Protocol {
    /// The version written by this program.
    pub(crate) const SCHEMA: u32 = 2;

    /// Of an experiment with these settings.
    pub(crate) fn of(settings: &Settings) -> Protocol {
        let comparisons = settings.comparisons();
        let sequential = settings
            .until_precise
            .map(|pct| Sequential::new(pct, settings.iterations, comparisons.len(), ALPHA));
        let mut tests = vec![
            "paired t on logs within blocks, Holm-corrected over the comparisons: decides"
                .to_owned(),
            "Wilcoxon signed-rank on the same, Holm-corrected: agreement".to_owned(),
            "repeated-measures ANOVA (Greenhouse-Geisser)".to_owned(),
            "Friedman".to_owned(),
        ];
        if let Some(pct) = settings.margin_pct {
            tests.insert(1, format!("equivalence within ±{pct}%: two one-sided paired t on logs"));
        }
        Protocol {
            schema: Protocol::SCHEMA,
            primary_metric: "energy_j of the window, on the log scale".to_owned(),
            window: Phase::WINDOW.to_vec(),
            work: None,
            design: design(settings),
            comparisons,
            history: settings.history(),
            factors: Factors::of(settings),
            primary_test: Test::default(),
            correction: Correction::default(),
            alpha: ALPHA,
            margin_pct: settings.margin_pct,
            tests,
            exclusions: vec![
                "failed: the worker or the meter did not finish, or the counters or clocks cannot be trusted".to_owned(),
                "invalid: the work was not the work asked for".to_owned(),
                "no trial is left out for the size of its energy or time".to_owned(),
            ],
            coverage_limit: Some(COVERAGE_LEAST),
            gpus: Some(settings.gpus.clone()),
            interference: Limits::default(),
            seeds: settings.seed_per_block.then(|| seeds::RULE.to_owned()),
            sequential,
        }
    }
}

impl Protocol {
    /// Checks a protocol that was read from a file, which anyone may have written.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn check(&self, settings: &Settings) -> Result<(), String> {
        let known = |name: &String| settings.compared().any(|t| t.name == *name);
        if let Some(pair) = self.comparisons.iter().find(|pair| !pair.iter().all(known)) {
            return Err(format!(
                "its protocol compares {} and {}, which it does not run",
                pair[0], pair[1]
            ));
        }
        if let Some(gpus) = self.gpus.as_ref().filter(|gpus| **gpus != settings.gpus) {
            let set = &settings.gpus;
            return Err(format!(
                "its protocol counts the graphics cards {gpus}, its settings {set}"
            ));
        }
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(format!("its alpha is {}", self.alpha));
        }
        self.sequential.as_ref().map_or(Ok(()), Sequential::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Order;
    use crate::plan::duration::tests::example;
    use serde_json::json;

    #[test]
    fn what_is_asked_for_is_declared_by_plain_names() {
        let settings = Settings {
            order: Order::Balanced,
            seed_per_block: true,
            compare_to: Some("jax".to_owned()),
            margin_pct: Some(1.5),
            until_precise: Some(4.0),
            gpus: Gpus::These(vec![1]),
            ..example()
        };
        let told = serde_json::to_value(Protocol::of(&settings)).unwrap();
        assert_eq!(told["comparisons"], json!([["jax", "keras"], ["jax", "torch"]]));
        assert_eq!(
            (&told["primary_test"], &told["correction"]),
            (&json!("paired-t-log"), &json!("holm"))
        );
        assert_eq!((&told["alpha"], &told["margin_pct"]), (&json!(0.05), &json!(1.5)));
        assert_eq!(told["gpus"], "1");
        assert!(told["design"].as_str().unwrap().contains("Williams"));
        assert!(told["seeds"].as_str().unwrap().contains("SplitMix64"));
        assert_eq!(told["sequential"]["most"], 30);
        assert_eq!(told["sequential"]["looks"].as_array().unwrap().len(), 28);
    }

    /// Protocols of earlier versions declare no comparisons and are still accepted.
    #[test]
    fn an_earlier_protocol_is_read() {
        let earlier: Protocol = serde_json::from_value(json!({
            "primary_metric": "energy_j", "window": ["build", "train", "evaluate"],
            "design": "blocks", "tests": [], "exclusions": [],
        }))
        .unwrap();
        assert_eq!((earlier.schema, earlier.comparisons.len()), (1, 0));
        assert_eq!((earlier.alpha, &earlier.sequential, &earlier.gpus), (0.05, &None, &None));
        // A protocol that declares nothing contradicts nothing; one that declares comparisons must match the
        // settings.
        let declared = |gpus| Protocol { gpus, ..earlier.clone() }.check(&example());
        assert_eq!(declared(None), Ok(()));
        assert_eq!(declared(Some(Gpus::All)), Ok(()));
        assert!(declared(Some(Gpus::None)).unwrap_err().contains("none"));
    }
}
