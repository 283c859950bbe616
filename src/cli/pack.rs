//! `joulerace pack` and `joulerace replay`: what may be typed.

use super::PythonArgs;
use std::path::PathBuf;

/// `joulerace pack`.
#[derive(Debug, clap::Args)]
pub(crate) struct PackArgs {
    /// The experiment's folder, with its report
    pub dir: PathBuf,
    /// The archive [default: NAME.zip in the present folder, after the experiment's]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What it is called [default: the treatments and the folder's name]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Whose it is; may be repeated. A CITATION.cff in the folder is taken as it is
    #[arg(long = "author", value_name = "NAME")]
    pub authors: Vec<String>,
    /// Under which licence others may use the data, by its SPDX identifier, such as CC-BY-4.0
    #[arg(long, value_name = "ID", value_parser = spdx)]
    pub license: Option<String>,
}

/// `joulerace replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// The archive that `joulerace pack` made
    pub archive: PathBuf,
    /// Plan the same experiment on this machine, with the same order, and run nothing
    #[arg(long)]
    pub plan: bool,
    /// What Python analyses.
    #[command(flatten)]
    pub python: PythonArgs,
}

fn spdx(text: &str) -> Result<String, String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    match !text.is_empty() && text.chars().all(letter) {
        true => Ok(text.to_owned()),
        false => Err("write an SPDX identifier, such as CC-BY-4.0 or CC0-1.0".to_owned()),
    }
}
