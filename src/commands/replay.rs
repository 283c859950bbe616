//! `joulerace replay`: the tables of an archive made again from its raw samples, or its experiment planned
//! on this machine.

use super::doctor;
use super::dry_run::dry_run;
use super::resolve::{changed_settings, quoted, resolve};
use crate::analysis::{self, ASKED, AnalyzeSettings, Progress};
use crate::clean;
use crate::cli::{Cli, ReplayArgs, Talk, joined};
use crate::env::{Profile, Standing, standing};
use crate::error::{Error, Status};
use crate::events::{Event, Observer};
use crate::files::{self, Scratch};
use crate::meter::MeterSettings;
use crate::pack::tables::{Compared, compare};
use crate::pack::{PackError, Unpacked, unpack};
use crate::paths::Project;
use crate::plan::Plan;
use crate::prepare::{self, block_on};
use crate::process;
use crate::screen::{Terminal, now_as_name, say, width};
use crate::settings::Settings;
use crate::stop::Stopper;
use crate::store::experiment::Experiment;
use crate::store::folder::Folder;
use clap::Parser as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::process::ExitCode;

/// Larger than what an analysis was asked, or came to.
const LARGEST: u64 = 1 << 30;

/// `joulerace replay`.
pub(crate) fn replay(args: ReplayArgs, talk: Talk) -> Result<ExitCode, Error> {
    let project = Project::find()?;
    Scratch::sweep();
    let unpacked = unpack(&args.archive)?;
    let experiment = Experiment::read(&Folder::at(&unpacked.folder))?;
    if args.plan {
        return plan(&args, &unpacked, &experiment, &project);
    }
    process::adopt_orphans();
    let terminal = Terminal::new(talk);
    let compared = block_on(again(&args, &unpacked, &project, &terminal))?;
    terminal.finish();
    let compared = compared?;
    let same = compared.iter().all(|table| table.differences.is_empty());
    if experiment.version != env!("CARGO_PKG_VERSION") {
        let version = clean::line(&experiment.version);
        let here = env!("CARGO_PKG_VERSION");
        tell(&format!("It was made with joulerace {version}, and this is {here}."));
    }
    unpacked.altered.iter().for_each(|sentence| tell(sentence));
    compared.iter().for_each(table);
    if same && unpacked.altered.is_empty() {
        tell("Every number is the same: the tables are equal byte by byte.");
        return Ok(ExitCode::SUCCESS);
    }
    let message = if same {
        "every number is the same, but the archive was altered after it was packed".to_owned()
    } else {
        let other = compared.iter().filter(|table| !table.differences.is_empty()).count();
        format!("{other} of {} tables differ from those in the archive", compared.len())
    };
    Err(Error::told(Status::Differs, message))
}

/// Makes the tables again, as they were asked for, and compares them with those that were packed.
async fn again(
    args: &ReplayArgs,
    unpacked: &Unpacked,
    project: &Project,
    terminal: &Terminal,
) -> Result<Vec<Compared>, Error> {
    let _heard = Stopper::listen(terminal.teller()).map_err(|e| Error::Other(e.into()))?;
    let environment = prepare::environment(
        project,
        Profile::Analysis,
        args.python.python_env.clone(),
        args.python.allow_unlocked,
        terminal,
    )
    .await?;
    for difference in &environment.differences {
        tell(&format!("made again with other packages: {difference}"));
    }
    let (packed, then) = (unpacked.folder.join("analysis"), unpacked.aside());
    std::fs::rename(&packed, &then).map_err(|e| unfit(args, format!("analysis: {e}")))?;
    let settings = asked(&then, unpacked, project).map_err(|why| unfit(args, why))?;
    let stop = prepare::token()?;
    let mut told = |progress| match progress {
        Progress::Damaged(what) => terminal.on(&Event::Warning(&what)),
        Progress::Reading { done, of } => {
            terminal.on(&Event::Preparing(&format!("{done} of {of} files read")));
        }
        Progress::Step(step) => terminal.on(&Event::Preparing(&step)),
        Progress::Found { .. } | Progress::Read(_) => {}
    };
    let made = analysis::run(&settings, &environment, &stop, &mut told).await?;
    compare(&then, &made.output, &[ASKED]).map_err(|e| unfit(args, e.to_string()))
}

fn unfit(args: &ReplayArgs, why: String) -> Error {
    PackError::Unfit { path: args.archive.clone(), why: clean::line(&why) }.into()
}

/// What the archive's analysis was asked: flags, and where its report said that it lay. All of it may be
/// a stranger's, and none of it names a file or a program of this machine.
fn asked(then: &Path, unpacked: &Unpacked, project: &Project) -> Result<AnalyzeSettings, String> {
    let asked: AnalyzeSettings = read(then, ASKED)?;
    let SummaryFile { settings: Reported { output: place } } = read(then, "summary.json")?;
    let (dir, python_dir) = (unpacked.folder.clone(), project.python());
    Ok(AnalyzeSettings { dir, python_dir, place, output: None, audit: false, ..asked })
}

/// As much of `summary.json` as is asked of it.
#[derive(Deserialize)]
struct SummaryFile {
    #[serde(default)]
    settings: Reported,
}

#[derive(Default, Deserialize)]
struct Reported {
    /// Where the report said that the analysis lay.
    output: Option<String>,
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, String> {
    let text = files::read(&folder.join(name), LARGEST).map_err(|e| format!("{name}: {e}"))?;
    serde_json::from_slice(&text).map_err(|e| format!("{name}: {e}"))
}

fn table(table: &Compared) {
    let Compared { name, rows, differences } = table;
    let counted = if name.ends_with(".csv") { "rows" } else { "values" };
    let word = if differences.is_empty() { "the same" } else { "differs" };
    tell(&format!("{word:<10}{name} ({rows} {counted})"));
    differences.iter().for_each(|difference| tell(&format!("  {difference}")));
}

fn tell(line: &str) {
    let indent = " ".repeat(line.len() - line.trim_start().len() + 2);
    let options = textwrap::Options::new(usize::from(width()).clamp(40, 100))
        .subsequent_indent(&indent)
        .break_words(false);
    say(&(textwrap::fill(&clean::line(line), options) + "\n"));
}

/// Flags that name a place on the maker's machine, or go on with what lay there.
const PLACES: [&str; 8] = [
    "--output",
    "--save",
    "--data-dir",
    "--python-env",
    "--environment",
    "--energibridge",
    "--powercap",
    "--workloads",
];
const WITHOUT_VALUE: [&str; 4] = ["--resume", "--accept-changes", "--allow-unlocked", "--dry-run"];

/// `--plan`: says of each version whether it would be installed here as it was there.
fn locks(args: &ReplayArgs, unpacked: &Unpacked, project: &Project) -> Result<(), Error> {
    let locks = Folder::at(&unpacked.folder).version_locks();
    let locks = locks.map_err(|e| unfit(args, format!("locks: {e}")))?;
    let settings = prepare::env_settings(project, Profile::Training, None, false);
    let take = format!("joulerace env lock --from {}", quoted(&args.archive));
    for (called, text) in &locks {
        tell(&match standing(&settings, called, text) {
            Ok(Standing::Same) => format!("{called} is locked here as it was there."),
            Ok(Standing::New) => format!("{called} is installed as it was there after: {take}"),
            Ok(Standing::Other) => format!(
                "{called} has another lock here; it is installed as it was there after: {take} --anew"
            ),
            Err(why) => format!("The archive's lock of {called} is of no use here: {why}."),
        });
    }
    Ok(())
}

/// `--plan`: the command line that runs the same here, and its dry run.
fn plan(
    args: &ReplayArgs,
    unpacked: &Unpacked,
    experiment: &Experiment,
    project: &Project,
) -> Result<ExitCode, Error> {
    let (words, left_out) = here(&experiment.command, experiment.settings.order_seed);
    let line: Vec<String> = words.iter().map(|word| quoted(Path::new(word))).collect();
    say(&format!("{}\n", line.join(" ")));
    if !left_out.is_empty() {
        tell(&format!(
            "Left out, as they name what lay on another machine: {}.",
            left_out.join(", ")
        ));
    }
    let recorded = without_places(&experiment.settings);
    let settings = match Cli::try_parse_from(joined(words.iter().map(Into::into))) {
        Ok(Cli { command: None, run, .. }) => resolve(&run, project)?,
        // Commands, or a file that is not in the archive: the plan is the archive's, and nothing is
        // run on its word.
        Ok(_) => {
            tell("The plan is the archive's own; its commands, or its file, are yours to bring.");
            recorded.clone()
        }
        Err(error) => {
            let message = format!(
                "its command line cannot be repeated with this joulerace: {}",
                clean::lines(&error.to_string())
            );
            return Err(Error::told(Status::Usage, message));
        }
    };
    for difference in changed_settings(&recorded, &without_places(&settings), true) {
        tell(&format!("Differs here: {difference}."));
    }
    let here = Plan::of(&settings);
    tell(match here == experiment.plan {
        true => "The order is the archive's, trial by trial.",
        false => "The order is another than the archive's, as the treatments differ.",
    });
    locks(args, unpacked, project)?;
    let folder = Folder::at(prepare::absolute(Path::new("results")).join(now_as_name()));
    dry_run(&settings, &here, &folder, || doctor::worst(&settings, project, folder.root(), true))
}

/// Settings without what is another machine's own.
fn without_places(settings: &Settings) -> Settings {
    Settings {
        environments: Default::default(),
        python_env: None,
        data_dir: None,
        energibridge: None,
        powercap: MeterSettings::default().powercap,
        workloads: None,
        allow_unlocked: false,
        ..settings.clone()
    }
}

/// A recorded command line for this machine: with the order's seed, and without places. Also the flags
/// that were left out.
fn here(command: &[String], order_seed: u64) -> (Vec<String>, Vec<String>) {
    let (mut words, mut left_out) = (vec!["joulerace".to_owned()], Vec::new());
    let mut rest = command.iter().skip(1);
    while let Some(word) = rest.next() {
        let flag = word.split('=').next().unwrap_or_default();
        // A workload by its name is the reader's too; by a path it is another machine's.
        let path = flag == "--workload"
            && (word.contains('/') || rest.clone().next().is_some_and(|next| next.contains('/')));
        let place = PLACES.contains(&flag) || path;
        if place || WITHOUT_VALUE.contains(&flag) {
            left_out.push(flag.to_owned());
            if place && !word.contains('=') {
                rest.next();
            }
        } else if flag == "--order-seed" {
            if !word.contains('=') {
                rest.next();
            }
        } else {
            words.push(word.clone());
        }
    }
    words.extend(["--order-seed".to_owned(), order_seed.to_string()]);
    left_out.sort();
    left_out.dedup();
    (words, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_another_machine_are_left_out_and_the_order_is_kept() {
        let command = "/opt/joulerace --iterations 3 --data-dir /scratch/x --output=out --order-seed 1 \
                       --frameworks=torch,jax --resume";
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        let (words, left_out) = here(&command, 7);
        assert_eq!(
            words.join(" "),
            "joulerace --iterations 3 --frameworks=torch,jax --order-seed 7"
        );
        assert_eq!(left_out, ["--data-dir", "--output", "--resume"]);
    }
}
