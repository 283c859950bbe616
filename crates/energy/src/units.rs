//! Quantities as people read them: a unit that fits, and no more digits than were measured.

/// A value with three or four significant digits: `1 234`, `56.8`, `0.0123`; `–` where there is
/// none.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size >= 1000.0 {
        format!("{value:.0}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else if size >= 10.0 {
        format!("{value:.2}")
    } else if size >= 0.1 {
        format!("{value:.3}")
    } else if size >= 0.001 {
        format!("{value:.*}", if size >= 0.01 { 4 } else { 5 })
    } else {
        format!("{value:.2e}")
    }
}

/// Mean ± standard deviation, both to the same decimals: `582.4 ± 3.1`, `9.356 ± 0.028`. The
/// deviation has two significant digits, and no more decimals than the mean has.
pub fn mean_sd(mean: f64, sd: f64) -> String {
    if !(mean.is_finite() && sd.is_finite()) {
        return format!("{} ± –", digits(mean));
    }
    let places =
        |value: f64, digits: i32| digits - 1 - value.abs().max(1e-12).log10().floor() as i32;
    let decimals = places(mean, 4).min(places(sd, 2)).clamp(0, 9) as usize;
    format!("{mean:.decimals$} ± {sd:.decimals$}")
}

/// A duration in seconds as `15 ms`, `3.2 s`, `4 min 05 s` or `2 h 07 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".to_owned();
    }
    if seconds > 0.0 && seconds < 1.0 {
        let ms = seconds * 1e3;
        let decimals = if ms < 1.0 { 2 } else { usize::from(ms < 100.0) };
        return format!("{ms:.decimals$} ms");
    }
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours} h {minutes:02} min")
    } else {
        format!("{minutes} min {rest:02} s")
    }
}

/// Mean, sample standard deviation (n − 1; NaN for one value) and median.
pub fn mean_sd_median(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (f64::NAN, f64::NAN, f64::NAN);
    }
    let mean = values.iter().sum::<f64>() / n;
    let sd = if values.len() > 1 {
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
    } else {
        f64::NAN
    };
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    };
    (mean, sd, median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_deviation_and_median_of_known_values() {
        let (mean, sd, median) = mean_sd_median(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((mean, median), (5.0, 4.5));
        assert!((sd - 2.138_089_935).abs() < 1e-9);
        assert!(mean_sd_median(&[1.0]).1.is_nan());
    }

    #[test]
    fn a_mean_has_the_decimals_that_its_deviation_allows() {
        assert_eq!(mean_sd(542.44, 14.153), "542 ± 14");
        assert_eq!(mean_sd(582.44, 3.119), "582.4 ± 3.1");
        assert_eq!(mean_sd(9.3561, 0.0275), "9.356 ± 0.028");
        assert_eq!(mean_sd(6453.2, 262.5), "6453 ± 262");
        assert_eq!(mean_sd(50.0, f64::NAN), "50.00 ± –");
    }

    #[test]
    fn small_values_keep_plain_decimals() {
        assert_eq!((digits(0.01234).as_str(), digits(0.0012345).as_str()), ("0.0123", "0.00123"));
    }

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(duration(0.0), "0.0 s");
        assert_eq!(duration(0.0158), "15.8 ms");
        assert_eq!(duration(0.00042), "0.42 ms");
        assert_eq!(duration(0.9), "900 ms");
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(duration(245.0), "4 min 05 s");
        assert_eq!(duration(7620.0), "2 h 07 min");
    }
}
