//! An experiment's folder, opened to be written to: begun or gone on with, locked, and with what an earlier
//! run left half-done set aside.

use super::Session;
use crate::clean;
use crate::env;
use crate::error::Error;
use crate::events::{Event, Observer};
use crate::files::FolderLock;
use crate::paths::shipped;
use crate::plan::{Plan, Treatment, Trial};
use crate::prepare::environments;
use crate::prepare::ready::{Ready, Training};
use crate::settings::{Script, Settings};
use crate::snapshot::{self, Git, Roots};
use crate::store::ExperimentError;
use crate::store::audit::{Damage, audit};
use crate::store::experiment::{Contestant, Experiment, MeterFound, Part};
use crate::store::folder::Folder;
use crate::store::journal::{self, Journal};
use crate::store::lock;
use crate::store::machines::MachineSeen;
use crate::store::protocol::Protocol;
use crate::store::settling::Settling;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// An experiment whose folder is this program's alone.
pub(super) struct Opened {
    /// Held until the end: one writer, on whichever machine.
    pub _lock: FolderLock,
    pub experiment: Experiment,
    pub journal: Journal,
    /// What the journal says of what ran before.
    pub so_far: journal::Read,
}

/// Opens the session's folder, and writes down what it begins or goes on with.
///
/// # Errors
///
/// What it holds cannot be gone on with, or it cannot be written to.
pub(super) fn open(
    session: &Session,
    ready: &Ready,
    observer: &dyn Observer,
) -> Result<Opened, Error> {
    let folder = &session.folder;
    let (lock, experiment) = match &session.then {
        None => begin(session, ready)?,
        Some(then) => {
            let lock = lock::folder(folder)?;
            let (conditions, settings) = (ready.conditions.clone(), session.settings.clone());
            let mut experiment = Experiment { conditions, settings, ..then.clone() };
            if let Some(machine) = session.machine(ready)
                && arrive(&mut experiment, machine)
            {
                experiment.machine = Part::Known(snapshot::machine(&Roots::default()));
                experiment.meter = Part::Known(found(ready));
                // Before a trial names it.
                experiment.write(folder)?;
            }
            (lock, experiment)
        }
    };
    let so_far = journal::read(&folder.journal())?;
    let damaged = match &session.then {
        Some(_) => session.agree_to_damage(audit(&experiment.plan, &so_far, folder))?,
        None => Vec::new(),
    };
    let folders = || session.settings.treatments.iter().map(Treatment::folder);
    folder.create(folders()).map_err(|e| unwritten(session, e))?;
    let (mut journal, so_far) = Journal::open(&folder.journal())?;
    if let Some(torn) = &so_far.torn {
        let bytes = torn.len();
        observer.on(&Event::Warning(&format!(
            "the journal's last line was cut off ({bytes} bytes) and is set aside"
        )));
    }
    if let Err(error) = folder.sweep(folders()) {
        let told = format!("half-written files stay where they are: {error}");
        observer.on(&Event::Warning(&told));
    }
    let mut accepted = session.accepted.clone();
    if let Some(then) = &session.then {
        accepted.extend(session.changes(&then.conditions, &experiment.conditions));
    }
    journal.write(journal::EntryKind::Started {
        schema: journal::SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        accepted,
    })?;
    set_damaged_aside(session, &damaged, &mut journal, observer)?;
    set_unfinished_aside(session, &experiment.plan, &so_far, &mut journal, observer)?;
    set_moved_aside(session, &experiment, &mut journal, observer)?;
    drop(journal);
    let (journal, so_far) = Journal::open(&folder.journal())?;
    Ok(Opened { _lock: lock, experiment, journal, so_far })
}

/// Makes the folder and writes `experiment.json`, first of all: whatever ends this program then leaves
/// what can be resumed.
fn begin(session: &Session, ready: &Ready) -> Result<(FolderLock, Experiment), Error> {
    let folder = &session.folder;
    let experiment = planned(session, ready);
    std::fs::create_dir_all(folder.root()).map_err(|e| unwritten(session, e))?;
    let lock = lock::folder(folder)?;
    // Another may have begun in it meanwhile.
    Experiment::may_begin_in(folder)?;
    experiment.write(folder)?;
    if let Some(training) = &ready.training {
        environments::keep(&training.environments.locks, folder)?;
    }
    Ok((lock, experiment))
}

/// What each treatment is, for the reader.
fn contestants(settings: &Settings, training: Option<&Training>) -> Vec<Contestant> {
    // What a command is stands in the settings.
    let Some(ready) = training else { return Vec::new() };
    let describe = |treatment: &Treatment| {
        let script = ready.known.script(&treatment.framework);
        let key = treatment.environment_key();
        let made = ready.environments.of_treatment(treatment);
        let sentence = |variant: &String| script?.variants.get(variant).cloned();
        let versions = |script: &Script| {
            let installed = &made?.environment.packages;
            // A build for processors only takes the place of the package of its name.
            let names = script.packages.iter().flat_map(|name| {
                let name = env::normalise(name);
                [format!("{name}-cpu"), name]
            });
            Some(
                names
                    .filter_map(|name| Some((name.clone(), installed.get(&name)?.clone())))
                    .collect(),
            )
        };
        let kept = key.filter(|key| ready.environments.locks.contains_key(key));
        let folder = Folder::at("");
        let program = script.and_then(Script::program_lock);
        let mut packages: BTreeMap<String, String> = script.and_then(versions).unwrap_or_default();
        packages.extend(
            program.iter().map(|(version, _)| (treatment.framework.clone(), version.clone())),
        );
        Contestant {
            treatment: treatment.name.clone(),
            framework: treatment.framework.clone(),
            variant: treatment.variant.clone(),
            sentence: treatment.variant.as_ref().and_then(sentence),
            environment: treatment.environment.clone(),
            python: made.map(|made| made.environment.version.clone()),
            packages,
            lock: made.map(|made| made.environment.lock_hash.clone()),
            lock_file: kept.map(|key| folder.version_lock(&key).display().to_string()),
            program_lock: program.map(|(_, text)| clean::hex(&Sha256::digest(text.as_bytes()))),
        }
    };
    settings.treatments.iter().map(describe).collect()
}

fn planned(session: &Session, ready: &Ready) -> Experiment {
    let settings = &session.settings;
    // Whatever bytes are in it.
    let command = std::env::args_os().map(|word| clean::line(&word.to_string_lossy()));
    let training = ready.training.as_ref();
    let own = training.and_then(|training| training.environments.own.as_ref());
    let others = training.map(|training| training.environments.others.clone());
    let others = others.unwrap_or_default().into_iter();
    Experiment {
        schema: Experiment::SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: jiff::Timestamp::now(),
        command: command.collect(),
        settings: settings.clone(),
        conditions: ready.conditions.clone(),
        machine: Part::Known(snapshot::machine(&Roots::default())),
        variables: Part::Known(snapshot::environment()),
        git: Part::Known(snapshot::git(&session.project.root).or_else(built_from)),
        meter: Part::Known(found(ready)),
        environment: own.map_or_else(Part::default, |own| Part::Known(own.environment.clone())),
        environments: others.map(|(name, made)| (name, Part::Known(made.environment))).collect(),
        contestants: contestants(settings, training),
        dataset: training
            .and_then(|training| training.dataset.clone())
            .map_or_else(Part::default, Part::Known),
        protocol: Protocol {
            window: training
                .map_or_else(|| Protocol::of(settings).window, |t| t.about.window.clone()),
            work: training.map(|t| t.about.title.clone()).filter(|title| !title.is_empty()),
            ..Protocol::of(settings)
        },
        plan: Plan::of(settings),
        machines: session.machine(ready).into_iter().collect(),
        shards: Vec::new(),
        settling: Settling::default(),
        looks: Vec::new(),
        work: None,
    }
}

fn found(ready: &Ready) -> MeterFound {
    MeterFound { chosen: ready.meter.describe(), rejected: ready.rejected.clone() }
}

/// Notes which machine goes on with the experiment, as the last of its list. What was found out between the
/// trials of the one before stays with that one. Gives whether it is another than before.
fn arrive(experiment: &mut Experiment, mut here: MachineSeen) -> bool {
    let Some(before) = experiment.machines.last_mut() else {
        experiment.machines.push(here);
        return true;
    };
    if before.is(&here) {
        before.findings = here.findings;
        return false;
    }
    before.settling = std::mem::take(&mut experiment.settling);
    match experiment.machines.iter().position(|machine| machine.is(&here)) {
        Some(place) => {
            let known = experiment.machines.remove(place);
            experiment.settling = known.settling.clone();
            let (settling, findings) = (Settling::default(), here.findings);
            experiment.machines.push(MachineSeen { settling, findings, ..known });
        }
        None => {
            here.name = here.free_name(experiment.machines.iter().map(|m| m.name.as_str()));
            experiment.machines.push(here);
        }
    }
    true
}

/// A block is compared within itself, so one machine runs it as a whole: what another machine ran of a
/// block that is not done is kept, and run again here.
fn set_moved_aside(
    session: &Session,
    experiment: &Experiment,
    journal: &mut Journal,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let Some(here) = experiment.machines.last().map(|machine| machine.name.as_str()) else {
        return Ok(());
    };
    let so_far = journal::read(&session.folder.journal())?;
    let plan = &experiment.plan;
    let left = super::look::needed(plan, &so_far, session.again);
    let open: BTreeSet<u32> = left.iter().map(|trial| trial.block).collect();
    let left: BTreeSet<&str> = left.iter().map(|trial| trial.name.as_str()).collect();
    let done = |trial: &&Trial| open.contains(&trial.block) && !left.contains(&*trial.name);
    for trial in plan.trials.iter().filter(done) {
        let Some(record) = session.folder.record(trial) else { continue };
        let there = match record.machine.as_deref() {
            Some(there) if there != here => there,
            _ => continue,
        };
        let moved = session.folder.set_aside(trial, record.attempt, "moved");
        let kept = moved.map_err(|e| unwritten(session, e))?;
        let (name, block) = (&trial.name, trial.block);
        observer.on(&Event::Warning(&format!(
            "{name} ran on {there}, and block {block} was not done there; it is run again on {here}, and \
             what there is of it is in {}",
            kept.display()
        )));
        let why = format!("it ran on {there}; its block is run on {here}");
        journal.write(journal::EntryKind::TrialMoved { trial: name.clone(), why })?;
    }
    Ok(())
}

/// The revision that this program was built from; the files that it carries are in no repository.
fn built_from() -> Option<Git> {
    let revision = shipped::revision()?;
    let (revision, dirty) = (revision.trim_end_matches('+').to_owned(), revision.ends_with('+'));
    Some(Git { revision, dirty })
}

fn unwritten(session: &Session, source: io::Error) -> ExperimentError {
    ExperimentError::Write { path: session.folder.root().to_owned(), source }
}

fn set_damaged_aside(
    session: &Session,
    damaged: &[Damage],
    journal: &mut Journal,
    observer: &dyn Observer,
) -> Result<(), Error> {
    for Damage { trial, attempt, why } in damaged {
        let moved = session.folder.set_aside(trial, *attempt, "damaged");
        moved.map_err(|e| unwritten(session, e))?;
        let told = format!(
            "{}: {why}; it is run again, and what there is of it is in {}/damaged",
            trial.name,
            trial.folder()
        );
        observer.on(&Event::Warning(&told));
        let (trial, why) = (trial.name.clone(), why.clone());
        journal.write(journal::EntryKind::TrialDamaged { trial, why })?;
    }
    Ok(())
}

fn set_unfinished_aside(
    session: &Session,
    plan: &Plan,
    so_far: &journal::Read,
    journal: &mut Journal,
    observer: &dyn Observer,
) -> Result<(), Error> {
    for (name, attempt) in so_far.unfinished() {
        let Some(trial) = plan.trials.iter().find(|t| t.name == name) else { continue };
        let moved = session.folder.set_aside(trial, attempt, "interrupted");
        let kept = moved.map_err(|e| unwritten(session, e))?;
        observer.on(&Event::Warning(&format!(
            "{name} was running when the experiment ended; it is run again, and what it left is in {}",
            kept.display()
        )));
        let kept = format!("{}/interrupted", trial.folder());
        journal.write(journal::EntryKind::TrialInterrupted { trial: name, kept })?;
    }
    Ok(())
}
