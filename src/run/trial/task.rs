//! What a trial's worker is started as, what it is told to do, and what that takes.

use super::Bench;
use crate::Remedy as _;
use crate::plan::Trial;
use crate::prepare::argument::{Argument, Work};
use crate::run::commands;
use crate::settings::Job;
use crate::worker::protocol::{Interpreter, Request};
use crate::worker::{Launch, Limits, Listener, Task};
use std::ffi::OsString;
use std::path::Path;

impl Bench<'_> {
    /// The command line of a trial's worker.
    pub(super) fn worker(&self, listener: &Listener) -> Vec<OsString> {
        let program = OsString::from(&self.program);
        vec![program, "worker".into(), "--socket".into(), listener.path().into()]
    }

    /// The worker of a trial, started as `argv`.
    ///
    /// # Errors
    ///
    /// There is no environment for it.
    pub(super) fn launch(
        &self,
        trial: &Trial,
        argv: Vec<OsString>,
        log: &Path,
    ) -> Result<Launch, String> {
        let limits = Limits { trial: self.settings.failures.trial_timeout, ..Limits::default() };
        Ok(Launch { task: self.task(trial)?, argv, log: log.to_owned(), limits })
    }

    /// What the trial's worker does: it runs the treatment's command, or calls its script.
    fn task(&self, trial: &Trial) -> Result<Task, String> {
        let treatments = &self.settings.treatments;
        let command = self.settings.commands.as_ref().and_then(|commands| {
            let own = treatments.iter().find(|t| t.name == trial.treatment)?;
            Some(commands::request(commands, own.command.as_ref()?))
        });
        match command {
            Some(request) => Ok(Task::Command(request)),
            None => self.request(trial).map(Task::Python),
        }
    }

    /// What the trial's script runs in.
    fn python(&self, trial: &Trial) -> Option<&Interpreter> {
        self.environments.of(trial).map(|made| &made.python)
    }

    fn request(&self, trial: &Trial) -> Result<Request, String> {
        let python = self.python(trial).cloned();
        let python =
            python.ok_or_else(|| format!("there is no environment for {}", trial.treatment))?;
        let job = self.settings.job.at(&trial.levels).map_err(|error| error.in_line())?;
        let argument = Argument {
            framework: &trial.framework,
            workload: &self.settings.workload,
            job: Work {
                job: Job { seed: self.seed(trial), ..job },
                dataset: self.dataset.as_deref(),
                data_dir: self.data_dir.as_deref(),
                card: self.settings.job.device.card(&self.settings.gpus),
            },
            variant: trial.variant.as_deref(),
        };
        let argument = serde_json::to_value(argument).map_err(|error| error.to_string())?;
        Ok(Request {
            python,
            sys_path: self.sys_path.clone(),
            module: "harness".to_owned(),
            function: "run".to_owned(),
            argument,
            arrays: None,
        })
    }

    /// What a trial needs that has gone, in words.
    pub(super) fn gone(&self, trial: &Trial) -> Option<String> {
        if let Some(commands) = &self.settings.commands {
            let folder = &commands.folder;
            return (!folder.is_dir()).then(|| format!("the folder {} has gone", folder.display()));
        }
        let python = self.python(trial).map(|python| python.executable.as_path());
        let packages = python.and_then(Path::parent).and_then(Path::parent);
        let packages = packages.map(crate::env::packages_folder);
        let mut needed: Vec<_> =
            self.data_dir.iter().map(|dir| ("the data", dir.as_path())).collect();
        needed.extend(python.map(|python| ("the interpreter", python)));
        needed.extend(packages.as_deref().map(|folder| ("the folder of packages", folder)));
        needed
            .extend(self.sys_path.iter().map(|folder| ("the folder of scripts", folder.as_path())));
        let gone = needed.into_iter().find(|(_, path)| !path.exists());
        gone.map(|(what, path)| format!("{what} {} has gone", path.display()))
    }
}
