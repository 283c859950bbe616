//! Which meters work, what they cover, how finely, for how long, and whether they follow the load.

use super::finding::{Finding, Level};
use super::movement::Movement;
use crate::meter::{
    Choice, Counter, GpuError, Gpus, Kind, Meter, MeterDescription, MeterError, MeterSettings,
    PerfError, Sensors, nvml::Card, select,
};
use crate::samples::Domain;
use crate::units;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A meter that moves by less than this from rest to full load does not follow it. Processors at rest
/// draw a small part of what they draw under load, so that any sensor shows much more.
const LEAST_RISE: f64 = 1.05;

/// With this share of the processors busy elsewhere, rest was no rest and says nothing of the meter.
const NO_REST: f64 = 0.25;

/// Values of RAPL's registers: 32 bits, as the kernel takes their range (`intel_rapl_common.c`).
const REGISTER: f64 = 4_294_967_296.0;

/// A meter that was tried.
pub(super) struct Tried {
    pub kind: Kind,
    pub outcome: Result<Meter, MeterError>,
    pub movement: Movement,
}

/// Tries every meter, whichever was asked for.
pub(super) fn try_all(settings: &MeterSettings) -> Vec<Tried> {
    let try_one = |kind: Kind| {
        // A second of watching needs more than one sample.
        let interval = settings.interval.min(Duration::from_millis(200));
        let gpus = if kind.reads_cards() { settings.gpus.clone() } else { Gpus::All };
        let choice = Choice::only(kind);
        let settings = MeterSettings { choice, gpus, interval, ..settings.clone() };
        let outcome = select(&settings).map(|selected| selected.meter);
        Tried { kind, outcome, movement: Movement::default() }
    };
    let looked_for = |kind: &Kind| !kind.reads_cards() || settings.gpus != Gpus::None;
    Kind::ALL.into_iter().filter(looked_for).map(try_one).collect()
}

/// What the meters are judged by.
pub(super) struct Context {
    /// `--meter`.
    pub choice: Choice,
    /// Whether cards were named, so that they have to work.
    pub cards_named: bool,
    /// `--interval`.
    pub interval: Duration,
    /// Processor packages.
    pub sockets: Option<usize>,
    /// The share of all processors that others kept busy meanwhile.
    pub elsewhere: Option<f64>,
    /// Whether this runs in a container, whose counters are its host's.
    pub in_container: bool,
}

/// What grants reading where only the host can, and what hands a container the counters.
const ON_THE_HOST: &str = "On the host, allow it until the next reboot with\n  \
     sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj";
const MOUNTED: &str = "Start the container with the host's counters mounted, and joulerace \
     with --powercap /powercap where its image does not say so; virtual machines have none\n  \
     podman run -v /sys/devices/virtual/powercap/intel-rapl:/powercap:ro IMAGE";

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
            let found = "an estimate from processor time at stated powers, not a measurement: it shows \
                         no difference between two frameworks that are busy for equally long";
            let finding = new(Level::Warning, found.to_owned()).with("estimated", true);
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

/// What the host of a container has to do, where this is one and its host is what stands in the way.
fn of_the_host(error: &MeterError, context: &Context) -> Option<&'static str> {
    match error {
        MeterError::NeitherWay { powercap, .. } => of_the_host(powercap, context),
        MeterError::Permission { .. } if context.in_container => Some(ON_THE_HOST),
        MeterError::NoZones { .. } if context.in_container => Some(MOUNTED),
        _ => None,
    }
}

fn refused(kind: Kind, error: &MeterError, wanted: bool, context: &Context) -> Finding {
    let level = if wanted { Level::Failure } else { Level::Note };
    let (found, remedy) = explain(error);
    let remedy = of_the_host(error, context).map(str::to_owned).or(remedy);
    let finding = titled(kind, level, found).with("works", false);
    match remedy {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

/// What is wrong with a meter and what to do, apart.
fn explain(error: &MeterError) -> (String, Option<String>) {
    let (found, remedy) = match error {
        // Only Linux has such folders, unless one is mounted elsewhere.
        MeterError::NoZones { powercap }
            if !cfg!(target_os = "linux") && powercap.as_path() == Path::new("/sys/class/powercap") =>
        {
            return ("RAPL is read on Linux only; EnergiBridge measures here".to_owned(), None);
        }
        MeterError::NoZones { powercap } => (
            format!("no package zone (intel-rapl:*) in {}", powercap.display()),
            "Load the driver, or name the folder where it is mounted elsewhere with --powercap DIR; \
             virtual machines and most containers have none\n  sudo modprobe intel_rapl_msr"
                .to_owned(),
        ),
        MeterError::Permission { file, command } => (
            format!("no permission to read {}: the kernel keeps it for root", file.display()),
            format!("Allow it until the next reboot with\n  {command}"),
        ),
        MeterError::NeitherWay { powercap, perf } => {
            let (found, remedy) = explain(powercap);
            let (other, second) = explain_perf(perf);
            let both = remedy.into_iter().chain(second).collect::<Vec<_>>().join("\nOr, for perf events: ");
            return (format!("{found}; nor through perf events: {other}"), Some(both));
        }
        MeterError::Perf(perf) => return explain_perf(perf),
        MeterError::StandsStill { file, value, .. } => (
            format!("{} stands still at {value} µJ: it measures nothing", file.display()),
            "Some virtual machines show such zones; measure on the machine itself".to_owned(),
        ),
        MeterError::EnergibridgeMissing { place } => (
            place.clone(),
            if cfg!(windows) {
                "Take energibridge.exe 0.0.7 or later (https://github.com/tdurieux/EnergiBridge, releases) \
                 with LibreHardwareMonitor.sys beside it, and name it with --energibridge PATH. It needs a \
                 driver and an administrator's rights, which this tells once it is named"
                    .to_owned()
            } else {
                "Build EnergiBridge 0.0.7 or later (https://github.com/tdurieux/EnergiBridge) and name it \
                 with --energibridge PATH"
                    .to_owned()
            },
        ),
        MeterError::EnergibridgeTooOld { path, version } => (
            format!("{} is version {version}; 0.0.7 or later is needed", path.display()),
            "Name another with --energibridge PATH".to_owned(),
        ),
        MeterError::EnergibridgeUnusable { path, what } => (
            format!("{} cannot be used: {what}", path.display()),
            "Name another with --energibridge PATH".to_owned(),
        ),
        MeterError::EnergibridgeFails { path, exit, said } => (
            format!("{} fails here ({exit}): {said}", path.display()),
            crate::meter::needs(path, said),
        ),
        MeterError::Gpu(GpuError::Absent { library, .. }) => {
            return (format!("no NVIDIA driver here ({} is not there)", library.display()), None);
        }
        other => return (other.to_string(), None),
    };
    (found, Some(remedy))
}

/// The same of RAPL's second way in.
fn explain_perf(error: &PerfError) -> (String, Option<String>) {
    let (found, remedy) = match error {
        PerfError::Absent { folder } => (
            format!("the kernel has none ({} is not there)", folder.display()),
            "load their driver\n  sudo modprobe rapl".to_owned(),
        ),
        PerfError::Paranoid { level, program } => (
            format!(
                "kernel.perf_event_paranoid is {level}, so that they are for privileged programs"
            ),
            format!(
                "allow them until the next reboot\n  sudo sysctl kernel.perf_event_paranoid=0\n\
                 or this program for good\n  sudo setcap cap_perfmon=ep {}",
                program.display()
            ),
        ),
        PerfError::Forbidden { source } => (
            format!("something else than kernel.perf_event_paranoid forbids them ({source})"),
            "a container's filter of system calls lets them through with\n  \
             docker run --cap-add PERFMON IMAGE"
                .to_owned(),
        ),
        other => return (other.to_string(), None),
    };
    (found, Some(remedy))
}

fn working(
    kind: Kind,
    about: &MeterDescription,
    movement: &Movement,
    wanted: bool,
    context: &Context,
) -> Finding {
    let covered = covers(&about.counters);
    let assumed = about.counters.first().filter(|_| about.estimated);
    let mut parts = vec![match (about.cards.as_slice(), assumed) {
        ([], Some(assumed)) => assumed.name.clone(),
        ([], None) if kind.wraps() => format!("{}: {covered}", about.version),
        ([], None) => covered,
        (cards, _) => cards.iter().map(card).collect::<Vec<_>>().join("; "),
    }];
    parts.extend(about.way.as_ref().map(|way| match about.notes.iter().any(|n| n.contains(way)) {
        // A second way is taken for a reason, which is told beside it.
        true => format!("through {way}, as powercap cannot be read"),
        false => format!("through {way}"),
    }));
    parts.extend(
        resolution(&about.counters).map(|j| format!("steps of {} µJ", units::digits(j * 1e6))),
    );
    parts.extend(movement.rest_w.zip(movement.load_w).map(|(rest, load)| {
        format!("{} W at rest, {} W under load", units::digits(rest), units::digits(load))
    }));
    parts.extend(
        about
            .counters
            .iter()
            .filter_map(|c| c.update_ms)
            .reduce(f64::max)
            .map(|ms| format!("counter moves every {ms:.0} ms")),
    );
    let wrap = wraps_after(&about.counters, movement);
    match wrap {
        Some(seconds) => parts.push(format!("wraps after {} of that", units::duration(seconds))),
        None if kind.wraps() => parts.push("range unknown".to_owned()),
        None => {}
    }
    let (worry, remedy) = worry(about, movement, wrap, context).unzip();
    let level = match (&worry, wanted, &movement.fault) {
        (None, ..) => Level::Ok,
        (Some(_), false, _) => Level::Note,
        (Some(_), true, Some(_)) => Level::Failure,
        (Some(worry), true, None) => worry.0,
    };
    let mut found = parts.join("; ");
    if let Some((_, worry)) = &worry {
        found = format!("{worry} ({found})");
    }
    if about.counters.iter().all(|c| matches!(c.domain, Domain::Package | Domain::Core)) {
        found += "; no DRAM counter, so the memory's energy is not in the total";
    }
    if !about.absent.is_empty() {
        found += &format!("; no counter behind {}: it never moves", about.absent.join(", "));
    }
    let names: Vec<&str> = about.counters.iter().map(|c| c.name.as_str()).collect();
    let finding = titled(kind, level, found)
        .with("works", true)
        .with("version", about.version.clone())
        .with("way", about.way.clone())
        .with("counters", names)
        .with("resolution_j", resolution(&about.counters))
        .with("rest_w", movement.rest_w)
        .with("load_w", movement.load_w)
        .with("wraps_after_s", wrap)
        .with("cards", serde_json::to_value(&about.cards).unwrap_or_default())
        .with("absent", about.absent.clone())
        .with("notes", about.notes.clone());
    match remedy {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

/// What speaks against a meter that works, and what to do.
fn worry(
    about: &MeterDescription,
    movement: &Movement,
    wrap: Option<f64>,
    context: &Context,
) -> Option<((Level, String), String)> {
    let warn = |text: String, remedy: &str| Some(((Level::Warning, text), remedy.to_owned()));
    if let Some(fault) = &movement.fault {
        return warn(format!("it failed within two seconds: {fault}"), "Take another --meter");
    }
    // Dies of one package have zones of their own: package-0-die-1.
    let package = |c: &Counter| c.name.split("-die-").next().map(str::to_owned);
    let packages = about.counters.iter().filter(|c| c.domain == Domain::Package);
    let packages: BTreeSet<String> = packages.filter_map(package).collect();
    let packages = Some(packages.len()).filter(|read| *read > 0);
    if !about.cards.is_empty() {
        // The load of the processors is none of theirs.
        return worry_of_cards(&about.cards)
            .map(|(text, remedy)| ((Level::Warning, text), remedy.to_owned()));
    }
    if let (Some(read), Some(sockets)) = (packages, context.sockets)
        && read < sockets
    {
        return warn(
            format!("it reads {read} of {sockets} sockets"),
            "Take --meter rapl where all of them show there, or keep all work on one socket",
        );
    }
    if wrap.is_some_and(|seconds| context.interval.as_secs_f64() * 2.0 > seconds) {
        let interval = humantime::format_duration(context.interval);
        return warn(
            format!("at --interval {interval} a wrap of the counter can be missed"),
            "Sample more often: --interval 200ms",
        );
    }
    let (rest, load) = movement.rest_w.zip(movement.load_w)?;
    if load >= rest * LEAST_RISE {
        return None;
    }
    if context.elsewhere.is_some_and(|share| share > NO_REST) {
        return Some((
            (
                Level::Unknown,
                "whether it follows the load cannot be told, as others load the machine".into(),
            ),
            "End what else runs and look again".to_owned(),
        ));
    }
    warn(
        "it does not follow the load of all processors".to_owned(),
        "Do not trust it: measure on the machine itself, or take another --meter",
    )
}

/// `GPU 0 NVIDIA A30, driver 550.54, limit 165 W`.
fn card(card: &Card) -> String {
    let mut parts = vec![format!("GPU {} {}", card.gpu, card.name)];
    parts.extend(card.driver.as_ref().map(|driver| format!("driver {driver}")));
    parts.extend(card.power_limit_w.map(|watts| format!("limit {watts:.0} W")));
    parts.extend(
        card.persistence.map(|on| format!("persistence {}", if on { "on" } else { "off" })),
    );
    parts.extend(
        card.clock_mhz.zip(card.clock_most_mhz).map(|(now, most)| format!("{now} of {most} MHz")),
    );
    parts.join(", ")
}

/// What speaks against the cards' numbers, and what to do.
fn worry_of_cards(cards: &[Card]) -> Option<(String, &'static str)> {
    let of = |wrong: fn(&Card) -> bool| cards.iter().find(|card| wrong(card)).map(|card| card.gpu);
    if let Some(gpu) = of(|card| card.mig == Some(true)) {
        let text = format!("GPU {gpu} is split (MIG): its counter covers what others do on it");
        return Some((text, "Measure while nobody else computes on the card"));
    }
    if let Some(gpu) = of(|card| card.processes.is_some_and(|count| count > 0)) {
        let text = format!("other processes compute on GPU {gpu}, and what they draw is counted");
        return Some((text, "End them (nvidia-smi shows which), or leave the card out: --gpus"));
    }
    if let Some(gpu) = of(|card| card.persistence == Some(false)) {
        let text = format!("GPU {gpu} falls asleep while nobody uses it, and waking takes energy");
        return Some((text, "Keep it awake until the next reboot with\n  sudo nvidia-smi -pm 1"));
    }
    None
}

/// `package-0, package-1; dram of 2`: the counted ones by name, the others by their number.
fn covers(counters: &[Counter]) -> String {
    let mut by_domain: BTreeMap<Domain, Vec<&str>> = BTreeMap::new();
    for counter in counters {
        by_domain.entry(counter.domain).or_default().push(&counter.name);
    }
    let told = by_domain.iter().map(|(domain, names)| match names.as_slice() {
        [_] => domain.to_string(),
        many => format!("{} × {domain}", many.len()),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Joules of the smallest step of the coarsest counted counter.
fn resolution(counters: &[Counter]) -> Option<f64> {
    let ranges = counters.iter().filter(|c| c.counted).filter_map(|c| c.range_j);
    ranges.reduce(f64::max).map(|range| range / REGISTER)
}

/// Seconds under load until the first package counter starts again at 0. All packages together draw
/// what was seen, memory included, so that this errs on the short side.
fn wraps_after(counters: &[Counter], movement: &Movement) -> Option<f64> {
    let packages: Vec<f64> =
        counters.iter().filter(|c| c.domain == Domain::Package).filter_map(|c| c.range_j).collect();
    let least = packages.iter().copied().reduce(f64::min)?;
    let each = movement.load_w.filter(|watts| *watts > 0.0)? / packages.len() as f64;
    Some(least / each)
}

#[cfg(test)]
mod tests;
