//! Writes samples in EnergiBridge's CSV format, so that an analysis written for one reads the others.
//!
//! The header is `Delta,Time,` and then the columns sorted by name; `Time` is the wall clock of the
//! reading in whole Unix milliseconds. `Delta` is the milliseconds since the row before, 0 in the
//! first: EnergiBridge's own `Delta` (from a sample to the printing of its line) comes to the same,
//! because it prints a line when the next sample is due.

use std::io::{self, Write};

/// Writes rows of numbers, each with a single `write`, so that a reader who watches the file sees
/// whole lines only and nothing is lost when the process is killed.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    /// `order[i]` is where in the caller's row the i-th sorted column stands.
    order: Vec<usize>,
    line: Vec<u8>,
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
        let mut line = b"Delta,Time".to_vec();
        for index in &order {
            line.push(b',');
            line.extend_from_slice(columns[*index].as_bytes());
        }
        line.push(b'\n');
        out.write_all(&line)?;
        Ok(Writer { out, order, line, last_time_ms: None })
    }

    /// Writes one row: the wall clock of the reading in Unix milliseconds, and one value per column.
    ///
    /// # Errors
    ///
    /// Whatever writing gives; a value count that differs from the header's is `InvalidInput`.
    pub fn row(&mut self, time_ms: i64, values: &[f64]) -> io::Result<()> {
        if values.len() != self.order.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} values for {} columns", values.len(), self.order.len()),
            ));
        }
        // The clock may have been set back between two rows; a negative Delta would be nonsense.
        let delta = self.last_time_ms.map_or(0, |last| (time_ms - last).max(0));
        self.last_time_ms = Some(time_ms);
        self.line.clear();
        write!(self.line, "{delta},{time_ms}")?;
        for index in &self.order {
            write!(self.line, ",{}", values[*index])?;
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Gives back what was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn columns_come_sorted_as_energibridge_sorts_them() {
        let columns = names(&["CPU_USAGE_2", "PACKAGE_ENERGY (J)", "CPU_USAGE_10"]);
        let mut writer = Writer::new(Vec::new(), &columns).unwrap();
        writer.row(1_740_653_207_388, &[2.0, 0.5, 10.25]).unwrap();
        let text = String::from_utf8(writer.into_inner()).unwrap();
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
        let text = String::from_utf8(writer.into_inner()).unwrap();
        assert_eq!(text, "Delta,Time,A\n0,1000,0\n200,1200,0\n0,1150,0\n");
    }

    #[test]
    fn each_row_is_one_write_that_ends_a_line() {
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
        writer.row(1, &[1.0, 2.0]).unwrap();
        writer.row(2, &[1.0, 2.0]).unwrap();
        assert_eq!(writer.into_inner().0, 3);
    }

    #[test]
    fn a_row_of_the_wrong_width_is_refused() {
        let mut writer = Writer::new(Vec::new(), &names(&["A", "B"])).unwrap();
        assert_eq!(writer.row(1, &[1.0]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
