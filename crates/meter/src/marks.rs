//! Marks of phases from a command that knows nothing of its meter: lines in a file that a variable of its
//! environment names.
//!
//! On Unix the file is a pipe with a name: a mark is heard as it is made, so that the counters are read
//! then, and whoever waits for one costs nothing. Elsewhere it is a plain file that is read at the end, in
//! which each mark has to say its time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use joulerace_energy::phase::{Edge, Phase, PhaseMark};
use joulerace_files::files::Scratch;

/// The variable that names the file.
pub const VARIABLE: &str = "JOULERACE_MARKS";

/// As many marks are kept of one command; what makes more marks something else than phases.
pub const MOST: usize = 20_000;

/// No mark is longer, in bytes.
const LONGEST: usize = 200;

/// How far ahead of this clock a mark's time may be: both are of one machine.
const AHEAD_NS: i64 = 1_000_000;

/// Ends the reading: no name of a phase holds it.
const LAST: &[u8] = b"\x04\n";

/// Nanoseconds since the Unix epoch, the clock of samples and marks.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Marks a phase's beginning or end at this moment. Gives false where nobody measures.
///
/// # Errors
///
/// The file that the environment names cannot be written to.
pub fn send(phase: Phase, edge: Edge) -> io::Result<bool> {
    let Some(file) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
        return Ok(false);
    };
    let line = format!("{phase} {} {}\n", edge.word(), now_ns());
    open_to_write(Path::new(&file))?.write_all(line.as_bytes())?;
    Ok(true)
}

fn open_to_write(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true);
    // A pipe that nobody reads any more is an error, not something to wait for.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    options.open(path)
}

/// What was heard of a command.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// Its marks, in the order in which they came.
    pub marks: Vec<PhaseMark>,
    /// What is wrong with lines that are none, a sentence each; the first few.
    pub faults: Vec<String>,
}

/// As many faults are told.
const TOLD: usize = 3;

impl Heard {
    fn line(&mut self, line: &[u8], begun_ns: i64) -> Option<PhaseMark> {
        match read(line, begun_ns, now_ns()) {
            Ok(None) => None,
            Ok(Some(_)) if self.marks.len() >= MOST => {
                self.fault(format!("it marked more than {MOST} beginnings and ends of phases"));
                None
            }
            Ok(Some(mark)) => {
                self.marks.push(mark);
                Some(mark)
            }
            Err(why) => {
                let said: String =
                    String::from_utf8_lossy(line).trim_end().chars().take(60).collect();
                self.fault(format!("no mark of a phase: {said:?}: {why}"));
                None
            }
        }
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < TOLD && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// Reads `PHASE begin|end [NANOSECONDS]`; nothing of an empty line.
fn read(line: &[u8], begun_ns: i64, arrived_ns: i64) -> Result<Option<PhaseMark>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?;
    let mut words = text.split_whitespace();
    let Some(phase) = words.next() else { return Ok(None) };
    let phase: Phase =
        phase.parse().map_err(|error: joulerace_energy::phase::NoPhase| error.to_string())?;
    if phase == Phase::Run {
        return Err("run is the process itself, which is marked by who measures it".to_owned());
    }
    let edge = match words.next() {
        Some("begin") => Edge::Begin,
        Some("end") => Edge::End,
        _ => return Err("after the phase stands begin or end".to_owned()),
    };
    let unix_ns = match words.next() {
        None => arrived_ns,
        Some(time) => time.parse().map_err(|_| format!("{time:?} is not a time in nanoseconds"))?,
    };
    if words.next().is_some() {
        return Err("a mark is a phase, begin or end, and perhaps a time".to_owned());
    }
    if !(begun_ns..=arrived_ns.saturating_add(AHEAD_NS)).contains(&unix_ns) {
        return Err(format!("its time {unix_ns} is not within the measurement"));
    }
    Ok(Some(PhaseMark { phase, edge, unix_ns }))
}

/// Where a command's marks arrive.
#[derive(Debug)]
pub struct Inbox {
    folder: Scratch,
    begun_ns: i64,
}

impl Inbox {
    /// Makes the file, in a folder that only this user can enter.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn open() -> io::Result<Inbox> {
        let inbox = Inbox { folder: Scratch::new()?, begun_ns: now_ns() };
        #[cfg(unix)]
        nix::unistd::mkfifo(&inbox.path(), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
        #[cfg(not(unix))]
        File::create(inbox.path())?;
        Ok(inbox)
    }

    /// The file, for [`VARIABLE`].
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("marks")
    }

    /// Runs `work` and tells `on_mark` of each mark as it comes, on another thread. Gives what the work
    /// gave, and all that was heard until it was done.
    ///
    /// # Errors
    ///
    /// The system's, before the work begins.
    pub fn during<T>(
        &self,
        on_mark: impl Fn(PhaseMark) + Sync,
        work: impl FnOnce() -> T,
    ) -> io::Result<(T, Heard)> {
        let mut options = OpenOptions::new();
        options.read(true);
        // A pipe that this program may write to as well never ends before it says so.
        options.write(cfg!(unix));
        let file = options.open(self.path())?;
        let heard = Mutex::new(Heard::default());
        let hear = |line: &[u8]| {
            let mut heard = heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(mark) = heard.line(line, self.begun_ns) {
                on_mark(mark);
            }
        };
        let done = if cfg!(unix) {
            std::thread::scope(|scope| {
                scope.spawn(|| lines(&file, &hear));
                let last = Last(&file);
                let done = work();
                drop(last);
                done
            })
        } else {
            let done = work();
            lines(&file, &hear);
            done
        };
        Ok((done, heard.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)))
    }
}

/// Ends the reading when it is dropped, also by a panic.
struct Last<'a>(&'a File);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        let mut file = self.0;
        // A pipe is emptied by its reader, so that this waits only as long as that takes.
        let _ = file.write_all(LAST);
    }
}

/// Calls `hear` with each line, without its end, until [`LAST`] or the file's end. What is longer than a
/// mark may be is cut there.
fn lines(mut file: &File, hear: &impl Fn(&[u8])) {
    let mut line: Vec<u8> = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        for byte in &chunk[..read] {
            if *byte != b'\n' {
                if line.len() < LONGEST {
                    line.push(*byte);
                }
                continue;
            }
            if line == LAST[..1] {
                return;
            }
            hear(&line);
            line.clear();
        }
    }
    if !line.is_empty() {
        hear(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Result<Option<PhaseMark>, String> {
        read(line.as_bytes(), 100, 200)
    }

    #[test]
    fn a_line_is_a_phase_an_edge_and_perhaps_a_time() {
        let mark = |phase: &str, edge, unix_ns| {
            Ok(Some(PhaseMark { phase: phase.parse().unwrap(), edge, unix_ns }))
        };
        assert_eq!(told("train begin"), mark("train", Edge::Begin, 200));
        assert_eq!(told("  sort\tend 150 \r"), mark("sort", Edge::End, 150));
        assert_eq!(told(""), Ok(None));
        for (line, why) in [
            ("train", "begin or end"),
            ("train start", "begin or end"),
            ("run begin", "the process itself"),
            ("train begin soon", "not a time"),
            ("train begin 99", "not within"),
            ("train begin 1000201", "not within"),
            ("a/b begin", "cannot name a phase"),
            ("train begin 150 more", "perhaps a time"),
        ] {
            let said = told(line).unwrap_err();
            assert!(said.contains(why), "{line}: {said}");
        }
    }

    #[test]
    fn what_is_written_to_the_file_is_heard_in_its_order_and_rubbish_is_told() {
        let inbox = Inbox::open().unwrap();
        let seen = Mutex::new(0);
        let (status, heard) = inbox
            .during(
                |_| *seen.lock().unwrap() += 1,
                || {
                    std::process::Command::new("sh")
                        .args(["-c", "echo load begin >> $M; echo load end > $M; head -c 9000 /dev/zero > $M; \
                               echo > $M; printf 'sort begin\\nsort end\\n' >> $M"])
                        .env("M", inbox.path())
                        .status()
                        .unwrap()
                },
            )
            .unwrap();
        assert!(status.success());
        let names: Vec<String> =
            heard.marks.iter().map(|m| format!("{} {}", m.phase, m.edge.word())).collect();
        assert_eq!(names, ["load begin", "load end", "sort begin", "sort end"]);
        assert!(heard.marks.is_sorted_by_key(|mark| mark.unix_ns));
        assert_eq!((*seen.lock().unwrap(), heard.faults.len()), (4, 1), "{heard:?}");
    }

    #[test]
    fn a_flood_of_marks_is_cut_and_told() {
        let mut heard = Heard::default();
        for _ in 0..=MOST {
            heard.line(b"a begin", 0);
        }
        assert_eq!((heard.marks.len(), heard.faults.len()), (MOST, 1));
    }
}
