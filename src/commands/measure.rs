//! `joulerace measure`: the meter on its own.

use super::say::{shown, width};
use crate::cli::{MeterArgs, Talk};
use crate::error::{Error, Status};
use crate::meter::{Kind, MeterSettings, measure as meter};
use crate::units;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// `joulerace measure`.
#[derive(Debug, clap::Args)]
pub struct MeasureArgs {
    /// What reads the energy.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// Where the samples go [default: measure_<date>_<time>.csv]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// `joulerace measure`: ends with the command's own exit status.
pub fn measure(args: MeasureArgs, talk: Talk) -> Result<ExitCode, Error> {
    let settings = MeterSettings {
        choice: args.meter.meter,
        interval: args.meter.interval,
        energibridge: args.meter.energibridge,
        powercap: args.meter.powercap,
        cpu_watts: args.meter.cpu_watts,
        ..MeterSettings::default()
    };
    let measured = meter::run(&settings, args.output.as_deref(), args.command)
        .map_err(|e| Error::Told { message: e.to_string(), status: Status::Meter })?;
    if !talk.quiet {
        explain(&measured);
        let report = &measured.report;
        let joules = report.total_j.map_or("an unknown number of".to_owned(), units::digits);
        let watts = measured.watts().map_or("–".to_owned(), units::digits);
        let domains: Vec<String> = measured
            .counted()
            .iter()
            .map(|(domain, joules)| format!("{domain} {} J", units::digits(*joules)))
            .collect();
        let missed = match report.missed {
            0 => String::new(),
            1 => ", 1 sample missed".to_owned(),
            count => format!(", {count} samples missed"),
        };
        let kind = if report.estimated { "an estimate, not a measurement" } else { "measured" };
        // On standard error, so that the command's own output stays clean.
        let _ = writeln!(
            std::io::stderr(),
            "{joules} J in {:.3} s, {watts} W ({kind} by {}: {}{missed}); samples in {}",
            report.seconds,
            measured.meter.kind,
            domains.join(", "),
            shown(&measured.csv)
        );
        for note in notes(&measured) {
            let _ = writeln!(std::io::stderr(), "{note}");
        }
    }
    Ok(ExitCode::from(measured.exit_status().clamp(0, 255) as u8))
}

/// Says why nothing better than the estimate was there for `--meter auto`.
fn explain(measured: &meter::Measured) {
    if measured.meter.kind != Kind::Estimate || measured.rejected.is_empty() {
        return;
    }
    let mut text = "No meter measures here, so that this is an estimate:\n".to_owned();
    for (kind, why) in &measured.rejected {
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
    let _ = write!(std::io::stderr(), "{text}");
}

/// What to know of the number beside.
fn notes(measured: &meter::Measured) -> Vec<String> {
    let report = &measured.report;
    let mut notes = Vec::new();
    if report.suspended_s > 0.0 {
        notes.push(format!(
            "the machine was suspended for {} meanwhile, which is not in the seconds; the joules hold \
             whatever the counters went on to count",
            units::duration(report.suspended_s)
        ));
    }
    // EnergiBridge shows what it lacks in every file; what the built-in meter leaves out was seen at first.
    let absent = [&report.absent, &measured.meter.absent];
    if let Some(absent) = absent.into_iter().find(|absent| !absent.is_empty()) {
        notes.push(format!("no counter behind {}: it never moved", absent.join(", ")));
    }
    notes
}
