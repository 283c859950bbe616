//! `joulerace measure`: the meter on its own.

use super::say::shown;
use crate::cli::{MeterArgs, Talk};
use crate::error::{Error, Status};
use crate::meter::{MeterSettings, measure as meter};
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
    }
    Ok(ExitCode::from(measured.exit_status().clamp(0, 255) as u8))
}
