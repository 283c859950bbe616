//! Which cards can be measured, and how often their counters move.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nvml_wrapper::Device;
use nvml_wrapper::error::NvmlError;

use super::card::describe;
use super::{CardReader, GpuError, library};
use crate::meter::{Card, Counter, Gpus, Kind};
use crate::samples::Domain;

/// A counter is watched until it has moved this many times, but no longer than this.
const MOVES: usize = 5;
const WATCH_FOR: Duration = Duration::from_millis(2500);
const WATCH_EVERY: Duration = Duration::from_millis(1);

/// The cards that were found to work.
#[derive(Debug, Clone)]
pub(crate) struct Cards {
    library: PathBuf,
    /// The driver's version.
    pub driver: String,
    /// Each card, and how often its counter moves.
    pub cards: Vec<(Card, Duration)>,
    /// What one reading of a counter takes.
    cost: Duration,
}

impl Cards {
    /// Finds the cards, checks that their counters can be read and move, and finds how often they do.
    /// Every card that is asked for has to work: one that is left out in silence would look like 0 J.
    ///
    /// # Errors
    ///
    /// Why the first of them does not work.
    pub(crate) fn probe(path: &Path, gpus: &Gpus) -> Result<Cards, GpuError> {
        let library = library(path)?;
        let there = library.device_count().map_err(|error| GpuError::of_driver(&error, path))?;
        let driver = library.sys_driver_version().ok();
        let numbers: Vec<u32> = match gpus {
            Gpus::All => (0..there).collect(),
            Gpus::None => Vec::new(),
            Gpus::These(numbers) => numbers.clone(),
        };
        if numbers.is_empty() {
            return Err(GpuError::NoCards);
        }
        let mut watched = Vec::new();
        for gpu in numbers {
            if gpu >= there {
                return Err(GpuError::NoSuchCard { gpu, there });
            }
            let failed = |error: NvmlError| GpuError::of_card(&error, gpu);
            let device = library.device_by_index(gpu).map_err(failed)?;
            let name = device.name().unwrap_or_else(|_| "unnamed".to_owned());
            let first = device.total_energy_consumption().map_err(|error| match error {
                NvmlError::NotSupported | NvmlError::FailedToLoadSymbol(_) => {
                    GpuError::NoCounter { gpu, name: name.clone() }
                }
                error => GpuError::of_card(&error, gpu),
            })?;
            watched.push(Watched {
                gpu,
                name,
                device,
                last: first,
                moves: Vec::new(),
                costs: Vec::new(),
            });
        }
        let periods = watch(&mut watched)?;
        let mut costs: Vec<Duration> = watched.iter().flat_map(|w| w.costs.clone()).collect();
        costs.sort_unstable();
        let cost = costs.get(costs.len() / 2).copied().unwrap_or_default();
        let cards = watched.iter().map(|w| describe(w.gpu, &w.device, driver.clone()));
        let cards = cards.zip(periods).collect();
        Ok(Cards { library: path.to_owned(), driver: driver.unwrap_or_default(), cards, cost })
    }

    /// The counters, for the record.
    pub(crate) fn counters(&self) -> Vec<Counter> {
        let describe = |(card, period): &(Card, Duration)| Counter {
            domain: Domain::Gpu(card.gpu),
            counted: true,
            name: format!("gpu{} {}", card.gpu, card.name),
            path: match &card.uuid {
                Some(uuid) => format!("{} {uuid}", self.library.display()),
                None => format!("{} device {}", self.library.display(), card.gpu),
            },
            range_j: None,
            sensor: Some(Kind::Nvml),
            column: Some(super::reader::energy_column(card.gpu)),
            update_ms: Some(period.as_secs_f64() * 1e3),
        };
        self.cards.iter().map(describe).collect()
    }

    /// What to know about their numbers.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (card, period) in &self.cards {
            let ms = period.as_secs_f64() * 1e3;
            notes.push(format!(
                "the counter of GPU {} moves every {ms:.0} ms: what is shorter than {:.1} s is known to \
                 no better than a tenth",
                card.gpu,
                ms * 10.0 / 1e3
            ));
            if card.mig == Some(true) {
                notes.push(format!(
                    "GPU {} is split (MIG): its counter covers the whole card, whoever uses it",
                    card.gpu
                ));
            }
        }
        notes
    }

    /// Something to be sampled for each card.
    ///
    /// # Errors
    ///
    /// The first card that is gone.
    pub(crate) fn open(&self) -> Result<Vec<CardReader>, GpuError> {
        let library = library(&self.library)?;
        let open = |(card, period): &(Card, Duration)| {
            let device = library.device_by_index(card.gpu);
            let device = device.map_err(|error| GpuError::of_card(&error, card.gpu))?;
            Ok(CardReader::new(card.gpu, device, *period, self.cost))
        };
        self.cards.iter().map(open).collect()
    }
}

/// A counter while the machine is probed.
struct Watched {
    gpu: u32,
    name: String,
    device: Device<'static>,
    last: u64,
    moves: Vec<Instant>,
    costs: Vec<Duration>,
}

/// Waits until every counter moved a few times, and says how long lies between two moves: the median.
fn watch(cards: &mut [Watched]) -> Result<Vec<Duration>, GpuError> {
    let start = Instant::now();
    while start.elapsed() < WATCH_FOR && cards.iter().any(|card| card.moves.len() < MOVES) {
        std::thread::sleep(WATCH_EVERY);
        for card in cards.iter_mut() {
            let asked = Instant::now();
            let now = card.device.total_energy_consumption();
            card.costs.push(asked.elapsed());
            let now = now.map_err(|error| GpuError::of_card(&error, card.gpu))?;
            if now != card.last {
                card.last = now;
                card.moves.push(Instant::now());
            }
        }
    }
    let period = |card: &Watched| {
        let waited = start.elapsed();
        let mut between: Vec<Duration> =
            card.moves.windows(2).map(|two| two[1].duration_since(two[0])).collect();
        between.sort_unstable();
        match (card.moves.is_empty(), between.get(between.len() / 2)) {
            (true, _) => Err(GpuError::StandsStill {
                gpu: card.gpu,
                name: card.name.clone(),
                waited_ms: waited.as_millis() as u64,
            }),
            // It moved once: all that is known is that it rests for most of that time.
            (false, None) => Ok(waited),
            (false, Some(median)) => Ok(*median),
        }
    };
    cards.iter().map(period).collect()
}
