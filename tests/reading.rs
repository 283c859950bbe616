//! What people's files of samples hold beside energy: registers that are not there, holes, other units,
//! other texts. Every truth is worked out from how the file is made, by hand.

use joulerace::Remedy as _;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use joulerace::energy::{Accounts, Flag, Wrapping, account_file, account_file_split};
use joulerace::samples::{Domain, ReadError};

const START_MS: f64 = 1_765_432_100_000.0;

struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(bytes: impl AsRef<[u8]>) -> File {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.csv"), bytes).unwrap();
        File { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("t.csv")
    }

    fn read(&self) -> Result<Accounts, ReadError> {
        account_file(&self.path(), &[], &Wrapping::Infer)
    }
}

/// Rows every quarter of a second, at the seconds given, with what each column shows then.
fn rows(columns: &[(&str, &dyn Fn(f64) -> f64)], seconds: impl Iterator<Item = f64>) -> String {
    let mut text = "Delta,Time".to_owned();
    columns.iter().for_each(|(name, _)| write!(text, ",{name}").unwrap());
    for t in seconds {
        write!(text, "\n250,{}", START_MS + 1000.0 * t).unwrap();
        columns.iter().for_each(|(_, shows)| write!(text, ",{}", shows(t)).unwrap());
    }
    text + "\n"
}

/// From 0 to `until` seconds.
fn every_quarter(until: f64) -> impl Iterator<Item = f64> {
    (0..=(4.0 * until) as u32).map(|i| f64::from(i) / 4.0)
}

fn accounts(columns: &[(&str, &dyn Fn(f64) -> f64)], until: f64) -> Accounts {
    File::new(rows(columns, every_quarter(until))).read().unwrap()
}

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() <= 1e-6 * want.abs()
}

const PACKAGE: &str = "PACKAGE_ENERGY (J)";
const DRAM: &str = "DRAM_ENERGY (J)";
const SYSTEM: &str = "SYSTEM_POWER (Watts)";

#[test]
fn a_column_that_is_constant_throughout_is_absent_and_the_total_stands() {
    let got = accounts(
        &[
            (PACKAGE, &|t| 500.0 + 24.0 * t),
            (DRAM, &|_| 0.0),
            ("PP1_ENERGY (J)", &|_| 3.25),
            ("GPU0_POWER (mWatts)", &|_| 0.0),
        ],
        7.0,
    );
    assert_eq!(got.absent, [DRAM, "PP1_ENERGY (J)", "GPU0_POWER (mWatts)"]);
    assert_eq!(got.total, [Domain::Package]);
    assert!(near(got.whole.total_j, 168.0) && got.integrity.flags().is_empty());
    assert_eq!(got.integrity.unknown_energy(), None);
    assert_eq!(got.whole.joules.keys().collect::<Vec<_>>(), [&Domain::Package]);
}

#[test]
fn a_column_that_moved_and_then_stopped_is_frozen_from_a_second_on() {
    let got =
        accounts(&[(PACKAGE, &|t| 24.0 * t), (DRAM, &|t| 60.0 + 3.0 * f64::min(t, 2.5))], 8.0);
    assert!(got.absent.is_empty());
    assert_eq!(got.integrity.flags(), [Flag::StuckCounter]);
    let why = got.integrity.unknown_energy().unwrap();
    assert!(why.contains(DRAM) && why.contains("5.5 s from 2.5 s on"), "{why}");
    // The package alone is known.
    let package = got.restricted(&[Domain::Package]);
    assert_eq!(package.integrity.unknown_energy(), None);
    assert!(near(package.whole.total_j, 192.0));
}

#[test]
fn where_nothing_moves_nothing_was_measured() {
    let got = accounts(&[(PACKAGE, &|_| 812.5), (DRAM, &|_| 0.0)], 5.0);
    assert!(got.whole.total_j.is_nan());
    let why = got.integrity.unknown_energy().unwrap();
    assert!(why.starts_with("nothing was measured") && why.contains("812.5 J"), "{why}");
    assert!(got.integrity.flags().contains(&Flag::NothingMeasured));
    let power = accounts(&[(SYSTEM, &|_| 0.0)], 5.0);
    assert!(power.integrity.unknown_energy().unwrap().contains("0 W in all 21 rows"));
}

/// 6 s sampled, 50 s not, 9 s sampled.
fn slept() -> impl Iterator<Item = f64> {
    every_quarter(6.0).chain((0..=36).map(|i| 56.0 + f64::from(i) / 4.0))
}

#[test]
fn a_power_has_no_energy_where_it_was_not_sampled() {
    // A ramp, so that no two readings are alike: 10 W + 0.1 W/s.
    let got = File::new(rows(&[(SYSTEM, &|t| 10.0 + 0.1 * t)], slept())).read().unwrap();
    let sampled = (10.0 * 6.0 + 0.05 * 36.0) + (10.0 * 9.0 + 0.05 * (65.0 * 65.0 - 56.0 * 56.0));
    assert!(near(got.whole.total_j, sampled), "{}", got.whole.total_j);
    assert!(near(got.whole.seconds, 65.0) && near(got.whole.coverage, 15.0 / 65.0));
    assert!(near(got.whole.watts(), sampled / 15.0), "the mean is that of the sampled time");
    let why = got.integrity.unknown_energy().unwrap();
    assert!(why.contains("only 23.1%") && why.contains("50.0 s") && why.contains("99%"), "{why}");
    assert!(got.notes.iter().any(|note| note.contains("1 hole")), "{:?}", got.notes);
    assert!(got.power.t_s.iter().all(|t| *t < 6.0 || *t > 56.0), "no power in the hole");
}

#[test]
fn a_counter_that_was_read_on_both_sides_of_a_hole_keeps_its_joules() {
    let got = File::new(rows(&[(PACKAGE, &|t| 90.0 + 20.0 * t)], slept())).read().unwrap();
    assert!(near(got.whole.total_j, 1300.0) && got.whole.coverage == 1.0);
    assert_eq!(got.integrity.unknown_energy(), None);
    // Beside a power, the total is known as far as the power is.
    let gpu: &dyn Fn(f64) -> f64 = &|t| 5000.0 + t;
    let both = rows(&[(PACKAGE, &|t| 90.0 + 20.0 * t), ("GPU0_POWER (mWatts)", gpu)], slept());
    let both = File::new(both).read().unwrap();
    assert!(both.integrity.unknown_energy().is_some());
    assert!(near(both.whole.coverage, 15.0 / 65.0));
    let package = both.restricted(&[Domain::Package]);
    assert_eq!((package.whole.coverage, package.integrity.unknown_energy()), (1.0, None));
    assert!(near(package.whole.total_j, 1300.0));
    assert!(package.power.watts.iter().all(|watts| near(*watts, 20.0)));
}

#[test]
fn short_interruptions_are_no_holes() {
    // A second is what sensors average over; a row that is missing is bridged.
    let late = every_quarter(10.0).filter(|t| !(3.0..3.6).contains(t));
    let got = File::new(rows(&[(SYSTEM, &|t| 10.0 + 0.1 * t)], late)).read().unwrap();
    assert!(near(got.whole.total_j, 105.0) && got.whole.coverage == 1.0);
    // Where every interval is long, none of them is a hole.
    let slow = (0..20).map(|i| 5.0 * f64::from(i));
    let got = File::new(rows(&[(SYSTEM, &|_| 12.0)], slow)).read().unwrap();
    assert!(near(got.whole.total_j, 12.0 * 95.0) && got.integrity.unknown_energy().is_none());
}

#[test]
fn a_file_of_appended_runs_splits_at_its_holes() {
    // Three runs of 4 s, 30 s apart, at 15 W, 20 W and 25 W; the memory draws 2 W in the first only.
    let times = (0..3).flat_map(|run| every_quarter(4.0).map(move |t| t + 34.0 * f64::from(run)));
    let watts = |t: f64| 15.0 + 5.0 * (t / 34.0).floor();
    let columns: [(&str, &dyn Fn(f64) -> f64); 2] =
        [(SYSTEM, &watts), ("PP0_ENERGY (J)", &|t| 2.0 * f64::min(t, 4.0))];
    let file = File::new(rows(&columns, times));
    let whole = file.read().unwrap();
    assert!(near(whole.whole.total_j, 240.0) && whole.integrity.unknown_energy().is_some());
    let split = |hole| {
        account_file_split(&file.path(), &[], &Wrapping::Infer, Duration::from_secs(hole)).unwrap()
    };
    let parts = split(10);
    let joules: Vec<f64> = parts.iter().map(|part| part.whole.total_j).collect();
    assert_eq!(joules, [60.0, 80.0, 100.0]);
    for (part, begin) in parts.iter().zip([0.0, 34.0, 68.0]) {
        assert_eq!((part.whole.seconds, part.whole.coverage), (4.0, 1.0));
        assert_eq!(part.start_unix_ms, START_MS + 1000.0 * begin);
        assert_eq!(part.integrity.unknown_energy(), None);
        assert!(part.absent.is_empty(), "it moved in one of the parts");
    }
    assert!(parts[0].notes.iter().any(|note| note.contains("3 parts")), "{:?}", parts[0].notes);
    let unsplit = split(60);
    assert_eq!(unsplit.len(), 1);
    assert!(near(unsplit[0].whole.total_j, 240.0));
}

#[test]
fn a_counter_that_moved_in_another_part_is_frozen_in_this_one() {
    let times = every_quarter(5.0).chain(every_quarter(5.0).map(|t| t + 100.0));
    let dram: &dyn Fn(f64) -> f64 = &|t| if t < 50.0 { 2.0 * t } else { 10.0 };
    let file = File::new(rows(&[(PACKAGE, &|t| 30.0 * t), (DRAM, dram)], times));
    let hole = Duration::from_secs(20);
    let parts = account_file_split(&file.path(), &[], &Wrapping::Infer, hole).unwrap();
    assert_eq!(parts[0].integrity.unknown_energy(), None);
    let why = parts[1].integrity.unknown_energy().unwrap();
    assert!(why.contains(DRAM) && why.contains("5.0 s from 0.0 s on"), "{why}");
}

#[test]
fn what_no_machine_draws_is_refused_with_what_it_looks_like() {
    let why = |columns: &[(&str, &dyn Fn(f64) -> f64)]| {
        let got = accounts(columns, 6.0);
        assert!(got.whole.total_j.is_nan(), "never counted");
        assert!(got.integrity.flags().contains(&Flag::ImplausiblePower));
        got.integrity.unknown_energy().unwrap()
    };
    // 40 W in counts of 2^-14 J: 655,360 a second.
    let counts = why(&[(PACKAGE, &|t| 5e8 + (655_360.0 * t).round())]);
    assert!(counts.contains("655,360 W") && counts.contains("2⁻¹⁴ J (40.00 W)"), "{counts}");
    let milli = why(&[(PACKAGE, &|t| 70_000.5 + 45_000.0 * t)]);
    assert!(milli.contains("mJ in place of J (45.00 W)"), "{milli}");
    let low = why(&[(SYSTEM, &|t| 0.017 + 1e-5 * t)]);
    assert!(
        low.contains("less than a machine must") && low.contains("thousandths of it (17"),
        "{low}"
    );
    let negative = why(&[(SYSTEM, &|t| -14.0 - 0.1 * t)]);
    assert!(negative.contains("below zero"), "{negative}");
    // A jump that no wrap explains: 9,000 J in a quarter of a second.
    let jump = why(&[(PACKAGE, &|t| 20.0 * t + if t > 3.0 { 9000.0 } else { 0.0 })]);
    assert!(jump.contains("36,020 W") && jump.contains("row 15"), "{jump}");
}

#[test]
fn single_readings_that_cannot_be_are_passed_over_and_told() {
    let got = accounts(&[(SYSTEM, &|t| if t == 40.0 { -8.0 } else { 20.0 + 0.01 * t })], 100.0);
    // 100 s of a ramp from 20 to 21 W, less half a second at 20.4 W.
    assert!(near(got.whole.total_j, 2050.0 - 10.2), "{}", got.whole.total_j);
    assert!(near(got.whole.coverage, 0.995));
    assert_eq!(got.integrity.unknown_energy(), None);
    let told = got.notes.iter().any(|note| note.contains("-8.000 W in row 162"));
    assert!(told, "{:?}", got.notes);
}

#[test]
fn a_power_that_shows_one_number_for_long_is_told_and_counts() {
    let got = accounts(&[(SYSTEM, &|t| if t < 10.0 { 9.0 + 0.1 * t } else { 10.5 })], 40.0);
    assert_eq!(got.integrity.flags(), [Flag::ConstantPower]);
    assert!(got.notes[0].contains("10.50 W to the last digit"), "{:?}", got.notes);
    assert!(got.notes[0].contains("from 10.0 s on"), "{:?}", got.notes);
    assert!(got.whole.total_j.is_finite());
    let off = accounts(
        &[
            (PACKAGE, &|t| 30.0 * t),
            ("GPU0_POWER (mWatts)", &|t| {
                if t < 5.0 { 9000.0 + t } else { 0.0 }
            }),
        ],
        40.0,
    );
    assert!(off.notes[0].contains("'GPU0_POWER (mWatts)' is 0 W for 35.0 s"), "{:?}", off.notes);
}

#[test]
fn seconds_are_recognised_and_other_units_refused() {
    let plain = rows(&[(PACKAGE, &|t| 5.0 + 26.0 * t)], every_quarter(9.0));
    let scaled = |factor: f64| {
        let mut text = String::new();
        for (at, line) in plain.lines().enumerate() {
            let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
            if at > 0 {
                fields[1] = (fields[1].parse::<f64>().unwrap() * factor).to_string();
            }
            writeln!(text, "{}", fields.join(",")).unwrap();
        }
        File::new(text)
    };
    let seconds = scaled(1e-3).read().unwrap();
    assert!(near(seconds.whole.total_j, 234.0) && near(seconds.whole.seconds, 9.0));
    assert!(seconds.notes[0].contains("in seconds"), "{:?}", seconds.notes);
    for (factor, word) in [(1e3, "microseconds"), (1e6, "nanoseconds")] {
        let error = scaled(factor).read().unwrap_err().in_line();
        assert!(error.contains(word), "{error}");
    }
    // From some other beginning: Delta says that it is milliseconds.
    let relative = plain.replace("1765432", "");
    let relative = File::new(relative).read().unwrap();
    assert!(near(relative.whole.total_j, 234.0) && near(relative.whole.seconds, 9.0));
    let unknown = plain.replace("1765432", "").replace("\n250,", "\n0,");
    let error = File::new(unknown).read().unwrap_err().in_line();
    assert!(error.contains("no 'Delta' says in which unit"), "{error}");
}

#[test]
fn rows_that_grow_are_counted_from_the_right_where_that_is_safe() {
    let text = |names: &str, row: &dyn Fn(u32) -> String| {
        let mut text = format!("{names}\n");
        for i in 0..=20 {
            writeln!(text, "250,{},{}", START_MS + 250.0 * f64::from(i), row(i)).unwrap();
        }
        File::new(text)
    };
    // From the fifth sample on three more temperatures; the package sorts before them, the memory after.
    let more = |i: u32| if i < 5 { "41" } else { "41,43.5,44,40" };
    let energy = |i: u32| (10.0 + 5.0 * f64::from(i), 3.0 + f64::from(i));
    let found = text("Delta,Time,CPU_ENERGY (J),CPU_TEMP_0,DRAM_ENERGY (J),USED_SWAP", &|i| {
        format!("{},{},{},0", energy(i).0, more(i), energy(i).1)
    });
    let got = found.read().unwrap();
    assert!(near(got.whole.joules[&Domain::Package], 100.0));
    assert!(near(got.whole.joules[&Domain::Dram], 20.0));
    assert!(got.notes[0].contains("row 7") && got.notes[0].contains("3 more"), "{:?}", got.notes);

    // The header is not EnergiBridge's: nobody knows where the fields were added.
    let unsafe_ones = [
        text("Delta,Time,DRAM_ENERGY (J),CPU_TEMP_0,CPU_ENERGY (J)", &|i| {
            format!("{},{},{}", energy(i).1, more(i), energy(i).0)
        }),
        // Decimal commas from the first row on.
        text("Delta,Time,CPU_ENERGY (J),DRAM_ENERGY (J)", &|i| format!("{i},25,{i},75")),
    ];
    for file in unsafe_ones {
        let error = file.read().unwrap_err();
        let text = error.in_line();
        assert!(text.contains("which is which cannot be told"), "{text}");
        assert!(!text.contains("killed"), "{text}");
    }
}

#[test]
fn utf_16_is_read_and_told() {
    let plain = rows(&[(PACKAGE, &|t| 5.0 + 26.0 * t)], every_quarter(9.0)).replace('\n', "\r\n");
    let bytes: Vec<u8> =
        std::iter::once(0xfeffu16).chain(plain.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let got = File::new(bytes).read().unwrap();
    assert!(near(got.whole.total_j, 234.0), "{}", got.whole.total_j);
    assert_eq!(got.notes, ["its text is UTF-16"]);
}

#[test]
fn lines_that_are_no_samples_are_passed_over_and_told() {
    let plain = rows(&[(PACKAGE, &|t| 5.0 + 26.0 * t)], every_quarter(9.0));
    let lines: Vec<&str> = plain.lines().collect();
    let mut text = "loading the data\nTime, please\n".to_owned();
    for (at, line) in lines.iter().enumerate() {
        writeln!(text, "{line}").unwrap();
        if at == 11 {
            text += "Epoch 1/3, loss: 0.25\n\nTime,Loss\n";
            text += &format!("{}\n", lines[0]);
        }
    }
    text += "Energy consumption in joules: 234 for 9.0 sec of execution.\n";
    let got = File::new(text).read().unwrap();
    assert!(near(got.whole.total_j, 234.0) && got.integrity.samples == 37);
    assert_eq!(got.notes.len(), 1);
    assert!(got.notes[0].contains("6 lines are not samples"), "{:?}", got.notes);
    assert!(got.notes[0].contains("row 1: 'loading the data'"), "{:?}", got.notes);
}

#[test]
fn what_may_be_a_broken_row_is_never_passed_over() {
    let plain = rows(&[(PACKAGE, &|t| 5.0 + 26.0 * t), (DRAM, &|t| t)], every_quarter(9.0));
    let with = |at: usize, line: &str| {
        let mut lines: Vec<&str> = plain.lines().collect();
        lines.insert(at, line);
        File::new(lines.join("\n") + "\n").read().unwrap_err().in_line()
    };
    let broken = with(9, "250,176543");
    assert!(broken.contains("row 10") && broken.contains("more rows follow"), "{broken}");
    let cut = with(38, "250,17654");
    assert!(cut.contains("row 39") && cut.contains("killed while writing"), "{cut}");
    let joined = with(9, "Delta,Time,DRAM_ENERGY (J),PACKAGE_ENERGY (J)");
    assert!(joined.contains("second header with other columns"), "{joined}");
    // A quotation mark that is not closed would swallow the rows after it.
    assert!(with(9, "\"loading the data").contains("row"), "it is refused");
}

#[test]
fn numbers_as_people_write_them_are_refused_with_the_remedy() {
    let with = |number: &str| {
        let text = format!("Time;{PACKAGE}\n1765432100000;1.5\n1765432100250;{number}\n");
        File::new(text).read().unwrap_err().in_line()
    };
    assert!(with("2,5").contains("decimal comma: write"), "{}", with("2,5"));
    for grouped in ["1 000,000", "1\u{202f}000,5", "1.234,5", "1'234,5"] {
        let said = with(grouped);
        assert!(said.contains("digits stand in groups, with a decimal comma"), "{said}");
    }
    assert!(with("1 000.5").contains("without spaces"), "{}", with("1 000.5"));
    assert!(with("two").ends_with("is not a number"), "{}", with("two"));
}
