//! `joulerace verify`: what may be typed.

use super::{JobArgs, PythonArgs, WorkArgs, python};

/// `joulerace verify`.
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("treatments", |arg| arg.help("What to compare; the first is what the others are held against")),
    mut_arg("python_env", |arg| arg.help(python::TRAINING)),
)]
pub(crate) struct VerifyArgs {
    /// What is compared, and at which job.
    #[command(flatten)]
    pub work: WorkArgs,
    /// Steps whose losses are compared
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: u32,
    /// What is trained, and on what.
    #[command(flatten)]
    pub job: JobArgs,
    /// What Python it runs in.
    #[command(flatten)]
    pub python: PythonArgs,
    /// Print the comparison as JSON
    #[arg(long)]
    pub json: bool,
}
