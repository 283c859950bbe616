//! Shards made one experiment: every trial once, with its machine, and what is missing named.

mod parts;

use super::error::MergeError;
use super::study::{self, SHARDS, Study};
use crate::analysis::gather;
use crate::analysis::scan::scan;
use crate::analysis::{Method, Table};
use crate::files;
use crate::gate::Expected;
use crate::plan::Plan;
use crate::settings::{Settings, Shard};
use crate::store::ExperimentError;
use crate::store::audit::Damage;
use crate::store::conditions::fields_changed;
use crate::store::experiment::{Experiment, Verdict};
use crate::store::folder::Folder;
use crate::store::machines::{MachineSeen, ShardSeen};
use crate::store::record::TrialRecord;
use crate::store::settling::Settling;
pub(super) use parts::unfit;
use parts::{Found, Part, folders, read};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

/// What merging came to.
#[derive(Debug)]
pub struct Merged {
    /// The study as one experiment.
    pub experiment: Experiment,
    /// What differs between shards and was accepted, or otherwise ought to be known.
    pub remarks: Vec<String>,
}

impl Merged {
    /// Trials that are done, and that are planned.
    pub fn done(&self) -> (u32, u32) {
        let sum = |of: fn(&ShardSeen) -> u32| self.experiment.shards.iter().map(of).sum();
        (sum(|shard| shard.done), sum(|shard| shard.trials))
    }
}

/// Makes the shards below `root` one experiment there: `experiment.json` and `trials.csv`. The shards'
/// own files are read and stay as they are, so it can be done again at any time. `progress` hears of each
/// step.
///
/// # Errors
///
/// See [`MergeError`]: nothing is written where a shard is damaged, or where the work differs and
/// `accept` does not say that it may.
pub fn merge(root: &Path, accept: bool, progress: &dyn Fn(&str)) -> Result<Merged, MergeError> {
    let folders = folders(root)?;
    progress(&format!("reading {} shards and checking their files", folders.len()));
    let found: Vec<Found> = folders
        .par_iter()
        .map(|(number, folder)| read(*number, folder))
        .collect::<Result<_, _>>()?;
    let (mut parts, mut running, mut damaged) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for one in found {
        match one {
            Found::Read(part) => parts.push(*part),
            Found::Running(number, why) => drop(running.insert(number, why)),
            Found::Damaged(number, of) => drop(damaged.insert(number, of)),
        }
    }
    none_damaged(root, &damaged)?;
    parts.sort_by_key(|part| part.shard.number);
    let Some(first) = parts.first() else {
        let why: Vec<String> = running.into_values().collect();
        return Err(MergeError::NoShard { path: root.join(SHARDS), why: why.join("; ") });
    };
    let study = Study::read(root)?;
    let remarks = differences(&parts, study.as_ref());
    if !remarks.is_empty() && !accept {
        let folder = root.display().to_string();
        return Err(MergeError::Differ { folder, differences: remarks });
    }
    let settings = Settings { shard: None, ..first.experiment.settings.clone() };
    let shards = shards(&parts, &running, &settings, root);
    let (machines, renamed) = machines(&parts);
    let experiment = together(parts, study, settings, machines, named(shards, &renamed));
    progress("writing experiment.json and trials.csv");
    let folder = Folder::at(root);
    experiment.write(&folder)?;
    locks(&folder, &experiment.shards)?;
    table(root).map_err(|source| MergeError::Table { path: folder.trials(), source })?;
    Ok(Merged { experiment, remarks })
}

/// # Errors
///
/// [`MergeError::Damaged`], with what is wrong in all shards.
fn none_damaged(root: &Path, damaged: &BTreeMap<u32, Vec<Damage>>) -> Result<(), MergeError> {
    if damaged.is_empty() {
        return Ok(());
    }
    let told = |number: &u32, damage: &Damage| {
        format!("{SHARDS}/{number}: {}: {}", damage.trial.name, damage.why)
    };
    let what = damaged.iter().flat_map(|(number, of)| of.iter().map(move |one| told(number, one)));
    Err(MergeError::Damaged { folder: root.display().to_string(), what: what.collect() })
}

/// What differs between the shards, or from what was planned: their plan and their work, not their
/// machines.
fn differences(parts: &[Part], study: Option<&Study>) -> Vec<String> {
    let first = &parts[0];
    let (settings, of) = match study {
        Some(study) => (&study.settings, study.shards),
        None => (&first.experiment.settings, first.shard.of),
    };
    let planned = study.and_then(|study| study.conditions.as_ref());
    let planned = planned.filter(|conditions| !conditions.data.is_empty());
    let conditions = planned.unwrap_or(&first.experiment.conditions);
    let mut differences = Vec::new();
    for part in parts {
        let Part { shard, experiment, .. } = part;
        let mut own = Vec::new();
        if shard.of != of {
            own.push(format!("it is one of {}, not of {of}", shard.of));
        }
        let (then, now) = (study::alike(settings), study::alike(&experiment.settings));
        own.extend(fields_changed(&then, &now, &[]));
        own.extend(conditions.differences_of_work(&experiment.conditions));
        if let (Some(a), Some(b)) =
            (first.experiment.machines.first(), experiment.machines.iter().find(|m| m.estimated))
            && !a.estimated
        {
            own.push(format!("{}: its joules are an estimate, the others' are measured", b.name));
        }
        let name = format!("{SHARDS}/{}", shard.number);
        differences.extend(own.into_iter().map(|line| format!("{name}: {line}")));
    }
    differences
}

/// Every shard there ought to be, with what is missing of it.
fn shards(
    parts: &[Part],
    running: &BTreeMap<u32, String>,
    settings: &Settings,
    root: &Path,
) -> Vec<ShardSeen> {
    let of = parts[0].shard.of;
    let square = settings.order.square(settings.treatments.len());
    let known: HashMap<u32, &Part> = parts.iter().map(|part| (part.shard.number, part)).collect();
    let one = |number: u32| {
        let blocks = Shard { number, of }.blocks(settings.iterations, square);
        let part = known.get(&number);
        let absent = || {
            let unfit = unfit(root, number);
            let why = unfit.unwrap_or_else(|| {
                format!("its folder is not there; copy it from its machine, or run it: --shard {number}/{of}")
            });
            Some(running.get(&number).cloned().unwrap_or(why))
        };
        ShardSeen {
            number,
            of,
            folder: format!("{SHARDS}/{number}"),
            blocks: [blocks.start, blocks.end.saturating_sub(1)],
            trials: (blocks.len() * settings.treatments.len()) as u32,
            done: part.map_or(0, |part| part.records.len() as u32),
            missing: part.map_or_else(absent, |part| part.missing.clone()),
            renamed: BTreeMap::new(),
        }
    };
    (1..=of).map(one).collect()
}

/// How each shard's machines are called in the study.
type Renamed = BTreeMap<u32, BTreeMap<String, String>>;

/// All machines, each once under a name of its own, and how shards call them otherwise.
fn machines(parts: &[Part]) -> (Vec<MachineSeen>, Renamed) {
    let mut all: Vec<MachineSeen> = Vec::new();
    let mut renamed = Renamed::new();
    for part in parts {
        for seen in &part.experiment.machines {
            let of_it = |r: &&TrialRecord| r.machine.as_ref() == Some(&seen.name);
            let records: Vec<&TrialRecord> = part.records.iter().filter(of_it).collect();
            let place = all.iter().position(|known| known.is(seen)).unwrap_or_else(|| {
                let name = seen.free_name(all.iter().map(|m| m.name.as_str()));
                let (shards, findings) = (Vec::new(), Vec::new());
                let settling = Settling::default();
                all.push(MachineSeen { name, shards, findings, settling, ..seen.clone() });
                all.len() - 1
            });
            let machine = &mut all[place];
            let blocks: BTreeSet<u32> = records.iter().map(|r| r.block).collect();
            machine.blocks.extend(blocks);
            machine.trials += records.len() as u32;
            machine.shards.push(part.shard.number);
            machine.findings.extend(seen.findings.iter().cloned());
            machine.findings.dedup();
            machine.settling.warmups.extend(seen.settling.warmups.iter().cloned());
            machine.settling.baselines.extend(seen.settling.baselines.iter().cloned());
            if seen.settling.overhead.is_some() {
                machine.settling.overhead = seen.settling.overhead.clone();
            }
            if machine.name != seen.name {
                let names = renamed.entry(part.shard.number).or_default();
                names.insert(seen.name.clone(), machine.name.clone());
            }
        }
    }
    // A machine on which no trial ended is left out.
    all.retain(|machine| machine.trials > 0);
    (all, renamed)
}

fn named(shards: Vec<ShardSeen>, renamed: &Renamed) -> Vec<ShardSeen> {
    let names = |number| renamed.get(&number).cloned().unwrap_or_default();
    shards.into_iter().map(|s| ShardSeen { renamed: names(s.number), ..s }).collect()
}

fn together(
    parts: Vec<Part>,
    study: Option<Study>,
    settings: Settings,
    machines: Vec<MachineSeen>,
    shards: Vec<ShardSeen>,
) -> Experiment {
    let created = parts.iter().map(|part| part.experiment.created).min().unwrap_or_default();
    let verdicts: Vec<(u32, Option<Verdict>)> =
        parts.iter().map(|p| (p.shard.number, p.experiment.work.clone())).collect();
    let mut records = Vec::new();
    let mut first = None;
    for part in parts {
        records.extend(part.records);
        first.get_or_insert(part.experiment);
    }
    let first = first.expect("merge() has looked");
    let dataset = match &first.dataset {
        crate::store::experiment::Part::Known(data) => Some(data.clone()),
        crate::store::experiment::Part::Other(_) => None,
    };
    let work = verdict(records, verdicts, &Expected::of(&settings, dataset.as_ref()));
    Experiment {
        created: study.as_ref().map_or(created, |study| study.created),
        command: study.map_or(first.command.clone(), |study| study.command),
        protocol: crate::store::protocol::Protocol::of(&settings),
        plan: Plan::of(&settings),
        settings,
        machines,
        shards,
        settling: Settling::default(),
        work,
        ..first
    }
}

/// Whether all shards did the same work, each by itself and all together.
fn verdict(
    mut records: Vec<TrialRecord>,
    of_shards: Vec<(u32, Option<Verdict>)>,
    expected: &Expected<'_>,
) -> Option<Verdict> {
    if records.is_empty() {
        return None;
    }
    let (_, all) = expected.compare(&mut records);
    let mut reasons = all.reasons;
    for (number, verdict) in of_shards {
        for reason in verdict.into_iter().flat_map(|verdict| verdict.reasons) {
            if !reasons.contains(&reason) {
                reasons.push(format!("shard {number}: {reason}"));
            }
        }
    }
    Some(Verdict { identical: reasons.is_empty() && all.identical, reasons })
}

/// Locks of versions: the shards' are the same, or they would differ in their work.
fn locks(study: &Folder, shards: &[ShardSeen]) -> Result<(), MergeError> {
    for shard in shards.iter().filter(|shard| shard.done > 0) {
        let folder = study::folder(study.root(), shard.number);
        let no_shard = |e: io::Error| MergeError::NoShard {
            path: folder.root().join(Folder::LOCKS),
            why: e.to_string(),
        };
        let locks = study.root().join(Folder::LOCKS);
        for (called, text) in folder.version_locks().map_err(no_shard)? {
            let path = locks.join(format!("{called}.txt"));
            std::fs::create_dir_all(&locks)
                .and_then(|()| files::replace(&path, text.as_bytes()))
                .map_err(|source| ExperimentError::Write { path, source })?;
        }
    }
    Ok(())
}

/// The rows of all shards, from their records and samples as at the end of an experiment.
fn table(root: &Path) -> io::Result<()> {
    let found = scan(root, &root.join("analysis")).map_err(io::Error::other)?;
    let trials = gather::gather(&found.inputs, found.source);
    let trials = gather::named(trials, root, &found.renamed);
    let table = Table::of(trials, found.source, Method::Joulerace, root);
    table.write_csv(&Folder::at(root).trials())
}
