use super::simulated::normal;
use super::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// How often a null difference is found at any look, of `times` experiments.
fn found(design: &Sequential, place: usize, times: u32, seed: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let critical: Vec<(u32, f64)> = design
        .looks
        .iter()
        .zip(&design.nominal)
        .map(|(n, levels)| {
            let student = StudentsT::new(0.0, 1.0, f64::from(n - 1)).unwrap();
            (*n, -student.inverse_cdf(levels[place] / 2.0))
        })
        .collect();
    let mut crossed = 0;
    for _ in 0..times {
        let (mut sum, mut squares, mut at) = (0.0, 0.0, 0);
        for (n, critical) in &critical {
            while at < *n {
                let x = normal(&mut rng);
                (sum, squares, at) = (sum + x, squares + x * x, at + 1);
            }
            let n = f64::from(*n);
            let variance = (squares - sum * sum / n) / (n - 1.0);
            if (sum / n).abs() > critical * (variance / n).sqrt() {
                crossed += 1;
                break;
            }
        }
    }
    f64::from(crossed) / f64::from(times)
}

/// The chance of ever finding what is not there is what it is said to be, within four standard errors.
#[test]
fn the_error_over_all_looks_is_the_one_that_is_spent() {
    for (most, times) in [(4, 60_000), (30, 60_000), (150, 12_000)] {
        let design = Sequential::new(5.0, most, 3, 0.05);
        for alpha in [0.05, 0.05 / 3.0] {
            let place = design.overall.iter().position(|o| *o == alpha).unwrap();
            let rate = found(&design, place, times, u64::from(most));
            let error = (alpha * (1.0 - alpha) / f64::from(times)).sqrt();
            eprintln!("{most} blocks at {alpha:.4}: {rate:.4} ± {error:.4}");
            assert!((rate - alpha).abs() < 4.0 * error, "{most} blocks at {alpha}: {rate}");
        }
    }
}

/// With a single look it is the t-test.
#[test]
fn one_look_leaves_the_level_as_it_is() {
    let design = Sequential::new(5.0, 3, 1, 0.05);
    assert_eq!(design.looks, [3]);
    assert!((design.level(0.05, 3).unwrap() - 0.05).abs() < 1e-9);
    for p in [0.5, 0.04, 1e-3, 2e-6] {
        assert!((design.overall(p, 3) / p - 1.0).abs() < 1e-3, "{p}");
    }
    assert!((design.nominal(0.02, 3).unwrap() / 0.02 - 1.0).abs() < 1e-3);
    assert_eq!(design.overall(1e-3, 2), 1.0);
    assert_eq!(design.level(0.05, 2), None);
}

#[test]
fn levels_get_less_strict_and_the_last_look_is_nearly_what_it_would_be_alone() {
    let design = Sequential::new(5.0, 30, 3, 0.05);
    // The first has the error of three blocks to itself.
    let levels: Vec<f64> = (4..=30).map(|n| design.level(0.05, n).unwrap()).collect();
    assert!(levels.windows(2).all(|pair| pair[0] < pair[1]), "{levels:?}");
    assert!((0.015..0.03).contains(&levels[26]), "{}", levels[26]);
    // Every place of a row is stricter than the one before.
    assert!(design.nominal.iter().all(|row| row.windows(2).all(|pair| pair[0] > pair[1])));
}

#[test]
fn it_is_looked_after_each_block_and_later_more_rarely() {
    assert_eq!(looks(7), [3, 4, 5, 6, 7]);
    assert_eq!(looks(2), [2]);
    let many = looks(100_000);
    assert!(many.len() < 250 && many.ends_with(&[100_000]), "{}", many.len());
    assert!(many[..58].iter().copied().eq(3..=60));
}

#[test]
fn a_clear_difference_is_resolved_and_a_small_one_is_made_precise() {
    let design = Sequential::new(3.0, 30, 2, 0.05);
    let clear: Vec<f64> = (0..6).map(|i| 0.2 + 0.01 * f64::from(i % 3)).collect();
    let small: Vec<f64> = (0..6).map(|i| 0.002 * f64::from(i % 2)).collect();
    let states = [design.judge(&clear, 0.05), design.judge(&small, 0.05)];
    let standings = design.decide(&states, 0.05);
    assert!(standings[0].resolved && !standings[1].resolved, "{standings:?}");
    assert!(standings[1].precise && standings.iter().all(Standing::decided), "{states:?}");
    let few = design.judge(&clear[..2], 0.05);
    assert!(few.p == 1.0 && few.low_pct.is_none());
    // What does not spread at all is no measurement, and nothing is concluded from it.
    assert_eq!(design.judge(&[0.1; 6], 0.05).p, 1.0);
}

#[test]
fn holms_correction_is_statsmodels() {
    // multipletests([0.01, 0.04, 0.03, 0.5], method="holm")
    let corrected = holm(&[0.01, 0.04, 0.03, 0.5]);
    let expected = [0.04, 0.09, 0.09, 0.5];
    assert!(corrected.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{corrected:?}");
}

#[test]
fn the_forecast_counts_on_the_present_spread() {
    let design = Sequential::new(2.0, 60, 1, 0.05);
    let noisy: Vec<f64> = (0..8).map(|i| if i % 2 == 0 { 0.03 } else { -0.03 }).collect();
    let blocks = design.forecast(std::slice::from_ref(&noisy), 0.05, 1).unwrap();
    assert!((15..45).contains(&blocks), "{blocks}");
    assert_eq!(Sequential::new(0.1, 20, 1, 0.05).forecast(&[noisy], 0.05, 1), None);
}

#[test]
fn a_rule_that_was_tampered_with_is_refused() {
    let design = Sequential::new(2.0, 12, 3, 0.05);
    design.check().unwrap();
    for tamper in [
        |d: &mut Sequential| d.looks[0] = 0,
        |d: &mut Sequential| d.looks.clear(),
        |d: &mut Sequential| drop(d.nominal.pop()),
        |d: &mut Sequential| d.nominal[3][2] = 0.9,
        |d: &mut Sequential| d.overall[1] = f64::NAN,
        |d: &mut Sequential| d.precision_pct = -1.0,
    ] {
        let mut tampered = design.clone();
        tamper(&mut tampered);
        assert!(tampered.check().is_err(), "{tampered:?}");
    }
}
