//! Reading all trials' samples, on all cores.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rayon::prelude::*;

use super::record::TrialFacts;
use super::scan::{Input, Renamed, Source};
use super::tables::TableRow;
use crate::energy::{Accounts, account_file, account_file_split};
use crate::samples::ReadError;

/// Trials whose power over time is kept: each takes some 8 kB here and as much in Python, and nobody
/// sees more lines than these in a plot.
pub const TRACES: usize = 600;

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
    gather_with(inputs, source, None, &|_| {})
}

/// As [`gather`]; with a `hole`, each part of a file between holes longer than that is a trial of its own,
/// called `all#1`, `all#2`, …. `progress` is told how many files were read.
pub fn gather_with(
    inputs: &[Input],
    source: Source,
    hole: Option<Duration>,
    progress: &(dyn Fn(usize) + Sync),
) -> Vec<Trial> {
    let done = AtomicUsize::new(0);
    let keep = kept_traces(inputs);
    let read = |(input, keep): (&Input, &bool)| {
        let mut trials = match hole {
            Some(hole) if input.row.is_none() => parts(input, hole),
            _ => vec![trial(input, source)],
        };
        if !keep {
            trials.iter_mut().for_each(forget_power);
        }
        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        trials
    };
    inputs.par_iter().zip(&keep).map(read).collect::<Vec<_>>().into_iter().flatten().collect()
}

/// Gives machines the names that the study has for them: two machines of one name are told apart there.
pub fn named(mut trials: Vec<Trial>, dir: &Path, renamed: &Renamed) -> Vec<Trial> {
    for trial in &mut trials {
        let path = trial.input.record.as_ref().and_then(|path| path.strip_prefix(dir).ok());
        // The shard's folder is two above the trial's files.
        let Some(shard) = path.and_then(|path| path.parent()?.parent()) else { continue };
        let names = renamed.get(&*shard.to_string_lossy());
        if let Some(machine) = &mut trial.facts.machine
            && let Some(name) = names.and_then(|names| names.get(machine))
        {
            machine.clone_from(name);
        }
    }
    trials
}

/// Which inputs' power over time is kept: all, or as many of each group, spread evenly.
fn kept_traces(inputs: &[Input]) -> Vec<bool> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, input) in inputs.iter().enumerate() {
        groups.entry(&input.group).or_default().push(at);
    }
    let each = (TRACES / groups.len().max(1)).max(2);
    let mut keep = vec![inputs.len() <= TRACES; inputs.len()];
    for of in groups.into_values() {
        let n = each.min(of.len());
        (0..n).for_each(|i| keep[of[i * of.len() / n]] = true);
    }
    keep
}

fn forget_power(trial: &mut Trial) {
    if let Outcome::Read(accounts) = &mut trial.outcome {
        accounts.forget_power();
    }
}

fn trial(input: &Input, source: Source) -> Trial {
    if let Some(row) = &input.row {
        return of_row(input, row);
    }
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

/// A row of a table of results.
fn of_row(input: &Input, row: &TableRow) -> Trial {
    let failed = row.unfinished.is_some().then(|| "failed".to_owned());
    let status = failed.or(row.impossible.is_some().then(|| "invalid".to_owned()));
    let facts = TrialFacts {
        status,
        reason: row.unfinished.clone().or(row.impossible.clone()),
        meter: row.tool.clone().map(|tool| tool.to_lowercase()),
        run_order: row.run_order(),
        ..TrialFacts::default()
    };
    Trial { input: input.clone(), facts, outcome: Outcome::Read(Box::new(row.accounts())) }
}

fn facts(input: &Input, source: Source) -> Result<TrialFacts, String> {
    match (source, &input.record) {
        (Source::Experiment, Some(record)) => TrialFacts::read(record),
        _ => Ok(TrialFacts::default()),
    }
}

fn read(csv: &Path, facts: &TrialFacts) -> Outcome {
    match account_file(csv, &facts.marks, &facts.wrapping()) {
        Ok(mut accounts) => {
            accounts.of_one(facts.repetitions.unwrap_or(1));
            Outcome::Read(Box::new(accounts))
        }
        Err(error) => Outcome::Broken(error),
    }
}

/// The parts of a file as trials: the file is their session, and they are numbered within it.
fn parts(input: &Input, hole: Duration) -> Vec<Trial> {
    let facts = TrialFacts::default();
    let Some(csv) = &input.csv else { return vec![trial(input, Source::Csv)] };
    let parts = match account_file_split(csv, &[], &facts.wrapping(), hole) {
        Ok(parts) => parts,
        Err(error) => {
            let outcome = Outcome::Broken(error);
            return vec![Trial { input: input.clone(), facts, outcome }];
        }
    };
    if let [_] = parts[..] {
        let whole = |accounts| {
            let outcome = Outcome::Read(Box::new(accounts));
            Trial { input: input.clone(), facts: facts.clone(), outcome }
        };
        return parts.into_iter().map(whole).collect();
    }
    let number = input.block.map(|n| format!("#{n}")).unwrap_or_default();
    let session = format!("{}{number}", input.session.as_deref().unwrap_or_default());
    let session = (!session.is_empty()).then_some(session);
    let part = |(n, accounts): (u64, Accounts)| Trial {
        input: Input {
            trial: format!("{}#{n}", input.trial),
            session: session.clone(),
            block: Some(n),
            stamp: false,
            ..input.clone()
        },
        facts: facts.clone(),
        outcome: Outcome::Read(Box::new(accounts)),
    };
    (1..).zip(parts).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_trials_some_of_each_group_keep_their_power() {
        let input = |n: usize| Input {
            trial: n.to_string(),
            group: format!("g{}", n % 7),
            session: None,
            block: None,
            stamp: false,
            csv: None,
            record: None,
            row: None,
        };
        let inputs: Vec<Input> = (0..7000).map(input).collect();
        let keep = kept_traces(&inputs);
        let of = |group: usize| (0..7000).filter(|n| n % 7 == group && keep[*n]).count();
        assert_eq!((0..7).map(of).collect::<Vec<_>>(), [TRACES / 7; 7]);
        assert!(kept_traces(&inputs[..20]).iter().all(|keep| *keep));
    }
}
