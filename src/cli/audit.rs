//! `joulerace audit`: what may be typed.

use super::{ChosenArgs, PythonArgs};
use crate::analysis::tables::Columns;
use std::path::PathBuf;

/// `joulerace audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    /// A table, or a folder: of tables, of EnergiBridge's files, or of an experiment
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Which columns hold what: group=…,energy=…,unit=J|Wh|kWh,time=…,block=…; also start, cpu, ram, gpu,
    /// version and machine; several are joined with +, and @folder and @file are the table's own
    /// [default: guessed, and shown first]
    #[arg(long, value_name = "KEY=COLUMN")]
    pub columns: Option<Columns>,
    /// End with status 11 where there are warnings, and 12 where something is serious
    #[arg(long)]
    pub strict: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// Where to write [default: audit, in the folder; NAME-audit, beside a table]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Which files, in which groups.
    #[command(flatten)]
    pub chosen: ChosenArgs,
    /// What Python analyses.
    #[command(flatten)]
    pub python: PythonArgs,
}
