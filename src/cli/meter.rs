//! Flags of the meter, for all that measures.

use super::duration;
use crate::meter::{Choice, CpuWatts, Gpus};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// The time between two samples: a duration, or `edges`.
fn interval(text: &str) -> Result<Duration, String> {
    if text == "edges" { Ok(crate::meter::EDGES) } else { duration(text) }
}

/// What a meter needs; shared by the experiment, `measure` and `doctor`.
#[derive(Debug, Clone, Args)]
pub(crate) struct MeterArgs {
    /// Time between two samples; edges reads at the start, the end and the phases' edges only, and every
    /// 30s for counters that wrap
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = interval)]
    pub interval: Duration,
    /// auto, energibridge, rapl, estimate or nvml, or two such as rapl+nvml; auto takes the first that
    /// works for the processor, and the graphics cards
    #[arg(long, value_name = "KIND", default_value_t = Choice::Auto)]
    pub meter: Choice,
    /// Which graphics cards are measured with it: all, none or numbers such as 0,1
    #[arg(long, value_name = "CARDS", default_value_t = Gpus::All)]
    pub gpus: Gpus,
    /// EnergiBridge's binary, 0.0.7 or later [default: found on PATH]
    #[arg(long, value_name = "PATH")]
    pub energibridge: Option<PathBuf>,
    /// Where RAPL's zones are
    #[arg(
        long,
        value_name = "DIR",
        default_value = crate::meter::POWERCAP,
        env = super::POWERCAP,
        hide_env = true
    )]
    pub powercap: PathBuf,
    /// The estimate's power in watts, idle and with all cores busy
    #[arg(long, value_name = "IDLE:BUSY", default_value_t = CpuWatts::default())]
    pub cpu_watts: CpuWatts,
}
