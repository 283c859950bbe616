//! From a folder's trials to the table: samples read, blocks and domains decided, all in one place.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::copies::Copied;
use super::domains::{Domains, Measured};
use super::gather::{Outcome, Trial, gather_with, named};
use super::kinds::{Kind, kinds};
use super::pairing::{Counted, Known, Pairing, pair};
use super::scan::{GroupLine, Scan, Source};
use super::settings::{AnalyzeSettings, Method};
use super::table::{Frame, Table};
use super::walk::relative;

/// What is told of the trials once they are read; the report and the terminal say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Number of trials, copies left out.
    pub trials: usize,
    /// Number of groups.
    pub groups: usize,
    /// Those trials that can be used.
    pub usable: usize,
    /// Why the others cannot.
    pub unused: Vec<Kind>,
    /// What was recognised in the files.
    pub notes: Vec<Kind>,
    /// Energy columns that hold no counter: what was found and in how many trials.
    pub absent: Vec<String>,
    /// What is compared.
    pub domains: String,
    /// Which trials form a block.
    pub pairing: String,
    /// Trials that cannot be used and have holes in them: runs may have been appended to one file.
    pub with_holes: usize,
}

/// A folder's trials, ready to be analysed.
pub struct Study {
    /// The trials as columns.
    pub table: Table,
    /// What is told of them.
    pub told: Told,
    /// What was decided and passed over on the way.
    pub decided: Decided,
}

/// What was decided of the trials and passed over, as Python is told.
#[derive(Serialize)]
pub struct Decided {
    pairing: Pairing,
    domains: Domains,
    absent: Vec<Absent>,
    copies: Vec<Copied>,
    ignored: Vec<Kind>,
    notes: Vec<Kind>,
    margin_pct: Option<f64>,
    grouping: Grouping,
}

/// How the groups were found.
#[derive(Serialize)]
struct Grouping {
    by: String,
    groups: Vec<GroupLine>,
}

/// Reads the trials of a scan and decides what is compared and what is paired. `progress` is told how many
/// files were read.
///
/// # Errors
///
/// A flag asks for what the files do not hold.
pub fn study(
    settings: &AnalyzeSettings,
    scan: &Scan,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Study, String> {
    let trials = gather_with(&scan.inputs, scan.source, settings.split_gaps, progress);
    let mut trials = named(trials, &settings.dir, &scan.renamed);
    let domains = domains(settings, scan, &trials)?;
    let absent = absent(&trials);
    let mut notes = notes(&trials);
    notes.extend(settings.remarks.iter().map(|remark| Kind {
        kind: remark.clone(),
        count: 1,
        examples: vec!["this analysis".to_owned()],
    }));
    let with_holes = with_holes(settings, scan, &trials);
    let pairing = blocks(settings, scan, &trials)?;
    for (trial, block) in trials.iter_mut().zip(&pairing.blocks) {
        trial.input.block = *block;
        if settings.pairing == super::pairing::Asked::None {
            trial.facts.block = None;
        }
    }
    let frame = Frame {
        source: scan.source,
        method: settings.method,
        dir: &settings.dir,
        domains: Some(&domains),
    };
    let table = Table::made(trials, &frame);
    let ignored = scan.ignored.iter().map(|i| (relative(&settings.dir, &i.file), i.reason.clone()));
    let told = Told {
        trials: table.trials(),
        groups: scan.groups().len(),
        usable: table.trials() - table.unused.len(),
        unused: kinds(table.unused.iter().cloned()),
        notes,
        absent: absent.iter().map(Absent::to_string).collect(),
        domains: domains.to_string(),
        pairing: pairing.to_string(),
        with_holes,
    };
    let decided = Decided {
        pairing,
        domains,
        absent,
        copies: scan.copies.clone(),
        ignored: kinds(ignored),
        notes: told.notes.clone(),
        margin_pct: settings.margin_pct,
        grouping: Grouping { by: scan.by.clone(), groups: scan.groups() },
    };
    Ok(Study { table, told, decided })
}

fn with_holes(settings: &AnalyzeSettings, scan: &Scan, trials: &[Trial]) -> usize {
    if settings.split_gaps.is_some() || scan.source == Source::Experiment {
        return 0;
    }
    let holed = |trial: &&Trial| match &trial.outcome {
        Outcome::Read(accounts) => {
            accounts.integrity.holes > 0 && accounts.integrity.unknown_energy().is_some()
        }
        _ => false,
    };
    trials.iter().filter(holed).count()
}

/// An energy column that never moved.
#[derive(Debug, Serialize)]
struct Absent {
    column: String,
    groups: Vec<String>,
    trials: usize,
}

impl Told {
    /// What may make more trials usable; empty where nothing is known.
    pub fn hint(&self) -> String {
        match self.with_holes {
            0 => String::new(),
            1 => "one of these has holes: if several runs were appended to it, --split-gaps DURATION makes \
                  a trial of each"
                .to_owned(),
            n => format!(
                "{n} of these have holes: if several runs were appended to a file, --split-gaps DURATION \
                 makes a trial of each"
            ),
        }
    }
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Absent { column, trials, .. } = self;
        let files = if *trials == 1 { "file" } else { "files" };
        write!(f, "{column}, the same from first to last row of {trials} {files}; not counted")
    }
}

fn absent(trials: &[Trial]) -> Vec<Absent> {
    let mut all: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for trial in trials {
        if let Outcome::Read(accounts) = &trial.outcome {
            for column in &accounts.absent {
                let found = all.entry(column).or_default();
                found.0.insert(&trial.input.group);
                found.1 += 1;
            }
        }
    }
    let told = |(column, (groups, trials)): (&str, (BTreeSet<&str>, usize))| Absent {
        column: column.to_owned(),
        groups: groups.into_iter().map(str::to_owned).collect(),
        trials,
    };
    all.into_iter().map(told).collect()
}

fn notes(trials: &[Trial]) -> Vec<Kind> {
    kinds(trials.iter().flat_map(|trial| {
        let notes = match &trial.outcome {
            Outcome::Read(accounts) => &accounts.notes[..],
            _ => &[],
        };
        notes.iter().map(|note| (trial.input.trial.clone(), note.clone()))
    }))
}

fn domains(settings: &AnalyzeSettings, scan: &Scan, trials: &[Trial]) -> Result<Domains, String> {
    let measured: Vec<Measured<'_>> = trials
        .iter()
        .filter_map(|trial| {
            let Outcome::Read(accounts) = &trial.outcome else { return None };
            let ok = trial.facts.status.as_deref().is_none_or(|status| status == "ok");
            let whole = scan.source == Source::Csv || accounts.window.is_some();
            let known = accounts.integrity.unknown_energy().is_none();
            Some(Measured {
                group: &trial.input.group,
                usable: ok && ((whole && known) || settings.method == Method::Published),
                present: accounts.present(),
                total: &accounts.total,
            })
        })
        .collect();
    Domains::decide(&measured, settings.domains.as_deref())
}

fn blocks(settings: &AnalyzeSettings, scan: &Scan, trials: &[Trial]) -> Result<Pairing, String> {
    if scan.source == Source::Experiment {
        if settings.pairing != super::pairing::Asked::None {
            let blocks = trials.iter().map(|t| t.input.block).collect();
            return Ok(Pairing::of_experiment(blocks));
        }
        return pair(&vec![Known::default(); trials.len()], settings.pairing, &Counted::Open);
    }
    let known: Vec<Known<'_>> = trials
        .iter()
        .map(|trial| Known {
            group: &trial.input.group,
            session: trial.input.session.as_deref(),
            number: trial.input.block,
            stamp: trial.input.stamp,
            time: match &trial.outcome {
                Outcome::Read(accounts) => {
                    let from = accounts.start_unix_ms / 1000.0;
                    Some((from, from + accounts.whole.seconds)).filter(|t| t.1.is_finite())
                }
                _ => None,
            },
        })
        .collect();
    pair(&known, settings.pairing, &scan.counted)
}
