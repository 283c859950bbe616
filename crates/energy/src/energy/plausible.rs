//! What a domain can draw, and what a number beyond that looks like.
//!
//! The limits ([`Domain::plausible_watts`], [`least_watts`]) lie far outside what machines do, so that
//! what lies beyond them is another quantity under that name, not a busy or an idle machine.

use crate::samples::{Column, Domain, Quantity};

/// A mean power says something about a column's unit only over this long, s: shorter than that, a
/// register's own steps show.
const JUDGED_FROM_S: f64 = 1.0;

/// Exponents of RAPL's energy units `2^-k` J, the commonest first (see [`super::wrap`]).
const COUNTS: [i32; 2] = [14, 16];

/// Mean power in watts below which a running machine's domain is not believed; 0 where any will do.
///
/// - A whole machine: a Raspberry Pi Zero, about the least that runs such a program, idles at 0.4 W, and
///   notebooks at 2 W and more.
/// - A package's RAPL counter: client processors in their deepest package state (C10) draw some 0.1 W, and
///   the sampling itself keeps them out of it. As a power, as Apple's firmware gives it: cores asleep
///   draw a few hundredths of a watt.
/// - Memory and graphics cards: may be switched off.
pub(crate) fn least_watts(domain: Domain, quantity: Quantity) -> f64 {
    match (domain, quantity) {
        (Domain::System | Domain::Platform, _) => 0.2,
        (Domain::Package, Quantity::Counter) => 0.05,
        (Domain::Package, Quantity::Power) => 0.005,
        _ => 0.0,
    }
}

/// Why the mean power `watts` of a column over `seconds` is impossible, if it is: a clause that begins with the
/// power. `whole` says whether all its readings are whole numbers.
pub(super) fn cannot_be(column: &Column, watts: f64, seconds: f64, whole: bool) -> Option<String> {
    if seconds < JUDGED_FROM_S || !watts.is_finite() {
        return None;
    }
    let (most, least) =
        (column.domain.plausible_watts(), least_watts(column.domain, column.quantity));
    let what = if watts < 0.0 {
        "a power below zero cannot be".to_owned()
    } else if watts > most {
        format!("more than {} can draw ({} W)", kind(column.domain), short(most))
    } else if watts < least {
        format!("less than {} must draw to run ({least} W)", kind(column.domain))
    } else {
        return None;
    };
    let guess = looks_like(column, watts, whole);
    Some(format!("{} W on average, {what}{guess}", short(watts)))
}

/// What an impossible power looks like, as the end of a sentence; empty where nothing fits.
pub(super) fn looks_like(column: &Column, watts: f64, whole: bool) -> String {
    let (most, least) =
        (column.domain.plausible_watts(), least_watts(column.domain, column.quantity));
    // The limits are wide; a guess has to hit what a machine usually draws.
    let usual = |watts: f64| watts > least.max(0.5) && watts < most / 4.0;
    let counter = column.quantity == Quantity::Counter;
    let (unit, mut guesses) = (if counter { "J" } else { "W" }, Vec::new());
    let mut guess = |name: String, factor: f64| {
        if usual(watts * factor) {
            guesses.push(format!("{name} ({} W)", short(watts * factor)));
        }
    };
    if watts > most {
        if counter && whole {
            for exponent in COUNTS {
                guess(format!("counts of 2{} J", raised(exponent)), 2f64.powi(-exponent));
            }
        }
        guess(format!("m{unit} in place of {unit}"), 1e-3);
        guess(format!("µ{unit} in place of {unit}"), 1e-6);
    } else {
        guess("thousandths of it".to_owned(), 1e3);
    }
    guesses.truncate(2);
    if guesses.is_empty() {
        return String::new();
    }
    format!("; it looks like {}", guesses.join(" or "))
}

fn kind(domain: Domain) -> &'static str {
    match domain {
        Domain::Package => "a machine's processors",
        Domain::Core | Domain::Uncore => "parts of a processor",
        Domain::Dram => "a machine's memory",
        Domain::Gpu(_) => "a graphics card",
        Domain::System | Domain::Platform => "a machine",
        Domain::Estimated => "an estimated processor",
    }
}

/// A power with three digits, large ones in whole watts.
pub(super) fn short(watts: f64) -> String {
    let size = watts.abs();
    if size >= 1000.0 {
        let whole = format!("{size:.0}");
        let mut grouped = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        return format!("{}{grouped}", if watts < 0.0 { "-" } else { "" });
    }
    crate::units::digits(watts)
}

/// `⁻¹⁴`.
fn raised(exponent: i32) -> String {
    let digit = |c: char| match c {
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    std::iter::once('⁻').chain(exponent.to_string().chars().map(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(domain: Domain, quantity: Quantity) -> Column {
        Column { name: "X".into(), domain, quantity, scale: 1.0, index: 0 }
    }

    #[test]
    fn counts_and_thousandths_are_recognised_and_ordinary_power_passes() {
        let package = column(Domain::Package, Quantity::Counter);
        let why = cannot_be(&package, 35.0 * 16384.0, 8.0, true).unwrap();
        assert!(why.contains("573,440 W") && why.contains("counts of 2⁻¹⁴ J (35.00 W)"), "{why}");
        let why = cannot_be(&package, 35_000.0, 8.0, false).unwrap();
        assert!(why.contains("mJ in place of J (35.00 W)"), "{why}");
        for watts in [0.3, 35.0, 900.0] {
            assert_eq!(cannot_be(&package, watts, 8.0, true), None);
        }
        let machine = column(Domain::System, Quantity::Power);
        let why = cannot_be(&machine, 0.023, 8.0, false).unwrap();
        assert!(why.contains("less than a machine must draw to run"), "{why}");
        assert!(why.contains("thousandths of it (23.00 W)"), "{why}");
        assert!(cannot_be(&machine, -3.0, 8.0, false).unwrap().contains("below zero"));
        assert_eq!(cannot_be(&machine, 0.023, 0.2, false), None, "too short to tell");
        assert_eq!(cannot_be(&column(Domain::Gpu(0), Quantity::Power), 0.02, 9.0, false), None);
    }
}
