//! What a meter that works covers, how finely and for how long, and what speaks against it.

use super::{Context, titled};
use crate::doctor::finding::{Finding, Level};
use crate::doctor::tried::Movement;
use crate::meter::{Card, Counter, Kind, MeterDescription};
use crate::samples::Domain;
use crate::units;
use std::collections::{BTreeMap, BTreeSet};

/// A meter that moves by less than this from rest to full load does not follow it. Processors at rest
/// draw a small part of what they draw under load, so that any sensor shows much more.
const LEAST_RISE: f64 = 1.05;

/// With this share of the processors busy elsewhere, the machine was not at rest and the comparison shows
/// nothing.
const NO_REST: f64 = 0.25;

/// Values of RAPL's registers: 32 bits, as the kernel takes their range (`intel_rapl_common.c`).
const REGISTER: f64 = 4_294_967_296.0;

pub(super) fn working(
    kind: Kind,
    about: &MeterDescription,
    movement: &Movement,
    wanted: bool,
    context: &Context,
) -> Finding {
    let wrap = wraps_after(&about.counters, movement);
    let parts = parts(kind, about, movement, wrap);
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

/// What it covers, how finely, and what it was seen to read.
fn parts(
    kind: Kind,
    about: &MeterDescription,
    movement: &Movement,
    wrap: Option<f64>,
) -> Vec<String> {
    let covered = covers(&about.counters);
    let assumed = about.counters.first().filter(|_| about.estimated);
    let mut parts = vec![match (about.cards.as_slice(), assumed) {
        ([], Some(assumed)) => assumed.name.clone(),
        ([], None) if kind.wraps() => format!("{}: {covered}", about.version),
        ([], None) => covered,
        (cards, _) => cards.iter().map(card).collect::<Vec<_>>().join("; "),
    }];
    parts.extend(about.way.as_ref().map(|way| match about.notes.iter().any(|n| n.contains(way)) {
        // The second way was taken for a reason, which is shown beside it.
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
    match wrap {
        Some(seconds) => parts.push(format!("wraps after {} of that", units::duration(seconds))),
        None if kind.wraps() => parts.push("range unknown".to_owned()),
        None => {}
    }
    parts
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
        // The processors' load does not load the cards.
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
