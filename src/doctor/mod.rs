//! Is this machine fit for that experiment? Thin probes gather facts, pure judges turn them into
//! findings, and nothing here prints, installs, downloads or changes anything.

mod clock;
mod data;
mod filtering;
mod finding;
mod fix;
mod meters;
mod movement;
mod others;
mod plan;
mod platform;
mod python;
pub mod show;
mod speed;
mod tried;

pub(crate) use clock::{Ask, ask};
pub(crate) use finding::Group;
pub use finding::{Finding, Level, Report};
pub(crate) use fix::fix_first;
pub use movement::Effort;

use crate::dataset::DatasetSettings;
use crate::env::EnvSettings;
use crate::meter::{Gpus, MeterSettings};
use crate::settings::{Device, Settings};
use crate::snapshot::{self, Roots};
use std::path::PathBuf;
use std::time::Instant;

/// The experiment to judge, and where everything about the machine is read.
pub struct Subject<'a> {
    /// The experiment.
    pub settings: Settings,
    /// What to measure with.
    pub meters: MeterSettings,
    /// The kernel's files.
    pub roots: Roots,
    /// Where its environments are looked for: training, and analysis if there is to be one.
    pub environments: Vec<EnvSettings>,
    /// Whether it works on images.
    pub images: bool,
    /// Where its data are looked for.
    pub dataset: DatasetSettings,
    /// Its folder, which need not exist.
    pub results: PathBuf,
    /// The file behind the machine-wide lock.
    pub lock_file: Option<PathBuf>,
    /// The standard deviation of the paired differences of log energy that is to be expected.
    pub spread: f64,
    /// How long the machine is watched.
    pub effort: Effort,
    /// Asks the system's own programs.
    pub ask: Ask<'a>,
}

/// Checks everything, and hands over each group of findings as soon as it is complete.
pub fn examine(subject: &Subject<'_>, on_group: &mut dyn FnMut(Group, &[Finding])) -> Report {
    let begun = Instant::now();
    let mut findings: Vec<Finding> = Vec::new();
    let mut add = |group: Group, mut found: Vec<Finding>| {
        found.iter_mut().for_each(|finding| finding.group = group);
        on_group(group, &found);
        findings.append(&mut found);
    };
    let Subject { settings, roots, .. } = subject;
    let machine = snapshot::machine(roots);

    let mut tried = tried::try_all(&subject.meters);
    let watched = movement::observe(&mut tried, roots, subject.effort);
    let context = meters::Context {
        choice: settings.meter,
        cards_named: matches!(settings.gpus, Gpus::These(_)) || settings.job.device == Device::Gpu,
        interval: settings.interval,
        sockets: machine.cpu.sockets,
        elsewhere: watched.as_ref().and_then(|others| others.share()),
        in_container: machine.virtualisation.container.is_some(),
    };
    let mut of_meters = meters::judge(&tried, &context);
    let estimated = of_meters.iter().any(fix::estimates);
    of_meters.push(filtering::judge(&filtering::Filtering::read(roots)));
    add(Group::Meters, of_meters);

    let environments: Vec<_> = subject.environments.iter().map(python::look).collect();
    add(Group::Software, python::judge(&environments));
    add(Group::Data, data::examine(subject, &environments, machine.cpu.threads));

    let mut findings_of_machine = platform::judge(&machine);
    findings_of_machine.extend(speed::judge(&machine, &speed::Heat::read(roots), subject.ask));
    findings_of_machine.push(clock::judge(&clock::read(roots, subject.ask, &machine)));
    add(Group::Machine, findings_of_machine);

    add(Group::Others, others::examine(subject, watched.as_ref(), &machine));
    let mut of_plan = plan::judge(settings, subject.spread);
    if estimated {
        of_plan = of_plan.into_iter().map(fix::effect_of_an_estimate).collect();
    }
    add(Group::Plan, of_plan);
    Report::new(findings, begun.elapsed().as_secs_f64())
}
