//! Reading all trials' samples, on all cores.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::record::TrialFacts;
use super::scan::{Input, Source};
use crate::energy::{Accounts, account_file};
use crate::samples::ReadError;

/// A trial with what its files say.
#[derive(Debug)]
pub struct Trial {
    /// Its name, group, block and files.
    pub input: Input,
    /// What its record says; empty without one.
    pub facts: TrialFacts,
    /// Its energy, or why it is not known.
    pub outcome: Outcome,
}

/// What a trial's samples came to.
#[derive(Debug)]
pub enum Outcome {
    /// Energy is accounted for.
    Read(Box<Accounts>),
    /// The samples are broken.
    Broken(ReadError),
    /// There are no samples, or the record is unreadable; the reason.
    Missing(String),
}

/// Reads the samples of all inputs on as many threads as there are cores; the result is in the
/// inputs' order. A broken file does not stop the others.
pub fn gather(inputs: &[Input], source: Source) -> Vec<Trial> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(inputs.len().max(1));
    let mut trials: Vec<(usize, Trial)> = thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            while let Some((at, input)) = take(&next, inputs) {
                done.push((at, trial(input, source)));
            }
            done
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|t| match t.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    trials.sort_by_key(|(at, _)| *at);
    trials.into_iter().map(|(_, trial)| trial).collect()
}

fn take<'a>(next: &AtomicUsize, inputs: &'a [Input]) -> Option<(usize, &'a Input)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, inputs.get(at)?))
}

fn trial(input: &Input, source: Source) -> Trial {
    let (facts, unreadable) = match facts(input, source) {
        Ok(facts) => (facts, None),
        Err(reason) => (TrialFacts::default(), Some(reason)),
    };
    let outcome = match (&input.csv, unreadable) {
        (_, Some(reason)) => Outcome::Missing(reason),
        (None, None) => Outcome::Missing("there are no samples".into()),
        (Some(csv), None) => read(csv, &facts),
    };
    Trial { input: input.clone(), facts, outcome }
}

fn facts(input: &Input, source: Source) -> Result<TrialFacts, String> {
    match (source, &input.record) {
        (Source::Experiment, Some(record)) => TrialFacts::read(record),
        _ => Ok(TrialFacts::default()),
    }
}

fn read(csv: &Path, facts: &TrialFacts) -> Outcome {
    match account_file(csv, &facts.marks, &facts.wrapping()) {
        Ok(accounts) => Outcome::Read(Box::new(accounts)),
        Err(error) => Outcome::Broken(error),
    }
}
