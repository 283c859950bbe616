use super::*;
use crate::doctor::tried::Movement;
use crate::meter::{Counter, MeterDescription, MeterSettings, PerfError, select};
use crate::samples::Domain;

const CONTEXT: Context = Context {
    choice: Choice::Auto,
    cards_named: false,
    interval: Duration::from_millis(200),
    sockets: Some(1),
    elsewhere: Some(0.0),
    in_container: false,
};

fn package(name: &str) -> Counter {
    Counter {
        domain: Domain::Package,
        counted: true,
        name: name.into(),
        path: String::new(),
        range_j: Some(65_532.610_987),
        sensor: None,
        column: None,
        update_ms: None,
    }
}

fn rapl(counters: Vec<Counter>) -> MeterDescription {
    let counters = serde_json::to_value(counters).unwrap();
    serde_json::from_value(serde_json::json!({
        "kind": "rapl", "estimated": false, "version": "", "counters": counters, "notes": [],
    }))
    .unwrap()
}

fn moves(rest_w: f64, load_w: f64) -> Movement {
    Movement { rest_w: Some(rest_w), load_w: Some(load_w), fault: None }
}

fn missing(kind: Kind) -> Tried {
    let error = match kind {
        Kind::Energibridge => MeterError::EnergibridgeMissing { place: "none on PATH".into() },
        _ => MeterError::NoZones { powercap: "/p".into() },
    };
    Tried { kind, outcome: Err(error), movement: Movement::default() }
}

/// A machine that has `/proc/stat` and nothing else.
fn estimate_only() -> Vec<Tried> {
    let folder = tempfile::tempdir().unwrap();
    let stat = "cpu  1 0 0 9 0 0 0 0 0 0\ncpu0 1 0 0 9 0 0 0 0 0 0\n";
    std::fs::write(folder.path().join("stat"), stat).unwrap();
    let settings = MeterSettings {
        choice: Choice::only(Kind::Estimate),
        proc_root: folder.path().to_owned(),
        ..MeterSettings::default()
    };
    let meter = select(&settings).unwrap().meter;
    vec![
        missing(Kind::Energibridge),
        missing(Kind::Rapl),
        Tried { kind: Kind::Estimate, outcome: Ok(meter), movement: moves(10.0, 65.0) },
    ]
}

fn levels(tried: &[Tried], choice: Choice) -> Vec<Level> {
    judge(tried, &Context { choice, ..CONTEXT }).iter().map(|finding| finding.level).collect()
}

#[test]
fn an_estimate_is_a_warning_unless_a_meter_was_asked_for() {
    use Level::{Failure, Note, Ok, Warning};
    let tried = estimate_only();
    assert_eq!(levels(&tried, Choice::Auto), [Warning, Note, Note, Ok]);
    assert_eq!(levels(&tried, Choice::only(Kind::Rapl)), [Failure, Note, Failure, Ok]);
    assert_eq!(levels(&tried, Choice::only(Kind::Estimate)), [Warning, Note, Note, Ok]);
}

#[test]
fn a_machine_whose_counters_are_locked_is_told_how_to_open_them() {
    let mut tried = estimate_only();
    let command = "sudo chmod a+r /p/intel-rapl*/energy_uj".to_owned();
    tried[1].outcome = Err(MeterError::Permission { file: "/p/energy_uj".into(), command });
    for finding in &judge(&tried, &CONTEXT)[..3] {
        let remedy = finding.remedy.as_deref().unwrap();
        assert!(!remedy.is_empty(), "{finding:?}");
        if finding.id != "meter.energibridge" {
            assert!(remedy.contains("\n  sudo chmod a+r /p/intel-rapl*"), "{remedy}");
        }
    }
}

#[test]
fn unit_range_and_movement_are_told_in_numbers() {
    let finding =
        working(Kind::Rapl, &rapl(vec![package("package-0")]), &moves(8.0, 100.0), true, &CONTEXT);
    assert_eq!(finding.level, Level::Ok);
    // A 2^-16 J counter wraps at 65.5 kJ: after 655 s of 100 W.
    assert!(finding.found.contains("15.26 µJ"), "{}", finding.found);
    assert!(finding.found.contains("10 min 55 s"), "{}", finding.found);
    assert!((finding.details["wraps_after_s"].as_f64().unwrap() - 655.3).abs() < 0.1);
}

#[test]
fn a_counter_that_ignores_the_load_is_not_trusted_and_one_on_a_busy_machine_not_judged() {
    let about = rapl(vec![package("package-0")]);
    let level = |movement: &Movement, wanted, elsewhere| {
        working(Kind::Rapl, &about, movement, wanted, &Context { elsewhere, ..CONTEXT }).level
    };
    assert_eq!(level(&moves(50.0, 50.0), true, Some(0.0)), Level::Warning);
    assert_eq!(level(&moves(50.0, 50.0), false, Some(0.0)), Level::Note);
    assert_eq!(level(&moves(50.0, 50.0), true, Some(0.9)), Level::Unknown);
    let fault = Some("gone".to_owned());
    assert_eq!(level(&Movement { fault, ..moves(9.0, 60.0) }, true, None), Level::Failure);
}

#[test]
fn a_socket_that_is_not_read_is_missed_and_dies_are_no_sockets() {
    let level = |names: &[&str], sockets| {
        let counters = names.iter().map(|name| package(name)).collect();
        let context = Context { sockets: Some(sockets), ..CONTEXT };
        working(Kind::Rapl, &rapl(counters), &moves(8.0, 100.0), true, &context).level
    };
    assert_eq!(level(&["package-0"], 2), Level::Warning);
    assert_eq!(level(&["package-0", "package-1"], 2), Level::Ok);
    assert_eq!(level(&["package-0-die-0", "package-0-die-1"], 2), Level::Warning);
}

#[test]
fn an_interval_in_which_the_counter_may_wrap_twice_is_too_long() {
    let context = Context { interval: Duration::from_secs(600), ..CONTEXT };
    let finding =
        working(Kind::Rapl, &rapl(vec![package("package-0")]), &moves(8.0, 100.0), true, &context);
    assert_eq!(finding.level, Level::Warning);
    assert!(finding.remedy.unwrap().contains("--interval"));
}

#[test]
fn both_ways_in_to_rapl_are_named_where_neither_works_and_the_one_that_grants_most() {
    let mut tried = estimate_only();
    let neither = |powercap, perf| MeterError::NeitherWay { powercap: Box::new(powercap), perf };
    let zones = || MeterError::NoZones { powercap: "/p".into() };
    let program = || "/opt/bin/joulerace".into();
    tried[1].outcome = Err(neither(zones(), PerfError::Paranoid { level: 2, program: program() }));
    let findings = judge(&tried, &CONTEXT);
    let (meter, rapl) = (&findings[0], &findings[2]);
    assert!(
        rapl.found.contains("/p") && rapl.found.contains("perf_event_paranoid is 2"),
        "{rapl:?}"
    );
    for told in [meter, rapl] {
        let remedy = told.remedy.as_deref().unwrap();
        assert!(remedy.contains("\n  sudo sysctl kernel.perf_event_paranoid=0"), "{remedy}");
    }
    // Where powercap is only locked, that is the lesser right.
    let command = "sudo chmod a+r /p/intel-rapl*/energy_uj".to_owned();
    let locked = MeterError::Permission { file: "/p/energy_uj".into(), command: command.clone() };
    tried[1].outcome = Err(neither(locked, PerfError::Paranoid { level: 2, program: program() }));
    let meter = &judge(&tried, &CONTEXT)[0];
    assert!(meter.remedy.as_deref().unwrap().ends_with(&command), "{meter:?}");
    // A machine with neither is told so, and not that it has counters.
    tried[1].outcome = Err(neither(zones(), PerfError::Absent { folder: "/e/power".into() }));
    let findings = judge(&tried, &CONTEXT);
    assert!(!findings[0].remedy.as_deref().unwrap().contains("has counters"), "{findings:?}");
    let remedy = findings[2].remedy.as_deref().unwrap();
    assert!(remedy.contains("sudo modprobe intel_rapl_msr"), "{remedy}");
    assert!(remedy.contains("sudo modprobe rapl"), "{remedy}");
}

#[test]
fn the_way_in_is_told_of_counters_that_work() {
    let mut about = rapl(vec![package("package-0")]);
    about.way = Some("perf events".to_owned());
    about.counters[0].range_j = None;
    let finding = working(Kind::Rapl, &about, &moves(8.0, 100.0), true, &CONTEXT);
    assert!(finding.found.starts_with("package; through perf events; 8"), "{}", finding.found);
    assert!(!finding.found.contains("wraps"), "{}", finding.found);
}

#[test]
fn in_a_container_the_remedy_is_the_hosts() {
    let denied = Tried {
        kind: Kind::Rapl,
        outcome: Err(MeterError::Permission {
            file: "/powercap/x".into(),
            command: "sudo x".into(),
        }),
        movement: Movement::default(),
    };
    let remedy = |tried: Tried, in_container| -> String {
        let mut all = estimate_only();
        all[1] = tried;
        let judged = judge(&all, &Context { in_container, ..CONTEXT });
        let remedies = judged.into_iter().filter_map(|finding| finding.remedy);
        remedies.collect::<Vec<_>>().join("\n")
    };
    assert!(remedy(missing(Kind::Rapl), true).contains("-v /sys/devices/virtual/powercap"));
    assert!(remedy(missing(Kind::Rapl), false).contains("modprobe"));
    let told = remedy(denied, true);
    assert!(told.contains("On the host") && !told.contains("sudo x"), "{told}");
}
