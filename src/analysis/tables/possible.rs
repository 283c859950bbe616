//! Whether a table's numbers can be energies at all: what they would mean as power.
//!
//! Tables rarely state a unit, and some hold times or sums of counters in their energy column. Energy over time
//! is a power: one that no machine can have shows the mistake, whatever the column is called.

use super::columns::Columns;
use super::guess::Layout;
use super::row::Tabled;
use super::sheet::Sheet;
use crate::samples::Domain;
use crate::units::digits;

/// The lowest power that is believed, W. It is this low because tables also hold parts of machines and single
/// processes.
const LEAST_W: f64 = 1e-3;

/// From this share of impossible rows on, the unit was guessed wrongly; below it, those rows are wrong.
const NEARLY_ALL: f64 = 0.9;

/// Milliseconds since 1970, from 2001 to 2096: an impossible energy in this range is taken for a time.
const TIMES_MS: std::ops::Range<f64> = 1e12..4e12;

/// Marks the rows whose energy is impossible. Where `--columns` states the unit, no row is doubted.
///
/// # Errors
///
/// Nearly all rows are impossible: the column or its unit was guessed wrongly.
pub(super) fn check(
    trials: &mut [Tabled],
    sheet: &Sheet,
    layout: &Layout,
    asked: &Columns,
) -> Result<(), String> {
    if asked.unit.is_some() {
        return Ok(());
    }
    let most = Domain::System.plausible_watts();
    let mut watts: Vec<f64> = trials.iter().filter_map(power).collect();
    watts.sort_by(f64::total_cmp);
    let Some(&median) = watts.get(watts.len() / 2) else { return Ok(()) };
    let column = layout.energy_name(sheet);
    let impossible = watts.iter().filter(|w| !(LEAST_W..=most).contains(*w)).count();
    if impossible as f64 >= NEARLY_ALL * watts.len() as f64 {
        let there = sheet.names.join(", ");
        let times = trials.iter().filter(|trial| is_time(trial)).count();
        let why = match 2 * times >= impossible {
            true => "its numbers are times, in milliseconds since 1970".to_owned(),
            false => {
                format!("the median run would draw {} W, which no machine does", digits(median))
            }
        };
        return Err(format!(
            "{column} cannot be read in {}: {why}. Say which column is the energy, and its unit (uJ, mJ, J, kJ, Wh or \
             kWh): --columns energy=COLUMN,unit=UNIT. There are {there}",
            layout.energy_unit()
        ));
    }
    for trial in trials.iter_mut() {
        if power(trial).is_some_and(|watts| watts > most) {
            let why = match is_time(trial) {
                true => "a time, in milliseconds since 1970".to_owned(),
                false => {
                    format!("more than {} W over its time, which no machine draws", digits(most))
                }
            };
            trial.row.impossible = Some(format!("its {column} is {why}"));
        }
    }
    Ok(())
}

/// Mean power, W; none where energy or time is not known or is none.
fn power(trial: &Tabled) -> Option<f64> {
    let joules = trial.row.accounts().whole.total_j;
    let watts = joules / trial.row.seconds.filter(|s| *s > 0.0)?;
    (watts.is_finite() && watts > 0.0).then_some(watts)
}

fn is_time(trial: &Tabled) -> bool {
    trial.row.total_j.is_some_and(|joules| TIMES_MS.contains(&joules))
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, find, read::Found};

    fn read(rows: &str, columns: &str) -> Result<Found, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.csv");
        std::fs::write(&path, format!("group,energy,seconds\n{rows}")).unwrap();
        find(folder.path(), &[path], &columns.parse::<Columns>().unwrap())
    }

    #[test]
    fn rows_that_are_times_or_beyond_all_machines_are_marked_and_others_stay() {
        // 50 W, 2026-02-03 in milliseconds, 300 kW, 19 kW, and two without power.
        let rows =
            "a,250,5\na,1770076800000,5\nb,3000000,10\nb,190000,10\nb,90,\nb,0,5\nb,300,5\nb,1,5\n";
        let found = read(rows, "").unwrap();
        let why: Vec<Option<&str>> =
            found.trials.iter().map(|t| t.row.impossible.as_deref()).collect();
        assert_eq!(why[0], None);
        assert!(why[1].unwrap().contains("energy is a time, in milliseconds"), "{why:?}");
        assert!(why[2].unwrap().contains("more than 20000 W over its time"), "{why:?}");
        assert_eq!(why[3..], [None; 5]);
    }

    #[test]
    fn a_table_read_in_a_wrong_unit_is_refused_until_the_unit_is_said() {
        // Microjoules of some 40 W, and kilowatt-hours of as much, taken for joules.
        for (rows, power) in [
            ("a,2400000000,60\nb,2460000000,60\na,2340000000,60\n", "40000000 W"),
            ("a,0.0000066,600\nb,0.0000067,600\na,0.0000065,600\n", "1.10e-8 W"),
            ("a,0.000066,0.1\nb,0.000067,0.1\na,0.000065,0.1\n", "6.60e-4 W"),
        ] {
            let told = read(rows, "").unwrap_err();
            assert!(told.contains(power) && told.contains("read in J"), "{told}");
            assert_eq!(read(rows, "unit=uJ").unwrap().trials.len(), 3);
        }
        let times = "a,1770076800000,5\nb,1770076860000,5\na,1770076920000,5\n";
        assert!(read(times, "").unwrap_err().contains("are times, in milliseconds"));
    }
}
