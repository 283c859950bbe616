//! Writes samples in EnergiBridge's CSV format, so that an analysis written for one reads the others.
//!
//! The header is `Delta,Time,` and then the columns sorted by name; `Time` is the wall clock of the
//! reading in whole Unix milliseconds. `Delta` is the milliseconds since the row before, 0 in the
//! first: EnergiBridge's own `Delta` (from a sample to the printing of its line) comes to the same,
//! because it prints a line when the next sample is due.

use std::io::{self, Write};

/// How many numbers are kept before they are passed on unasked.
const KEPT_AT_MOST: usize = 1 << 12;

/// Writes rows of numbers. They are kept as they are until [`flush`](Writer::flush), which puts them into text
/// and passes it on with a single `write`: a reader who watches the file sees whole lines only, and a sampler
/// that just woke up spends no time on formatting.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    /// `order[i]` is where in the caller's row the i-th sorted column stands.
    order: Vec<usize>,
    /// Times and values of rows that are not handed on yet.
    times: Vec<i64>,
    values: Vec<f64>,
    text: Vec<u8>,
    last_time_ms: Option<i64>,
}

impl<W: Write> Writer<W> {
    /// Writes the header. `columns` are the names without `Delta` and `Time`, in the order in which
    /// [`row`](Writer::row) will get its values.
    ///
    /// # Errors
    ///
    /// Whatever writing to `out` gives.
    pub fn new(mut out: W, columns: &[String]) -> io::Result<Writer<W>> {
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by(|a, b| columns[*a].cmp(&columns[*b]));
        let mut text = b"Delta,Time".to_vec();
        for index in &order {
            text.push(b',');
            text.extend_from_slice(columns[*index].as_bytes());
        }
        text.push(b'\n');
        out.write_all(&text)?;
        let (times, values) = (Vec::new(), Vec::new());
        Ok(Writer { out, order, times, values, text, last_time_ms: None })
    }

    /// Adds one row: the wall clock of the reading in Unix milliseconds, and one value per column.
    ///
    /// # Errors
    ///
    /// A value count that differs from the header's is `InvalidInput`. Where a lot is kept already it is
    /// handed on, and that can fail as [`flush`](Writer::flush) can.
    pub fn row(&mut self, time_ms: i64, values: &[f64]) -> io::Result<()> {
        if values.len() != self.order.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} values for {} columns", values.len(), self.order.len()),
            ));
        }
        self.times.push(time_ms);
        self.values.extend_from_slice(values);
        if self.values.len() < KEPT_AT_MOST { Ok(()) } else { self.flush() }
    }

    /// Hands on the rows that are kept.
    ///
    /// # Errors
    ///
    /// Whatever writing to `out` gives. The rows are given up then: how much of them is in the file is
    /// not known.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.times.is_empty() {
            return Ok(());
        }
        self.text.clear();
        let width = self.order.len();
        for (row, time_ms) in self.times.drain(..).enumerate() {
            // The clock may have been set back between two rows; a negative Delta would be nonsense.
            let delta = self.last_time_ms.map_or(0, |last| (time_ms - last).max(0));
            self.last_time_ms = Some(time_ms);
            write!(self.text, "{delta},{time_ms}")?;
            let values = &self.values[row * width..][..width];
            for index in &self.order {
                write!(self.text, ",{}", values[*index])?;
            }
            self.text.push(b'\n');
        }
        self.values.clear();
        self.out.write_all(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(mut writer: Writer<Vec<u8>>) -> String {
        writer.flush().unwrap();
        String::from_utf8(writer.out).unwrap()
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn columns_come_sorted_as_energibridge_sorts_them() {
        let columns = names(&["CPU_USAGE_2", "PACKAGE_ENERGY (J)", "CPU_USAGE_10"]);
        let mut writer = Writer::new(Vec::new(), &columns).unwrap();
        writer.row(1_740_653_207_388, &[2.0, 0.5, 10.25]).unwrap();
        let text = written(writer);
        assert_eq!(
            text,
            "Delta,Time,CPU_USAGE_10,CPU_USAGE_2,PACKAGE_ENERGY (J)\n\
             0,1740653207388,10.25,2,0.5\n"
        );
    }

    #[test]
    fn delta_is_the_time_since_the_row_before_and_never_negative() {
        let mut writer = Writer::new(Vec::new(), &names(&["A"])).unwrap();
        for time in [1000, 1200, 1150] {
            writer.row(time, &[0.0]).unwrap();
        }
        let text = written(writer);
        assert_eq!(text, "Delta,Time,A\n0,1000,0\n200,1200,0\n0,1150,0\n");
    }

    #[test]
    fn rows_are_kept_until_they_are_asked_for_or_too_many_and_only_whole_ones_are_written() {
        struct Whole(usize);
        impl Write for Whole {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                assert_eq!(bytes.last(), Some(&b'\n'));
                self.0 += 1;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = Writer::new(Whole(0), &names(&["A", "B"])).unwrap();
        assert_eq!(writer.out.0, 1, "the header");
        writer.row(1, &[1.0, 2.0]).unwrap();
        writer.row(2, &[1.0, 2.0]).unwrap();
        assert_eq!(writer.out.0, 1);
        writer.flush().unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.out.0, 2);
        for time in 0..KEPT_AT_MOST as i64 / 2 + 1 {
            writer.row(time, &[1.0, 2.0]).unwrap();
        }
        assert_eq!((writer.out.0, writer.times.len()), (3, 1));
    }

    #[test]
    fn a_row_of_the_wrong_width_is_refused() {
        let mut writer = Writer::new(Vec::new(), &names(&["A", "B"])).unwrap();
        assert_eq!(writer.row(1, &[1.0]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
