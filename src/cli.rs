//! The command line: what may be typed.

mod after;
mod analyze;
mod audit;
mod chosen;
mod cluster;
mod compare;
mod design;
mod doctor;
mod env;
mod examples;
mod frameworks;
mod job;
mod joined;
mod mark;
mod measure;
mod meter;
mod pack;
mod pairs;
mod python;
mod resume;
mod run;
mod shell;
mod verify;
mod work;

pub(crate) use after::AfterArgs;
pub(crate) use analyze::AnalyzeArgs;
pub(crate) use audit::AuditArgs;
pub(crate) use chosen::ChosenArgs;
pub(crate) use cluster::{MergeArgs, StatusArgs, SubmitArgs, sorted};
pub(crate) use compare::CompareArgs;
pub(crate) use design::{DesignArgs, FailureArgs};
pub(crate) use doctor::{DoctorArgs, DoctorOf};
pub(crate) use env::{EnvArgs, EnvCommand};
pub(crate) use frameworks::RunArgs;
pub(crate) use job::JobArgs;
pub(crate) use joined::joined;
pub(crate) use mark::MarkArgs;
pub(crate) use measure::MeasureArgs;
pub(crate) use meter::MeterArgs;
pub(crate) use pack::{PackArgs, ReplayArgs};
pub(crate) use pairs::PairArgs;
pub(crate) use python::PythonArgs;
pub(crate) use resume::ResumeArgs;
pub(crate) use run::RaceArgs;
pub(crate) use shell::{CompletionsArgs, ManArgs};
pub(crate) use verify::VerifyArgs;
pub(crate) use work::{DEFAULT_TREATMENTS, WorkArgs};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// How much energy does the same training job cost in Keras, in PyTorch and in JAX?
///
/// Without a subcommand, runs the experiment: every framework once in each of N blocks, in random
/// order, each time in a fresh process, sampling the machine's energy meanwhile.
#[derive(Debug, Parser)]
#[command(
    name = "joulerace",
    version,
    args_conflicts_with_subcommands = true,
    // Of a flag that is given twice the last one counts, as in other programs: an alias or a script
    // may set what the line overrides.
    args_override_self = true,
    after_help = examples::EXPERIMENT
)]
pub(crate) struct Cli {
    /// The experiment, where there is no subcommand.
    #[command(flatten)]
    pub run: RunArgs,
    /// How much is said.
    #[command(flatten)]
    pub talk: Talk,
    /// What to do instead of an experiment.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// How much is said.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Talk {
    /// Say more (-v: what happens, -vv: everything)
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "General")]
    pub verbose: u8,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "General")]
    pub quiet: bool,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare commands of your own: joulerace compare 'python a.py' 'python b.py'
    ///
    /// Every command runs once in each block, in random order, in a process of its own, with pauses, idle
    /// power, statistics and report as for frameworks.
    #[command(
        after_help = examples::COMPARE,
)]
    Compare(Box<CompareArgs>),
    /// Run an experiment that a file describes: joulerace run FILE [FLAGS]
    ///
    /// The file is TOML. Its keys are the flags of joulerace without their dashes, or those of joulerace
    /// compare where it has a list of commands; flags after the file count instead of its keys.
    #[command(after_help = examples::RUN)]
    Run(RaceArgs),
    /// Go on with an experiment that was stopped: run what was not run or could not be measured
    ///
    /// Trials that failed by themselves stay failed; --failed runs them again. The folder may come
    /// from anybody: programs, environments, data and scripts outside it are used only where they are
    /// named here or are this user's own by default.
    #[command(after_help = examples::RESUME)]
    Resume(ResumeArgs),
    /// Turn an experiment, or any folder of EnergiBridge's CSVs, into tables, plots and a report
    #[command(after_help = examples::ANALYZE)]
    Analyze(Box<AnalyzeArgs>),
    /// Run an experiment's blocks on many machines of a Slurm cluster: joulerace submit --shards N
    /// [SLURM'S OPTIONS] -- [EXPERIMENT'S FLAGS]
    ///
    /// Plans once, deals the blocks to the tasks of a job array, prepares environment and data, and submits
    /// it with a job that merges and analyses what they measured.
    #[command(
        after_help = examples::SUBMIT,
        override_usage = "joulerace submit --shards N [SLURM'S OPTIONS] -- [EXPERIMENT'S FLAGS]"
    )]
    Submit(SubmitArgs),
    /// Say how far the shards of a study have come
    #[command(after_help = examples::STATUS)]
    Status(StatusArgs),
    /// Make the shards of a study, run on several machines, one experiment, and analyse it
    ///
    /// Reads the shards' folders and leaves them as they are. Names what is missing; can be done again.
    #[command(after_help = examples::MERGE)]
    Merge(MergeArgs),
    /// Say what in published tables of energy cannot be trusted, and what is left of their ranking
    ///
    /// Reads CodeCarbon's emissions.csv, experiment-runner's run_table.csv, any table with a run in each row,
    /// EnergiBridge's files, and experiments.
    #[command(after_help = examples::AUDIT)]
    Audit(AuditArgs),
    /// Show that all frameworks do the same work
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Check this machine for what spoils an energy measurement: joulerace doctor [EXPERIMENT'S FLAGS]
    #[command(after_help = examples::DOCTOR)]
    Doctor(Box<DoctorArgs>),
    /// Measure any command: joulerace measure -- COMMAND
    #[command(after_help = examples::MEASURE)]
    Measure(MeasureArgs),
    /// Say, within a command that is measured, that a phase of it begins or ends
    ///
    /// The phases that a command marks are told one by one, and are its window: what is reported and
    /// compared; import and data only prepare. A command that marks none is reported as a whole. A
    /// program that cannot start another writes the same line, "PHASE begin" or "PHASE end", to the file
    /// that JOULERACE_MARKS names. Where nobody measures, this does nothing.
    #[command(after_help = examples::MARK)]
    Mark(MarkArgs),
    /// Pack an experiment and its report into one archive for a paper's artifact
    ///
    /// A ZIP file with raw samples, records, journal, locks, the scripts' checksums, tables, report,
    /// CITATION.cff, and a description as an RO-Crate. Home folders and what looks like a secret are struck
    /// out; the scripts' own output is left out.
    #[command(after_help = examples::PACK)]
    Pack(PackArgs),
    /// Make an archive's tables again from its raw samples, and say whether every number is the same
    ///
    /// The archive may come from anybody: nothing in it is run. Ends with status 13 where something differs.
    #[command(after_help = examples::REPLAY)]
    Replay(ReplayArgs),
    /// Make, list or remove joulerace's Python environments
    #[command(after_help = examples::ENV)]
    Env(EnvArgs),
    /// Print a shell's completions
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the man page, or write one for each command into a folder
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
    /// A trial's process; started by the host, not by hand
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// `joulerace worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Where the host listens.
    #[arg(long)]
    pub socket: Option<PathBuf>,
    /// Something else to serve.
    #[command(subcommand)]
    pub service: Option<Service>,
}

/// What a process of ours may be started for, beside a trial.
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Does nothing, for a meter that has to wrap a command while no trial runs.
    Idle {
        /// For so long at most.
        #[arg(long)]
        seconds: u64,
    },
}

/// The variable that says where the data set is, where no flag does.
const DATA_DIR: &str = "JOULERACE_DATA_DIR";

/// The variable that says where RAPL's zones are, where no flag does.
const POWERCAP: &str = "JOULERACE_POWERCAP";

/// A whole number from 1 to `most`.
fn up_to(most: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(most))
}

/// How many blocks, runs or shards there may be.
fn blocks() -> clap::builder::RangedI64ValueParser<u32> {
    up_to(100_000)
}

/// After how many failures it may stop.
fn failures() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

/// `NAME=DIR`, the folder in full.
pub(crate) fn named_folder(text: &str) -> Result<(String, PathBuf), String> {
    let (name, folder) = text.split_once('=').ok_or("write it like mine=/path/to/folder")?;
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), folder))
}

/// A duration such as `90s`, `5m`, `200ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    crate::settings::parse_duration(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_studys_settings_are_the_defaults() {
        let run = Cli::parse_from(["joulerace"]).run;
        assert_eq!((run.iterations, run.epochs, run.job.batch_size, run.job.seed), (30, 3, 64, 42));
        assert_eq!(run.work.treatments, ["keras", "torch", "jax"]);
        let before = Cli::parse_from(["joulerace", "--frameworks", "torch,jax"]).run;
        assert_eq!(before.work.treatments, ["torch", "jax"]);
        assert_eq!((run.design.warmup.as_secs(), run.design.cooldown.as_secs()), (300, 60));
        assert_eq!(run.meter.interval.as_millis(), 200);
    }

    #[test]
    fn a_bad_value_names_its_flag() {
        for (flag, value) in [
            ("--iterations", "0"),
            ("--warmup", "soon"),
            ("--meter", "sensor"),
            ("--dataset", "imagenet"),
            ("--cpu-watts", "65:10"),
            ("--order", "alphabetical"),
        ] {
            let error = Cli::try_parse_from(["joulerace", flag, value]).unwrap_err().to_string();
            assert!(error.contains(flag) && error.contains(value), "{error}");
        }
    }
}
