//! Accounting against energies that are known beforehand.

use proptest::prelude::*;

use super::*;
use crate::phase::Edge;
use crate::samples::{Column, Quantity};

const START_MS: f64 = 1_740_653_207_388.0;

fn column(name: &str, domain: Domain, quantity: Quantity) -> Column {
    Column { name: name.into(), domain, quantity, scale: 1.0, index: 0 }
}

fn package(values: &[f64]) -> Trace {
    trace(&[(column("CPU_ENERGY (J)", Domain::Package, Quantity::Counter), values)], 200.0)
}

/// Samples every `interval_ms`.
fn trace(columns: &[(Column, &[f64])], interval_ms: f64) -> Trace {
    let n = columns[0].1.len();
    Trace {
        file: "made.csv".into(),
        columns: columns.iter().map(|(c, _)| c.clone()).collect(),
        time_ms: (0..n).map(|i| START_MS + interval_ms * i as f64).collect(),
        series: columns.iter().map(|(_, v)| v.to_vec()).collect(),
        lines: (2..n as u64 + 2).collect(),
    }
}

fn marks(spans: &[(Phase, f64, f64)]) -> Vec<PhaseMark> {
    let mark = |phase, edge, s: f64| PhaseMark {
        phase,
        edge,
        unix_ns: START_MS as i64 * 1_000_000 + (s * 1e9).round() as i64,
    };
    spans
        .iter()
        .flat_map(|(p, a, b)| [mark(*p, Edge::Begin, *a), mark(*p, Edge::End, *b)])
        .collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

/// A counter at 10 J per interval that starts at `from` and wraps at `range`.
fn wrapping(from: f64, range: f64, n: u32) -> Vec<f64> {
    (0..n).map(|i| (from + 10.0 * f64::from(i)) % range).collect()
}

#[test]
fn a_wrap_is_corrected_by_the_range_that_the_unit_implies() {
    for exponent in [16, 14] {
        let (range, unit) = (2f64.powi(32 - exponent), 2f64.powi(-exponent));
        let mut values = wrapping(range - 95.5, range, 50);
        // One reading shows the unit.
        values[3] += unit;
        let accounts = account(&package(&values), &[]);
        assert!(near(accounts.whole.total_j, 490.0), "{}", accounts.whole.total_j);
        assert_eq!(accounts.integrity.flags(), [Flag::Wrap]);
        let wrap = &accounts.integrity.wraps[0];
        assert_eq!((wrap.range_j, wrap.row, wrap.inferred), (range, 12, true));
        assert!(
            accounts.power.watts.iter().all(|w| (w - 50.0).abs() < 0.1),
            "the power has no hole"
        );
        let published = accounts.first_last.unwrap();
        assert!(near(published.energy_j, 490.0 - range), "the published recipe leaves the wrap in");
    }
}

#[test]
fn ranges_of_powercap_are_found_where_the_readings_are_microjoules() {
    for range in [65_532.610_987, 262_143.328_850] {
        let values: Vec<f64> = wrapping(range - 95.123_457, range, 50)
            .iter()
            .map(|v| (v * 1e6).round() / 1e6)
            .collect();
        let accounts = account(&package(&values), &[]);
        assert_eq!(accounts.integrity.wrap_range_j(), Some(range));
        assert!((accounts.whole.total_j - 490.0).abs() < 1e-5);
    }
}

#[test]
fn a_fall_that_no_range_explains_is_a_reset_and_its_energy_unknown() {
    let mut values: Vec<f64> = (0..60).map(|i| 30_000.25 + 10.0 * f64::from(i)).collect();
    values[40..].iter_mut().for_each(|v| *v -= 30_395.0);
    let spans = marks(&[(Phase::Data, 0.0, 4.0), (Phase::Train, 7.0, 8.0)]);
    let accounts = account(&package(&values), &spans);
    assert!(accounts.whole.total_j.is_nan() && accounts.whole.joules.is_empty());
    assert_eq!(accounts.integrity.flags(), [Flag::Reset]);
    assert_eq!(accounts.integrity.resets[0].row, 42);
    let why = accounts.integrity.unknown_energy().unwrap();
    assert!(why.contains("row 42") && why.contains("reset"), "{why}");
    // 4 s at 50 W that end before the reset are known; 7 s to 8 s span it, at 7.8 s to 8 s.
    assert!(near(accounts.phases[&Phase::Data].total_j, 200.0));
    assert!(accounts.phases[&Phase::Train].total_j.is_nan());
    let json = serde_json::to_string(&accounts).unwrap();
    let back: Accounts = serde_json::from_str(&json).unwrap();
    assert!(back.whole.total_j.is_nan(), "unknown stays unknown in JSON");
}

#[test]
fn a_counter_whose_values_lie_above_a_range_did_not_wrap_there() {
    // 80 J short of 65,536 above a counter that was once far beyond it.
    let mut values = vec![70_000.0, 70_010.0, 70_020.0, 70_030.0];
    values.extend(wrapping(65_456.0, 65_536.0, 30));
    let accounts = account(&package(&values), &[]);
    assert_eq!(accounts.integrity.wrap_count, 0);
    assert!(accounts.whole.total_j.is_nan());
}

#[test]
fn a_fall_with_nothing_around_to_compare_is_not_guessed_over() {
    let accounts = account(&package(&[65_530.0, 5.0]), &[]);
    assert_eq!(accounts.integrity.flags(), [Flag::Reset]);
}

#[test]
fn a_known_range_is_used_and_a_restart_still_noticed() {
    let known = Wrapping::Known(BTreeMap::from([(Domain::Package, 25.0)]));
    let wrapped = account_with(&package(&wrapping(3.0, 25.0, 40)), &[], &known);
    assert!(near(wrapped.whole.total_j, 390.0));
    assert_eq!(wrapped.integrity.wrap_count, 15);
    assert!(!wrapped.integrity.wraps[0].inferred);

    let known = Wrapping::Known(BTreeMap::from([(Domain::Package, 65_532.610_987)]));
    let values = [100.0, 110.0, 120.0, 130.0, 0.0, 10.0, 20.0];
    assert_eq!(account_with(&package(&values), &[], &known).integrity.reset_count, 1);
    let own = account_with(&package(&wrapping(65_456.0, 65_536.0, 30)), &[], &Wrapping::Never);
    assert_eq!(own.integrity.reset_count, 1, "our own files hold no wraps");
}

#[test]
fn cores_mixed_into_one_column_are_left_out_and_the_total_stands() {
    let package: Vec<f64> = (0..50).map(|i| 100.0 + 5.0 * f64::from(i)).collect();
    let core: Vec<f64> = (0..50).map(|i| [2200.0, 1900.0][i % 2] + i as f64).collect();
    let both = trace(
        &[
            (column("CORE0_ENERGY (J)", Domain::Core, Quantity::Counter), &core),
            (column("CPU_ENERGY (J)", Domain::Package, Quantity::Counter), &package),
        ],
        200.0,
    );
    let accounts = account(&both, &[]);
    assert_eq!(accounts.whole.total_j, 245.0);
    assert_eq!(accounts.whole.joules.keys().collect::<Vec<_>>(), [&Domain::Package]);
    assert_eq!(accounts.integrity.flags(), [Flag::CoreUnusable]);
}

#[test]
fn domains_are_separate_and_the_core_is_not_added() {
    let ramp = |w: f64| (0..11).map(|i| w * 0.2 * f64::from(i)).collect::<Vec<_>>();
    let all = trace(
        &[
            (column("PACKAGE_ENERGY (J)", Domain::Package, Quantity::Counter), &ramp(40.0)),
            (column("PP0_ENERGY (J)", Domain::Core, Quantity::Counter), &ramp(30.0)),
            (column("DRAM_ENERGY (J)", Domain::Dram, Quantity::Counter), &ramp(5.0)),
            (column("GPU0_POWER (mWatts)", Domain::Gpu(0), Quantity::Power), &[20.0; 11]),
        ],
        200.0,
    );
    let whole = account(&all, &[]).whole;
    let got: Vec<f64> = whole.joules.values().copied().collect();
    for (got, want) in got.iter().zip([80.0, 60.0, 10.0, 40.0]) {
        assert!(near(*got, want), "{got} for {want}");
    }
    assert!(near(whole.total_j, 130.0) && near(whole.watts(), 65.0));
}

#[test]
fn powers_are_integrated_by_the_trapezoid() {
    // A ramp of 10 W/s over 2 s: 20 J, which the trapezoid gives exactly.
    let ramp: Vec<f64> = (0..11).map(|i| 2.0 * f64::from(i)).collect();
    let power = column("SYSTEM_POWER (Watts)", Domain::System, Quantity::Power);
    let accounts = account(&trace(&[(power, &ramp)], 200.0), &[]);
    assert!(near(accounts.whole.total_j, 20.0));
    assert_eq!(accounts.first_last, None);
}

#[test]
fn doubtful_samples_are_flagged() {
    let steady: Vec<f64> = (0..60).map(|i| 10.0 * f64::from(i)).collect();
    let mut gap = package(&steady);
    gap.time_ms[30..].iter_mut().for_each(|t| *t += 5_000.0);
    let integrity = account(&gap, &[]).integrity;
    assert_eq!(integrity.flags(), [Flag::Gap]);
    assert_eq!((integrity.gaps, integrity.max_gap_s, integrity.median_interval_s), (1, 5.2, 0.2));

    let mut stuck = steady.clone();
    stuck[20..40].fill(190.0);
    stuck[40..].iter_mut().for_each(|v| *v -= 200.0);
    let integrity = account(&package(&stuck), &[]).integrity;
    assert_eq!(integrity.flags(), [Flag::StuckCounter]);
    assert!(integrity.unknown_energy().unwrap().contains("stood still for 4.0 s"));

    let mut jump = steady.clone();
    jump[30..].iter_mut().for_each(|v| *v += 1e6);
    assert_eq!(account(&package(&jump), &[]).integrity.flags(), [Flag::ImplausiblePower]);

    let double: Vec<f64> = steady.iter().map(|v| 2.0 * v).collect();
    let core_above = trace(
        &[
            (column("PACKAGE_ENERGY (J)", Domain::Package, Quantity::Counter), &steady),
            (column("PP0_ENERGY (J)", Domain::Core, Quantity::Counter), &double),
        ],
        200.0,
    );
    assert_eq!(account(&core_above, &[]).integrity.flags(), [Flag::CoreAbovePackage]);

    let late = account(&package(&steady), &marks(&[(Phase::Train, 10.0, 14.0)]));
    assert_eq!(late.integrity.flags(), [Flag::Uncovered]);
    assert!(
        near(late.integrity.uncovered_s, 2.2) && near(late.phases[&Phase::Train].total_j, 90.0)
    );
}

#[test]
fn the_window_needs_all_its_phases() {
    use Phase::*;
    let steady: Vec<f64> = (0..60).map(|i| 10.0 * f64::from(i)).collect();
    let spans = [(Data, 0.0, 1.0), (Build, 1.0, 1.5), (Train, 1.5, 7.1), (Evaluate, 7.1, 8.05)];
    let accounts = account(&package(&steady), &marks(&spans));
    let window = accounts.window.unwrap();
    assert!(near(window.seconds, 7.05) && near(window.total_j, 7.05 * 50.0));
    assert_eq!(account(&package(&steady), &marks(&spans[..3])).window, None);
}

/// A command of 7 ms is run again and again, each run marked, and sampled every 200 ms beside.
#[test]
fn what_marks_cut_short_is_no_rhythm_and_leaves_no_gaps() {
    let every = |ms: usize| (0..3000).filter(move |t| t % ms == 0);
    let mut times: Vec<usize> = every(200).chain(every(7).filter(|t| *t < 1000)).collect();
    times.sort_unstable();
    times.dedup();
    let values: Vec<f64> = times.iter().map(|t| 0.05 * *t as f64).collect();
    let mut made = package(&values);
    let begin = made.time_ms[0];
    made.time_ms = times.iter().map(|t| begin + *t as f64).collect();
    let spans: Vec<_> =
        (0..142).map(|n| (Phase::Run, f64::from(n) * 0.007, f64::from(n + 1) * 0.007)).collect();
    let accounts = account(&made, &marks(&spans));
    assert_eq!(accounts.integrity.gaps, 0, "{:?}", accounts.integrity);
    assert!(near(accounts.window.unwrap().total_j, 0.05 * 994.0));
}

/// Increments of a counter in units of 2^-16 J: up to 40 J per interval.
fn increments() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(65_536u32..40 * 65_536, 20..300)
}

proptest! {
    #[test]
    fn wherever_a_register_starts_and_wraps_the_joules_are_the_same(
        counts in increments(), start: u32,
    ) {
        let unit = 2f64.powi(-16);
        let mut register = start;
        let mut values = vec![f64::from(register) * unit];
        for count in &counts {
            register = register.wrapping_add(*count);
            values.push(f64::from(register) * unit);
        }
        let truth: f64 = counts.iter().map(|c| f64::from(*c) * unit).sum();
        let accounts = account(&package(&values), &[]);
        prop_assert_eq!(accounts.integrity.reset_count, 0);
        prop_assert!(near(accounts.whole.total_j, truth));
        prop_assert_eq!(accounts.power.watts.len(), accounts.power.t_s.len());
        prop_assert!(accounts.power.watts.len() <= PowerTrace::POINTS);
    }

    #[test]
    fn phases_that_tile_the_samples_share_out_all_the_energy(
        counts in increments(), start: u32, cuts in prop::collection::vec(0.0f64..1.0, 4),
    ) {
        let unit = 2f64.powi(-16);
        let mut register = start;
        let mut values = vec![f64::from(register) * unit];
        for count in &counts {
            register = register.wrapping_add(*count);
            values.push(f64::from(register) * unit);
        }
        let length = 0.2 * counts.len() as f64;
        let mut cuts = cuts;
        cuts.sort_by(f64::total_cmp);
        let edge = |i: usize| match i { 0 => 0.0, 5 => length, i => length * cuts[i - 1] };
        let spans: Vec<_> =
            Phase::ALL.iter().enumerate().map(|(i, p)| (*p, edge(i), edge(i + 1))).collect();
        let accounts = account(&package(&values), &marks(&spans));
        let sum: f64 = accounts.phases.values().map(|e| e.total_j).sum();
        prop_assert!((sum - accounts.whole.total_j).abs() < 1e-6 * accounts.whole.total_j);
        prop_assert!(accounts.phases.values().all(|e| e.total_j >= -1e-9));
        prop_assert!(accounts.integrity.uncovered_s.abs() < 1e-6);
    }

    #[test]
    fn nothing_that_can_stand_in_a_file_makes_it_panic(
        values in prop::collection::vec(-1e9f64..1e9, 2..80),
        steps in prop::collection::vec(prop_oneof![Just(0.0), 0.0f64..1e7], 79),
        edges in prop::collection::vec((0usize..5, any::<bool>(), any::<i64>()), 0..12),
    ) {
        let power: Vec<f64> = values.iter().map(|v| v / 1e6).collect();
        let mut made = trace(
            &[
                (column("CPU_ENERGY (J)", Domain::Package, Quantity::Counter), &values),
                (column("GPU0_POWER (Watts)", Domain::Gpu(0), Quantity::Power), &power),
            ],
            200.0,
        );
        for i in 1..values.len() {
            made.time_ms[i] = made.time_ms[i - 1] + steps[i - 1];
        }
        let marks: Vec<PhaseMark> = edges
            .into_iter()
            .map(|(p, begin, unix_ns)| PhaseMark {
                phase: Phase::ALL[p],
                edge: if begin { Edge::Begin } else { Edge::End },
                unix_ns,
            })
            .collect();
        let accounts = account(&made, &marks);
        prop_assert_eq!(accounts.integrity.samples, values.len() as u64);
        prop_assert!(accounts.power.watts.len() <= PowerTrace::POINTS);
        for part in [&accounts, &accounts.restricted(&[Domain::Gpu(0)])] {
            let energies = part.phases.values().chain([&part.whole]);
            for energy in energies {
                prop_assert!((0.0..=1.0).contains(&energy.coverage), "{}", energy.coverage);
            }
            // What is unknown has a reason.
            let why = part.integrity.unknown_energy();
            prop_assert!(part.whole.total_j.is_finite() || why.is_some());
        }
    }
}
