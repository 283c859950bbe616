//! Factors: what is varied over all treatments, and the job at their levels.

use super::{Job, Levels, Problem, SettingsError, Treatment};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something that is varied over all treatments, in complete blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Named as the flag that sets it: `batch-size`.
    pub factor: String,
    /// Its levels, in the order in which they were typed.
    pub levels: Vec<String>,
}

/// The factors of a training job; each is the flag of its name.
pub(crate) const FACTORS: [&str; 6] =
    ["batch-size", "epochs", "learning-rate", "test-samples", "threads", "train-samples"];

/// The largest batch: no step takes more images than there are.
pub(crate) const MOST_BATCH: u32 = 60_000;

/// More epochs than this are a typing error.
pub(crate) const MOST_EPOCHS: u32 = 10_000;

/// Whether Adam can take steps of this size.
pub(crate) fn is_learning_rate(rate: f64) -> bool {
    rate > 0.0 && rate.is_finite()
}

/// The factor that changes how the work is done and not what is done.
const SAME_WORK: &str = "threads";

/// No experiment with more treatments than this would end.
const MOST_TREATMENTS: usize = 1000;

impl Factor {
    /// Reads `batch-size=32,64`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub(crate) fn parse(text: &str) -> Result<Factor, String> {
        let (factor, levels) = text.split_once('=').ok_or("write it like batch-size=32,64")?;
        let levels: Vec<String> = levels
            .split(',')
            .map(|level| level.trim().to_owned())
            .filter(|level| !level.is_empty())
            .collect();
        if factor.trim().is_empty() {
            return Err("write it like batch-size=32,64".to_owned());
        }
        Ok(Factor { factor: factor.trim().to_owned(), levels })
    }

    /// Checks a factor of a training job by itself.
    fn check(&self) -> Result<(), SettingsError> {
        let told = |problem: Problem| SettingsError::Vary { factor: self.factor.clone(), problem };
        if !FACTORS.contains(&self.factor.as_str()) {
            return Err(told(format!("no such factor; there are: {}", FACTORS.join(", ")).into()));
        }
        if self.levels.len() < 2 {
            let remedy = "name at least two levels, or use the flag of that name";
            return Err(told(Problem::advised("it has one level", remedy)));
        }
        let mut seen = BTreeSet::new();
        match self
            .levels
            .iter()
            .find(|level| !seen.insert(level.parse::<f64>().unwrap_or(0.0).to_bits()))
        {
            Some(level) => Err(told(format!("{level} stands there twice").into())),
            None => Ok(()),
        }
    }
}

/// Every treatment at every combination of levels, the last factor changing fastest.
///
/// # Errors
///
/// An unknown factor, one that is named twice, or too many treatments.
pub(crate) fn at_all_levels(
    treatments: Vec<Treatment>,
    factors: &[Factor],
) -> Result<Vec<Treatment>, SettingsError> {
    let mut all = treatments;
    for (place, factor) in factors.iter().enumerate() {
        let told =
            |problem: Problem| SettingsError::Vary { factor: factor.factor.clone(), problem };
        if factors[..place].iter().any(|other| other.factor == factor.factor) {
            let remedy = "name all its levels at once";
            return Err(told(Problem::advised("it stands there twice", remedy)));
        }
        if all.len() * factor.levels.len() > MOST_TREATMENTS {
            return Err(told(format!("that makes more than {MOST_TREATMENTS} treatments").into()));
        }
        let at = |treatment: &Treatment, level: &String| {
            let mut levels = treatment.levels.clone();
            levels.insert(factor.factor.clone(), level.clone());
            Treatment::new(
                treatment.framework.clone(),
                treatment.variant.clone(),
                treatment.environment.clone(),
                levels,
            )
        };
        all = all.iter().flat_map(|t| factor.levels.iter().map(move |l| at(t, l))).collect();
    }
    Ok(all)
}

/// Checks that a training job can be varied so: see [`Job::at`].
///
/// # Errors
///
/// The first factor or level that is not possible, with what is.
pub(crate) fn check_factors(
    factors: &[Factor],
    job: &Job,
    cores: u32,
) -> Result<(), SettingsError> {
    for factor in factors {
        for level in &factor.levels {
            let levels = Levels::from([(factor.factor.clone(), level.clone())]);
            let threads = job.at(&levels)?.threads;
            if factor.factor == SAME_WORK && threads > cores {
                let problem = Problem::advised(
                    format!("{level} is out of range"),
                    format!("there are {cores} processors"),
                );
                return Err(SettingsError::Vary { factor: factor.factor.clone(), problem });
            }
        }
        factor.check()?;
    }
    Ok(())
}

/// Those of a treatment's levels that make its work another one: trials at different ones do not have to
/// come to the same numbers.
pub(crate) fn of_the_work(levels: &Levels) -> Levels {
    levels.iter().filter(|(f, _)| *f != SAME_WORK).map(|(f, l)| (f.clone(), l.clone())).collect()
}

impl Job {
    /// The job at these levels of its factors.
    ///
    /// # Errors
    ///
    /// An unknown factor, or a level that its flag would refuse.
    pub(crate) fn at(&self, levels: &Levels) -> Result<Job, SettingsError> {
        let mut job = self.clone();
        for (factor, level) in levels {
            let told = |problem: Problem| SettingsError::Vary { factor: factor.clone(), problem };
            let range =
                |allowed: &str| told(Problem::advised(format!("{level} is out of range"), allowed));
            let whole = |least: u32, most: u32| {
                level.parse::<u32>().ok().filter(|n| (least..=most).contains(n)).ok_or_else(|| {
                    match most {
                        u32::MAX => range("a whole number from 1 on"),
                        most => range(&format!("a whole number from {least} to {most}")),
                    }
                })
            };
            match factor.as_str() {
                "batch-size" => job.batch_size = whole(1, MOST_BATCH)?,
                "epochs" => job.epochs = whole(1, MOST_EPOCHS)?,
                "threads" => job.threads = whole(1, u32::MAX)?,
                "train-samples" => job.train_samples = Some(whole(1, u32::MAX)?),
                "test-samples" => job.test_samples = Some(whole(1, u32::MAX)?),
                "learning-rate" => {
                    let rate = level.parse::<f64>().ok().filter(|rate| is_learning_rate(*rate));
                    job.learning_rate = rate.ok_or_else(|| range("a number above 0"))?;
                }
                _ => {
                    return Err(told(
                        format!("no such factor; there are: {}", FACTORS.join(", ")).into(),
                    ));
                }
            }
        }
        Ok(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Remedy as _;
    use crate::plan::duration::tests::example;

    fn factor(text: &str) -> Factor {
        Factor::parse(text).unwrap()
    }

    #[test]
    fn treatments_at_all_levels_are_complete_and_called_by_their_levels() {
        let treatments = vec![Treatment::of("torch"), Treatment::of("jax")];
        let factors = [factor("batch-size=32,64"), factor("threads=1,2")];
        let all = at_all_levels(treatments, &factors).unwrap();
        let names: Vec<&str> = all.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names.len(), 8);
        assert_eq!(names[1], "torch[batch-size=32,threads=2]");
        assert_eq!(names[6], "jax[batch-size=64,threads=1]");
    }

    #[test]
    fn the_job_at_a_level_is_the_job_with_that_flag() {
        let job = example().job;
        let levels = Levels::from([
            ("batch-size".to_owned(), "32".to_owned()),
            ("learning-rate".to_owned(), "0.01".to_owned()),
        ]);
        let at = job.at(&levels).unwrap();
        assert_eq!((at.batch_size, at.learning_rate, at.epochs), (32, 0.01, job.epochs));
    }

    #[test]
    fn a_level_out_of_range_is_told_with_the_range() {
        let job = example().job;
        let refusal = |text: &str| check_factors(&[factor(text)], &job, 2).unwrap_err().in_line();
        assert!(refusal("batch-size=0,64").contains("1 to 60000"));
        assert!(refusal("threads=1,3").contains("there are 2 processors"));
        assert!(refusal("learning-rate=1,-1").contains("above 0"));
        assert!(refusal("colour=red,blue").contains("batch-size"));
        assert!(refusal("epochs=1").contains("two levels"));
        assert!(refusal("epochs=1,2,01").contains("twice"));
        assert!(refusal("epochs=1,2.5").contains("2.5 is out of range"));
    }

    #[test]
    fn threads_are_another_way_and_no_other_work() {
        let levels = Levels::from([
            ("threads".to_owned(), "1".to_owned()),
            ("epochs".to_owned(), "2".to_owned()),
        ]);
        assert_eq!(of_the_work(&levels).into_keys().collect::<Vec<_>>(), ["epochs"]);
    }
}
