//! One file of samples out of two: EnergiBridge's rows, with what this program sampled beside them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::MeterError;

/// Where this program samples while EnergiBridge writes `csv`.
pub(crate) fn beside(csv: &Path) -> PathBuf {
    let mut name = csv.as_os_str().to_owned();
    name.push(".cards");
    name.into()
}

/// Adds the columns of `from` to the rows of `into`, and removes `from`. Each row of `into` gets the values
/// of its own `Time`, on the straight line between the rows of `from` around it: in a counter as in a power
/// that is what the accounting takes between two rows anyway.
///
/// # Errors
///
/// Where one of them cannot be read or written, or is no file of samples.
pub(crate) fn merge(into: &Path, from: &Path) -> Result<(), MeterError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| MeterError::Write { path, source: Arc::new(source) }
    };
    let theirs = fs::read_to_string(into).map_err(failed(into))?;
    let own = fs::read_to_string(from).map_err(failed(from))?;
    let merged = merged(&theirs, &own)
        .ok_or_else(|| failed(into)(io::Error::new(io::ErrorKind::InvalidData, "no samples")))?;
    crate::store::replace(into, merged.as_bytes()).map_err(failed(into))?;
    // What stays of it is of no use, and no harm.
    let _ = fs::remove_file(from);
    Ok(())
}

/// Rows of times and values.
struct Rows<'a> {
    names: Vec<&'a str>,
    rows: Vec<(f64, Vec<f64>)>,
}

impl<'a> Rows<'a> {
    fn of(text: &'a str) -> Option<Rows<'a>> {
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next()?.split(',').skip(2).collect();
        let rows = lines.filter_map(|line| {
            let mut numbers = line.split(',').skip(1).map(|field| field.parse().ok());
            let time: f64 = numbers.next()??;
            let values: Vec<f64> = numbers.collect::<Option<_>>()?;
            (values.len() == names.len()).then_some((time, values))
        });
        let rows: Vec<(f64, Vec<f64>)> = rows.collect();
        (!rows.is_empty()).then_some(Rows { names, rows })
    }

    fn at(&self, time: f64) -> Vec<f64> {
        let next = self.rows.partition_point(|(then, _)| *then < time);
        let after = self.rows.get(next).or(self.rows.last());
        let before = next.checked_sub(1).and_then(|last| self.rows.get(last)).or(after);
        let (Some((t0, v0)), Some((t1, v1))) = (before, after) else { return Vec::new() };
        let share = if t1 > t0 { ((time - t0) / (t1 - t0)).clamp(0.0, 1.0) } else { 0.0 };
        // Where a counter fell, nothing is interpolated: the fall has to stay visible.
        let between = |(a, b): (&f64, &f64)| if b < a { *b } else { a + share * (b - a) };
        v0.iter().zip(v1).map(between).collect()
    }
}

fn merged(theirs: &str, own: &str) -> Option<String> {
    let own = Rows::of(own)?;
    let mut lines = theirs.lines();
    let names: Vec<&str> = lines.next()?.split(',').collect();
    let time = names.iter().position(|name| name.trim() == "Time")?;
    // Behind `Delta` and `Time` the names stay sorted, as EnergiBridge sorts them.
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (index, name) in own.names.iter().enumerate() {
        let place = names.iter().skip(2).take_while(|there| *there < name).count() + 2;
        order.push((place.min(names.len()), index));
    }
    order.sort_unstable();
    let woven = |fields: &[&str], added: &[String]| {
        let mut line: Vec<&str> = fields.to_vec();
        for (place, index) in order.iter().rev() {
            line.insert(*place, &added[*index]);
        }
        line.join(",")
    };
    let added: Vec<String> = own.names.iter().map(|name| (*name).to_owned()).collect();
    let mut text = woven(&names, &added) + "\n";
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        // A line that was cut off, or that is no row, stays as it is; reading the file reports it.
        let at = fields.get(time).and_then(|field| field.trim().parse().ok());
        match at.filter(|_| fields.len() == names.len()) {
            Some(at) => {
                let values: Vec<String> = own.at(at).iter().map(f64::to_string).collect();
                text += &woven(&fields, &values);
            }
            None => text += line,
        }
        text.push('\n');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_where_their_names_belong_and_values_lie_on_the_line_between() {
        let theirs = "Delta,Time,CPU_USAGE_0,PACKAGE_ENERGY (J)\n0,1000,5,7\n200,1250,5,9\n";
        let own = "Delta,Time,GPU0_ENERGY (J),GPU0_POWER (mWatts)\n0,900,0,4000\n400,1300,8,6000\n";
        assert_eq!(
            merged(theirs, own).unwrap(),
            "Delta,Time,CPU_USAGE_0,GPU0_ENERGY (J),GPU0_POWER (mWatts),PACKAGE_ENERGY (J)\n\
             0,1000,5,2,4500,7\n200,1250,5,7,5750,9\n"
        );
    }

    #[test]
    fn a_fall_stays_a_fall_and_a_broken_line_stays_as_it_is() {
        let theirs = "Delta,Time,A\n0,1000,1\n0,1500\n100,1900,1\n";
        let own = "Delta,Time,B\n0,900,10\n0,1400,50\n0,1800,0\n";
        assert_eq!(
            merged(theirs, own).unwrap(),
            "Delta,Time,A,B\n0,1000,1,18\n0,1500\n100,1900,1,0\n"
        );
        assert!(merged(theirs, "Delta,Time,B\n").is_none());
    }
}
