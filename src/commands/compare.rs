//! `joulerace compare`: commands as treatments, run, kept and analysed as frameworks are.

use super::resolve;
use super::run::begin;
use crate::cli::{CompareArgs, Talk};
use crate::error::Error;
use crate::paths::Project;
use crate::run::commands::check_found;
use std::process::ExitCode;

/// `joulerace compare`.
pub(crate) fn compare(args: &CompareArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let settings = resolve::commands::resolve(args)?;
    if args.setup.is_none() {
        check_found(&settings)?;
    }
    begin(settings, &args.design, project, talk)
}
