//! `joulerace pack`: an experiment as one archive for a paper's artifact.

use crate::cli::PackArgs;
use crate::error::Error;
use crate::files;
use crate::pack::{self, Packed, Words};
use crate::paths::Project;
use crate::prepare;
use crate::screen::{say, shown, width};
use crate::store::ExperimentError;
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// As many names are shown.
const NAMED: usize = 5;

/// `joulerace pack`.
pub(crate) fn pack(args: PackArgs) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    let folder = Folder::at(prepare::followed(&args.dir));
    if folder.root().is_dir() {
        files::only_plain(folder.root()).map_err(ExperimentError::NotPlain)?;
    }
    let experiment = Experiment::read(&folder)?;
    let archive = args.output.unwrap_or_else(|| beside(&folder));
    let words = Words { title: args.title, authors: args.authors, license: args.license };
    let packed = pack::pack(&folder, &experiment, &project, &words, &archive)?;
    say(&told(&packed, &archive, &words));
    Ok(ExitCode::SUCCESS)
}

/// `NAME.zip`, in the present folder.
fn beside(folder: &Folder) -> PathBuf {
    let mut name = folder.root().file_name().unwrap_or_default().to_owned();
    name.push(".zip");
    PathBuf::from(name)
}

fn told(packed: &Packed, archive: &Path, words: &Words) -> String {
    let some = |names: &[String]| {
        let more = names.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ") + &more
    };
    let mut lines = vec![format!(
        "{}: {} files, {:.1} MB, an RO-Crate",
        shown(archive),
        packed.files,
        packed.bytes as f64 / 1e6
    )];
    if !packed.left_out.is_empty() {
        let logs = packed.left_out.iter().filter(|name| name.ends_with(".log")).count();
        let others: Vec<String> =
            packed.left_out.iter().filter(|name| !name.ends_with(".log")).cloned().collect();
        if logs > 0 {
            lines.push(format!("left out: {logs} logs, as they hold whatever the scripts printed"));
        }
        if !others.is_empty() {
            lines.push(format!("left out, as no analysis reads them: {}", some(&others)));
        }
    }
    if !packed.changed.is_empty() {
        lines.push(format!(
            "struck out: {} home folders and {} passages that look like secrets, in {}",
            packed.struck.homes,
            packed.struck.secrets,
            some(&packed.changed)
        ));
    }
    if words.license.is_none() {
        lines.push("no licence is stated; state one with --license, such as CC-BY-4.0".to_owned());
    }
    if words.authors.is_empty() {
        lines.push("no authors are stated; state them with --author NAME".to_owned());
    }
    lines.push(format!("check it with: joulerace replay {}", shown(archive)));
    let options = textwrap::Options::new(usize::from(width()).clamp(40, 100))
        .subsequent_indent("  ")
        .break_words(false);
    lines.iter().map(|line| textwrap::fill(&crate::clean::line(line), &options) + "\n").collect()
}
