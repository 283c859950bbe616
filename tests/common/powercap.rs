//! A powercap tree of plain files that a thread advances at a known power.
//!
//! Like the kernel's counters it is updated about every millisecond, by the clock, so that what a meter
//! reads can be compared with watts times seconds. What plain files cannot do (failing readings) is
//! tested where the files are opened.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// `max_energy_range_uj` of a common Intel package.
pub const RANGE_UJ: u64 = 65_532_610_987;

/// One zone: its folder below the root, its name, its power and its first value.
pub struct Zone {
    pub path: &'static str,
    pub name: &'static str,
    pub watts: f64,
    pub start_uj: u64,
}

struct Driven {
    file: File,
    watts: f64,
    value: f64,
}

/// The running tree. Dropping it stops the clock and removes the files.
pub struct Powercap {
    root: tempfile::TempDir,
    zones: Arc<Mutex<Vec<Driven>>>,
    frozen: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Powercap {
    pub fn new(zones: &[Zone]) -> Powercap {
        let root = tempfile::tempdir().unwrap();
        let driven = zones.iter().map(|zone| make(root.path(), zone)).collect();
        let zones = Arc::new(Mutex::new(driven));
        let (frozen, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (zones, frozen, stop) =
                (Arc::clone(&zones), Arc::clone(&frozen), Arc::clone(&stop));
            std::thread::spawn(move || drive(&zones, &frozen, &stop))
        };
        Powercap { root, zones, frozen, stop, thread: Some(thread) }
    }

    /// Two sockets of 50 W, each with cores (half of it) and DRAM (a tenth beside it): 110 W in all.
    pub fn two_sockets() -> Powercap {
        Powercap::two_sockets_from(1_000_000)
    }

    /// The same, with counters that start at `start_uj`.
    pub fn two_sockets_from(start_uj: u64) -> Powercap {
        let zone = |path, name, watts| Zone { path, name, watts, start_uj };
        Powercap::new(&[
            zone("intel-rapl:0", "package-0", 50.0),
            zone("intel-rapl:0/intel-rapl:0:0", "core", 25.0),
            zone("intel-rapl:0/intel-rapl:0:1", "dram", 5.0),
            zone("intel-rapl:1", "package-1", 50.0),
            zone("intel-rapl:1/intel-rapl:1:0", "core", 25.0),
            zone("intel-rapl:1/intel-rapl:1:1", "dram", 5.0),
        ])
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Stops all counters where they are.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }

    /// Lets the counters go on, and their files be read again.
    pub fn mend(&self) {
        self.frozen.store(false, Ordering::SeqCst);
    }

    /// Empties all counters' files, also for who has them open: nothing can be read any more.
    pub fn blank(&self) {
        let zones = self.zones.lock().unwrap();
        self.freeze();
        for zone in zones.iter() {
            zone.file.set_len(0).unwrap();
        }
    }

    /// Sets the counter of the zone that was given as number `index` back to 0.
    pub fn reset(&self, index: usize) {
        self.zones.lock().unwrap()[index].value = 0.0;
    }
}

impl Drop for Powercap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn make(root: &Path, zone: &Zone) -> Driven {
    let folder: PathBuf = root.join(zone.path);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("name"), format!("{}\n", zone.name)).unwrap();
    fs::write(folder.join("max_energy_range_uj"), format!("{RANGE_UJ}\n")).unwrap();
    let file = File::create(folder.join("energy_uj")).unwrap();
    let driven = Driven { file, watts: zone.watts, value: zone.start_uj as f64 };
    put(&driven);
    driven
}

/// Overwrites in place and always with the same length, so that a reader never sees half a number.
fn put(zone: &Driven) {
    zone.file.write_all_at(format!("{:012}\n", zone.value as u64).as_bytes(), 0).unwrap();
}

fn drive(zones: &Mutex<Vec<Driven>>, frozen: &AtomicBool, stop: &AtomicBool) {
    let mut last = Instant::now();
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
        let mut zones = zones.lock().unwrap();
        let now = Instant::now();
        let seconds = now.duration_since(last).as_secs_f64();
        last = now;
        if frozen.load(Ordering::SeqCst) {
            continue;
        }
        for zone in zones.iter_mut() {
            zone.value = (zone.value + zone.watts * seconds * 1e6) % (RANGE_UJ + 1) as f64;
            put(zone);
        }
    }
}
