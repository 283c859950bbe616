//! `joulerace verify`: shows that all frameworks do the same work.

mod table;

use super::resolve::{asked, check_samples, checked_job, workload};
use crate::cli::Talk;
use crate::cli::VerifyArgs;
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::meter::{MeterSettings, nvml::cards};
use crate::paths::Project;
use crate::prepare::argument::{Argument, Work};
use crate::prepare::environments::{Environments, Wanted, environments};
use crate::prepare::known::known;
use crate::prepare::{self, block_on};
use crate::process;
use crate::screen::Terminal;
use crate::screen::{say, width};
use crate::settings::{Job, Treatment, treatments};
use crate::workload::{Workload, uses_images};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
pub(super) use table::{Comparison, table};

/// `joulerace verify`.
pub(crate) fn verify(args: VerifyArgs, talk: Talk) -> Result<ExitCode, Error> {
    let job = checked_job(&args.job, 1)?;
    let project = Project::find()?;
    let workload = workload(&args.work.workload, args.work.workloads.as_deref(), &project)?;
    let images = uses_images(&workload, &project)?;
    if images {
        let data_dir = args.job.data_dir.as_deref();
        check_samples(args.job.dataset, data_dir, job.train_samples, job.test_samples)?;
    }
    let library = MeterSettings::default().nvml;
    args.job.device.is_there(|| cards(&library))?;
    process::adopt_orphans();
    let terminal = Terminal::new(talk);
    let outcome = block_on(compare(&args, job, &workload, images, &project, &terminal))?;
    terminal.finish();
    let found = outcome?;
    if args.json {
        let found = serde_json::to_string_pretty(&found).map_err(|e| Error::Other(e.into()))?;
        say(&format!("{found}\n"));
    } else {
        say(&table(&found, width()));
    }
    if found.identical {
        return Ok(ExitCode::SUCCESS);
    }
    let reasons = found.reasons.join("\n  ");
    let message = format!("the frameworks do not do the same work:\n  {reasons}");
    Err(Error::told(Status::Trials, message))
}

/// What is told to `verify.collect`.
#[derive(Serialize)]
struct Collect<'a> {
    #[serde(flatten)]
    argument: Argument<'a>,
    /// So many steps are looked at.
    steps: u32,
    /// The file that it writes.
    output: &'a Path,
}

/// What is told to `verify.compare`.
#[derive(Serialize)]
struct Compare {
    /// What each treatment did, by its name; the order says which is the first, so this is no `BTreeMap`.
    files: Map<String, Value>,
}

fn failed(what: &str, why: String) -> Error {
    Error::told(Status::Trials, format!("{what}: {why}"))
}

async fn compare(
    args: &VerifyArgs,
    job: Job,
    workload: &Workload,
    images: bool,
    project: &Project,
    terminal: &Terminal,
) -> Result<Comparison, Error> {
    let own = project.workloads();
    let path = search_path(workload, project);
    let known = known(&path, &workload.name, project, &args.work.environment)?;
    let typed = asked(&args.work.treatments, workload);
    let (treatments, _) = treatments(&typed, None, &[], &known)?;
    known.suit(args.job.device, &treatments)?;
    let wanted = Wanted {
        treatments: &treatments,
        python_env: args.python.python_env.clone(),
        allow_unlocked: args.python.allow_unlocked,
        folders: &args.work.environment.iter().cloned().collect(),
        known: &known,
        kept: None,
        analysed: false,
    };
    let environments = environments(project, &wanted, terminal).await?;
    let dataset = if images {
        let (digits, data_dir) = (environments.digits(project)?, args.job.data_dir.as_deref());
        Some(prepare::data(args.job.dataset, data_dir, &digits, &own, terminal).await?)
    } else {
        None
    };
    let name = dataset.as_ref().map(|dataset| dataset.name.to_string());
    let collection = Collection {
        args,
        workload,
        path: &path,
        work: Work {
            job,
            dataset: name.as_deref(),
            data_dir: dataset.as_ref().map(|dataset| dataset.dir.as_path()),
            card: None,
        },
        environments: &environments,
    };
    collection.held_together(&treatments, terminal).await
}

/// What every treatment is trained with.
struct Collection<'a> {
    args: &'a VerifyArgs,
    workload: &'a Workload,
    /// What the scripts are imported from.
    path: &'a [PathBuf],
    work: Work<'a>,
    environments: &'a Environments,
}

impl Collection<'_> {
    /// Trains each treatment in a fresh process, and holds what they did against each other.
    async fn held_together(
        &self,
        treatments: &[Treatment],
        terminal: &Terminal,
    ) -> Result<Comparison, Error> {
        let stop = prepare::token()?;
        let scratch = crate::files::Scratch::new().map_err(|e| Error::Other(e.into()))?;
        // In the order in which they were named: the first is what the others differ from.
        let mut files = Map::new();
        let mut last = None;
        for treatment in treatments {
            let name = &treatment.name;
            let output = scratch.path().join(format!("{}.npz", treatment.folder()));
            terminal.on(&Event::Preparing(&format!("{name}: training in a fresh process")));
            let made = self.environments.of_treatment(treatment);
            let made = made.ok_or_else(|| failed(name, "it has no environment".to_owned()))?;
            let argument = self.argument(treatment, &output);
            let path = self.path.to_vec();
            let collect = ("verify", "collect");
            prepare::call(&made.python, path, collect, &argument, &stop, |_: IgnoredAny| ())
                .await
                .map_err(|why| failed(name, why))?;
            last = Some(&made.python);
            files.insert(name.clone(), json!(output));
        }
        let nothing = || failed("the comparison", "nothing was trained".to_owned());
        let python = last.ok_or_else(nothing)?;
        let mut told = None;
        let hear = |comparison: Comparison| told = Some(comparison);
        let (path, compare) = (self.path.to_vec(), ("verify", "compare"));
        prepare::call(python, path, compare, &Compare { files }, &stop, hear)
            .await
            .map_err(|why| failed("the comparison", why))?;
        told.ok_or_else(|| failed("the comparison", "it gave no result".to_owned()))
    }

    fn argument<'a>(&'a self, treatment: &'a Treatment, output: &'a Path) -> Collect<'a> {
        let argument = Argument {
            framework: &treatment.framework,
            workload: &self.workload.name,
            job: self.work.clone(),
            variant: treatment.variant.as_deref(),
        };
        Collect { argument, steps: self.args.steps, output }
    }
}

/// The folder that was named first, then the project's own of the same name for what that one does not
/// replace, and what all share.
fn search_path(workload: &Workload, project: &Project) -> Vec<PathBuf> {
    let own = project.workloads().join(&workload.name);
    let mut path = workload.search_path(project);
    if workload.folder != own && own.is_dir() {
        path.insert(1, own);
    }
    path
}
