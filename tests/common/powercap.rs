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
    /// What is asked of it beside its power.
    orders: PathBuf,
}

impl Powercap {
    pub fn new(zones: &[Zone]) -> Powercap {
        let root = tempfile::tempdir().unwrap();
        let driven = zones.iter().map(|zone| make(root.path(), zone)).collect();
        let zones = Arc::new(Mutex::new(driven));
        let (frozen, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let orders = root.path().join("orders");
        let thread = {
            let (zones, frozen, stop) =
                (Arc::clone(&zones), Arc::clone(&frozen), Arc::clone(&stop));
            let mut orders = Orders::in_folder(&orders);
            std::thread::spawn(move || drive(&zones, &frozen, &stop, &mut orders))
        };
        Powercap { root, zones, frozen, stop, thread: Some(thread), orders }
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

    /// One socket that uses next to nothing but what processes order: see [`Powercap::orders`].
    pub fn to_order() -> Powercap {
        let zone =
            Zone { path: "intel-rapl:0", name: "package-0", watts: 0.1, start_uj: 1_000_000 };
        Powercap::new(&[zone])
    }

    /// A folder in which a process orders joules: it adds a line with their number to the file `asked`, and
    /// they are used up in the first zone once `spent` is as long as that. So a trial's energy is known
    /// however long it takes.
    pub fn orders(&self) -> &Path {
        &self.orders
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

/// At this power orders are used up.
const ORDERED_WATTS: f64 = 1000.0;

/// Joules that processes ordered.
struct Orders {
    asked: PathBuf,
    spent: PathBuf,
    read: usize,
    left_uj: f64,
}

impl Orders {
    fn in_folder(folder: &Path) -> Orders {
        fs::create_dir(folder).unwrap();
        let (asked, spent) = (folder.join("asked"), folder.join("spent"));
        fs::write(&asked, "").unwrap();
        fs::write(&spent, "").unwrap();
        Orders { asked, spent, read: 0, left_uj: 0.0 }
    }

    /// What is used up within `seconds`, in microjoules.
    fn used(&mut self, seconds: f64) -> f64 {
        if self.left_uj == 0.0 {
            let text = fs::read_to_string(&self.asked).unwrap_or_default();
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            let new = text.get(self.read..whole).unwrap_or_default();
            self.left_uj =
                new.lines().filter_map(|line| line.parse::<f64>().ok()).sum::<f64>() * 1e6;
            self.read = whole;
            return 0.0;
        }
        let used = self.left_uj.min(ORDERED_WATTS * seconds * 1e6);
        self.left_uj -= used;
        used
    }

    /// Tells those who wait; to be called once the counters have it.
    fn tell(&self) {
        if self.left_uj == 0.0 {
            fs::write(&self.spent, " ".repeat(self.read)).unwrap();
        }
    }
}

fn drive(zones: &Mutex<Vec<Driven>>, frozen: &AtomicBool, stop: &AtomicBool, orders: &mut Orders) {
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
        let ordered = orders.used(seconds);
        for (at, zone) in zones.iter_mut().enumerate() {
            let more = zone.watts * seconds * 1e6 + if at == 0 { ordered } else { 0.0 };
            zone.value = (zone.value + more) % (RANGE_UJ + 1) as f64;
            put(zone);
        }
        if ordered > 0.0 {
            orders.tell();
        }
    }
}
