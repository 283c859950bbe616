//! Follows the file that EnergiBridge writes: the power to show, and whether rows still come and move.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::meter::MeterError;
use crate::samples::column::Layout;
use crate::samples::{Domain, Quantity, ReadError};

/// Without a row for this long, and for at least this many intervals, it hangs.
const STALLED_AFTER: Duration = Duration::from_secs(10);
const STALLED_INTERVALS: u32 = 20;

/// A counter that shows one value for this long, over this many rows, is frozen: the registers are updated about
/// every millisecond. One that never moved while others do is a register that the machine lacks.
const STILL_MS: f64 = 2000.0;
const STILL_ROWS: u32 = 5;

/// Rows closer together than this say little about power.
const SHORTEST_MS: f64 = 20.0;

/// A line longer than this is no row of samples.
const LONGEST_LINE: usize = 1 << 20;

/// One counter or power of the total.
#[derive(Debug)]
struct Series {
    index: usize,
    quantity: Quantity,
    scale: f64,
    name: String,
    last: f64,
    still_since: f64,
    still_rows: u32,
    /// Whether it ever moved; the package is taken to have, as it did when EnergiBridge was tried out.
    moved: bool,
}

/// A file of samples that another process writes.
#[derive(Debug)]
pub(crate) struct Watch {
    csv: PathBuf,
    patience: Duration,
    file: Option<File>,
    /// Bytes of a line that is not complete yet.
    pending: Vec<u8>,
    time: usize,
    series: Vec<Series>,
    header: bool,
    last_ms: Option<f64>,
    last_seen: Instant,
    watts: Option<f64>,
    fault: Option<MeterError>,
}

impl Watch {
    /// Follows `csv`, which need not be there yet.
    pub(crate) fn new(csv: &Path, interval: Duration) -> Watch {
        Watch {
            csv: csv.to_owned(),
            patience: STALLED_AFTER.max(interval * STALLED_INTERVALS),
            file: None,
            pending: Vec::new(),
            time: 0,
            series: Vec::new(),
            header: false,
            last_ms: None,
            last_seen: Instant::now(),
            watts: None,
            fault: None,
        }
    }

    /// Mean power between the last two rows, in watts.
    pub(crate) fn watts(&mut self) -> Option<f64> {
        self.poll();
        self.watts
    }

    /// Says whether rows still come and move.
    ///
    /// # Errors
    ///
    /// [`MeterError::Stalled`], [`MeterError::Frozen`], or [`MeterError::Samples`] for a file that is no
    /// file of samples.
    pub(crate) fn health(&mut self) -> Result<(), MeterError> {
        self.poll();
        if self.fault.is_none() && self.last_seen.elapsed() > self.patience {
            let seconds = self.last_seen.elapsed().as_secs_f64();
            self.fault = Some(MeterError::Stalled { file: self.csv.clone(), seconds });
        }
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// Reads what was written since the last time.
    fn poll(&mut self) {
        if self.file.is_none() {
            self.file = File::open(&self.csv).ok();
        }
        let mut chunk = [0u8; 16 << 10];
        while self.fault.is_none() {
            let Some(file) = &mut self.file else { return };
            match file.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => self.take(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Reading the whole file at the end reports that.
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = String::from_utf8_lossy(&self.pending).into_owned();
            self.pending.clear();
            if self.header {
                self.row(&line);
            } else {
                self.head(&line);
            }
        }
        // A line without an end is not kept; reading the whole file says what is wrong with it.
        if self.pending.len() + bytes.len() <= LONGEST_LINE {
            self.pending.extend_from_slice(bytes);
        }
    }

    fn head(&mut self, line: &str) {
        self.header = true;
        let names: Vec<String> = line.split(',').map(|name| name.trim().to_owned()).collect();
        let layout = match Layout::of(&names) {
            Ok(layout) => layout,
            Err(fault) => {
                let error = ReadError { file: self.csv.clone(), row: Some(1), fault };
                self.fault = Some(MeterError::Samples(Arc::new(error)));
                return;
            }
        };
        let domains: Vec<Domain> = layout.columns.iter().map(|column| column.domain).collect();
        let total = Domain::in_total(&domains);
        self.time = layout.time;
        self.series = layout
            .columns
            .into_iter()
            .filter(|column| total.contains(&column.domain))
            .map(|column| Series {
                index: column.index,
                quantity: column.quantity,
                scale: column.scale,
                name: column.name,
                last: f64::NAN,
                still_since: f64::NAN,
                still_rows: 0,
                moved: column.domain == Domain::Package,
            })
            .collect();
    }

    fn row(&mut self, line: &str) {
        self.last_seen = Instant::now();
        let fields: Vec<&str> = line.split(',').collect();
        let value = |index: usize| fields.get(index).and_then(|text| text.trim().parse().ok());
        let Some(time_ms): Option<f64> = value(self.time) else { return };
        let passed_ms = self.last_ms.map_or(0.0, |last| time_ms - last);
        let (mut watts, mut known) = (0.0, passed_ms >= SHORTEST_MS);
        for series in &mut self.series {
            let Some(now): Option<f64> = value(series.index) else { return };
            match series.quantity {
                Quantity::Power => watts += now * series.scale,
                Quantity::Counter => {
                    let risen = (now - series.last) * series.scale;
                    // A wrap says nothing about the power.
                    known &= risen >= 0.0;
                    watts += risen / (passed_ms / 1e3);
                    if now == series.last {
                        series.still_rows += 1;
                    } else {
                        series.moved |= !series.last.is_nan();
                        (series.still_since, series.still_rows) = (time_ms, 0);
                    }
                    let still_ms = time_ms - series.still_since;
                    let still = series.still_rows >= STILL_ROWS && still_ms >= STILL_MS;
                    if still && series.moved {
                        let file = format!("column '{}' of {}", series.name, self.csv.display());
                        let seconds = still_ms / 1e3;
                        self.fault = Some(MeterError::Frozen { file: file.into(), seconds });
                    }
                }
            }
            series.last = now;
        }
        if known {
            self.watts = Some(watts);
        }
        self.last_ms = Some(time_ms);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use joulerace_files::Remedy as _;

    struct Growing {
        _folder: tempfile::TempDir,
        file: File,
        watch: Watch,
    }

    fn growing(header: &str) -> Growing {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("t.csv");
        let watch = Watch::new(&csv, Duration::from_millis(200));
        let mut file = File::create(&csv).unwrap();
        file.write_all(header.as_bytes()).unwrap();
        Growing { _folder: folder, file, watch }
    }

    impl Growing {
        fn add(&mut self, text: &str) -> Option<f64> {
            self.file.write_all(text.as_bytes()).unwrap();
            self.watch.watts()
        }
    }

    #[test]
    fn power_is_what_the_counters_of_the_total_rose_by() {
        let header = "Delta,Time,CORE0_ENERGY (J),CPU_ENERGY (J),GPU0_POWER (mWatts)\n";
        let mut csv = growing(header);
        assert_eq!(csv.add("0,1000,5,100,20000\n"), None);
        // Half a row is no row; 10 J in 0.2 s and a GPU of 20 W; the cores do not count.
        assert_eq!(csv.add("200,1200,9,110,200"), None);
        assert_eq!(csv.add("00\n"), Some(70.0));
        // A wrap leaves the last power standing.
        assert_eq!(csv.add("200,1400,9,3,20000\n"), Some(70.0));
        csv.watch.health().unwrap();
    }

    #[test]
    fn a_header_without_energy_is_a_fault() {
        let mut csv = growing("Delta,Time,CPU_USAGE_0\n");
        assert!(matches!(csv.watch.health(), Err(MeterError::Samples(_))));
    }

    #[test]
    fn a_counter_that_stands_still_for_seconds_is_a_fault() {
        let mut csv = growing("Delta,Time,PACKAGE_ENERGY (J)\n");
        for row in 0..10 {
            csv.add(&format!("200,{},{}\n", 1000 + 200 * row, 7 + row));
        }
        csv.watch.health().unwrap();
        for row in 10..21 {
            csv.add(&format!("200,{},16\n", 1000 + 200 * row));
        }
        let error = csv.watch.health().unwrap_err();
        assert!(matches!(&error, MeterError::Frozen { .. }), "{error}");
        assert!(error.in_line().contains("PACKAGE_ENERGY (J)"), "{error}");
    }

    #[test]
    fn a_register_that_is_not_there_is_no_fault_and_one_that_stops_is() {
        let mut csv = growing("Delta,Time,DRAM_ENERGY (J),PACKAGE_ENERGY (J)\n");
        for row in 0..20 {
            csv.add(&format!("200,{},0,{}\n", 1000 + 200 * row, 7 + row));
        }
        csv.watch.health().unwrap();
        let mut csv = growing("Delta,Time,DRAM_ENERGY (J),PACKAGE_ENERGY (J)\n");
        for row in 0..20 {
            csv.add(&format!("200,{},{},{}\n", 1000 + 200 * row, 90 + row.min(4), 7 + row));
        }
        let error = csv.watch.health().unwrap_err().in_line();
        assert!(error.contains("DRAM_ENERGY (J)"), "{error}");
    }

    #[test]
    fn a_file_that_does_not_grow_is_a_fault_after_a_while() {
        let mut csv = growing("Delta,Time,PACKAGE_ENERGY (J)\n");
        csv.add("0,1000,1\n");
        csv.watch.patience = Duration::from_millis(30);
        std::thread::sleep(Duration::from_millis(31));
        assert!(matches!(csv.watch.health(), Err(MeterError::Stalled { .. })));
    }
}
