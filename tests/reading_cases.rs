//! Small folders with a known truth that lie beside the project; where they are not, this says so and passes.

use joulerace::energy::{Accounts, Wrapping, account_file};
use std::path::Path;

/// One of their files, as it is accounted; none where there are none.
fn case(path: &str) -> Option<Accounts> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    if !cases.is_dir() {
        eprintln!("skipped: {} is not there", cases.display());
        return None;
    }
    Some(account_file(&cases.join(path), &[], &Wrapping::Infer).unwrap())
}

#[test]
fn the_small_folders_are_read_as_they_should_be() {
    let usable = |path: &str, joules: f64, within: f64| {
        let Some(got) = case(path) else { return };
        assert_eq!(got.integrity.unknown_energy(), None, "{path}");
        let off = (got.whole.total_j - joules).abs();
        assert!(off <= within * joules, "{path}: {} J", got.whole.total_j);
    };
    let unusable = |path: &str, words: &[&str]| {
        let Some(got) = case(path) else { return };
        let why = got.integrity.unknown_energy().expect(path);
        assert!(words.iter().all(|word| why.contains(word)), "{path}: {why}");
    };
    for run in 1..=8 {
        usable(&format!("absent-register/lean/lean_{run}.csv"), 180.0, 0.05);
        usable(&format!("absent-register/rich/rich_{run}.csv"), 198.0, 0.05);
    }
    usable("frozen-register/a/a_1.csv", 204.0, 0.001);
    usable("frozen-register/a/a_3.csv", 204.0, 0.001);
    unusable("frozen-register/a/a_2.csv", &["DRAM_ENERGY (J)", "from 3.0 s on"]);
    unusable("unsampled-power/slept/slept_3.csv", &["100.0 s are missing"]);
    for run in 1..=7 {
        unusable(&format!("impossible/counts/counts_{run}.csv"), &["458,752 W", "counts of 2⁻¹⁴"]);
        usable(&format!("impossible/seconds/seconds_{run}.csv"), 218.4, 1e-6);
        unusable(
            &format!("impossible/milli/milli_{run}.csv"),
            &["less than a machine must draw", "11.00 W"],
        );
    }
    for run in 1..=2 {
        usable(&format!("late-columns/a/a_{run}.csv"), 120.0, 1e-6);
        usable(&format!("strange-text/a/a_{run}.csv"), 150.0, 1e-6);
    }
    if let Some(slept) = case("unsampled-power/slept/slept_3.csv") {
        assert!((slept.whole.total_j - 1200.0).abs() < 15.0, "{}", slept.whole.total_j);
    }
}
