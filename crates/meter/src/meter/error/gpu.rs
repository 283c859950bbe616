//! Why a graphics card is not measured: each reason in its own sentence, so that none passes for 0 J.

use std::path::PathBuf;

use nvml_wrapper::error::NvmlError;

/// A graphics card that cannot be measured, or not any more.
#[derive(Debug, Clone, PartialEq, thiserror::Error, miette::Diagnostic)]
pub enum GpuError {
    /// There is no library: no NVIDIA driver, mostly because there is no such card.
    #[error("no NVIDIA driver here: {} cannot be opened ({why})", library.display())]
    #[diagnostic(help(
        "Where this machine has a card, install its driver, or let the container see it (docker \
         run --gpus all)"
    ))]
    Absent {
        /// The library that was looked for.
        library: PathBuf,
        /// The loader's word.
        why: String,
    },
    /// The library is there, the kernel's part is not.
    #[error("NVIDIA's library is here, but its driver is not loaded")]
    #[diagnostic(help("Load it (sudo modprobe nvidia), or measure without cards: --gpus none"))]
    NotLoaded,
    /// The driver refuses.
    #[error("no permission to ask NVIDIA's driver{}", of(*gpu))]
    #[diagnostic(help(
        "Run as a user who may open /dev/nvidiactl and /dev/nvidia*, or measure without cards: \
         --gpus none"
    ))]
    NotPermitted {
        /// The card, where it is one card that is refused.
        gpu: Option<u32>,
    },
    /// The driver works and shows no card.
    #[error("NVIDIA's driver shows no card here")]
    #[diagnostic(help("Measure without cards: --gpus none"))]
    NoCards,
    /// A card that was asked for is not there.
    #[error("there is no GPU {gpu}: the driver shows {there} card(s), numbered from 0")]
    #[diagnostic(help("Name others with --gpus"))]
    NoSuchCard {
        /// Which was asked for.
        gpu: u32,
        /// How many there are.
        there: u32,
    },
    /// The card does not count its energy.
    #[error(
        "GPU {gpu} ({name}) has no energy counter: cards have one from the Volta generation on, \
         and virtual ones often have none. Its joules cannot be measured"
    )]
    #[diagnostic(help("leave it out with --gpus"))]
    NoCounter {
        /// The card.
        gpu: u32,
        /// What it is called.
        name: String,
    },
    /// The card fell off the bus.
    #[error("GPU {gpu} is lost: the driver cannot reach it any more, and what it drew is unknown")]
    #[diagnostic(help("See dmesg (NVRM: Xid), reset the card or reboot, and run the trial again"))]
    Lost {
        /// The card.
        gpu: u32,
    },
    /// Its counter did not move before the measurement.
    #[error(
        "the energy counter of GPU {gpu} ({name}) stands still (watched for {waited_ms} ms), so \
         that it measures nothing"
    )]
    #[diagnostic(help("Leave it out with --gpus"))]
    StandsStill {
        /// The card.
        gpu: u32,
        /// What it is called.
        name: String,
        /// For how long it was watched, in milliseconds.
        waited_ms: u64,
    },
    /// Its counter stopped in the middle of the measurement.
    #[error(
        "the energy counter of GPU {gpu} has not moved for {seconds:.1} s, and it used to every \
         {period_ms:.0} ms: it is frozen, and the joules since then are missing"
    )]
    #[diagnostic(help("Run the trial again; if it stays so, reload the driver or reboot"))]
    Frozen {
        /// The card.
        gpu: u32,
        /// For how long it stood still, in seconds.
        seconds: f64,
        /// How often it moved at the start, in milliseconds.
        period_ms: f64,
    },
    /// Its counter never moved between the first and the last reading.
    #[error(
        "GPU {gpu} was not measured: its counter moves every {period_ms:.0} ms, and did not \
         within these {seconds:.3} s"
    )]
    #[diagnostic(help("Measure something longer, such as many rounds of it"))]
    TooShort {
        /// The card.
        gpu: u32,
        /// From the first to the last reading, in seconds.
        seconds: f64,
        /// How often the counter moves, in milliseconds.
        period_ms: f64,
    },
    /// Anything else.
    #[error("GPU {gpu} cannot be read: {said}")]
    #[diagnostic(help("Check it with nvidia-smi, or leave it out with --gpus"))]
    Unreadable {
        /// The card.
        gpu: u32,
        /// The driver's word.
        said: String,
    },
    /// Anything else of the driver as a whole.
    #[error("NVIDIA's driver cannot be asked: {said}")]
    #[diagnostic(help("Check it with nvidia-smi, or take --gpus none"))]
    Driver {
        /// The driver's word.
        said: String,
    },
}

fn of(gpu: Option<u32>) -> String {
    gpu.map_or(String::new(), |gpu| format!(" about GPU {gpu}"))
}

impl GpuError {
    /// Of a call about the driver as a whole.
    pub(crate) fn of_driver(error: &NvmlError, library: &std::path::Path) -> GpuError {
        match error {
            NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound => {
                // The loader's message begins with the library's name, which is told already.
                let name = format!("{}: ", library.display());
                let why = match error {
                    NvmlError::LibloadingError(source) => source.to_string(),
                    other => other.to_string(),
                };
                let why = why.strip_prefix(&name).unwrap_or(&why).to_owned();
                GpuError::Absent { library: library.to_owned(), why }
            }
            NvmlError::DriverNotLoaded => GpuError::NotLoaded,
            NvmlError::NoPermission => GpuError::NotPermitted { gpu: None },
            other => GpuError::Driver { said: other.to_string() },
        }
    }

    /// Of a call about one card.
    pub(crate) fn of_card(error: &NvmlError, gpu: u32) -> GpuError {
        match error {
            NvmlError::GpuLost => GpuError::Lost { gpu },
            NvmlError::NoPermission => GpuError::NotPermitted { gpu: Some(gpu) },
            other => GpuError::Unreadable { gpu, said: other.to_string() },
        }
    }
}
