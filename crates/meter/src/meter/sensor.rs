//! One source of a meter's readings: found, described and opened, whichever it is.

use std::path::Path;

use super::POWERCAP;
use super::description::Counter;
use super::energibridge::Energibridge;
use super::error::MeterError;
use super::estimate;
use super::nvml::Cards;
use super::rapl::{self, Rapl};
use super::settings::{CpuWatts, EDGES, Kind, MeterSettings};
use super::source::Source;
use crate::samples::Domain;

#[derive(Debug, Clone)]
pub(super) enum Sensor {
    Energibridge(Energibridge),
    Rapl(Rapl),
    Estimate { cpus: usize },
    Nvml(Cards),
}

impl Sensor {
    pub(super) fn probe(settings: &MeterSettings, kind: Kind) -> Result<Sensor, MeterError> {
        Ok(match kind {
            // It cannot be asked for a reading at a mark.
            Kind::Energibridge if settings.interval >= EDGES => return Err(MeterError::NoEdges),
            Kind::Energibridge => Sensor::Energibridge(Energibridge::probe(
                settings.energibridge.as_deref(),
                settings.search_path.as_deref(),
                settings.interval,
            )?),
            Kind::Rapl => {
                let own = settings.powercap == Path::new(POWERCAP);
                let roots = rapl::Roots {
                    powercap: &settings.powercap,
                    events: own.then_some(settings.events.as_path()),
                    cpu: &settings.cpu_root,
                    proc: &settings.proc_root,
                };
                Sensor::Rapl(Rapl::probe(&roots, &rapl::files(), &rapl::kernel())?)
            }
            Kind::Estimate => Sensor::Estimate { cpus: estimate::probe(&settings.proc_root)? },
            Kind::Nvml => Sensor::Nvml(Cards::probe(&settings.nvml, &settings.gpus)?),
        })
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Sensor::Energibridge(_) => Kind::Energibridge,
            Sensor::Rapl(_) => Kind::Rapl,
            Sensor::Estimate { .. } => Kind::Estimate,
            Sensor::Nvml(_) => Kind::Nvml,
        }
    }

    /// Its version, its counters, and what to know about them.
    pub(super) fn describe(&self, settings: &MeterSettings) -> (String, Vec<Counter>, Vec<String>) {
        match self {
            Sensor::Energibridge(program) => {
                (program.version.clone(), program.counters(), program.notes())
            }
            Sensor::Rapl(rapl) => (own_version(), rapl.counters(), rapl.notes()),
            Sensor::Estimate { cpus } => {
                let CpuWatts { idle_w, busy_w } = settings.cpu_watts;
                let counter = Counter {
                    domain: Domain::Estimated,
                    counted: true,
                    name: format!("{idle_w} W idle, {busy_w} W with all {cpus} processors busy"),
                    path: settings.proc_root.join("stat").display().to_string(),
                    range_j: None,
                    sensor: Some(Kind::Estimate),
                    column: Some(estimate::COLUMN.to_owned()),
                    update_ms: None,
                };
                let note = "estimated from processor busy time and a stated power, not measured";
                (own_version(), vec![counter], vec![note.to_owned()])
            }
            Sensor::Nvml(cards) => {
                (format!("driver {}", cards.driver), cards.counters(), cards.notes())
            }
        }
    }

    /// What this program's own sampler reads of it; nothing where another program samples.
    pub(super) fn sources(
        &self,
        settings: &MeterSettings,
    ) -> Result<Vec<Box<dyn Source>>, MeterError> {
        Ok(match self {
            Sensor::Energibridge(_) => Vec::new(),
            Sensor::Rapl(rapl) => vec![Box::new(rapl.open(rapl::files(), &rapl::kernel())?)],
            Sensor::Estimate { .. } => {
                vec![Box::new(estimate::Estimate::open(&settings.proc_root, settings.cpu_watts)?)]
            }
            // Each card by itself, so that losing one does not lose the others.
            Sensor::Nvml(cards) => {
                let boxed = |card| Box::new(card) as Box<dyn Source>;
                cards.open()?.into_iter().map(boxed).collect()
            }
        })
    }
}

fn own_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
