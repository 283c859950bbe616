//! `joulerace measure`: the meter on its own, around any command, once or in a series.

use super::resolve::meter_of;
use crate::Remedy as _;
use crate::cli::MeasureArgs;
use crate::cli::Talk;
use crate::error::{Error, Status};
use crate::meter::Kind;
use crate::meter::measure::{self as meter, MeasureError, Measured, Measurer, Stdout};
use crate::plan::is_name;
use crate::screen::fitting;
use crate::screen::measured::{self, Run};
use crate::screen::{say, width};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where a series goes unless something else is said.
const SERIES: &str = "measured";

/// `joulerace measure`: ends with the command's own exit status.
pub(crate) fn measure(args: MeasureArgs, talk: Talk) -> Result<ExitCode, Error> {
    check_command(&args.command)?;
    let target = Target::of(&args)?;
    let settings = meter_of(&args.meter);
    meter::startable(&args.command[0], settings.search_path.as_deref())
        .map_err(|e| refused(e, &args.command))?;
    let mut measurer = Measurer::new(&settings).map_err(|e| refused(e, &args.command))?;
    if !talk.quiet {
        explain(&measurer);
    }
    let stdout =
        if args.json || target == Target::Stdout { Stdout::ToStderr } else { Stdout::Inherited };
    let scratch = tempfile::tempdir().map_err(|e| Error::Other(e.into()))?;
    if let Some(gave_up) = warm_up(&args, &mut measurer, stdout, scratch.path())? {
        return Ok(gave_up);
    }
    let wanted = args.runs.unwrap_or(1);
    let mut runs: Vec<Run> = Vec::new();
    let mut last = 0;
    for n in 1..=wanted {
        let csv = target.next_file(scratch.path())?;
        let measured = measurer.run(&csv, args.command.clone(), stdout).map_err(|error| {
            meter::remove_if_empty(&csv);
            refused(error, &args.command)
        })?;
        last = measured.exit_status();
        let failed = last != 0 && !args.ignore_failure;
        if wanted > 1 && (failed || measured.asked_to_stop) {
            set_aside(&csv);
            gave_up(&measured, &format!("run {n} of {wanted}"));
            break;
        }
        let run = Run::of(&measured);
        if wanted > 1 {
            tell(&format!("[{n}/{wanted}] {}\n", run.sentence()));
        }
        runs.push(run);
    }
    if target == Target::Stdout {
        for run in &runs {
            pass_on(&run.csv)?;
        }
    }
    let result = measured::Result { name: target.name(), command: &args.command, runs: &runs };
    if args.json {
        say(&result.json(&measurer.meter()));
    }
    if wanted > 1 {
        tell(&result.table(&measurer.meter()));
    } else if let (Some(run), false) = (runs.first(), args.json) {
        let place = (target != Target::Stdout).then_some(run.csv.as_path());
        tell(&run.result(&measurer.meter(), place));
    }
    Ok(ExitCode::from(last.clamp(0, 255) as u8))
}

/// Runs the command as often as is asked for before anything counts; the status to end with where one of these
/// runs gives up.
fn warm_up(
    args: &MeasureArgs,
    measurer: &mut Measurer,
    stdout: Stdout,
    scratch: &Path,
) -> Result<Option<ExitCode>, Error> {
    for n in 1..=args.warmup {
        let csv = scratch.join("warm-up.csv");
        let warm = measurer
            .run(&csv, args.command.clone(), stdout)
            .map_err(|e| refused(e, &args.command))?;
        if warm.asked_to_stop || (warm.exit_status() != 0 && !args.ignore_failure) {
            return Ok(Some(gave_up(&warm, &format!("warm-up run {n} of {}", args.warmup))));
        }
    }
    Ok(None)
}

/// On standard error, so that the command's own output stays clean. A result is shown even with `--quiet`: it is
/// what was asked for.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(fitting(text).as_bytes());
}

/// Says why nothing better than the estimate was there for `--meter auto`.
fn explain(measurer: &Measurer) {
    if !measurer.meter().estimated || measurer.rejected().is_empty() {
        return;
    }
    let mut text = if !measurer.meter().kind.each().any(Kind::measures) {
        "No meter measures here, so that this is an estimate:\n".to_owned()
    } else {
        "No meter measures the processor here, so that its part is an estimate:\n".to_owned()
    };
    for (kind, why) in measurer.rejected() {
        for (at, line) in why.lines().enumerate() {
            // Commands are to be copied: they stay in one line.
            if line.starts_with("  ") {
                text += &format!("  {line}\n");
                continue;
            }
            let line = if at == 0 { format!("{kind}: {line}") } else { line.to_owned() };
            let indented = textwrap::Options::new(usize::from(width()))
                .initial_indent(if at == 0 { "  " } else { "    " })
                .subsequent_indent("    ");
            text += &textwrap::fill(&line, indented);
            text.push('\n');
        }
    }
    tell(&text);
}

/// Says why the series ends, and gives the status to end with.
fn gave_up(measured: &Measured, what: &str) -> ExitCode {
    let why = if measured.asked_to_stop {
        "was stopped".to_owned()
    } else {
        format!(
            "ended with {}; its samples are set aside, and --ignore-failure goes on all the same",
            measured.exit
        )
    };
    tell(&format!("{what} {why}\n"));
    ExitCode::from(measured.exit_status().clamp(0, 255) as u8)
}

/// A run that failed keeps its samples, under a name that no analysis reads.
fn set_aside(csv: &Path) {
    let mut name = csv.as_os_str().to_owned();
    name.push(".failed");
    if let Err(error) = std::fs::rename(csv, name) {
        tracing::warn!(%error, "{} is of a run that failed", csv.display());
    }
}

fn pass_on(csv: &Path) -> Result<(), Error> {
    let copied = std::fs::File::open(csv)
        .and_then(|mut file| std::io::copy(&mut file, &mut std::io::stdout().lock()));
    match copied {
        // Whoever reads may have had enough.
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            let message = format!("--output -: the samples cannot be written: {e}");
            Err(Error::told(Status::Output, message))
        }
        _ => Ok(()),
    }
}

/// Where the samples go.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// One run, a file of a name that is free.
    Fresh,
    /// One run, a file that was named.
    File(PathBuf),
    /// One run, standard output.
    Stdout,
    /// `DIR/NAME/NAME_<n>.csv`, numbered on.
    Series { folder: PathBuf, name: String },
}

impl Target {
    fn of(args: &MeasureArgs) -> Result<Target, Error> {
        let usage =
            |message: String, remedy: String| Error::advised(Status::Usage, message, remedy);
        let to_stdout = args.output.as_deref() == Some(Path::new("-"));
        if args.runs.is_none_or(|n| n == 1) && args.name.is_none() {
            return match &args.output {
                None => Ok(Target::Fresh),
                Some(_) if to_stdout && args.json => Err(usage(
                    "--output -: --json writes the result to standard output".to_owned(),
                    "name a file for the samples".to_owned(),
                )),
                Some(_) if to_stdout => Ok(Target::Stdout),
                Some(path) if path.is_dir() => {
                    let path = path.display();
                    Err(usage(
                        format!("--output: {path} is a folder"),
                        format!(
                            "name a file in it, or add --name NAME to have {path}/NAME/NAME_<n>.csv"
                        ),
                    ))
                }
                Some(path) => Ok(Target::File(path.clone())),
            };
        }
        if to_stdout {
            return Err(usage(
                "--output -: the samples of several runs do not go to standard output".to_owned(),
                "name a folder".to_owned(),
            ));
        }
        let name = match &args.name {
            Some(name) if is_name(name) => name.clone(),
            Some(name) => {
                return Err(usage(
                    format!("--name: {name:?} cannot name a folder of results"),
                    "use letters, digits, '_', '-', '@' and '.'".to_owned(),
                ));
            }
            None => name_of(&args.command[0]),
        };
        let root = args.output.clone().unwrap_or_else(|| SERIES.into());
        let folder = root.join(&name);
        if root.is_file() {
            return Err(usage(
                format!("--output: {} is a file", root.display()),
                "name a folder for several runs or a --name".to_owned(),
            ));
        }
        std::fs::create_dir_all(&folder).map_err(|e| {
            let message = format!("--output: {} cannot be made: {e}", folder.display());
            Error::advised(Status::Output, message, "name another folder")
        })?;
        Ok(Target::Series { folder, name })
    }

    fn name(&self) -> Option<&str> {
        match self {
            Target::Series { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The file of the next run; where nobody named it, it is made, so that it is this run's alone.
    fn next_file(&self, scratch: &Path) -> Result<PathBuf, Error> {
        let unmade = |path: &Path, e: std::io::Error| {
            let message = format!("{} cannot be made: {e}", path.display());
            Error::advised(Status::Output, message, "name another place with --output")
        };
        match self {
            Target::Fresh => {
                meter::free_file(Path::new(".")).map_err(|e| unmade(Path::new("measure_….csv"), e))
            }
            Target::File(path) => Ok(path.clone()),
            Target::Stdout => Ok(scratch.join("samples.csv")),
            Target::Series { folder, name } => {
                let from = next_number(folder, name).map_err(|e| unmade(folder, e))?;
                let names = (from..).map(|n| folder.join(format!("{name}_{n}.csv")));
                meter::first_free(names).map_err(|e| unmade(folder, e))
            }
        }
    }
}

/// One more than the highest number there is, also of runs that were set aside; 0 where there is none,
/// as in an experiment.
fn next_number(folder: &Path, name: &str) -> std::io::Result<u64> {
    let mut next = 0;
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let number = file
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(|rest| rest.split('.').next())
            .and_then(|number| number.parse::<u64>().ok());
        next = next.max(number.map_or(0, |n| n + 1));
    }
    Ok(next)
}

/// The program's name, as far as it can name a folder.
fn name_of(program: &OsString) -> String {
    let stem = Path::new(program).file_stem().unwrap_or_default().to_string_lossy();
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@');
    let name: String = stem.chars().map(|c| if letter(c) { c } else { '-' }).collect();
    if is_name(&name) { name } else { "command".to_owned() }
}

/// What stands where a command should: a flag with a typing error.
fn check_command(command: &[OsString]) -> Result<(), Error> {
    let word = command[0].to_string_lossy();
    if !word.starts_with('-') {
        return Ok(());
    }
    let near = crate::screen::hints::nearest_flag(&word, "measure")
        .map_or(String::new(), |flag| format!("Did you mean {flag}? "));
    Err(Error::advised(
        Status::Usage,
        format!("measure: there is no flag '{word}'"),
        format!("{near}Flags stand before the command: joulerace measure [FLAGS] -- COMMAND"),
    ))
}

/// The error as the user may mend it, and the status that a shell would give.
fn refused(error: MeasureError, command: &[OsString]) -> Error {
    let MeasureError::Start { command: program, source } = &error else {
        return Error::told(Status::Meter, error.in_full());
    };
    if source.kind() != std::io::ErrorKind::NotFound {
        return Error::advised(
            Status::NotExecutable,
            format!("'{program}' cannot be run: {source}"),
            format!(
                "Make it executable (chmod +x), or name what runs it, such as: joulerace measure -- sh \
                 {program}"
            ),
        );
    }
    let missing = format!("there is no program '{program}'");
    if command.len() == 1 && program.contains(char::is_whitespace) {
        let cause = missing + ": in quotes, a command and its arguments are one word";
        let remedy = format!(
            "Write: joulerace measure -- {program}\nor, for pipes and variables: \
             joulerace measure -- sh -c '{program}'"
        );
        return Error::advised(Status::NotFound, cause, remedy);
    }
    Error::advised(Status::NotFound, missing, "Check its name, or give its path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_numbered_on_after_the_highest_number() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(next_number(folder.path(), "a").unwrap(), 0);
        for file in ["a_2.csv", "a_11.csv.failed", "b_40.csv", "a.csv", "a_x.csv"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(next_number(folder.path(), "a").unwrap(), 12);
    }

    #[test]
    fn a_program_names_its_series() {
        for (program, name) in
            [("/usr/bin/sleep", "sleep"), ("./run.sh", "run"), ("a b", "a-b"), ("..", "command")]
        {
            assert_eq!(name_of(&program.into()), name, "{program}");
        }
    }
}
