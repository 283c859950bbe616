//! Which meters work, what they cover, how finely, for how long, and whether they follow the load.

mod refused;
mod working;

use super::finding::{Finding, Level};
use super::tried::Tried;
use crate::meter::{Choice, Kind, MeterError, Sensors};
use refused::{of_the_host, refused};
use std::time::Duration;
use working::working;

/// What the meters are judged by.
pub(super) struct Context {
    /// `--meter`.
    pub choice: Choice,
    /// Whether cards were named, so that they have to work.
    pub cards_named: bool,
    pub interval: Duration,
    /// Processor packages.
    pub sockets: Option<usize>,
    /// The share of all processors that others kept busy meanwhile.
    pub elsewhere: Option<f64>,
    /// Whether this runs in a container, whose counters are its host's.
    pub in_container: bool,
}

/// The verdict, then each meter.
pub(super) fn judge(tried: &[Tried], context: &Context) -> Vec<Finding> {
    let chosen = match context.choice {
        Choice::These(sensors) => Some(sensors),
        Choice::Auto => {
            let works = |t: &&Tried| t.outcome.is_ok() || context.cards_named;
            let cards = tried.iter().filter(|t| t.kind.reads_cards()).find(works);
            let mut processor = tried.iter().filter(|t| !t.kind.reads_cards());
            let processor = processor.find(|t| t.outcome.is_ok());
            Sensors::of(processor.into_iter().chain(cards).map(|tried| tried.kind))
        }
    };
    let mut findings = vec![verdict(tried, chosen, context)];
    findings.extend(tried.iter().map(|tried| {
        let wanted = chosen.is_some_and(|sensors| sensors.has(tried.kind));
        match &tried.outcome {
            Ok(meter) => working(tried.kind, &meter.describe(), &tried.movement, wanted, context),
            Err(error) => refused(tried.kind, error, wanted, context),
        }
    }));
    findings
}

fn titled(kind: Kind, level: Level, found: String) -> Finding {
    let (id, title) = match kind {
        Kind::Energibridge => ("meter.energibridge", "EnergiBridge"),
        Kind::Rapl => ("meter.rapl", "RAPL"),
        Kind::Estimate => ("meter.estimate", "Estimate"),
        Kind::Nvml => ("meter.nvml", "Graphics cards"),
    };
    Finding::new(id, title, level, found)
}

fn verdict(tried: &[Tried], chosen: Option<Sensors>, context: &Context) -> Finding {
    let new = |level, found: String| {
        Finding::new("meter", "Meter", level, found)
            .with("asked", context.choice.to_string())
            .with("chosen", chosen.map(|kind| kind.to_string()))
    };
    let refusal = |kind| tried.iter().find(|t| t.kind == kind)?.outcome.as_ref().err();
    match chosen {
        None => new(Level::Failure, "none works, not even the estimate".to_owned())
            .remedy("See below what each of them needs"),
        Some(sensors) if sensors.each().any(|kind| refusal(kind).is_some()) => {
            new(Level::Failure, format!("{sensors} was asked for and does not work here"))
                .remedy("See below what it needs, or take another: --meter auto")
        }
        Some(sensors) if !sensors.each().all(Kind::measures) => {
            let estimate = "an estimate from processor time at stated powers, not a measurement: it shows \
                            no difference between two frameworks that are busy for equally long";
            let whose = if sensors.has(Kind::Nvml) {
                "nvml measures the graphics cards; of the processor there is "
            } else {
                ""
            };
            let finding = new(Level::Warning, format!("{whose}{estimate}")).with("estimated", true);
            let refusal = refusal(Kind::Rapl);
            if let Some(remedy) = refusal.and_then(|error| of_the_host(error, context)) {
                return finding.remedy(remedy);
            }
            match refusal.and_then(MeterError::granted_by) {
                Some(command) => finding.remedy(format!(
                    "This machine has counters; allow reading them until the next reboot with\n  \
                     {command}"
                )),
                None => finding.remedy(
                    "Measure on a machine whose counters can be read (see EnergiBridge and RAPL), or \
                     state the processor's real powers: --cpu-watts IDLE:BUSY",
                ),
            }
        }
        Some(sensors) => new(Level::Ok, format!("{sensors} measures")),
    }
}

#[cfg(test)]
mod tests;
