use super::*;

fn rows(text: &str) -> Result<Vec<Row>, ReadError> {
    let mut reader = Reader::new(Path::new("a.csv"), text.as_bytes())?;
    let (mut rows, mut row) = (Vec::new(), Row::default());
    while reader.next_row(&mut row)? {
        rows.push(row.clone());
    }
    Ok(rows)
}

/// The row and the fault of a file that must not be accepted.
fn fault(text: &str) -> (Option<u64>, Fault) {
    let error = rows(text).expect_err("accepted");
    assert!(error.to_string().starts_with("a.csv"), "{error}");
    (error.row, error.fault)
}

const HEAD: &str = "Delta,Time,CPU_ENERGY (J),CPU_USAGE_0";

#[test]
fn only_energy_and_time_are_read() {
    let got = rows(&format!("{HEAD}\n0,1000,5.5,what\n200,1200,6.25,ever\n")).unwrap();
    assert_eq!(got[0], Row { line: 2, time_ms: 1000.0, values: vec![5.5] });
    assert_eq!(got[1], Row { line: 3, time_ms: 1200.0, values: vec![6.25] });
}

#[test]
fn other_separators_line_ends_and_byte_order_marks_are_understood() {
    let plain = rows(&format!("{HEAD}\n0,1000,5.5,1\n200,1200,6.25,2\n")).unwrap();
    let text = format!("{HEAD}\n0,1000,5.5,1\n200,1200,6.25,2");
    for other in [
        text.clone(),
        text.replace('\n', "\r\n"),
        text.replace(',', ";"),
        text.replace(',', "\t"),
        text.replace(',', "|"),
        format!("\u{feff}{text}"),
        text.replace("Time", "\"Time\"").replace("Delta", "\"Delta\""),
    ] {
        assert_eq!(rows(&other).unwrap(), plain, "{other:?}");
    }
}

#[test]
fn broken_files_are_refused_with_row_and_reason() {
    use Fault::*;
    assert!(matches!(fault(""), (None, Empty)));
    assert!(matches!(fault("\n\n"), (None, Empty)));
    assert!(matches!(fault("a,b\n1,2\n"), (Some(1), NoTime)));
    assert!(matches!(fault("Delta,Time\n1,2\n"), (Some(1), NoEnergy { .. })));
    assert!(matches!(fault(HEAD), (None, NoSamples)));
    assert!(matches!(fault(&format!("{HEAD}\n0,1000,5.5,1\n")), (None, OneSample)));
    let after = |last: &str| fault(&format!("{HEAD}\n0,1000,5.5,1\n200,1200,6.25,2\n{last}\n"));
    assert!(matches!(after("200,1400,6"), (Some(4), CutRow { expected: 4, found: 3 })));
    assert!(matches!(after("200,1400,,1"), (Some(4), Missing { .. })));
    assert!(matches!(after("200,1400,six,1"), (Some(4), NotANumber { .. })));
    assert!(matches!(after("200,1400,NaN,1"), (Some(4), NotFinite { .. })));
    assert!(matches!(after("200,1400,-inf,1"), (Some(4), NotFinite { .. })));
    assert!(matches!(after("200,1400,1e999,1"), (Some(4), NotFinite { .. })));
    assert!(matches!(after("200,1199,7,1"), (Some(4), TimeBackwards { .. })));
    assert!(matches!(after("200,\u{0}\u{1},7,1"), (Some(4), NotANumber { .. })));
}

#[test]
fn the_row_is_the_line_an_editor_shows() {
    for (gap, row) in [("\n", 4), ("\r\n", 4), ("\n\n\n", 6), ("\r\n\r\n", 5)] {
        let end = if gap.contains('\r') { "\r\n" } else { "\n" };
        for tail in ["", end] {
            let text = format!("{HEAD}{end}0,1,1,1{end}0,2,2,2{gap}0,3,x,4{tail}");
            assert_eq!(fault(&text).0, Some(row), "{text:?}");
        }
    }
}

#[test]
fn a_decimal_comma_is_named_as_such() {
    let (row, fault) = fault("Time;CPU_ENERGY (J)\n1;2,5\n2;3,5\n");
    assert_eq!(row, Some(2));
    assert!(
        miette::Diagnostic::help(&fault).unwrap().to_string().contains("decimal comma"),
        "{fault}"
    );
}

#[test]
fn a_file_without_line_ends_is_not_read_into_memory() {
    let endless = |start: &str| {
        let source = start.as_bytes().chain(io::repeat(b'7'));
        let mut reader = Reader::new(Path::new("a.csv"), source)?;
        let mut row = Row::default();
        while reader.next_row(&mut row)? {}
        Ok(())
    };
    for start in ["", HEAD, &format!("{HEAD}\n0,1,2,3\n1"), &format!("{HEAD}\n0,1,2,\"\n")] {
        let error: ReadError = endless(start).unwrap_err();
        assert!(matches!(error.fault, Fault::RowTooLong { .. }), "{start:?}: {error}");
    }
}
