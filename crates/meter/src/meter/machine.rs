//! What the processors and the memory are doing, from `/proc` and `/sys`, beside each energy reading.
//!
//! The columns are those of EnergiBridge: `CPU_USAGE_<n>` in percent since the reading before,
//! `CPU_FREQUENCY_<n>` in MHz, `TOTAL_MEMORY`, `USED_MEMORY`, `TOTAL_SWAP` and `USED_SWAP` in bytes.
//! They are read about once a second, and the rows in between repeat them: `/proc` writes its files anew
//! for each reading, which costs more than the energy's own. Files stay open and one buffer serves them
//! all: what is spent on watching is itself measured. Nothing here is needed for the energy, so that what
//! cannot be read is left out, not an error.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use super::proc::{Ticks, cpu_lines, number, read_at, read_at_start, ticks_per_second};

/// Least number of scheduler ticks between two readings of a processor's use: a share of one or two
/// says nothing.
const LEAST_TICKS: u64 = 5;

/// How long a reading stands, a little less than a second so that the row of a whole second is never
/// just too early. The first one stands shorter, because a use is known with the second only.
const READ_EVERY: Duration = Duration::from_millis(950);
const SECOND_AFTER: Duration = Duration::from_millis(150);

/// `/proc/cpuinfo` is written anew, flags and all, for a handful of numbers; where it is the only word
/// on the frequency (virtual machines, mostly, where it does not change) every five seconds has to do.
const CPUINFO_EVERY: Duration = Duration::from_millis(4950);

/// One processor as `/proc/stat` numbers it.
#[derive(Debug)]
struct Cpu {
    number: usize,
    seen: Ticks,
    usage: f64,
    /// `scaling_cur_freq`, where the kernel has it.
    frequency: Option<File>,
    mhz: f64,
}

/// The machine's processors and memory, ready to be read again and again.
#[derive(Debug)]
pub(crate) struct Machine {
    stat: Option<File>,
    meminfo: Option<File>,
    /// Read for the frequency only where no processor has `scaling_cur_freq`.
    cpuinfo: Option<File>,
    cpus: Vec<Cpu>,
    buffer: Vec<u8>,
    /// Instants from which on to read again, and to read `cpuinfo` again.
    due: Option<Instant>,
    cpuinfo_due: Option<Instant>,
    /// Busy ticks of all processors together at the last reading of `stat`, and its instant.
    busy: Option<(Instant, u64)>,
    memory: [f64; 4],
}

impl Machine {
    /// A machine of which nothing is read.
    pub(crate) fn none() -> Machine {
        Machine {
            stat: None,
            meminfo: None,
            cpuinfo: None,
            cpus: Vec::new(),
            buffer: Vec::new(),
            due: None,
            cpuinfo_due: None,
            busy: None,
            memory: [0.0; 4],
        }
    }

    /// Opens what there is under `proc_root` (usually `/proc`) and `cpu_root` (usually
    /// `/sys/devices/system/cpu`); what is missing gives no columns.
    pub(crate) fn open(proc_root: &Path, cpu_root: &Path) -> Machine {
        let mut machine = Machine {
            stat: File::open(proc_root.join("stat")).ok(),
            meminfo: File::open(proc_root.join("meminfo")).ok(),
            ..Machine::none()
        };
        let text = fs::read(proc_root.join("stat")).unwrap_or_default();
        cpu_lines(&text, |cpu, seen| {
            let Some(number) = cpu else { return };
            let path = cpu_root.join(format!("cpu{number}/cpufreq/scaling_cur_freq"));
            let frequency = File::open(path).ok();
            machine.cpus.push(Cpu { number, seen, usage: 0.0, frequency, mhz: 0.0 });
        });
        let mut longest = 4096 + 256 * machine.cpus.len();
        if machine.cpus.iter().all(|cpu| cpu.frequency.is_none()) {
            machine.cpuinfo = File::open(proc_root.join("cpuinfo")).ok();
            // Flags make up most of it and do not change; a quarter is room for the numbers to grow.
            let size = fs::read(proc_root.join("cpuinfo")).map_or(0, |text| text.len());
            longest = longest.max(size + size / 4);
        }
        machine.buffer = vec![0; longest];
        machine
    }

    /// Names of the columns that [`read`](Machine::read) fills, in its order.
    pub(crate) fn columns(&self) -> Vec<String> {
        let mut names = Vec::new();
        for cpu in &self.cpus {
            names.push(format!("CPU_USAGE_{}", cpu.number));
            names.push(format!("CPU_FREQUENCY_{}", cpu.number));
        }
        if self.meminfo.is_some() {
            names.extend(
                ["TOTAL_MEMORY", "USED_MEMORY", "TOTAL_SWAP", "USED_SWAP"].map(String::from),
            );
        }
        names
    }

    /// Reads everything anew into `values`, one per column, where the last reading is a second or so
    /// before the instant `at`. What is not read or fails keeps its last value.
    pub(crate) fn read(&mut self, at: Instant, values: &mut [f64]) {
        let stands = if self.due.is_none() { SECOND_AFTER } else { READ_EVERY };
        if !is_due(&mut self.due, at, stands) {
            return;
        }
        self.read_stat(at);
        self.read_frequencies(at);
        self.read_memory();
        let mut values = values.iter_mut();
        let mut put = |value: f64| {
            if let Some(place) = values.next() {
                *place = value;
            }
        };
        for cpu in &self.cpus {
            put(cpu.usage);
            put(cpu.mhz);
        }
        self.memory.into_iter().for_each(put);
    }

    /// Whether the processors certainly did something between `since` and `now`; `None` where
    /// `/proc/stat` does not tell.
    ///
    /// The ticks since the last reading are compared with the most that can have been before `since`. If
    /// that leaves it open, asking again later helps: this is a reading too.
    pub(crate) fn worked_since(&mut self, since: Instant, now: Instant) -> Option<bool> {
        let (then, before) = self.busy?;
        self.read_stat(now);
        let (_, after) = self.busy?;
        let earlier_s = since.saturating_duration_since(then).as_secs_f64();
        // A processor's tick that is under way may be counted at either end.
        let most = self.cpus.len() as f64 * (earlier_s * ticks_per_second()).ceil();
        Some(after.saturating_sub(before) as f64 > most)
    }

    fn read_stat(&mut self, at: Instant) {
        let Some(file) = &self.stat else { return };
        let Ok(length) = read_at_start(file, &mut self.buffer) else { return };
        let (cpus, busy) = (&mut self.cpus, &mut self.busy);
        let mut next = 0;
        cpu_lines(&self.buffer[..length], |cpu, now| {
            let Some(number) = cpu else {
                *busy = Some((at, now.busy));
                return;
            };
            // The kernel lists them in order, and a processor taken offline is left out.
            while cpus.get(next).is_some_and(|known| known.number < number) {
                next += 1;
            }
            let Some(known) = cpus.get_mut(next).filter(|known| known.number == number) else {
                return;
            };
            let total = now.total.saturating_sub(known.seen.total);
            if total >= LEAST_TICKS {
                let busy = now.busy.saturating_sub(known.seen.busy);
                known.usage = 100.0 * busy as f64 / total as f64;
                known.seen = now;
            }
        });
    }

    fn read_frequencies(&mut self, at: Instant) {
        for cpu in &mut self.cpus {
            let Some(file) = &cpu.frequency else { continue };
            let mut text = [0u8; 32];
            let Ok(length) = read_at_start(file, &mut text) else { continue };
            if let Some(khz) = number(text[..length].trim_ascii()) {
                cpu.mhz = (khz / 1000) as f64;
            }
        }
        let Some(file) = &self.cpuinfo else { return };
        if !is_due(&mut self.cpuinfo_due, at, CPUINFO_EVERY) {
            return;
        }
        // One record per processor, so that it comes in pieces.
        let mut length = 0;
        while let Ok(count @ 1..) = read_at(file, &mut self.buffer[length..], length as u64) {
            length += count;
        }
        let mut cpus = self.cpus.iter_mut();
        for line in self.buffer[..length].split(|byte| *byte == b'\n') {
            let Some(rest) = line.strip_prefix(b"cpu MHz") else { continue };
            let Some(cpu) = cpus.next() else { break };
            let digits = rest.trim_ascii_start().strip_prefix(b":").unwrap_or_default();
            let whole = digits.split(|byte| *byte == b'.').next().unwrap_or_default();
            if let Some(mhz) = number(whole.trim_ascii()) {
                cpu.mhz = mhz as f64;
            }
        }
    }

    fn read_memory(&mut self) {
        let Some(file) = &self.meminfo else { return };
        let Ok(length) = read_at_start(file, &mut self.buffer) else { return };
        let [mut total, mut available, mut swap, mut swap_free] = [None; 4];
        for line in self.buffer[..length].split(|byte| *byte == b'\n') {
            let place = match line.split(|byte| *byte == b':').next().unwrap_or_default() {
                b"MemTotal" => &mut total,
                b"MemAvailable" => &mut available,
                b"SwapTotal" => &mut swap,
                b"SwapFree" => {
                    swap_free = kibibytes(line);
                    break; // all that is needed stands above
                }
                _ => continue,
            };
            *place = kibibytes(line);
        }
        if let (Some(total), Some(available)) = (total, available) {
            self.memory[0] = total;
            self.memory[1] = (total - available).max(0.0);
        }
        if let (Some(swap), Some(free)) = (swap, swap_free) {
            self.memory[2] = swap;
            self.memory[3] = (swap - free).max(0.0);
        }
    }
}

/// Whether `due` has come; it is then put off until `stands` after `at`.
fn is_due(due: &mut Option<Instant>, at: Instant, stands: Duration) -> bool {
    let come = due.is_none_or(|due| at >= due);
    if come {
        *due = Some(at + stands);
    }
    come
}

/// The bytes that a line such as `MemTotal:  24604660 kB` stands for.
fn kibibytes(line: &[u8]) -> Option<f64> {
    let value = line.split(|byte| *byte == b':').nth(1)?.trim_ascii_start();
    let digits = value.split(|byte| *byte == b' ').next()?;
    number(digits).map(|kib| kib as f64 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(stat: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("stat"), stat).unwrap();
        let meminfo = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n";
        fs::write(root.path().join("meminfo"), meminfo).unwrap();
        let cpuinfo =
            "processor\t: 0\ncpu MHz\t\t: 2596.138\n\nprocessor\t: 1\ncpu MHz\t\t: 1200.000\n";
        fs::write(root.path().join("cpuinfo"), cpuinfo).unwrap();
        root
    }

    /// Reads a long time after the reading before.
    fn read(machine: &mut Machine) -> Vec<f64> {
        let mut values = vec![f64::NAN; machine.columns().len()];
        let at = machine.due.map_or_else(Instant::now, |due| due + Duration::from_secs(5));
        machine.read(at, &mut values);
        values
    }

    #[test]
    fn use_is_the_busy_share_since_the_reading_before() {
        let root =
            tree("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n");
        let mut machine = Machine::open(root.path(), root.path());
        read(&mut machine);
        // cpu0: 10 busy of 40 (idle 20, iowait 5, steal 5); cpu1: all busy, with every busy field.
        let stat = "cpu  0 0 0 0 0 0 0 0 9 9\ncpu0 4 2 2 20 5 1 1 5 9 9\ncpu1 30 10 0 0 0 0 0 0 0 0\nintr 5\n";
        fs::write(root.path().join("stat"), stat).unwrap();
        let values = read(&mut machine);
        assert_eq!(&values[..4], &[25.0, 2596.0, 100.0, 1200.0]);
    }

    #[test]
    fn a_handful_of_ticks_does_not_change_the_use() {
        let root = tree("cpu  0 0 0 0\ncpu0 0 0 0 0\n");
        let mut machine = Machine::open(root.path(), root.path());
        fs::write(root.path().join("stat"), "cpu  50 0 0 50\ncpu0 50 0 0 50\n").unwrap();
        assert_eq!(read(&mut machine)[0], 50.0);
        fs::write(root.path().join("stat"), "cpu  52 0 0 50\ncpu0 52 0 0 50\n").unwrap();
        assert_eq!(read(&mut machine)[0], 50.0);
    }

    #[test]
    fn work_counts_where_it_cannot_have_been_before() {
        let root = tree("cpu  100 0 0 0\ncpu0 100 0 0 0\n");
        let mut machine = Machine::open(root.path(), root.path());
        assert_eq!(machine.worked_since(Instant::now(), Instant::now()), None, "nothing was read");
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        machine.read(start, &mut []);
        let mut ask = |since, now, busy: f64| {
            let ticks = 100 + (busy * ticks_per_second()) as u64;
            fs::write(root.path().join("stat"), format!("cpu  {ticks} 0 0 0\n")).unwrap();
            machine.worked_since(at(since), at(now))
        };
        // Busy for half a second out of 0.8, of which 0.6 were before.
        assert_eq!(ask(0.6, 0.8, 0.5), Some(false));
        // From that reading on, every tick counts.
        assert_eq!(ask(0.6, 1.0, 0.5), Some(false));
        assert_eq!(ask(0.6, 1.2, 0.52), Some(true));
        // Busy for 0.9 s out of the last 1.0, of which 0.8 were before.
        assert_eq!(ask(2.0, 2.2, 1.42), Some(true));
    }

    #[test]
    fn memory_is_total_less_available_in_bytes() {
        let root = tree("cpu  0 0 0 0\n");
        let mut machine = Machine::open(root.path(), root.path());
        assert_eq!(machine.columns(), ["TOTAL_MEMORY", "USED_MEMORY", "TOTAL_SWAP", "USED_SWAP"]);
        let expected = [1000.0, 600.0, 50.0, 30.0].map(|kib| kib * 1024.0);
        assert_eq!(read(&mut machine), expected);
    }

    #[test]
    fn a_processor_that_goes_offline_keeps_the_others_apart() {
        let root = tree("cpu  0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\ncpu2 0 0 0 0\n");
        let mut machine = Machine::open(root.path(), root.path());
        fs::write(root.path().join("stat"), "cpu  0 0 0 0\ncpu0 10 0 0 90\ncpu2 90 0 0 10\n")
            .unwrap();
        let values = read(&mut machine);
        assert_eq!((values[0], values[2], values[4]), (10.0, 0.0, 90.0));
    }

    #[test]
    fn frequencies_come_from_the_kernels_own_files_where_there_are_any() {
        let root = tree("cpu  0 0 0 0\ncpu0 0 0 0 0\n");
        fs::create_dir_all(root.path().join("cpu0/cpufreq")).unwrap();
        fs::write(root.path().join("cpu0/cpufreq/scaling_cur_freq"), "3401999\n").unwrap();
        assert_eq!(read(&mut Machine::open(root.path(), root.path()))[1], 3401.0);
    }

    #[test]
    fn a_reading_stands_for_a_second_and_cpuinfo_for_five() {
        let root = tree("cpu  0 0 0 0\ncpu0 0 0 0 0\n");
        let mut machine = Machine::open(root.path(), root.path());
        let (start, mut values) = (Instant::now(), vec![f64::NAN; machine.columns().len()]);
        let mut read = |after_ms, stat: &str| {
            fs::write(root.path().join("stat"), stat).unwrap();
            machine.read(start + Duration::from_millis(after_ms), &mut values);
            (values[0], values[1])
        };
        assert_eq!(read(0, "cpu  0 0 0 0\ncpu0 0 0 0 0\n"), (0.0, 2596.0));
        fs::write(root.path().join("cpuinfo"), "cpu MHz\t\t: 900.000\n").unwrap();
        let stat = "cpu  50 0 0 50\ncpu0 50 0 0 50\n";
        assert_eq!(read(1, stat), (0.0, 2596.0));
        assert_eq!(read(200, stat), (50.0, 2596.0), "a use is known from the second row on");
        let stat = "cpu  150 0 0 50\ncpu0 150 0 0 50\n";
        assert_eq!(read(1000, stat), (50.0, 2596.0));
        assert_eq!(read(1200, stat), (100.0, 2596.0));
        assert_eq!(read(5000, stat), (100.0, 900.0));
    }

    #[test]
    fn a_machine_without_proc_has_no_columns() {
        let empty = tempfile::tempdir().unwrap();
        let mut machine = Machine::open(empty.path(), empty.path());
        assert!(machine.columns().is_empty());
        machine.read(Instant::now(), &mut []);
        assert_eq!(machine.worked_since(Instant::now(), Instant::now()), None);
    }
}
