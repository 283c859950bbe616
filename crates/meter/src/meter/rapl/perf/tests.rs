//! Energy events without a processor that has them: the kernel's description is made of plain files, and the
//! opened counters follow the clock at a known power.

use joulerace_files::Remedy as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Asked, EVENTS, Group, Opener, Perf, PerfError, kernel};
use crate::meter::machine::Machine;
use crate::meter::rapl::{Powercap, Rapl, Roots, files};
use crate::meter::sampler::Sampler;
use crate::meter::source::Source;
use crate::meter::suspend::Slept;
use crate::meter::{Kind, MeterError};
use crate::meter::{Session, SessionReport};
use crate::samples::Domain;

/// Counts of a joule, and the scale that says so.
const PER_J: f64 = 4_294_967_296.0;
const SCALE: &str = "2.3283064365386962890625e-10\n";

const EPERM: i32 = 1;
const EACCES: i32 = 13;
const ENODEV: i32 = 19;
const ENOSYS: i32 = 38;

/// A description below `events/`, a topology below `cpu/`, and `perf_event_paranoid` below `proc/`.
struct Tree(tempfile::TempDir);

impl Tree {
    /// Two sockets, read on processors 0 and 18.
    fn new() -> Tree {
        let tree = Tree(tempfile::tempdir().unwrap());
        tree.write("events/power/type", "22\n");
        tree.write("events/power/cpumask", "0,18\n");
        tree.write("events/power/format/event", "config:0-7\n");
        for (name, config) in [("cores", 1), ("pkg", 2), ("ram", 3), ("psys", 5)] {
            let file = format!("events/power/events/energy-{name}");
            tree.write(&file, &format!("event=0x0{config}\n"));
            tree.write(&format!("{file}.scale"), SCALE);
            tree.write(&format!("{file}.unit"), "Joules\n");
        }
        tree.topology(0, 0, 0);
        tree.topology(18, 1, 0);
        tree
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn topology(&self, cpu: usize, package: u32, die: u32) {
        let folder = format!("cpu/cpu{cpu}/topology");
        self.write(&format!("{folder}/physical_package_id"), &format!("{package}\n"));
        self.write(&format!("{folder}/die_id"), &format!("{die}\n"));
    }

    fn path(&self, part: &str) -> PathBuf {
        self.0.path().join(part)
    }

    fn probe(&self, open: &Opener) -> Result<Perf, PerfError> {
        Perf::probe(&self.path("events"), &self.path("cpu"), &self.path("proc"), open)
    }

    /// Why nothing can be opened where the kernel answers with `errno`.
    fn refusal(&self, errno: i32) -> PerfError {
        let open: Opener = Arc::new(move |_| Err(io::Error::from_raw_os_error(errno)));
        self.probe(&open).unwrap_err()
    }
}

/// What was asked for: the source's number, the processor, the events.
type Opening = (u32, usize, Vec<u64>);

/// A processor whose packages draw 40 W, of which cores 25 W, and memory 8 W beside.
#[derive(Clone, Default)]
struct Processor {
    asked: Arc<Mutex<Vec<Opening>>>,
    /// Counts that every package leaps ahead by.
    leap: Arc<AtomicU64>,
    /// The configurations whose counters stand still.
    dead: Vec<u64>,
    /// Whether all processors show one and the same package.
    one: Option<Instant>,
}

impl Processor {
    fn opener(&self) -> Opener {
        let processor = self.clone();
        Arc::new(move |asked: &Asked<'_>| {
            let configs = asked.configs.to_vec();
            processor.asked.lock().unwrap().push((asked.pmu, asked.cpu, configs.clone()));
            // Packages of their own are never quite alike.
            let unlike = if processor.one.is_some() { 1.0 } else { 1.0 + asked.cpu as f64 / 1e4 };
            let since = Instant::now();
            Ok(Box::new(Package { processor: processor.clone(), configs, unlike, since }))
        })
    }
}

struct Package {
    processor: Processor,
    configs: Vec<u64>,
    unlike: f64,
    since: Instant,
}

impl Group for Package {
    fn read(&mut self, counts: &mut [u64]) -> io::Result<()> {
        let now = Instant::now();
        let shown = |from: Instant, watts: f64| {
            (now.duration_since(from).as_secs_f64() * watts * PER_J) as u64
        };
        for (count, config) in counts.iter_mut().zip(&self.configs) {
            let watts = [0.0, 25.0, 40.0, 8.0][*config as usize] * self.unlike;
            *count = match self.processor.one {
                // One register, counted from when each was opened.
                Some(start) => {
                    let whole = shown(start, 40.0) >> 24;
                    let before =
                        (self.since.duration_since(start).as_secs_f64() * 40.0 * PER_J) as u64;
                    (whole << 24) - ((before >> 24) << 24)
                }
                None if self.processor.dead.contains(config) => 0,
                None => shown(self.since, watts) + self.processor.leap.load(Ordering::SeqCst),
            };
        }
        Ok(())
    }
}

fn start(perf: &Perf, tree: &Tree, processor: &Processor, csv: &Path) -> Session {
    let reader = perf.open(&tree.path("proc"), &processor.opener()).unwrap();
    let source: Box<dyn Source> = Box::new(reader);
    let machine = Machine::open(Path::new("/proc"), Path::new("/nowhere"));
    let every = Duration::from_millis(10);
    Session::start(
        |shared| {
            let report = SessionReport::new(Kind::Rapl.into());
            let csv = csv.to_owned();
            Sampler::begin(vec![(Kind::Rapl, source)], machine, csv, every, shared, report)
        },
        csv,
        &Slept::of_the_system(),
    )
    .unwrap()
}

#[test]
fn every_socket_is_one_group_and_its_joules_are_those_drawn() {
    let (tree, processor) = (Tree::new(), Processor::default());
    let perf = tree.probe(&processor.opener()).unwrap();
    let asked = processor.asked.lock().unwrap().clone();
    assert_eq!(asked, [(22, 0, vec![2, 3, 1]), (22, 18, vec![2, 3, 1])]);
    let csv = tree.path("t.csv");
    let session = start(&perf, &tree, &processor, &csv);
    std::thread::sleep(Duration::from_millis(300));
    let report = session.finish().unwrap();
    for (domain, watts) in [(Domain::Package, 80.0), (Domain::Dram, 16.0), (Domain::Core, 50.0)] {
        let (joules, truth) = (report.joules[&domain], watts * report.seconds);
        assert!(
            (joules - truth).abs() < 0.005 * truth + 0.05,
            "{domain}: {joules} J for {truth} J"
        );
    }
    assert_eq!(
        report.total_j,
        Some(report.joules[&Domain::Package] + report.joules[&Domain::Dram])
    );
    assert_eq!((report.wraps, report.resets, report.read_errors), (0, 0, 0));
}

#[test]
fn names_and_columns_are_those_of_powercap() {
    let tree = Tree::new();
    let perf = tree.probe(&Processor::default().opener()).unwrap();
    for (zone, name) in [
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl:1:0", "core"),
        ("intel-rapl:1:1", "dram"),
    ] {
        tree.write(&format!("powercap/{zone}/name"), name);
        tree.write(&format!("powercap/{zone}/max_energy_range_uj"), "65532610987");
        tree.write(&format!("powercap/{zone}/energy_uj"), "5");
    }
    let moving: super::super::Opener = {
        let clock = Arc::new(AtomicU64::new(0));
        Arc::new(move |_: &Path| Ok(Box::new(Ticking(Arc::clone(&clock)))))
    };
    let powercap = Powercap::probe(&tree.path("powercap"), &moving).unwrap();
    let told = |counters: Vec<crate::meter::Counter>| {
        counters.into_iter().map(|c| (c.domain, c.name, c.column, c.counted)).collect::<Vec<_>>()
    };
    assert_eq!(told(perf.counters()), told(powercap.counters()));
    assert!(perf.counters().iter().all(|counter| counter.range_j.is_none()));
    assert_eq!((perf.absent.len(), perf.notes.len()), (0, 0));
}

/// A powercap file that shows another number each time.
struct Ticking(Arc<AtomicU64>);

impl super::super::Readable for Ticking {
    fn read_start(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let text = format!("{}\n", self.0.fetch_add(1, Ordering::SeqCst));
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(text.len())
    }
}

#[test]
fn dies_that_show_one_counter_are_read_once_and_others_keep_their_names() {
    let tree = Tree::new();
    tree.topology(18, 0, 1);
    let names = |processor: &Processor| -> Vec<String> {
        let perf = tree.probe(&processor.opener()).unwrap();
        let packages = perf.counters().into_iter().filter(|c| c.domain == Domain::Package);
        packages.map(|counter| counter.name).collect()
    };
    assert_eq!(names(&Processor::default()), ["package-0-die-0", "package-0-die-1"]);
    let one = Processor { one: Some(Instant::now()), ..Processor::default() };
    assert_eq!(names(&one), ["package-0-die-0"]);
}

#[test]
fn an_event_that_stands_still_is_left_out_and_told_and_a_package_that_does_is_refused() {
    let tree = Tree::new();
    let no_memory = Processor { dead: vec![3], ..Processor::default() };
    let perf = tree.probe(&no_memory.opener()).unwrap();
    assert_eq!(perf.absent, ["package-0/dram"]);
    assert!(perf.notes.iter().any(|note| note.contains("no DRAM counter")), "{:?}", perf.notes);
    let nothing = Processor { dead: vec![2], ..Processor::default() };
    let error = tree.probe(&nothing.opener()).unwrap_err();
    assert!(
        matches!(&error, PerfError::StandsStill { place, .. } if place == "package-0"),
        "{error}"
    );
}

#[test]
fn each_refusal_of_the_kernel_is_told_by_its_own_sentence_with_what_to_do() {
    let tree = Tree::new();
    tree.write("proc/sys/kernel/perf_event_paranoid", "2\n");
    let paranoid = tree.refusal(EACCES).in_line();
    assert!(paranoid.contains("perf_event_paranoid is 2"), "{paranoid}");
    assert!(paranoid.contains("\n  sudo sysctl kernel.perf_event_paranoid=0\n"), "{paranoid}");
    assert!(paranoid.contains("\n  sudo setcap cap_perfmon=ep /"), "{paranoid}");
    // A filter of system calls answers before the kernel's own setting is looked at.
    let filtered = tree.refusal(EPERM).in_line();
    assert!(filtered.contains("--cap-add PERFMON"), "{filtered}");
    tree.write("proc/sys/kernel/perf_event_paranoid", "-1\n");
    let kept = tree.refusal(EACCES).in_line();
    assert!(kept.contains("something else than kernel.perf_event_paranoid"), "{kept}");
    assert!(matches!(tree.refusal(ENOSYS), PerfError::NoSuchCall { .. }));
    let unopened = tree.refusal(ENODEV).in_line();
    assert!(unopened.contains("package-0") && unopened.contains("processor 0"), "{unopened}");
}

#[test]
fn what_the_kernel_does_not_describe_is_told_with_its_file() {
    let open = Processor::default().opener();
    let refusal = |file: &str, text: Option<&str>| {
        let tree = Tree::new();
        match text {
            Some(text) => tree.write(file, text),
            None => fs::remove_file(tree.path(file)).unwrap(),
        }
        tree.probe(&open).unwrap_err()
    };
    let strange = [
        ("events/power/type", "many"),
        ("events/power/cpumask", "all"),
        ("events/power/format/event", "config:8-15"),
        ("events/power/events/energy-pkg", "event=2,umask=1"),
        ("events/power/events/energy-pkg.unit", "Watts"),
        ("events/power/events/energy-ram.scale", "0"),
        ("cpu/cpu18/topology/physical_package_id", "-"),
    ];
    for (file, text) in strange {
        let error = refusal(file, Some(text)).to_string();
        assert!(error.contains(file) && error.contains(&format!("'{text}'")), "{error}");
    }
    let error = refusal("events/power/cpumask", None);
    assert!(matches!(&error, PerfError::Unreadable { .. }), "{error}");
    let error = refusal("events/power/events/energy-pkg", None);
    assert!(matches!(&error, PerfError::NoPackage { .. }), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = Perf::probe(empty.path(), empty.path(), empty.path(), &open).unwrap_err();
    assert!(error.in_line().contains("sudo modprobe rapl"), "{error}");
}

#[test]
fn a_register_that_was_set_back_under_the_kernel_makes_its_joules_unknown() {
    let (tree, processor) = (Tree::new(), Processor::default());
    let perf = tree.probe(&processor.opener()).unwrap();
    let session = start(&perf, &tree, &processor, &tree.path("t.csv"));
    // As after a suspend: 32 bits in steps of 2^-14 J, less what had been counted.
    processor.leap.store((200_000.0 * PER_J) as u64, Ordering::SeqCst);
    let report = session.finish().unwrap();
    assert!(report.resets > 0 && report.total_j.is_none(), "{report:?}");
    assert!(!report.joules.contains_key(&Domain::Package), "{report:?}");
}

#[test]
fn perf_events_are_taken_where_powercap_cannot_be_read_and_both_reasons_told_where_neither_can() {
    let tree = Tree::new();
    let (powercap, events) = (tree.path("powercap"), tree.path("events"));
    let (cpu, proc) = (tree.path("cpu"), tree.path("proc"));
    let roots = |events| Roots { powercap: &powercap, events, cpu: &cpu, proc: &proc };
    let open = Processor::default().opener();
    let rapl = Rapl::probe(&roots(Some(&events)), &files(), &open).unwrap();
    assert_eq!(rapl.way(), "perf events");
    assert!(
        rapl.notes()[0].contains("not through powercap: no RAPL package zone"),
        "{:?}",
        rapl.notes()
    );
    let error = Rapl::probe(&roots(None), &files(), &open).unwrap_err();
    assert!(matches!(error, MeterError::NoZones { .. }), "a named folder alone is read: {error}");
    fs::remove_dir_all(&events).unwrap();
    let error = Rapl::probe(&roots(Some(&events)), &files(), &open).unwrap_err().to_string();
    assert!(error.contains("--powercap DIR") && error.contains("sudo modprobe rapl"), "{error}");
}

/// The kernel itself: events that every kernel has, or the true word of why not.
#[cfg(target_os = "linux")]
#[test]
fn the_kernels_own_clocks_are_read_as_one_group_or_refused_in_words() {
    // PERF_TYPE_SOFTWARE; PERF_COUNT_SW_CPU_CLOCK twice, in nanoseconds.
    let asked = Asked { pmu: 1, cpu: 0, configs: &[0, 0] };
    match kernel()(&asked) {
        Ok(mut group) => {
            let (mut first, mut second) = ([0; 2], [0; 2]);
            group.read(&mut first).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            group.read(&mut second).unwrap();
            let passed = [second[0] - first[0], second[1] - first[1]];
            assert!(passed.iter().all(|ns| *ns >= 20_000_000), "{passed:?}");
            assert!(group.read(&mut [0; 3]).is_err());
        }
        Err(refused) => {
            let tree = Tree::new();
            let errno = refused.raw_os_error().unwrap();
            assert!([EPERM, EACCES, ENOSYS].contains(&errno), "{refused}");
            let level =
                fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
            tree.write("proc/sys/kernel/perf_event_paranoid", &level);
            assert!(!matches!(tree.refusal(errno), PerfError::Unopened { .. }), "{refused}");
        }
    }
    let machine = Perf::probe(
        Path::new(EVENTS),
        Path::new("/sys/devices/system/cpu"),
        Path::new("/proc"),
        &kernel(),
    );
    if !Path::new(EVENTS).join("power").exists() {
        assert!(matches!(machine, Err(PerfError::Absent { .. })), "{machine:?}");
    }
}
