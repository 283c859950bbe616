//! Which sensors work here, and which of them make the meter.

use super::Meter;
use super::error::GpuError;
use super::error::MeterError;
use super::sensor::Sensor;
use super::settings::{Choice, Gpus, Kind, MeterSettings};
use joulerace_files::Remedy as _;

/// The meter to use, and why the ones before it in line could not be.
#[derive(Debug, Clone)]
pub struct Selected {
    /// With every sensor that works.
    pub meter: Meter,
    /// Which were tried before it, in order, and why they do not work here.
    pub rejected: Vec<(Kind, String)>,
}

/// Finds sensors that work: those that were asked for, or, for the processor, the first of EnergiBridge,
/// RAPL and the estimate, and beside it the cards that there are.
///
/// # Errors
///
/// Why a sensor asked for does not work, or [`MeterError::NoneWorks`] with all reasons.
pub fn select(settings: &MeterSettings) -> Result<Selected, MeterError> {
    if settings.interval.as_millis() == 0 {
        return Err(MeterError::Interval(settings.interval));
    }
    let sensors = match settings.choice {
        Choice::These(sensors) => sensors,
        Choice::Auto => return automatic(settings),
    };
    let fits = match settings.gpus {
        Gpus::All => true,
        Gpus::None => !sensors.has(Kind::Nvml),
        Gpus::These(_) => sensors.has(Kind::Nvml),
    };
    if !fits {
        let (gpus, meter) = (settings.gpus.to_string(), sensors.to_string());
        return Err(MeterError::GpusAgainstMeter { gpus, meter });
    }
    let sensors = sensors.each().map(|kind| Sensor::probe(settings, kind));
    let meter = Meter { settings: settings.clone(), sensors: sensors.collect::<Result<_, _>>()? };
    Ok(Selected { meter, rejected: Vec::new() })
}

fn automatic(settings: &MeterSettings) -> Result<Selected, MeterError> {
    let (mut sensors, mut rejected) = (Vec::new(), Vec::new());
    for kind in Kind::OF_PROCESSOR {
        match Sensor::probe(settings, kind) {
            Ok(sensor) => {
                sensors.push(sensor);
                break;
            }
            Err(error) => rejected.push((kind, error.in_line())),
        }
    }
    if settings.gpus != Gpus::None {
        match Sensor::probe(settings, Kind::Nvml) {
            Ok(cards) => sensors.push(cards),
            // A card that was named and cannot be read must not pass for one that draws nothing.
            Err(error) if settings.gpus != Gpus::All => return Err(error),
            // A machine without cards, the ordinary case.
            Err(MeterError::Gpu(GpuError::Absent { .. } | GpuError::NoCards)) => {}
            Err(error) => rejected.push((Kind::Nvml, error.in_line())),
        }
    }
    if sensors.is_empty() {
        return Err(MeterError::NoneWorks(rejected));
    }
    Ok(Selected { meter: Meter { settings: settings.clone(), sensors }, rejected })
}
