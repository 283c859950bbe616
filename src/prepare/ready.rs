//! All that a run measures with, made ready before anything is written: environment, data, meter.

use super::environments::{Environments, Wanted, analysis_has_room, environments};
use super::known::known;
use super::{conditions, data, dataset_settings};
use crate::dataset::{self, Dataset, Found};
use crate::error::Error;
use crate::events::Observer;
use crate::meter::{self, Meter};
use crate::paths::Project;
use crate::settings::{Known, Settings};
use crate::store::ExperimentError;
use crate::store::conditions::Conditions;
use crate::store::folder::Folder;
use crate::workload::{About, uses_images};
use std::path::PathBuf;

/// What a run measures with.
pub(crate) struct Ready {
    /// What scripts need; none where commands are compared.
    pub training: Option<Training>,
    /// What reads the energy.
    pub meter: Meter,
    /// Which meters do not work here, and why.
    pub rejected: Vec<(meter::Kind, String)>,
    /// What has to stay equal from the experiment's first trial to its last.
    pub conditions: Conditions,
}

/// What training scripts need.
pub(crate) struct Training {
    /// Their environments.
    pub environments: Environments,
    /// What the scripts declare of themselves.
    pub known: Known,
    /// The folder that they lie in.
    pub scripts: PathBuf,
    /// What their workload says of itself.
    pub about: About,
    /// What they train on; none where they need no images.
    pub dataset: Option<Dataset>,
}

/// Makes ready what a run measures with. `kept` is the folder whose locks of versions are used again. Where an experiment goes on, `then` is what it began under, and
/// `agree` says whether it may go on under what there is now: asked before anything is run or downloaded,
/// and again when all is known. Where it is `analysed` at its end, the disk has to take that, too.
pub(crate) async fn ready(
    project: &Project,
    settings: &Settings,
    kept: Option<&Folder>,
    then: Option<&Conditions>,
    agree: impl Fn(&Conditions) -> Result<(), ExperimentError>,
    analysed: bool,
    observer: &dyn Observer,
) -> Result<Ready, Error> {
    if settings.commands.is_some() {
        if analysed {
            analysis_has_room(project, observer).await?;
        }
        return ready_for_commands(settings, then, agree);
    }
    let device = settings.job.device;
    let meters = settings.meter_settings();
    device.is_there(|| meter::nvml::cards(&meters.nvml))?;
    let workloads = project.workloads();
    let scripts = settings.scripts(project);
    let workload = settings.workload_in(project);
    let (about, images) = (workload.about()?, uses_images(&workload, project)?);
    let named: Vec<(String, PathBuf)> = settings.environments.clone().into_iter().collect();
    let known = known(std::slice::from_ref(&scripts), &settings.workload, project, &named)?;
    let wanted = Wanted { analysed, ..Wanted::of(settings, &known, kept) };
    let environments = environments(project, &wanted, observer).await?;
    let mut now = conditions::conditions(&environments, &[&scripts, &workloads]);
    let (name, data_dir) = (settings.dataset, settings.data_dir.as_deref());
    if let Some(then) = then {
        // Data that is there already is compared as well.
        let data = match images.then(|| dataset::find(&dataset_settings(name, data_dir))) {
            Some(Ok(Found::Ready(dataset))) => conditions::data(&dataset),
            _ => then.data.clone(),
        };
        agree(&Conditions { data, meter: then.meter.clone(), ..now.clone() })?;
    }
    let mut dataset = None;
    if images {
        let python = environments.digits(project)?;
        let found = data(name, data_dir, &python, &workloads, observer).await?;
        now.data = conditions::data(&found);
        dataset = Some(found);
    }
    let meter::Selected { meter, rejected } = meter::select(&meters)?;
    device.is_measured(&meter.describe(), &rejected)?;
    for (kind, why) in &rejected {
        tracing::info!("{kind} is not used: {why}");
    }
    now.meter = conditions::meter(settings, &meter);
    if then.is_some() {
        agree(&now)?;
    }
    let training = Some(Training { environments, known, scripts, about, dataset });
    Ok(Ready { training, meter, rejected, conditions: now })
}

/// The same for commands: there is only the meter to choose. What they are made of is known once what
/// sets them up has run.
fn ready_for_commands(
    settings: &Settings,
    then: Option<&Conditions>,
    agree: impl Fn(&Conditions) -> Result<(), ExperimentError>,
) -> Result<Ready, Error> {
    let mut now = conditions::of_commands();
    if let Some(then) = then {
        // Where they run is known already.
        let place = conditions::place_of_commands(settings);
        let files = then.commands.iter().skip(1).cloned();
        let (meter, commands) = (then.meter.clone(), place.into_iter().chain(files).collect());
        agree(&Conditions { meter, commands, ..now.clone() })?;
    }
    let meter::Selected { meter, rejected } = meter::select(&settings.meter_settings())?;
    for (kind, why) in &rejected {
        tracing::info!("{kind} is not used: {why}");
    }
    now.meter = conditions::meter(settings, &meter);
    Ok(Ready { training: None, meter, rejected, conditions: now })
}
